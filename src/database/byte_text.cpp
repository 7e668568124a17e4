#include "database/byte_text.hpp"

#include "base/utf8.hpp"

namespace database {
namespace {

// U+10EE00 … U+10EEFF are F4 8E B8 80 … F4 8E BB BF: all begin so.
constexpr std::string_view kLead = "\xf4\x8e";

bool is_substitute(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != kLead || at + 4 > text.size()) return false;
  const auto third = static_cast<unsigned char>(text[at + 2]);
  return third >= 0xb8 && third <= 0xbb;
}

// Length of the character at `at`, 0 when there is none that may stay.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (at + length > text.size() || is_substitute(text, at)) return 0;
  return base::is_valid_utf8(text.substr(at, length)) ? length : 0;
}

} // namespace

std::string encode_bytes(std::string_view text) {
  const bool plain = text.find('\0') == std::string_view::npos && text.find(kLead) == std::string_view::npos &&
                     base::is_valid_utf8(text);
  if (plain) return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (const auto length = character_length(text, at); length > 0) {
      out += text.substr(at, length);
      at += length;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at++]);
    out += kLead;
    out += static_cast<char>(0xb8 + (byte >> 6));
    out += static_cast<char>(0x80 + (byte & 0x3f));
  }
  return out;
}

std::string decode_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = text.find(kLead, at);
    out += text.substr(at, lead - at);
    if (lead == std::string_view::npos) break;
    if (is_substitute(text, lead)) {
      const auto high = static_cast<unsigned char>(text[lead + 2]) - 0xb8;
      const auto low = static_cast<unsigned char>(text[lead + 3]) - 0x80;
      out += static_cast<char>(high << 6 | low);
      at = lead + 4;
    } else {
      out += kLead;
      at = lead + kLead.size();
    }
  }
  return out;
}

} // namespace database
