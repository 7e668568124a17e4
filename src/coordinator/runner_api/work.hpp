// What the parts that deal with running jobs share: the pipeline service, the queue, the job logs. Made once when the
// server is assembled; outlives all requests.
#pragma once

#include <memory>

#include "coordinator/api.hpp"
#include "coordinator/objects/job_logs.hpp"
#include "coordinator/pipelines/service.hpp"
#include "coordinator/queue/queue.hpp"
#include "coordinator/runner_api/limits.hpp"

namespace coordinator {

struct Work {
  explicit Work(App& app) : service(app), queue(service), traces(app.logs) {}
  pipelines::Service service;
  queue::Queue queue;
  objects::JobLogs& traces;
  Limits limits;
};

// Registration of the routes; each keeps `work`.
void register_runner_jobs(Api& api, const std::shared_ptr<Work>& work);      // POST /jobs/request, PUT, PATCH
void register_runner_artifacts(Api& api, const std::shared_ptr<Work>& work); // /jobs/:id/artifacts
void register_pipelines(Api& api, const std::shared_ptr<Work>& work);
void register_jobs(Api& api, const std::shared_ptr<Work>& work);
// /<project>.git/…; whatever else is asked for with GET goes to `otherwise`.
void register_git(Api& api, const std::shared_ptr<Work>& work, const net::Handler& otherwise);

// All of the above, and the events that wake the queue. Call once, before the server listens.
std::shared_ptr<Work> register_work(Api& api, const net::Handler& otherwise);

} // namespace coordinator
