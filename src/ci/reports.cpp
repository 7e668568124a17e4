#include "ci/reports.hpp"

#include <re2/re2.h>

#include <cstdlib>

#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "ci/expression.hpp"

namespace ci {
namespace {
constexpr std::size_t kMaxDotenvBytes = 5120;
constexpr std::size_t kMaxKey = 255;

bool is_key(std::string_view key) {
  if (key.empty() || key.size() > kMaxKey) return false;
  for (char c : key) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!ok) return false;
  }
  return true;
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xe0 | (code >> 12));
    } else {
      out += static_cast<char>(0xf0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    }
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// PowerShell writes UTF-16 with a byte order mark.
std::string to_utf8(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) return std::string(text.substr(3));
  bool little = text.starts_with("\xff\xfe");
  if (!little && !text.starts_with("\xfe\xff")) return std::string(text);
  auto unit = [&](std::size_t at) -> unsigned {
    auto first = static_cast<unsigned char>(text[at]);
    auto second = static_cast<unsigned char>(text[at + 1]);
    return little ? first | (second << 8) : second | (first << 8);
  };
  std::string out;
  for (std::size_t at = 2; at + 1 < text.size(); at += 2) {
    unsigned code = unit(at);
    if (code >= 0xd800 && code < 0xdc00 && at + 3 < text.size() && (unit(at + 2) & 0xfc00) == 0xdc00) {
      code = 0x10000 + ((code - 0xd800) << 10) + (unit(at + 2) - 0xdc00);
      at += 2;
    }
    append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  }
  return out;
}

// The first number in the text.
std::optional<double> first_number(std::string_view text) {
  static const RE2 number(R"((\d+(?:\.\d+)?))");
  std::string found;
  if (!RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), number, &found)) return std::nullopt;
  return std::strtod(found.c_str(), nullptr);
}

// Text of the last capture (or of the match, when there is no group) of the last match in the line.
std::optional<std::string> last_match(const RE2& regex, std::string_view line) {
  int groups = regex.NumberOfCapturingGroups() + 1;
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(groups));
  re2::StringPiece input(line.data(), line.size());
  std::optional<std::string> result;
  std::size_t at = 0;
  while (at <= line.size() && regex.Match(input, at, line.size(), RE2::UNANCHORED, found.data(), groups)) {
    result = std::string(found.back().data() == nullptr ? std::string_view()
                                                        : std::string_view(found.back().data(), found.back().size()));
    auto end = static_cast<std::size_t>(found[0].data() - line.data()) + found[0].size();
    at = end > at ? end : at + 1;
  }
  return result;
}
} // namespace

base::Result<Variables> parse_dotenv(std::string_view text, std::size_t max_variables) {
  auto bad = [](std::string message) { return base::fail(base::ErrorKind::kInvalidInput, std::move(message)); };
  if (text.size() >= kMaxDotenvBytes)
    return bad("Dotenv Artifact Too Big. Maximum Allowable Size: " + std::to_string(kMaxDotenvBytes));
  std::string utf8 = to_utf8(text);
  if (!base::is_valid_utf8(utf8)) return bad("Invalid Format");
  std::string_view rest = utf8;
  Variables variables;
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return bad("Invalid Format");
    std::string_view key = base::trim(line.substr(0, equals));
    if (!is_key(key)) return bad("Key can contain only letters, digits and '_'.");
    std::erase_if(variables, [&](const Variable& variable) { return variable.key == key; });
    variables.push_back({.key = std::string(key), .value = std::string(base::trim(line.substr(equals + 1)))});
  }
  if (variables.size() > max_variables)
    return bad("Dotenv files cannot have more than " + std::to_string(max_variables) + " variables");
  return variables;
}

std::optional<double> extract_coverage(std::string_view log, std::string_view pattern) {
  auto regex = compile_regex(pattern);
  if (!regex) return std::nullopt;
  while (true) {
    std::size_t start = log.rfind('\n');
    std::string_view line = start == std::string_view::npos ? log : log.substr(start + 1);
    if (auto text = last_match(*regex, line)) {
      if (auto number = first_number(*text)) return number;
    }
    if (start == std::string_view::npos) return std::nullopt;
    log = log.substr(0, start);
  }
}

} // namespace ci
