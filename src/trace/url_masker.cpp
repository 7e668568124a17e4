#include "trace/url_masker.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "trace/masker.hpp"

namespace trace {
namespace {
// Upstream: common/buildlogger/internal/urlsanitizer.
constexpr std::array<std::string_view, 6> kKeys = {"private_token",   "authenticity_token", "rss_token",
                                                   "x-amz-signature", "x-amz-credential",   "x-amz-security-token"};
constexpr std::size_t kLongestKey = std::ranges::max(kKeys, {}, &std::string_view::size).size();

// The next of two characters, remembering where the other one stands so that each byte is looked at twice at most.
class Separators {
 public:
  explicit Separators(std::string_view text) : text_(text), question_(0), ampersand_(0) {}
  std::size_t next(std::size_t from) {
    if (!seen_ || question_ < from) question_ = find('?', from);
    if (!seen_ || ampersand_ < from) ampersand_ = find('&', from);
    seen_ = true;
    return std::min(question_, ampersand_);
  }

 private:
  std::size_t find(char c, std::size_t from) const {
    const void* at = from < text_.size() ? std::memchr(text_.data() + from, c, text_.size() - from) : nullptr;
    return at == nullptr ? text_.size() : static_cast<std::size_t>(static_cast<const char*>(at) - text_.data());
  }
  std::string_view text_;
  std::size_t question_, ampersand_;
  bool seen_ = false;
};

bool ends_value(unsigned char c) { return c <= 0x20 || c == 0x7f || c == '?' || c == '&'; }

enum class Fit { kNo, kBegun, kWhole };
// White space and control characters beyond ASCII, as UTF-8.
Fit wide_blank(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) == 0xc2) return text.size() == 1 ? Fit::kBegun : byte(1) <= 0xa0 ? Fit::kWhole : Fit::kNo;
  bool lead = byte(0) == 0xe1 || byte(0) == 0xe2 || byte(0) == 0xe3;
  if (!lead) return Fit::kNo;
  if (text.size() == 1) return Fit::kBegun;
  std::uint32_t first_two = byte(0) << 8 | byte(1);
  bool two = first_two == 0xe19a || first_two == 0xe280 || first_two == 0xe281 || first_two == 0xe380;
  if (!two) return Fit::kNo;
  if (text.size() == 2) return Fit::kBegun;
  switch (unsigned char last = byte(2); first_two) {
    case 0xe19a:
      return last == 0x80 ? Fit::kWhole : Fit::kNo; // U+1680
    case 0xe280:                                    // U+2000-200A, U+2028, U+2029, U+202F
      return last <= 0x8a || last == 0xa8 || last == 0xa9 || last == 0xaf ? Fit::kWhole : Fit::kNo;
    case 0xe281:
      return last == 0x9f ? Fit::kWhole : Fit::kNo; // U+205F
    default:
      return last == 0x80 ? Fit::kWhole : Fit::kNo; // U+3000
  }
}
} // namespace

std::string_view UrlMasker::filter(std::string_view in, std::string& scratch) {
  Passage out(in, scratch);
  Separators separators(in);
  std::size_t i = 0;
  while (i < in.size()) {
    if (in_value_) {
      i = skip_value(in, i, out);
      continue;
    }
    if (!in_key_) {
      i = separators.next(i);
      if (i == in.size()) break;
      ++i;
      in_key_ = true;
      key_.clear();
      continue;
    }
    char c = in[i++];
    if (c == '?' || c == '&') {
      key_.clear();
    } else if (c == '=') {
      in_key_ = false;
      if (std::ranges::find(kKeys, key_) == kKeys.end()) continue;
      in_value_ = true;
      out.insert(i, kMask); // also for an empty value; now, so that the log does not wait for the value's end
    } else if (key_.size() == kLongestKey) {
      in_key_ = false;
    } else {
      key_ += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return out.finish();
}

// Returns the position behind what belongs to the value; the character that ends it stays for write().
std::size_t UrlMasker::skip_value(std::string_view in, std::size_t from, Passage& out) {
  for (std::size_t i = from; i < in.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(in[i]);
    if ((c & 0xc0) != 0x80) cut_.clear();
    if (ends_value(c)) {
      in_value_ = false;
      out.drop(i);
      return i;
    }
    if (c < 0x80 || (cut_.empty() && (c & 0xc0) == 0x80)) continue;
    cut_ += in[i];
    Fit fit = wide_blank(cut_);
    if (fit == Fit::kBegun) continue;
    if (fit == Fit::kWhole) {
      in_value_ = false;
      out.drop(i + 1);
      out.insert(i + 1, cut_);
    }
    cut_.clear();
    if (!in_value_) return i + 1;
  }
  out.drop(in.size());
  return in.size();
}

void UrlMasker::finish() {
  in_value_ = false;
  in_key_ = false;
  key_.clear();
  cut_.clear();
}

} // namespace trace
