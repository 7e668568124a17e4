// The meaning of plain scalars: the decisions of Ruby's Psych, in its order. Every number it knows starts with a digit,
// a sign, '.' or ':', so a text that starts otherwise is a word: null, a boolean or a string.
#include <cmath>
#include <limits>

#include "base/strings.hpp"
#include "yaml/yaml.hpp"

namespace yaml {

// Writes the members that only resolution may set.
struct Scalars {
  static Node with_source(Node node, std::string_view source) {
    if (node.text_ != source) node.source_ = std::string(source);
    return node;
  }
  static Node big_integer(std::string digits, bool negative, Mark mark) {
    Node node = Node::integer(0, mark);
    std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    node.text_ = (negative && digits[first] != '0' ? "-" : "") + digits.substr(first);
    node.float_ = std::strtod(node.text_.c_str(), nullptr);
    if (auto value = base::parse_int(node.text_)) {
      node.integer_ = *value;
    } else {
      node.integer_ = negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
    }
    return node;
  }
};

namespace {
constexpr std::size_t kMaxDigits = 1000; // longer numbers stay text: nobody means a number by them

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A cursor for the small grammars below.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool eat(char c) {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }
  bool eat_any(std::string_view set) {
    if (at_end() || set.find(peek()) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  // How many characters of the set follow, at most `max`.
  std::size_t run(std::string_view set, std::size_t max = std::string_view::npos) {
    std::size_t start = at_;
    while (!at_end() && at_ - start < max && set.find(peek()) != std::string_view::npos) ++at_;
    return at_ - start;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};
constexpr std::string_view kDigits = "0123456789";

// YYYY-M-D[Tt ]h:mm:ss[.f][ Z|±h[h][:][mm]]
bool is_time(std::string_view text) {
  Scan scan(text);
  scan.eat('-');
  if (scan.run(kDigits, 4) != 4 || !scan.eat('-')) return false;
  if (scan.run(kDigits, 2) == 0 || !scan.eat('-') || scan.run(kDigits, 2) == 0) return false;
  if (!scan.eat_any("Tt") && scan.run(" \t") == 0) return false;
  if (scan.run(kDigits, 2) == 0 || !scan.eat(':') || scan.run(kDigits, 2) != 2 || !scan.eat(':')) return false;
  if (scan.run(kDigits, 2) != 2) return false;
  if (scan.eat('.')) scan.run(kDigits);
  scan.run(" \t");
  if (scan.at_end()) return true;
  if (scan.eat('Z')) return scan.at_end();
  if (!scan.eat_any("+-") || scan.run(kDigits, 2) == 0) return false;
  scan.eat(':');
  std::size_t minutes = scan.run(kDigits, 2);
  return (minutes == 0 || minutes == 2) && scan.at_end();
}

bool is_date(std::string_view text) {
  auto parts = base::split(text, '-');
  if (parts.size() != 3 || parts[0].size() != 4 || parts[1].empty() || parts[1].size() > 2 || parts[2].empty() ||
      parts[2].size() > 2)
    return false;
  for (const auto& part : parts)
    for (char c : part)
      if (!is_digit(c)) return false;
  int year = std::stoi(parts[0]);
  unsigned month = static_cast<unsigned>(std::stoi(parts[1]));
  unsigned day = static_cast<unsigned>(std::stoi(parts[2]));
  return std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)).ok();
}

std::optional<double> special_float(std::string_view text) {
  if (base::equals_ignore_case(text, ".inf") || base::equals_ignore_case(text, "+.inf"))
    return std::numeric_limits<double>::infinity();
  if (base::equals_ignore_case(text, "-.inf")) return -std::numeric_limits<double>::infinity();
  if (base::equals_ignore_case(text, ".nan")) return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

// [-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}, and with `.frac` at the end: part e (from 0) weighs 60^|e-2|.
std::optional<Node> sexagesimal(std::string_view text, Mark mark) {
  Scan scan(text);
  scan.eat_any("+-");
  if (!is_digit(scan.peek())) return std::nullopt;
  scan.run("0123456789_");
  int colons = 0;
  while (scan.eat(':')) {
    if (++colons > 2) return std::nullopt;
    char first = scan.peek();
    std::size_t digits = scan.run(kDigits, 2);
    if (digits == 0 || (digits == 2 && first > '5')) return std::nullopt;
  }
  if (colons == 0) return std::nullopt;
  bool fractional = scan.eat('.');
  if (fractional) scan.run("0123456789_");
  if (!scan.at_end()) return std::nullopt;
  auto parts = base::split(base::replace_all(text, "_", ""), ':');
  double total = 0;
  for (std::size_t e = 0; e < parts.size(); ++e)
    total += std::strtod(parts[e].c_str(), nullptr) * std::pow(60, std::abs(static_cast<int>(e) - 2));
  if (fractional) return Node::floating(total, mark);
  if (std::abs(total) > 9e15) return std::nullopt;
  return Node::integer(static_cast<std::int64_t>(total), mark);
}

// [-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][+-][0-9]+)?
std::optional<Node> decimal_float(std::string_view text, Mark mark) {
  Scan scan(text);
  scan.eat_any("+-");
  bool whole = is_digit(scan.peek());
  if (whole) scan.run("0123456789_,");
  if (!scan.eat('.')) return std::nullopt;
  bool fraction = scan.run(kDigits) > 0;
  if (scan.eat_any("eE") && (!scan.eat_any("+-") || scan.run(kDigits) == 0)) return std::nullopt;
  if (!scan.at_end() || (!whole && !fraction) || text.size() > kMaxDigits) return std::nullopt;
  std::string plain = base::replace_all(base::replace_all(text, "_", ""), ",", "");
  return Node::floating(std::strtod(plain.c_str(), nullptr), mark);
}

// Digits of another base to decimal digits, of any length.
std::string to_decimal(std::string_view digits, int base) {
  std::string out = "0"; // least significant first
  for (char c : digits) {
    int carry = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    for (char& d : out) {
      int value = (d - '0') * base + carry;
      d = static_cast<char>('0' + value % 10);
      carry = value / 10;
    }
    for (; carry > 0; carry /= 10) out += static_cast<char>('0' + carry % 10);
  }
  return {out.rbegin(), out.rend()};
}

std::optional<Node> integer(std::string_view text, Mark mark) {
  if (text.size() > kMaxDigits) return std::nullopt;
  Scan scan(text);
  bool negative = scan.peek() == '-';
  scan.eat_any("+-");
  std::string_view body = text.substr(text.front() == '+' || text.front() == '-' ? 1 : 0);
  std::string digits = base::replace_all(base::replace_all(body, "_", ""), ",", "");
  if (scan.eat('0')) {
    if (scan.at_end()) return Scalars::big_integer("0", false, mark);
    bool binary = scan.eat('b');
    bool hex = !binary && scan.eat('x');
    std::string_view set = binary ? "01_," : hex ? "0123456789abcdefABCDEF_," : "01234567_,";
    if (scan.run(set) == 0 || !scan.at_end()) return std::nullopt;
    std::string_view rest = std::string_view(digits).substr(binary || hex ? 2 : 1);
    if (rest.empty() && (binary || hex)) return std::nullopt;
    return Scalars::big_integer(to_decimal(rest, binary ? 2 : hex ? 16 : 8), negative, mark);
  }
  if (!is_digit(scan.peek())) return std::nullopt;
  while (!scan.at_end()) {
    scan.eat_any(",_");
    if (scan.run(kDigits) == 0) return std::nullopt;
  }
  return Scalars::big_integer(digits, negative, mark);
}

std::optional<Node> word(std::string_view text, Mark mark) {
  if (text.empty() || text == "~" || base::equals_ignore_case(text, "null")) {
    Node node;
    node.set_mark(mark);
    return node;
  }
  for (std::string_view yes : {"yes", "true", "on"})
    if (base::equals_ignore_case(text, yes)) return Node::boolean(true, mark);
  for (std::string_view no : {"no", "false", "off"})
    if (base::equals_ignore_case(text, no)) return Node::boolean(false, mark);
  return std::nullopt;
}

std::string symbol_text(std::string_view text) {
  text.remove_prefix(1);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.find_last_of("\"'") > 0)
    text = text.substr(1, text.find_last_of("\"'") - 1);
  if (text.starts_with(':')) text.remove_prefix(1);
  return std::string(text);
}
} // namespace

Node resolve_plain_scalar(std::string_view text, Mark mark, std::string_view* rejected_class) {
  if (auto node = word(text, mark)) return Scalars::with_source(std::move(*node), text);
  bool numeric = is_digit(text.front()) || text.find_first_of("+-.:") == 0;
  if (!numeric || text.find('\n') != std::string_view::npos) return Node::string(std::string(text), mark);
  std::string_view rejected;
  if (is_time(text)) rejected = "Time";
  if (is_date(text)) rejected = "Date";
  if (!rejected.empty()) {
    if (rejected_class != nullptr) *rejected_class = rejected;
    return Node::string(std::string(text), mark);
  }
  if (auto value = special_float(text)) return Scalars::with_source(Node::floating(*value, mark), text);
  if (text.front() == ':' && text.size() > 1) return Scalars::with_source(Node::string(symbol_text(text), mark), text);
  for (auto* grammar : {sexagesimal, decimal_float, integer})
    if (auto node = grammar(text, mark)) return Scalars::with_source(std::move(*node), text);
  return Node::string(std::string(text), mark);
}

} // namespace yaml
