#include "ci/cache_key.hpp"

#include <fmt/format.h>

#include <set>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "ci/glob.hpp"

namespace ci {
namespace {
// The files an entry names: itself, or what its pattern matches in the tree.
base::Result<std::vector<std::string>> files_named(const std::string& path, ProjectFiles& files) {
  if (path.find('*') == std::string::npos) return std::vector<std::string>{path};
  std::vector<std::string> matched;
  for (std::string& file : FR_TRY(files.list()))
    if (fnmatch(path, file)) matched.push_back(std::move(file));
  return matched;
}

// "0_Gemfile": index and the files, each cut at its first dot.
std::string default_prefix(const CacheConfig& config, std::size_t index) {
  std::string prefix = std::to_string(index);
  if (config.by_commit) return prefix;
  for (const std::string& file : config.key_files) prefix += "_" + file.substr(0, file.find('.'));
  return prefix;
}
} // namespace

base::Result<std::string> cache_key(const CacheConfig& config, std::size_t index, ProjectFiles* files) {
  if (config.key_files.empty()) return config.cache.key;
  std::set<std::string> ids;
  if (files != nullptr) {
    for (const std::string& entry : config.key_files) {
      for (const std::string& path : FR_TRY(files_named(entry, *files))) {
        auto id = FR_TRY(config.by_commit ? files->last_commit(path) : files->blob_id(path));
        if (id) ids.insert(std::move(*id));
      }
    }
  }
  std::string digest = "default";
  if (!ids.empty()) digest = base::sha1_hex(base::join({ids.begin(), ids.end()}, "-"));
  std::string prefix = config.key_prefix.value_or(default_prefix(config, index));
  return prefix.empty() ? digest : fmt::format("{}-{}", prefix, digest);
}

} // namespace ci
