#include "base/utf8.hpp"

namespace base {
namespace {
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Result of looking at the character that starts at text[0].
struct Step {
  std::size_t length; // bytes consumed
  bool valid;
  bool incomplete; // more bytes could make it valid
};

Step step(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true, false};
  std::size_t need = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    need = 1;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    need = 2;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    need = 3;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i <= need; ++i) {
    if (i >= text.size()) return {i, false, true};
    if (byte(i) < low || byte(i) > high) return {1, false, false};
    low = 0x80;
    high = 0xbf;
  }
  return {need + 1, true, false};
}
} // namespace

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    Step s = step(text);
    if (!s.valid) return false;
    text.remove_prefix(s.length);
  }
  return true;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  Utf8Repair repair;
  repair.append(text, out);
  repair.finish(out);
  return out;
}

std::size_t utf8_prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return end;
}

void Utf8Repair::append(std::string_view chunk, std::string& out) {
  std::string joined;
  if (!pending_.empty()) {
    joined = pending_;
    joined += chunk;
    chunk = joined;
    pending_.clear();
  }
  while (!chunk.empty()) {
    std::size_t ascii = 0;
    while (ascii < chunk.size() && static_cast<unsigned char>(chunk[ascii]) < 0x80) ++ascii;
    out.append(chunk.substr(0, ascii));
    chunk.remove_prefix(ascii);
    if (chunk.empty()) return;
    Step s = step(chunk);
    if (s.incomplete) {
      pending_.assign(chunk);
      return;
    }
    out.append(s.valid ? chunk.substr(0, s.length) : kReplacement);
    chunk.remove_prefix(s.length);
  }
}

void Utf8Repair::finish(std::string& out) {
  for (std::size_t i = 0; i < pending_.size(); ++i) out.append(kReplacement);
  pending_.clear();
}

} // namespace base
