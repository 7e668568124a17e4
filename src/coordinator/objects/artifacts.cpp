#include "coordinator/objects/artifacts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "coordinator/objects/answer.hpp"
#include "coordinator/objects/archive_answers.hpp"
#include "coordinator/objects/archive_view.hpp"
#include "sys/fd.hpp"

namespace coordinator::objects {
namespace {

constexpr std::chrono::seconds kUrlValid{3600}; // of a URL of the store: as long as a large download may take to begin

} // namespace

base::Result<Artifacts::Stored> Artifacts::put(std::int64_t job_id, const std::string& file_type,
                                               const std::string& path, std::uint64_t offset, std::uint64_t size) {
  std::string key = fmt::format("artifacts/{}/{}/{}-{}", job_id / 1000, job_id, file_type, base::random_hex(16));
  auto in = FR_TRY(sys::open_fd(path, O_RDONLY));
  auto writer = stores_.primary().create(key);
  if (!writer) return base::fail(trouble(std::move(writer.error())));
  base::Sha256 hash;
  std::string buffer(256 << 10, '\0');
  for (std::uint64_t done = 0; done < size;) {
    ssize_t got = ::pread(in.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), size - done),
                          static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::fail_errno("read the upload", got < 0 ? errno : EIO);
    std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    hash.update(piece);
    if (auto written = (*writer)->write(piece); !written) return base::fail(trouble(std::move(written.error())));
    done += piece.size();
  }
  if (auto done = (*writer)->commit(); !done) return base::fail(trouble(std::move(done.error())));
  Stored stored{.location = stores_.location(key), .size = size, .sha256 = hash.hex()};
  auto view = file_type == "archive" ? ArchiveView::open(archive::make_fd_byte_source(in.get(), offset, size))
                                     : base::fail(base::ErrorKind::kInvalidInput, "no archive");
  if (auto total = view ? view->total() : base::fail(view.error()); total) {
    stored.entries = static_cast<std::int64_t>(total->entries);
    stored.unpacked = static_cast<std::int64_t>(total->unpacked);
  }
  return stored;
}

base::Status Artifacts::erase_job(Transaction& tx, std::int64_t job_id) {
  for (const Row& row : FR_TRY(tx.query("SELECT id, location FROM artifacts WHERE job_id = ?", {job_id})))
    FR_CHECK(erase(tx, row));
  return {};
}

base::Status Artifacts::erase(Transaction& tx, const Row& artifact) {
  FR_CHECK(tx.execute("DELETE FROM artifacts WHERE id = ?", {artifact.integer("id")}));
  tx.after_commit([this, location = artifact.text("location")] { drop(location); });
  return {};
}

Outcome<Reply> Artifacts::reply(Call& call, const Row& artifact) {
  std::string format = artifact.text("file_format");
  std::string type = format == "zip"    ? "application/zip"
                     : format == "gzip" ? "application/gzip"
                                        : "application/octet-stream";
  std::string disposition = attachment(artifact.text("filename"));
  if (call.params.boolean("direct_download").value_or(false)) {
    auto url = stores_.url(artifact.text("location"),
                           {.valid = kUrlValid, .content_type = type, .content_disposition = disposition});
    if (url && *url) return empty_reply(302).header("Location", **url);
  }
  auto size = static_cast<std::uint64_t>(artifact.integer("size"));
  auto reply =
      API_TRY(ranged_reply(call, size, [&](net::Response& response, std::uint64_t offset, std::uint64_t length) {
        return stores_.fill(response, artifact.text("location"), offset, length);
      }));
  reply.headers.set("Content-Type", type);
  reply.headers.set("Content-Disposition", disposition);
  return reply;
}

Outcome<Reply> Artifacts::file(const Call& call, const Row& artifact, const std::string& path, bool inline_wanted) {
  return archive_file(call, stores_, artifact, path, inline_wanted);
}

Outcome<Reply> Artifacts::list(const Row& artifact, const std::string& directory) {
  return list_archive(stores_, artifact, directory);
}

} // namespace coordinator::objects
