#include "coordinator/web/assets.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "json/json.hpp"

namespace coordinator::web {
namespace {

base::Error damaged() { return base::Error(base::ErrorKind::kInternal, "the embedded pages are damaged"); }

base::Result<std::string_view> slice(std::string_view files, const json::Value& place) {
  if (place.is_null()) return std::string_view();
  if (!place.is_array() || place.size() != 2) return std::unexpected(damaged());
  const auto offset = static_cast<std::uint64_t>(place.as_array()[0].integer_or(-1));
  const auto size = static_cast<std::uint64_t>(place.as_array()[1].integer_or(-1));
  if (offset > files.size() || size > files.size() - offset) return std::unexpected(damaged());
  return files.substr(offset, size);
}

// Whether Accept-Encoding names the encoding without q=0.
bool accepts(std::string_view header, std::string_view encoding) {
  return std::ranges::any_of(base::split(header, ','), [&](const std::string& item) {
    const auto parts = base::split(item, ';');
    if (!base::equals_ignore_case(base::trim(parts[0]), encoding)) return false;
    return std::ranges::none_of(parts, [](const std::string& part) {
      const auto q = base::trim(part);
      return q == "q=0" || q == "q=0.0" || q == "q=0.00" || q == "q=0.000";
    });
  });
}

bool has_etag(std::string_view header, std::string_view etag) {
  return std::ranges::any_of(base::split(header, ','), [&](const std::string& item) {
    auto given = base::trim(item);
    if (given.starts_with("W/")) given.remove_prefix(2);
    return given == etag || given == "*";
  });
}

} // namespace

base::Result<Assets> Assets::open(std::string_view pack) {
  Assets out;
  if (pack.empty()) return out;
  const auto line = pack.find('\n');
  const auto size = line == std::string_view::npos ? std::nullopt : base::parse_int(pack.substr(0, line));
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > pack.size() - line - 1)
    return std::unexpected(damaged());
  const auto index = FR_TRY(json::parse(pack.substr(line + 1, static_cast<std::size_t>(*size))));
  if (!index.is_object()) return std::unexpected(damaged());
  const auto files = pack.substr(line + 1 + static_cast<std::size_t>(*size));
  for (const auto& [name, entry] : index.as_object()) {
    File file{.type = entry["type"].string_or("application/octet-stream"), .etag = entry["etag"].string_or("\"\"")};
    file.plain = FR_TRY(slice(files, entry["plain"]));
    file.gzip = FR_TRY(slice(files, entry["gzip"]));
    file.brotli = FR_TRY(slice(files, entry["brotli"]));
    out.files_.emplace(name, std::move(file));
  }
  return out;
}

const Assets::File* Assets::find(std::string_view name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

net::Response asset_response(const Assets::File& file, std::string_view name, const net::Request& request) {
  net::Response response;
  auto& headers = response.headers;
  headers.set("Cache-Control", name.starts_with("h/") ? "public, max-age=31536000, immutable" : "no-cache");
  headers.set("ETag", file.etag);
  headers.set("Vary", "Accept-Encoding");
  if (has_etag(request.header("If-None-Match"), file.etag)) {
    response.status = 304;
    return response;
  }
  headers.set("Content-Type", file.type);
  const auto wanted = request.header("Accept-Encoding");
  if (!file.brotli.empty() && accepts(wanted, "br")) {
    headers.set("Content-Encoding", "br");
    response.body = file.brotli;
  } else if (!file.gzip.empty() && accepts(wanted, "gzip")) {
    headers.set("Content-Encoding", "gzip");
    response.body = file.gzip;
  } else {
    response.body = file.plain;
  }
  return response;
}

} // namespace coordinator::web
