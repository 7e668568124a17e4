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
#include "sys/fd.hpp"

namespace coordinator::objects {

base::Result<Artifacts::Stored> Artifacts::put(std::int64_t job_id, const std::string& file_type,
                                               const std::string& path, std::uint64_t offset, std::uint64_t size) {
  std::string key = fmt::format("artifacts/{}/{}/{}-{}", job_id / 1000, job_id, file_type, base::random_hex(16));
  auto in = FR_TRY(sys::open_fd(path, O_RDONLY));
  auto writer = FR_TRY(stores_.primary().create(key));
  base::Sha256 hash;
  std::string buffer(256 << 10, '\0');
  for (std::uint64_t done = 0; done < size;) {
    ssize_t got = ::pread(in.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), size - done),
                          static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::fail_errno("read the upload", got < 0 ? errno : EIO);
    std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    hash.update(piece);
    FR_CHECK(writer->write(piece));
    done += piece.size();
  }
  FR_CHECK(writer->commit());
  return Stored{.location = stores_.location(key), .size = size, .sha256 = hash.hex()};
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

Outcome<Reply> Artifacts::reply(const Call& call, const Row& artifact) {
  auto size = static_cast<std::uint64_t>(artifact.integer("size"));
  auto reply = ranged_reply(call, size, [&](net::Response& response, std::uint64_t offset, std::uint64_t length) {
    return stores_.fill(response, artifact.text("location"), offset, length);
  });
  if (!reply) return reply;
  std::string format = artifact.text("file_format");
  reply->headers.set("Content-Type", format == "zip"    ? "application/zip"
                                     : format == "gzip" ? "application/gzip"
                                                        : "application/octet-stream");
  std::string name = artifact.text("filename");
  std::erase_if(name, [](unsigned char c) { return c < ' ' || c == '"' || c == '\\'; });
  reply->headers.set("Content-Disposition",
                     fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", name, base::percent_encode(name)));
  return reply;
}

} // namespace coordinator::objects
