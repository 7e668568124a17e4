// Text with any bytes, for a database that takes valid UTF-8 without NUL only.
//
// Pure, loses nothing. Bytes that are no UTF-8 become characters U+10EE00 + byte of a private plane, and so do the
// bytes of such a character that stood there already; all other text stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace database {

std::string encode_bytes(std::string_view text);
std::string decode_bytes(std::string_view text);

} // namespace database
