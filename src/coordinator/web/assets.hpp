// Assets: the built front end as it lies in the program: an index and the files, some of them compressed beforehand.
//
// The bytes are the program's own read-only data, so nothing is in memory until somebody asks for it. Immutable after
// open(), so thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http_server.hpp"

namespace coordinator::web {

class Assets {
 public:
  struct File {
    std::string type; // Content-Type
    std::string etag;
    std::string_view plain;
    std::string_view gzip;   // empty: not worth it
    std::string_view brotli; // likewise
  };

  // `pack` as cmake/pack_assets.mjs writes it: the size of the index in decimal, a line end, the index (JSON: name →
  // {type, etag, plain: [offset, size], gzip, brotli}), the files. Empty for a build without pages.
  static base::Result<Assets> open(std::string_view pack);

  bool empty() const { return files_.empty(); }
  const File* find(std::string_view name) const; // "index.html", "h/app-1f2e.js"

 private:
  std::map<std::string, File, std::less<>> files_;
};

// The file in the best encoding the client takes; 304 when it has it. Names below h/ hold a hash of their content.
net::Response asset_response(const Assets::File& file, std::string_view name, const net::Request& request);

} // namespace coordinator::web
