// cache-extractor: unpacks the local archive here. A cache that is missing or broken is a warning and exit status 1, on
// which the script tries the next key.

#include <sys/stat.h>

#include <cerrno>

#include "base/result.hpp"
#include "sys/files.hpp"
#include "transfer/commands.hpp"
#include "transfer/messages.hpp"
#include "transfer/unpack.hpp"

namespace transfer {

int cache_extractor(const CacheExtractorOptions& options) {
  auto give_up = [](std::string_view text) {
    warning(text);
    return 1;
  };
  if (options.file.empty()) return give_up("Missing cache file");
  if (!options.url.empty() || !options.gocloud_url.empty()) {
    warning("remote caches are not supported yet, a local version of the cache will be extracted");
  } else {
    info(
        "No URL provided, cache will not be downloaded from shared cache server. "
        "Instead a local version of cache will be extracted.");
  }
  auto status = unpack_here(options.file);
  if (status) return 0;
  if (!sys::exists(options.file)) return give_up("Cache file does not exist");
  return fatal(status.error().message());
}

int cache_init(const std::vector<std::string>& paths) {
  if (paths.empty()) return fatal("No arguments passed, at least 1 path is required.");
  for (const std::string& path : paths)
    if (::chmod(path.c_str(), 0777) != 0)
      error("failed to chmod path", {{"error", base::fail_errno("chmod " + path, errno).error().message()}});
  return 0;
}

} // namespace transfer
