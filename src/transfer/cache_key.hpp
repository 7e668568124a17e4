// Cache keys and where caches are kept: pure functions, called where a job's script is written.
//
// A key comes from the project's YAML and from branch names, so it is hostile text that becomes a path.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace transfer {

// Decodes %2f and %2e, turns backslashes to slashes, resolves "." and ".." (never above the root), trims trailing white
// space. An empty key stays empty. kInvalidInput: `cache key "<raw>" could not be sanitized`.
base::Result<std::string> sanitize_cache_key(std::string_view raw);

// FF_HASH_CACHE_KEYS: lower-case hex SHA-256 of the key as it was before sanitising.
std::string hash_cache_key(std::string_view raw);

// "<job name>/<ref>", cleaned, for a cache entry without a key.
std::string default_cache_key(std::string_view job_name, std::string_view ref);

// What becomes of one key. `human` is for messages ("Checking cache for <human>..."), `path_key` names the archive.
struct CacheKey {
  std::string human;
  std::string path_key;
  std::string alternate_path_key; // the other naming: hashed when path_key is plain and the other way round
  std::string warning;            // for the job log, empty if there is nothing to say
};
// `expanded`: the key after variable expansion. An empty result (also from an unusable key, which leaves a warning)
// is the caller's "empty cache key".
CacheKey make_cache_key(std::string_view expanded, bool hash);

// A fallback key that names a protected cache is refused: whoever can set CACHE_FALLBACK_KEY could otherwise read it.
// True when the key, without trailing dots and blanks, ends in "-protected".
bool is_reserved_fallback_key(std::string_view sanitized_key);

// <cache_dir>/<project slug>/<key>/cache.zip
std::string local_cache_archive(std::string_view cache_dir, std::string_view project_slug, std::string_view path_key);

} // namespace transfer
