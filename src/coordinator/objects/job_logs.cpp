#include "coordinator/objects/job_logs.hpp"

namespace coordinator::objects {

JobLogs::JobLogs(const base::Clock& clock, std::unique_ptr<LiveLogs> live) : clock_(clock), live_(std::move(live)) {}

base::Result<std::uint64_t> JobLogs::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  return live_->append(job_id, offset, chunk);
}

base::Result<std::uint64_t> JobLogs::size(std::int64_t job_id) { return live_->size(job_id); }

base::Result<std::string> JobLogs::read(std::int64_t job_id, std::uint64_t offset, std::size_t length) {
  return live_->read(job_id, offset, length);
}

base::Status JobLogs::fill(net::Response& response, std::int64_t job_id, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {};
  response.file = net::FileBody{.path = *live_->path(job_id), .offset = offset, .length = length};
  return {};
}

base::Status JobLogs::erase(Transaction& tx, std::int64_t job_id) { return live_->erase(tx, job_id); }

void JobLogs::watch(std::int64_t job_id) {
  std::lock_guard lock(watch_mutex_);
  std::erase_if(watched_until_, [now = now()](const auto& entry) { return entry.second < now; });
  watched_until_[job_id] = now() + 10'000;
}

bool JobLogs::watched(std::int64_t job_id) const {
  std::lock_guard lock(watch_mutex_);
  auto found = watched_until_.find(job_id);
  return found != watched_until_.end() && found->second >= now();
}

} // namespace coordinator::objects
