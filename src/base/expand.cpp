#include "base/expand.hpp"

namespace base {
namespace {
bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_special(char c) {
  return c == '*' || c == '#' || c == '$' || c == '@' || c == '!' || c == '?' || c == '-' || (c >= '0' && c <= '9');
}

// What follows '$': the name and how many bytes it takes; width 0 = not a reference, an empty name = swallowed.
struct Reference {
  std::string_view name;
  std::size_t width;
};

Reference parse_reference(std::string_view rest) {
  if (rest.front() == '{') {
    if (rest.size() > 2 && is_special(rest[1]) && rest[2] == '}') return {rest.substr(1, 1), 3};
    std::size_t close = rest.find('}');
    if (close == 1) return {"", 2};
    if (close == std::string_view::npos) return {"", 1};
    return {rest.substr(1, close - 1), close + 1};
  }
  if (is_special(rest.front())) return {rest.substr(0, 1), 1};
  std::size_t end = 0;
  while (end < rest.size() && is_name(rest[end])) ++end;
  return {rest.substr(0, end), end};
}
} // namespace

std::string expand(std::string_view text, const Lookup& lookup) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t dollar = text.find('$', i);
    if (dollar == std::string_view::npos || dollar + 1 >= text.size()) break;
    out += text.substr(i, dollar - i);
    Reference reference = parse_reference(text.substr(dollar + 1));
    if (reference.width == 0) {
      out += '$';
    } else if (!reference.name.empty()) {
      auto value = lookup(reference.name);
      if (value) {
        out += *value;
      } else if (reference.name == "$") {
        out += '$';
      }
    }
    i = dollar + 1 + reference.width;
  }
  out += text.substr(i);
  return out;
}

} // namespace base
