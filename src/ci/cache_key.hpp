// Cache keys made of files: GitLab's digest of blob ids. Internal to ci.
#pragma once

#include "ci/config.hpp"
#include "ci/context.hpp"

namespace ci {

// The key without the server's suffixes. `index`: place of this cache in the job's list.
base::Result<std::string> cache_key(const CacheConfig& config, std::size_t index, ProjectFiles* files);

} // namespace ci
