#include "coordinator/objects/live_logs.hpp"

namespace coordinator::objects {

LiveLogs& MovedLogs::of(std::int64_t job_id) const { return older_->size(job_id).value_or(0) > 0 ? *older_ : *now_; }

base::Result<std::uint64_t> MovedLogs::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  return of(job_id).append(job_id, offset, chunk);
}

base::Result<std::uint64_t> MovedLogs::size(std::int64_t job_id) { return of(job_id).size(job_id); }

base::Result<std::string> MovedLogs::read(std::int64_t job_id, std::uint64_t offset, std::size_t length) {
  return of(job_id).read(job_id, offset, length);
}

base::Status MovedLogs::erase(Transaction& tx, std::int64_t job_id) {
  FR_CHECK(now_->erase(tx, job_id));
  return older_->erase(tx, job_id);
}

std::optional<std::string> MovedLogs::path(std::int64_t job_id) const { return of(job_id).path(job_id); }

base::Result<std::vector<std::int64_t>> MovedLogs::waiting() {
  auto jobs = FR_TRY(now_->waiting());
  auto older = FR_TRY(older_->waiting());
  jobs.insert(jobs.end(), older.begin(), older.end());
  return jobs;
}

} // namespace coordinator::objects
