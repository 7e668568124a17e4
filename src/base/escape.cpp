#include "base/escape.hpp"

namespace base {
namespace {

// The letter of a two-character escape, or 0.
char short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

} // namespace

void append_json_escaped(std::string& out, std::string_view text, JsonEscapes escapes) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool html = escapes.html && (c == '<' || c == '>' || c == '&');
    if (const char letter = short_escape(c)) {
      out += {'\\', letter};
    } else if (byte < 0x20 || html || (escapes.rubout && byte == 0x7f)) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else if (escapes.slashes && c == '/') {
      out += "\\/";
    } else {
      out += c;
    }
  }
}

} // namespace base
