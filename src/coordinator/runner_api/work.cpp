#include "coordinator/runner_api/work.hpp"

#include "base/log.hpp"
#include "coordinator/git/repository.hpp"
#include "sys/files.hpp"

namespace coordinator {

std::shared_ptr<Work> register_work(Api& api, const net::Handler& otherwise) {
  auto work = std::make_shared<Work>(api.app());
  register_runner_jobs(api, work);
  register_runner_artifacts(api, work);
  register_pipelines(api, work);
  register_jobs(api, work);
  register_git(api, work, otherwise);
  Events& events = api.app().events;
  events.runner_changed.add([work](std::int64_t id) { work->queue.runner_changed(id); });
  events.runner_deleted.add([work](std::int64_t id) { work->queue.runner_changed(id); });
  events.eligibility_changed.add([work] {
    work->limits.forget();
    work->queue.wake();
  });
  events.project_created.add([work](std::int64_t id) {
    if (auto made = git::Repository(work->service.app(), id).create(); !made)
      base::log::error("cannot make a repository",
                       {{"project", std::to_string(id)}, {"error", made.error().message()}});
  });
  events.project_deleted.add([work](std::int64_t id, const std::string&) {
    if (auto gone = sys::remove_tree(git::repository_path(work->service.app(), id)); !gone)
      base::log::error("cannot remove a repository",
                       {{"project", std::to_string(id)}, {"error", gone.error().message()}});
  });
  return work;
}

} // namespace coordinator
