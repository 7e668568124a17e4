#include "coordinator/runner_api/work.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/git/repository.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace coordinator {

std::string TraceFiles::path(std::int64_t job_id) const {
  return app_.path(fmt::format("traces/{}/{}.log", job_id / 1000, job_id));
}

std::uint64_t TraceFiles::size(std::int64_t job_id) const {
  struct stat info{};
  return ::stat(path(job_id).c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

base::Result<std::uint64_t> TraceFiles::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  std::lock_guard lock(locks_[static_cast<std::size_t>(job_id) % locks_.size()]);
  std::uint64_t present = size(job_id);
  if (present != offset) return present;
  std::string file = path(job_id);
  if (offset == 0) FR_CHECK(sys::make_directories(sys::parent_path(file), 0700));
  sys::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return base::fail_errno("open the log of job " + std::to_string(job_id), errno);
  std::string_view rest = chunk;
  while (!rest.empty()) {
    ssize_t written =
        ::pwrite(fd.get(), rest.data(), rest.size(), static_cast<off_t>(offset + chunk.size() - rest.size()));
    if (written < 0) {
      int saved = errno;
      // Half a chunk would make the runner's next offset wrong for good.
      (void)::ftruncate(fd.get(), static_cast<off_t>(offset));
      return base::fail_errno("write the log of job " + std::to_string(job_id), saved);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return offset + chunk.size();
}

base::Result<std::string> TraceFiles::read(std::int64_t job_id) const {
  auto text = sys::read_file(path(job_id), 256u << 20);
  if (!text && text.error().kind() == base::ErrorKind::kNotFound) return std::string();
  return text;
}

base::Status TraceFiles::erase(std::int64_t job_id) {
  std::lock_guard lock(locks_[static_cast<std::size_t>(job_id) % locks_.size()]);
  return sys::remove_file(path(job_id));
}

void TraceFiles::watch(std::int64_t job_id) {
  std::lock_guard lock(watch_mutex_);
  std::erase_if(watched_until_, [now = app_.now()](const auto& entry) { return entry.second < now; });
  watched_until_[job_id] = app_.now() + 10'000;
}

bool TraceFiles::watched(std::int64_t job_id) const {
  std::lock_guard lock(watch_mutex_);
  auto found = watched_until_.find(job_id);
  return found != watched_until_.end() && found->second >= app_.now();
}

std::string artifact_path(const App& app, std::int64_t job_id, std::string_view file_type) {
  return app.path(fmt::format("artifacts/{}/{}/{}", job_id / 1000, job_id, file_type));
}

// Logs are traces/<id / 1000>/<id>.log, artifacts artifacts/<id / 1000>/<id>/. Listed before the jobs are looked up, so
// a job that comes meanwhile keeps its files.
base::Status sweep_job_files(const App& app) {
  for (const char* kind : {"traces", "artifacts"}) {
    std::string root = app.path(kind);
    auto buckets = sys::list_directory(root);
    if (!buckets) continue; // nothing was ever stored
    for (const std::string& bucket : *buckets) {
      auto number = base::parse_int(bucket);
      if (!number) continue;
      std::string directory = sys::join_path(root, bucket);
      auto names = FR_TRY(sys::list_directory(directory));
      std::set<std::int64_t> alive;
      for (const Row& row : FR_TRY(app.store.read([&](Transaction& tx) {
             return tx.query("SELECT id FROM jobs WHERE id >= ? AND id < ?", {*number * 1000, (*number + 1) * 1000});
           })))
        alive.insert(row.integer("id"));
      for (const std::string& name : names) {
        auto id = base::parse_int(name.substr(0, name.find('.')));
        if (id && !alive.contains(*id)) FR_CHECK(sys::remove_tree(sys::join_path(directory, name)));
      }
    }
  }
  return {};
}

std::shared_ptr<Work> register_work(Api& api) {
  auto work = std::make_shared<Work>(api.app());
  register_runner_jobs(api, work);
  register_runner_artifacts(api);
  register_pipelines(api, work);
  register_jobs(api, work);
  register_git(api, work);
  Events& events = api.app().events;
  events.runner_changed.add([work](std::int64_t) { work->queue.wake(); });
  events.runner_deleted.add([work](std::int64_t) { work->queue.wake(); });
  events.eligibility_changed.add([work] { work->queue.wake(); });
  events.project_created.add([work](std::int64_t id) {
    if (auto made = git::Repository(work->service.app(), id).create(); !made)
      base::log::error("cannot make a repository",
                       {{"project", std::to_string(id)}, {"error", made.error().message()}});
  });
  events.project_deleted.add([work](std::int64_t id, const std::string&) {
    if (auto gone = sys::remove_tree(git::repository_path(work->service.app(), id)); !gone)
      base::log::error("cannot remove a repository",
                       {{"project", std::to_string(id)}, {"error", gone.error().message()}});
    if (auto swept = sweep_job_files(work->service.app()); !swept)
      base::log::error("cannot remove the files of deleted jobs", {{"error", swept.error().message()}});
  });
  return work;
}

} // namespace coordinator
