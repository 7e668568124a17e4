// JSON's escapes, for all who write text between double quotes. Pure.
#pragma once

#include <string>
#include <string_view>

namespace base {

// Encoders of the same text differ beyond what JSON asks for.
struct JsonEscapes {
  bool html = false;    // < > & as \u003c …: Go's
  bool slashes = false; // \/: PHP's
  bool rubout = false;  // \u007f: what TOML asks for
};
// Without the quotes. Bytes from 0x80 on stay as they are: whether they are UTF-8 is the caller's matter.
void append_json_escaped(std::string& out, std::string_view text, JsonEscapes escapes = {});

} // namespace base
