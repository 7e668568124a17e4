// LiveLogs: the log of a job that runs, appended at exact offsets by whichever coordinator its runner talks to.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/store.hpp"

namespace coordinator::objects {

class LiveLogs {
 public:
  virtual ~LiveLogs() = default;
  // Writes `chunk` when the log is exactly `offset` long; the size afterwards (unchanged when it is not).
  virtual base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) = 0;
  virtual base::Result<std::uint64_t> size(std::int64_t job_id) = 0; // 0 when there is none
  // From `offset` on, at most `length` bytes, as many as there are.
  virtual base::Result<std::string> read(std::int64_t job_id, std::uint64_t offset, std::size_t length) = 0;
  // With the transaction, or after its commit.
  virtual base::Status erase(Transaction& tx, std::int64_t job_id) = 0;
  // The file that holds it, where there is one.
  virtual std::optional<std::string> path(std::int64_t job_id) const = 0;
};

// Files below a folder, traces/<id / 1000>/<id>.log. They are not synced: a power cut may cost the last seconds of a
// log, which its runner then sends again when the job still runs (416 tells it the size). `shared`: other coordinators
// use the folder as well, so appends take a lock on the file (flock, which NFS hands to its server).
class FileLogs final : public LiveLogs {
 public:
  FileLogs(std::string folder, bool shared) : folder_(std::move(folder)), shared_(shared) {}

  base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) override;
  base::Result<std::uint64_t> size(std::int64_t job_id) override;
  base::Result<std::string> read(std::int64_t job_id, std::uint64_t offset, std::size_t length) override;
  base::Status erase(Transaction& tx, std::int64_t job_id) override;
  std::optional<std::string> path(std::int64_t job_id) const override { return file(job_id); }

  std::string file(std::int64_t job_id) const;

 private:
  std::mutex& lock_of(std::int64_t job_id) { return locks_[static_cast<std::size_t>(job_id) % locks_.size()]; }
  std::string folder_;
  bool shared_;
  std::array<std::mutex, 64> locks_;
};

} // namespace coordinator::objects
