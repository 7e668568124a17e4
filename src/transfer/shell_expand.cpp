#include "transfer/shell_expand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "transfer/glob.hpp"

namespace transfer {
namespace {

constexpr int kMaxDepth = 20;

std::unexpected<base::Error> problem(std::string what) {
  return base::fail(base::ErrorKind::kInvalidInput, std::move(what));
}

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Integers with the operators of C, most of them; wraps around instead of overflowing.
class Arithmetic {
 public:
  Arithmetic(std::string_view text, const base::Lookup& lookup) : text_(text), lookup_(lookup) {}

  base::Result<std::int64_t> evaluate() {
    std::int64_t value = text_.find_first_not_of(" \t\n") == std::string_view::npos ? 0 : FR_TRY(binary(0));
    blanks();
    if (at_ < text_.size()) return problem(fmt::format("not a valid arithmetic expression: {}", text_));
    return value;
  }

 private:
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  base::Result<std::int64_t> binary(int level) {
    if (level == 2) return unary();
    std::int64_t left = FR_TRY(binary(level + 1));
    while (true) {
      blanks();
      char op = at_ < text_.size() ? text_[at_] : '\0';
      bool ours = level == 0 ? op == '+' || op == '-' : op == '*' || op == '/' || op == '%';
      if (!ours) return left;
      ++at_;
      std::int64_t right = FR_TRY(binary(level + 1));
      auto a = static_cast<std::uint64_t>(left), b = static_cast<std::uint64_t>(right);
      if ((op == '/' || op == '%') && right == 0) return problem("division by zero");
      if (op == '+') left = static_cast<std::int64_t>(a + b);
      if (op == '-') left = static_cast<std::int64_t>(a - b);
      if (op == '*') left = static_cast<std::int64_t>(a * b);
      if (op == '/') left = right == -1 ? static_cast<std::int64_t>(0 - a) : left / right;
      if (op == '%') left = right == -1 ? 0 : left % right;
    }
  }

  base::Result<std::int64_t> unary() {
    if (++depth_ > 100) return problem("expression nested too deeply");
    blanks();
    char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c == '-' || c == '+') {
      ++at_;
      std::int64_t value = FR_TRY(unary());
      return c == '-' ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(value)) : value;
    }
    if (c == '(') {
      ++at_;
      std::int64_t value = FR_TRY(binary(0));
      blanks();
      if (at_ >= text_.size() || text_[at_++] != ')') return problem("reached EOF without matching ( with )");
      --depth_;
      return value;
    }
    std::size_t start = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == start) return problem("an arithmetic operator must be followed by an expression");
    --depth_;
    std::string word(text_.substr(start, at_ - start));
    if (is_name_start(word[0])) word = lookup_(word).value_or("");
    return base::parse_int(word).value_or(0);
  }

  std::string_view text_;
  const base::Lookup& lookup_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// Characters, so that offsets and single-character patterns do not cut one.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// Shell patterns also match slashes: a stand-in that is in no path takes their place.
bool shell_match(const std::string& pattern, std::string_view text) {
  auto glob = Glob::parse(base::replace_all(base::replace_all(pattern, "{", "\\{"), "/", "\x01"));
  return glob ? glob->matches(base::replace_all(text, "/", "\x01")) : pattern == text;
}

std::string remove_prefix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    std::size_t cut = longest ? value.size() - i : i;
    if (shell_match(pattern, std::string_view(value).substr(0, cut))) return value.substr(cut);
  }
  return value;
}

std::string remove_suffix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    std::size_t cut = longest ? i : value.size() - i;
    if (shell_match(pattern, std::string_view(value).substr(cut))) return value.substr(0, cut);
  }
  return value;
}

std::string replace(const std::string& value, const std::string& pattern, const std::string& with, bool all) {
  std::string out;
  if (pattern.empty()) return value;
  for (std::size_t at = 0; at < value.size();) {
    std::size_t length = value.size() - at;
    while (length > 0 && !shell_match(pattern, std::string_view(value).substr(at, length))) --length;
    if (length == 0) {
      out += value[at++];
      continue;
    }
    out += with;
    at += length;
    if (!all) return out + value.substr(at);
  }
  return out;
}

class Expander {
 public:
  Expander(const base::Lookup& lookup, int depth) : lookup_(lookup), depth_(depth) {}

  base::Result<std::string> run(std::string_view text) {
    if (depth_ > kMaxDepth) return problem("expansions nested too deeply");
    text_ = text;
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size() &&
          std::string_view("$`\\").find(text_[at_ + 1]) != std::string_view::npos) {
        out += text_[at_ + 1];
        at_ += 2;
      } else if (c == '`') {
        return command_substitution();
      } else if (c == '$') {
        FR_CHECK(dollar(out));
      } else {
        out += c;
        ++at_;
      }
    }
    return out;
  }

 private:
  std::unexpected<base::Error> command_substitution() const {
    return problem(fmt::format("unexpected command substitution at 1:{}", at_ + 1));
  }
  std::string value_of(std::string_view name) const { return lookup_(name).value_or(""); }
  base::Result<std::string> nested(std::string_view text) const { return Expander(lookup_, depth_ + 1).run(text); }

  base::Status dollar(std::string& out) {
    std::string_view rest = text_.substr(at_ + 1);
    if (rest.starts_with("((")) return arithmetic(out);
    if (rest.starts_with('(')) return command_substitution();
    if (rest.starts_with('{')) return braces(out);
    std::size_t length = 0;
    if (!rest.empty() && is_name_start(rest[0])) {
      while (length < rest.size() && is_name(rest[length])) ++length;
      out += value_of(rest.substr(0, length));
    } else if (!rest.empty() && (std::isdigit(static_cast<unsigned char>(rest[0])) != 0 ||
                                 std::string_view("@*#?$!-").find(rest[0]) != std::string_view::npos)) {
      length = 1; // special parameters are empty here
    } else {
      out += '$';
    }
    at_ += 1 + length;
    return {};
  }

  base::Status arithmetic(std::string& out) {
    int depth = 0;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '(') ++depth;
      if (text_[i] != ')' || --depth > 0) continue;
      if (text_[i - 1] != ')') break;
      std::string inner = FR_TRY(nested(text_.substr(at_ + 3, i - 1 - (at_ + 3))));
      out += fmt::format("{}", FR_TRY(Arithmetic(inner, lookup_).evaluate()));
      at_ = i + 1;
      return {};
    }
    return problem(fmt::format("1:{}: reached EOF without matching $(( with ))", at_ + 1));
  }

  base::Status braces(std::string& out) {
    int depth = 0;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '{') {
        ++depth;
      } else if (text_[i] == '}' && --depth == 0) {
        out += FR_TRY(parameter(text_.substr(at_ + 2, i - at_ - 2)));
        at_ = i + 1;
        return {};
      }
    }
    return problem(fmt::format("1:{}: reached EOF without matching ${{ with }}", at_ + 1));
  }

  base::Result<std::string> parameter(std::string_view body) {
    bool count = body.size() > 1 && body[0] == '#';
    bool indirect = body.size() > 1 && body[0] == '!' && is_name_start(body[1]);
    if (count || indirect) body.remove_prefix(1);
    std::size_t length = 0;
    if (!body.empty() && is_name_start(body[0])) {
      while (length < body.size() && is_name(body[length])) ++length;
    } else if (!body.empty()) {
      length = 1;
      if (std::string_view("0123456789@*#?$!-").find(body[0]) == std::string_view::npos) length = 0;
    }
    if (length == 0) return problem(fmt::format("1:{}: parameter expansion requires a literal", at_ + 1));
    std::string name(body.substr(0, length));
    std::string value = is_name_start(name[0]) ? value_of(name) : std::string();
    if (indirect) value = value_of(value);
    body.remove_prefix(length);
    if (count) return fmt::format("{}", characters(value).size());
    return body.empty() ? value : apply(name, value, body);
  }

  base::Result<std::string> apply(const std::string& name, const std::string& value, std::string_view op) {
    bool colon = op.size() > 1 && op[0] == ':' && std::string_view("-=+?").find(op[1]) != std::string_view::npos;
    char kind = op[colon ? 1 : 0];
    std::string_view word = op.substr(colon ? 2 : 1);
    bool twice = !word.empty() && word[0] == kind;
    switch (kind) {
      case '-':
      case '=':
        return value.empty() ? nested(word) : value;
      case '+':
        return value.empty() ? std::string() : nested(word);
      case '?':
        if (!value.empty()) return value;
        return problem(fmt::format("{}: {}", name, FR_TRY(nested(word))));
      case '#':
        return remove_prefix(value, FR_TRY(nested(word.substr(twice ? 1 : 0))), twice);
      case '%':
        return remove_suffix(value, FR_TRY(nested(word.substr(twice ? 1 : 0))), twice);
      case '^':
      case ',':
        return change_case(value, kind == '^', twice);
      case '/': {
        word = word.substr(twice ? 1 : 0);
        std::size_t slash = word.find('/');
        std::string with = slash == std::string_view::npos ? "" : FR_TRY(nested(word.substr(slash + 1)));
        return replace(value, FR_TRY(nested(word.substr(0, slash))), with, twice);
      }
      case ':':
        return substring(value, word);
      default:
        return problem(fmt::format("1:{}: not a valid parameter expansion operator: {}", at_ + 1, kind));
    }
  }

  static std::string change_case(const std::string& value, bool upper, bool all) {
    std::size_t count = all ? value.size() : std::min<std::size_t>(1, value.size());
    std::string head = value.substr(0, count);
    return (upper ? base::to_upper(head) : base::to_lower(head)) + value.substr(count);
  }

  base::Result<std::string> substring(const std::string& value, std::string_view word) {
    auto chars = characters(value);
    auto size = static_cast<std::int64_t>(chars.size());
    std::size_t colon = word.find(':');
    std::string offset_text = FR_TRY(nested(word.substr(0, colon)));
    std::int64_t offset = FR_TRY(Arithmetic(offset_text, lookup_).evaluate());
    if (offset < 0) offset = std::max<std::int64_t>(0, size + offset);
    offset = std::min(offset, size);
    std::int64_t end = size;
    if (colon != std::string_view::npos) {
      std::string length_text = FR_TRY(nested(word.substr(colon + 1)));
      std::int64_t length = FR_TRY(Arithmetic(length_text, lookup_).evaluate());
      end = length < 0 ? size + length : std::min(size, offset + std::min(length, size));
    }
    std::string out;
    for (std::int64_t i = offset; i < end; ++i) out += chars[static_cast<std::size_t>(i)];
    return out;
  }

  const base::Lookup& lookup_;
  int depth_;
  std::string_view text_;
  std::size_t at_ = 0;
};

} // namespace

base::Result<std::string> shell_expand(std::string_view text, const base::Lookup& lookup) {
  return Expander(lookup, 0).run(text);
}

} // namespace transfer
