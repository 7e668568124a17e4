#include "trace/phrases.hpp"

#include <algorithm>

#include "base/escape.hpp"
#include "base/strings.hpp"

namespace trace {
namespace {
// Sorted as upstream sorts them; the order is what tests see, the maskers do not care.
void sort_unique(std::vector<std::string>& phrases) {
  auto shorter = [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  };
  std::sort(phrases.begin(), phrases.end(), shorter);
  phrases.erase(std::unique(phrases.begin(), phrases.end()), phrases.end());
}

// -----BEGIN … and -----END … lines frame secrets and public certificates alike.
bool is_pem_frame(std::string_view line) {
  return (line.starts_with("-----BEGIN ") || line.starts_with("-----END ")) && line.ends_with("-----");
}

void add_lines(std::string_view value, std::vector<std::string>& out) {
  if (value.find('\n') == std::string_view::npos && value.find('\r') == std::string_view::npos) return;
  for (const std::string& raw : base::split(base::replace_all(value, "\r", "\n"), '\n')) {
    std::string_view line = base::trim(raw);
    if (line.size() >= kMinDerivedLength && !is_pem_frame(line)) out.emplace_back(line);
  }
}

void add_line_breaks(std::string_view value, std::vector<std::string>& out) {
  if (value.find('\n') == std::string_view::npos) return;
  std::string unix_form = base::replace_all(value, "\r\n", "\n");
  out.push_back(base::replace_all(unix_form, "\n", "\r\n")); // what a terminal or a Windows tool makes of it
  out.push_back(std::move(unix_form));
}

// Tools break base64 into lines: base64(1) after 76 characters, openssl after 64. The lines are phrases of their own
// too, for those who indent them.
void add_wrapped(std::string_view encoded, std::vector<std::string>& out) {
  for (std::size_t width : {76u, 64u}) {
    if (encoded.size() <= width) continue;
    std::string joined;
    for (std::size_t at = 0; at < encoded.size(); at += width) {
      std::string_view line = encoded.substr(at, width);
      if (at > 0) joined += '\n';
      joined += line;
      if (line.size() >= kMinDerivedLength) out.emplace_back(line);
    }
    out.push_back(std::move(joined));
  }
}

// The value encoded by itself, and the characters that depend on nothing but the value when it stands at any offset of
// a longer text ("user:" + value): a character of base64 carries six bits, so the first and the last may be shared.
void add_base64(std::string_view value, std::vector<std::string>& out) {
  for (auto encode : {base::base64_encode, base::base64url_encode}) {
    out.push_back(encode(value));
    for (std::size_t offset = 0; offset < 3; ++offset) {
      std::string encoded = encode(std::string(offset, '\0') + std::string(value));
      std::size_t first = (offset * 8 + 5) / 6;
      std::size_t last = (offset + value.size()) * 8 / 6;
      out.push_back(encoded.substr(first, last - first));
    }
    std::string padded = encode(value);
    add_wrapped(padded, out);
    add_wrapped(std::string_view(padded).substr(0, value.size() * 8 / 6), out);
  }
}

void add_url_encoded(std::string_view value, std::vector<std::string>& out) {
  for (std::string encoded : {base::percent_encode(value), base::query_encode(value)}) {
    std::string lower = encoded;
    for (std::size_t i = 0; i + 2 < lower.size(); ++i) {
      if (lower[i] != '%') continue;
      for (std::size_t digit : {i + 1, i + 2})
        if (lower[digit] >= 'A' && lower[digit] <= 'F') lower[digit] = static_cast<char>(lower[digit] - 'A' + 'a');
    }
    out.push_back(std::move(encoded));
    out.push_back(std::move(lower));
  }
}

void add_derived(std::string_view value, std::vector<std::string>& out) {
  add_lines(value, out);
  add_line_breaks(value, out);
  add_base64(value, out);
  add_url_encoded(value, out);
  // Go's encoder and PHP's escape more than they have to.
  for (base::JsonEscapes style :
       {base::JsonEscapes{}, base::JsonEscapes{.html = true}, base::JsonEscapes{.slashes = true}})
    base::append_json_escaped(out.emplace_back(), value, style);
}
} // namespace

std::vector<std::string> phrases_of(const std::vector<std::string>& values) {
  std::vector<std::string> phrases;
  for (const std::string& value : values) {
    std::string_view trimmed = base::trim(value);
    if (!trimmed.empty()) phrases.emplace_back(trimmed);
  }
  sort_unique(phrases);
  std::vector<std::string> derived;
  for (const std::string& phrase : phrases)
    if (phrase.size() >= kMinDerivedLength) add_derived(phrase, derived);
  phrases.insert(phrases.end(), std::make_move_iterator(derived.begin()), std::make_move_iterator(derived.end()));
  sort_unique(phrases);
  return phrases;
}

std::vector<std::string> token_prefixes(const std::vector<std::string>& from_payload, bool all_defaults) {
  // https://docs.gitlab.com/security/token_overview/#token-prefixes
  static constexpr std::string_view kDefaults[] = {
      "gloas-", "gldt-",    "glrt-",   "glcbt-",  "glrtr-",           "glptt-", "glft-",
      "glimt-", "glagent-", "glsoat-", "glffct-", "_gitlab_session=", "gltok-"};
  std::vector<std::string> prefixes;
  for (const std::string& prefix : from_payload) {
    std::string_view trimmed = base::trim(prefix);
    if (!trimmed.empty()) prefixes.emplace_back(trimmed);
  }
  prefixes.emplace_back("glpat-");
  if (all_defaults) prefixes.insert(prefixes.end(), std::begin(kDefaults), std::end(kDefaults));
  sort_unique(prefixes);
  return prefixes;
}

} // namespace trace
