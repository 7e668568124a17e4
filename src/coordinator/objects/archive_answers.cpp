#include "coordinator/objects/archive_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "archive/zip_stream.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/objects/answer.hpp"
#include "coordinator/objects/archive_view.hpp"
#include "sys/files.hpp"

namespace coordinator::objects {
namespace {

constexpr std::uint64_t kInMemory = 1u << 20; // files up to here are unpacked before they are answered

// The answer to an archive that is not as it should be.
Reply unreadable(const base::Error& error) {
  if (error.kind() == base::ErrorKind::kNotFound) return not_found("");
  if (error.kind() == base::ErrorKind::kInvalidInput || error.kind() == base::ErrorKind::kLimit)
    return message_reply(422, "The archive cannot be shown: " + error.message());
  return Reply(error);
}

// A piece behind: the last one is sent only when what follows it, the checksum, was right. A client then sees that its
// file was cut.
class FileBody final : public net::StreamBody {
 public:
  FileBody(std::unique_ptr<archive::ZipStream> stream, std::uint64_t length, std::string name)
      : stream_(std::move(stream)), length_(length), name_(std::move(name)) {}
  std::optional<std::uint64_t> length() const override { return length_; }
  ssize_t read(char* buffer, std::size_t size) override {
    if (!begun_ && !fetch(size)) return -1;
    begun_ = true;
    const std::string piece = std::exchange(next_, {}).substr(0, size); // pieces are of one size
    if (!piece.empty() && !fetch(size)) return -1;
    piece.copy(buffer, size);
    return static_cast<ssize_t>(piece.size());
  }

 private:
  bool fetch(std::size_t size) {
    next_.resize(size);
    auto got = stream_->read(next_.data(), size);
    if (!got)
      base::log::warning("cannot unpack a file of an archive", {{"file", name_}, {"error", got.error().message()}});
    next_.resize(got.value_or(0));
    return got.has_value();
  }

  std::unique_ptr<archive::ZipStream> stream_;
  std::string next_;
  bool begun_ = false;
  std::uint64_t length_;
  std::string name_;
};

// What a browser may show: text as text whatever is in it, and images that hold no script.
std::string inline_type(std::string_view path) {
  static const std::map<std::string, std::string, std::less<>> images = {{"png", "image/png"},
                                                                         {"jpg", "image/jpeg"},
                                                                         {"jpeg", "image/jpeg"},
                                                                         {"gif", "image/gif"},
                                                                         {"webp", "image/webp"}};
  static const std::set<std::string, std::less<>> texts = {
      "txt",   "log", "md",  "json", "xml", "yml",  "yaml", "csv", "tsv", "ini",  "conf", "toml",  "diff",
      "patch", "sh",  "c",   "h",    "cc",  "cpp",  "hpp",  "py",  "rb",  "go",   "rs",   "java",  "js",
      "ts",    "css", "sql", "tap",  "out", "info", "lst",  "env", "cfg", "html", "htm",  "junit", "sarif"};
  std::string base = base::to_lower(sys::base_name(path));
  auto dot = base.rfind('.');
  std::string extension = dot == std::string::npos ? "txt" : base.substr(dot + 1);
  if (auto image = images.find(extension); image != images.end()) return image->second;
  return texts.contains(extension) ? "text/plain; charset=utf-8" : "";
}

} // namespace

Outcome<Reply> list_archive(const Stores& stores, const Row& artifact, const std::string& directory) {
  auto view =
      ArchiveView::open(stores, artifact.text("location"), static_cast<std::uint64_t>(artifact.integer("size")));
  if (!view) return std::unexpected(unreadable(view.error()));
  auto listing = view->list(directory);
  if (!listing) return std::unexpected(unreadable(listing.error()));
  json::Value entries = json::Value::array();
  for (const auto& item : listing->items) {
    json::Value modified;
    if (item.modified > 0) modified = model::time_json(item.modified * 1000);
    entries.push_back(json::Value::object({{"name", item.name},
                                           {"path", item.path},
                                           {"directory", item.directory},
                                           {"size", item.directory ? json::Value() : json::Value(item.size)},
                                           {"modified", std::move(modified)}}));
  }
  return json_reply(
      200, json::Value::object(
               {{"path", directory},
                {"entries", std::move(entries)},
                {"truncated", listing->truncated},
                {"archive",
                 json::Value::object({{"filename", artifact.text("filename")},
                                      {"size", artifact.integer("size")},
                                      {"expire_at", model::time_json(artifact.optional_integer("expire_at"))}})}}));
}

Outcome<Reply> archive_file(const Call& call, const Stores& stores, const Row& artifact, const std::string& path,
                            bool inline_wanted) {
  auto view =
      ArchiveView::open(stores, artifact.text("location"), static_cast<std::uint64_t>(artifact.integer("size")));
  if (!view) return std::unexpected(unreadable(view.error()));
  auto entry = view->find(path);
  if (!entry) return std::unexpected(unreadable(entry.error()));
  auto stream = view->stream(*entry);
  if (!stream) return std::unexpected(unreadable(stream.error()));
  Reply reply = empty_reply(200);
  if (entry->size <= kInMemory) {
    std::string content(static_cast<std::size_t>(entry->size) + 1, '\0');
    std::size_t filled = 0;
    for (std::size_t got = 1; got > 0;) {
      auto more = (*stream)->read(content.data() + filled, content.size() - filled);
      if (!more) return std::unexpected(unreadable(more.error()));
      got = *more;
      filled += got;
    }
    content.resize(filled);
    reply = API_TRY(ranged_reply(
        call, content.size(), [&](net::Response& response, std::uint64_t offset, std::uint64_t length) -> base::Status {
          response.body = content.substr(offset, length);
          return {};
        }));
  } else {
    reply.stream = std::make_shared<FileBody>(std::move(*stream), entry->size, path);
  }
  std::string shown = inline_wanted ? inline_type(path) : "";
  reply.headers.set("Content-Type", shown.empty() ? "application/octet-stream" : shown);
  reply.headers.set("Content-Disposition", shown.empty() ? attachment(sys::base_name(path)) : "inline");
  reply.headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
  reply.headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return reply;
}

} // namespace coordinator::objects
