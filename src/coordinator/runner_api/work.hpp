// What the parts that deal with running jobs share: the pipeline service, the queue, the job logs. Made once when the
// server is assembled; outlives all requests.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "coordinator/api.hpp"
#include "coordinator/pipelines/service.hpp"
#include "coordinator/queue/queue.hpp"

namespace coordinator {

// Job logs as files: appended at exact offsets, read whole or by range. Thread-safe per job.
class TraceFiles {
 public:
  explicit TraceFiles(const App& app) : app_(app) {}

  std::string path(std::int64_t job_id) const;
  // Writes `chunk` when the log is exactly `offset` long; the size afterwards (unchanged when it is not).
  base::Result<std::uint64_t> append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk);
  std::uint64_t size(std::int64_t job_id) const; // 0 when there is none
  base::Result<std::string> read(std::int64_t job_id) const;
  base::Status erase(std::int64_t job_id);

  // Somebody is looking at the log; watched() holds for ten seconds after.
  void watch(std::int64_t job_id);
  bool watched(std::int64_t job_id) const;

 private:
  const App& app_;
  mutable std::array<std::mutex, 64> locks_;
  mutable std::mutex watch_mutex_;
  std::unordered_map<std::int64_t, std::int64_t> watched_until_;
};

struct Work {
  explicit Work(App& app) : service(app, [this] { queue.wake(); }), queue(service), traces(app) {}
  pipelines::Service service;
  queue::Queue queue;
  TraceFiles traces;
};

// The file of an artifact (a row of `artifacts`), whole or the one range that the request asks for.
Reply artifact_reply(const Call& call, const Row& artifact);
std::string artifact_path(const App& app, std::int64_t job_id, std::string_view file_type);
// Removes logs and artifacts of jobs that are no more (their project was deleted).
base::Status sweep_job_files(const App& app);

// Registration of the routes; each keeps `work`.
void register_runner_jobs(Api& api, const std::shared_ptr<Work>& work); // POST /jobs/request, PUT, PATCH
void register_runner_artifacts(Api& api);                               // /jobs/:id/artifacts
void register_pipelines(Api& api, const std::shared_ptr<Work>& work);
void register_jobs(Api& api, const std::shared_ptr<Work>& work);
void register_git(Api& api, const std::shared_ptr<Work>& work); // /<project>.git/…

// All of the above, and the events that wake the queue. Call once, before the server listens.
std::shared_ptr<Work> register_work(Api& api);

} // namespace coordinator
