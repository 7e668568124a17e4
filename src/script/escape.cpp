#include "script/escape.hpp"

#include <algorithm>

namespace script {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ',' || c == '-' ||
         c == '.' || c == '/' || c == '@' || c == '_';
}

std::string ansi(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "$'";
  out.reserve(text.size() + text.size() / 4 + 3);
  for (char c : text) {
    switch (c) {
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\v':
        out += "\\v";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\'':
        out += "\\'";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\0':
        break;
      default:
        if (c >= ' ' && c <= '~') {
          out += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
  }
  return out += '\'';
}

std::string posix(std::string_view text) {
  std::string out = "'";
  out.reserve(text.size() + 2);
  for (char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c != '\0')
      out += c;
  }
  return out += '\'';
}

} // namespace

std::string escape(std::string_view text, Quoting quoting) {
  if (text.empty()) return "''";
  if (std::ranges::all_of(text, is_plain)) return std::string(text);
  return quoting == Quoting::kAnsi ? ansi(text) : posix(text);
}

std::string git_config_quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += c;
    }
  }
  return out += '"';
}

} // namespace script
