// LiveLogs: the log of a job that runs, appended at exact offsets by whichever coordinator its runner talks to.
//
// Thread-safe. append(), size(), read() and waiting() are called outside of transactions, the others inside of one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  // Jobs that have a live log.
  virtual base::Result<std::vector<std::int64_t>> waiting() = 0;
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
  std::optional<std::string> path(std::int64_t job_id) const override;
  base::Result<std::vector<std::int64_t>> waiting() override;

 private:
  std::string file(std::int64_t job_id) const;
  std::mutex& lock_of(std::int64_t job_id) { return locks_[static_cast<std::size_t>(job_id) % locks_.size()]; }
  std::string folder_;
  bool shared_;
  std::array<std::mutex, 64> locks_;
};

// Rows of job_log_chunks, for several coordinators that share nothing but a database. The size in job_logs is the
// truth: an append is an UPDATE that names the size it expects, so two of them never both succeed.
class TableLogs final : public LiveLogs {
 public:
  explicit TableLogs(Store& store) : store_(store) {}

  base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) override;
  base::Result<std::uint64_t> size(std::int64_t job_id) override;
  base::Result<std::string> read(std::int64_t job_id, std::uint64_t offset, std::size_t length) override;
  base::Status erase(Transaction& tx, std::int64_t job_id) override;
  std::optional<std::string> path(std::int64_t) const override { return std::nullopt; }
  base::Result<std::vector<std::int64_t>> waiting() override;

 private:
  Store& store_;
};

// Logs that lay elsewhere before the coordinator was given its object store: what was begun there goes on there.
class MovedLogs final : public LiveLogs {
 public:
  MovedLogs(std::unique_ptr<LiveLogs> now, std::unique_ptr<LiveLogs> older)
      : now_(std::move(now)), older_(std::move(older)) {}

  base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) override;
  base::Result<std::uint64_t> size(std::int64_t job_id) override;
  base::Result<std::string> read(std::int64_t job_id, std::uint64_t offset, std::size_t length) override;
  base::Status erase(Transaction& tx, std::int64_t job_id) override;
  std::optional<std::string> path(std::int64_t job_id) const override;
  base::Result<std::vector<std::int64_t>> waiting() override;

 private:
  LiveLogs& of(std::int64_t job_id) const;
  std::unique_ptr<LiveLogs> now_;
  std::unique_ptr<LiveLogs> older_;
};

} // namespace coordinator::objects
