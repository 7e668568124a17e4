#include "coordinator/queue/queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "ci/status.hpp"
#include "coordinator/queue/payload.hpp"
#include "coordinator/vault.hpp"

namespace coordinator::queue {
namespace {

constexpr std::int64_t kCandidates = 500;

// Instance runners: the project with the fewest running jobs on them first (fair use); others: first come.
std::string candidates_sql(RunnerType type) {
  std::string fields = "SELECT j.id, j.project_id, j.protected, j.tag_list FROM jobs j ";
  std::string pending = "WHERE j.status = 'pending' AND j.runner_id IS NULL ";
  if (type != RunnerType::kInstance) return fields + pending + "ORDER BY j.id LIMIT ?";
  return fields +
         "LEFT JOIN (SELECT b.project_id, count(*) AS busy FROM jobs b JOIN runners r ON r.id = b.runner_id "
         "WHERE b.status IN ('running', 'canceling', 'pending') AND r.type = 'instance_type' GROUP BY b.project_id) u "
         "ON u.project_id = j.project_id " +
         pending + "ORDER BY coalesce(u.busy, 0), j.id LIMIT ?";
}

net::Response no_content(const std::string& version) {
  Reply reply = empty_reply(204);
  return std::move(reply).header("X-GitLab-Last-Update", version);
}

} // namespace

std::vector<std::string> tags_of(const Row& job) {
  std::vector<std::string> tags;
  auto value = json::parse(job.text("tag_list"));
  if (value && value->is_array())
    for (const auto& tag : value->as_array()) tags.push_back(tag.string_or(""));
  return tags;
}

bool accepts(const model::Runner& runner, bool is_protected, const std::vector<std::string>& tags) {
  if (runner.ref_protected && !is_protected) return false;
  if (tags.empty()) return runner.run_untagged;
  return std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
    return std::find(runner.tag_list.begin(), runner.tag_list.end(), tag) != runner.tag_list.end();
  });
}

Queue::Queue(pipelines::Service& service)
    : service_(service),
      app_(service.app()),
      version_(1),
      instance_(base::random_hex(16)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Queue::~Queue() { stop(); }

void Queue::stop() {
  std::deque<Waiter> waiters;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    waiters.swap(waiters_);
  }
  for (Waiter& waiter : waiters) waiter.responder.send(no_content(version()));
  thread_.request_stop();
  changed_.notify_all();
  if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
}

std::string Queue::version() const {
  std::lock_guard lock(mutex_);
  return fmt::format("{}{:016x}", instance_, version_);
}

void Queue::wake() {
  {
    std::lock_guard lock(mutex_);
    ++version_;
  }
  changed_.notify_all();
}

base::Result<std::optional<json::Value>> Queue::acquire(const Poller& poller) {
  json::Value payload;
  auto picked = FR_TRY(app_.store.write([&](Transaction& tx) { return pick(tx, poller, payload); }));
  if (!picked) return std::optional<json::Value>();
  return std::optional(std::move(payload));
}

base::Result<std::optional<std::int64_t>> Queue::pick(Transaction& tx, const Poller& poller, json::Value& payload) {
  // The runner may have been edited or deleted while its request waited.
  auto runner = FR_TRY(model::find_runner(tx, poller.runner.id));
  if (!runner || !runner->active) return std::optional<std::int64_t>();
  Poller present{.runner = *runner, .manager = poller.manager, .features = poller.features};
  std::map<std::int64_t, std::optional<model::Project>> projects; // those it serves
  auto candidates = FR_TRY(tx.query(candidates_sql(runner->type), {kCandidates}));
  for (const Row& candidate : candidates) {
    if (!accepts(*runner, candidate.boolean("protected"), tags_of(candidate))) continue;
    std::int64_t project_id = candidate.integer("project_id");
    if (!projects.contains(project_id)) {
      auto project = FR_TRY(model::find_project(tx, project_id));
      if (project && !FR_TRY(model::runner_serves_project(tx, *runner, *project))) project.reset();
      projects.emplace(project_id, std::move(project));
    }
    const auto& project = projects.at(project_id);
    if (!project) continue;
    auto job = FR_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ?", {candidate.integer("id")}));
    if (job && FR_TRY(hand_over(tx, present, *job, *project, payload))) return std::optional(job->integer("id"));
  }
  return std::optional<std::int64_t>();
}

// False when the job had to be dropped instead; the scan goes on.
base::Result<bool> Queue::hand_over(Transaction& tx, const Poller& poller, const Row& job,
                                    const model::Project& project, json::Value& payload) {
  std::int64_t id = job.integer("id");
  auto drop = [&](std::string reason) -> base::Result<bool> {
    FR_CHECK(service_.finish(tx, id, {.status = "failed", .failure_reason = std::move(reason), .exit_code = {}}));
    return false;
  };
  if (!project.builds_enabled) return drop("builds_disabled");
  auto user = FR_TRY(tx.query_one("SELECT state FROM users WHERE id = ?", {job.integer("user_id")}));
  if (user && user->text("state") != "active") return drop("user_blocked");
  auto pipeline = FR_TRY(tx.query_one("SELECT * FROM pipelines WHERE id = ?", {job.integer("pipeline_id")}));
  auto value = json::parse(job.text("definition"));
  auto definition = value ? ci::job_from_json(*value) : base::Result<ci::Job>(base::fail(std::move(value.error())));
  if (!pipeline || !definition) return drop("scheduler_failure");
  if (!missing_feature(*definition, poller.features).empty()) return drop("runner_unsupported");

  std::int64_t timeout = definition->timeout_seconds.value_or(project.build_timeout);
  if (poller.runner.maximum_timeout) timeout = std::min(timeout, *poller.runner.maximum_timeout);
  base::Secret token("glcbt-64_" + base::random_token(20));
  auto built = build_payload(tx, service_,
                             {.job = job,
                              .pipeline = *pipeline,
                              .project = project,
                              .runner = poller.runner,
                              .token = token,
                              .timeout_seconds = timeout});
  if (!built) {
    base::log::error("cannot build the payload of a job",
                     {{"job", std::to_string(id)}, {"error", built.error().message()}});
    return drop("scheduler_failure");
  }
  if (!built->refusal.empty()) return drop(built->refusal);

  std::int64_t now = app_.now();
  bool two_phase = poller.features["two_phase_job_commit"].bool_or(false);
  FR_CHECK(tx.execute(
      "UPDATE jobs SET status = ?, runner_id = ?, manager_id = ?, runner_features = ?, token_digest = ?, timeout = ?, "
      "handed_out_at = ?, contacted_at = ?, updated_at = ?, started_at = CASE WHEN ? THEN NULL ELSE ? END, "
      "trace_size = 0 WHERE id = ? AND status = 'pending' AND runner_id IS NULL",
      {two_phase ? "pending" : "running", poller.runner.id, poller.manager.id, poller.features.dump(),
       token_digest(token.reveal()), timeout, now, now, now, two_phase, now, id}));
  if (!two_phase) FR_CHECK(service_.advance(tx, job.integer("pipeline_id")));
  payload = std::move(built->payload);
  return true;
}

void Queue::wait(Poller poller, net::Responder responder) {
  {
    std::lock_guard lock(mutex_);
    if (!stopped_) {
      waiters_.push_back({.poller = std::move(poller),
                          .responder = std::move(responder),
                          .until = app_.now() + kLongPollSeconds * 1000});
      return;
    }
  }
  responder.send(no_content(version()));
}

void Queue::run(const std::stop_token& stop) {
  std::uint64_t seen = 0;
  std::int64_t next_housekeeping = app_.now() + 5000;
  while (!stop.stop_requested()) {
    std::deque<Waiter> waiters;
    bool look = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return version_ != seen; });
      look = version_ != seen;
      seen = version_;
      waiters.swap(waiters_);
    }
    if (stop.stop_requested()) break;
    std::deque<Waiter> rest;
    for (Waiter& waiter : waiters) {
      if (waiter.responder.disconnected()) continue;
      if (look) {
        auto payload = acquire(waiter.poller);
        if (!payload) base::log::error("cannot look for a job", {{"error", payload.error().message()}});
        if (payload && *payload) {
          waiter.responder.send(json_reply(201, **payload));
          continue;
        }
      }
      if (app_.now() >= waiter.until) {
        waiter.responder.send(no_content(version()));
        continue;
      }
      rest.push_back(std::move(waiter));
    }
    {
      std::lock_guard lock(mutex_);
      waiters_.insert(waiters_.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    }
    if (app_.now() >= next_housekeeping) {
      housekeeping();
      next_housekeeping = app_.now() + 5000;
    }
  }
}

} // namespace coordinator::queue
