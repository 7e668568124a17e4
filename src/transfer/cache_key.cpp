#include "transfer/cache_key.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace transfer {
namespace {

// One pass, not repeated, so that what comes out of it is not decoded again.
std::string decode(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    std::string_view three = raw.substr(i, 3);
    if (three == "%2f" || three == "%2F") {
      out += '/';
      i += 2;
    } else if (three == "%2e" || three == "%2E") {
      out += '.';
      i += 2;
    } else {
      out += raw[i] == '\\' ? '/' : raw[i];
    }
  }
  return out;
}

// Unicode's white space, as UTF-8.
std::string_view trim_right(std::string_view text) {
  static constexpr std::string_view kWide[] = {
      "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
      "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
      "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
  while (!text.empty()) {
    std::size_t cut = 0;
    if (std::string_view(" \t\n\v\f\r").find(text.back()) != std::string_view::npos) cut = 1;
    for (std::string_view wide : kWide)
      if (text.ends_with(wide)) cut = wide.size();
    if (cut == 0) break;
    text.remove_suffix(cut);
  }
  return text;
}

} // namespace

base::Result<std::string> sanitize_cache_key(std::string_view raw) {
  if (raw.empty()) return std::string();
  std::string clean = sys::clean_path("/" + decode(raw));
  std::vector<std::string> parts = base::split(std::string_view(clean).substr(1), '/');
  while (!parts.empty()) {
    parts.back() = trim_right(parts.back());
    if (!parts.back().empty()) break;
    parts.pop_back();
  }
  // Trimming may have uncovered a component that is no name: ".. " is one, ".." is not.
  while (!parts.empty() && (parts.back() == ".." || parts.back() == ".")) parts.pop_back();
  if (parts.empty())
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("cache key \"{}\" could not be sanitized", raw));
  return base::join(parts, "/");
}

std::string hash_cache_key(std::string_view raw) { return base::sha256_hex(raw); }

std::string default_cache_key(std::string_view job_name, std::string_view ref) {
  std::string path = sys::clean_path(sys::join_path(
      job_name,
      ref.substr(ref.find_first_not_of('/') == std::string_view::npos ? ref.size() : ref.find_first_not_of('/'))));
  std::size_t start = path.find_first_not_of('/');
  return start == std::string::npos ? std::string() : path.substr(start);
}

CacheKey make_cache_key(std::string_view expanded, bool hash) {
  CacheKey key;
  auto clean = sanitize_cache_key(expanded);
  std::string plain;
  if (clean) {
    plain = *clean;
    if (!hash && plain != expanded) key.warning = fmt::format("cache key \"{}\" sanitized to \"{}\"", expanded, plain);
  } else if (!hash) {
    key.warning = clean.error().message();
  }
  std::string hashed = expanded.empty() ? std::string() : hash_cache_key(expanded);
  key.human = hash ? std::string(expanded) : plain;
  key.path_key = hash ? hashed : plain;
  key.alternate_path_key = hash ? plain : hashed;
  return key;
}

bool is_reserved_fallback_key(std::string_view key) {
  while (!key.empty()) {
    std::string_view trimmed = trim_right(key);
    while (trimmed.ends_with('.')) trimmed.remove_suffix(1);
    if (trimmed.size() == key.size()) break;
    key = trimmed;
  }
  return key.ends_with("-protected");
}

std::string local_cache_archive(std::string_view cache_dir, std::string_view project_slug, std::string_view path_key) {
  return sys::join_path(sys::join_path(sys::join_path(cache_dir, project_slug), path_key), "cache.zip");
}

} // namespace transfer
