// JobLogs: the logs of jobs: appended while they run, read while and after, wherever they lie.
//
// While a job runs, its log is a file (FileLogs) or rows of the database (TableLogs). With a store that is no folder it
// is moved there some seconds after the job ended: the object is put, then, in one transaction, the row says where it
// is and the live log goes. Whoever dies in between leaves a live log, which the next round moves, and at worst an
// object that nobody names, which the sweep removes.
//
// Thread-safe; blocking, so for pool threads, and not inside of a transaction but for erase().
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "coordinator/objects/live_logs.hpp"
#include "coordinator/objects/stores.hpp"
#include "coordinator/store.hpp"
#include "net/http_server.hpp"

namespace coordinator::objects {

class JobLogs {
 public:
  JobLogs(Store& store, const base::Clock& clock, Stores& stores, std::unique_ptr<LiveLogs> live);

  // Writes `chunk` when the log is exactly `offset` long; the size afterwards (unchanged when it is not).
  base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk);
  base::Result<std::uint64_t> size(std::int64_t job_id); // 0 when there is none
  // From `offset` on, at most `length` bytes, as many as there are.
  base::Result<std::string> read(std::int64_t job_id, std::uint64_t offset = 0, std::size_t length = 256u << 20);
  // Makes a part of the log the body of an answer; the caller knows the size.
  base::Status fill(net::Response& response, std::int64_t job_id, std::uint64_t offset, std::uint64_t length);
  // Nothing is left of it when the transaction is committed.
  base::Status erase(Transaction& tx, std::int64_t job_id);

  // Moves the logs of ended jobs to the store; nothing to do when live logs lie in it already.
  base::Status archive_ended();

  // Somebody is looking at the log; watched() holds for ten seconds after, in every process on the database.
  void watch(std::int64_t job_id);
  bool watched(std::int64_t job_id) const;

 private:
  std::int64_t now() const { return clock_.unix_micros() / 1000; }
  struct Archived {
    std::string location;
    std::uint64_t size = 0;
  };
  base::Result<std::optional<Archived>> archived(std::int64_t job_id);
  base::Status archive(std::int64_t job_id);
  bool note_watched(std::int64_t job_id); // false: it was noted a moment ago

  Store& store_;
  const base::Clock& clock_;
  Stores& stores_;
  std::unique_ptr<LiveLogs> live_;
  const bool archives_; // logs move to the store
  mutable std::mutex watch_mutex_;
  std::unordered_map<std::int64_t, std::int64_t> watched_until_;
  database::Subscription watchers_elsewhere_; // last: it uses the above
};

} // namespace coordinator::objects
