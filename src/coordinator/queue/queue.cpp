#include "coordinator/queue/queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "ci/status.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/queue/payload.hpp"
#include "coordinator/vault.hpp"

namespace coordinator::queue {
namespace {

// Pending jobs that no runner has, by what decides who may take them. Few, however many jobs wait.
struct Group {
  std::int64_t project_id = 0;
  bool is_protected = false;
  std::vector<std::string> tags;
  std::int64_t first = 0; // lowest job id
};

base::Result<std::vector<Group>> pending_groups(Transaction& tx) {
  std::vector<Group> groups;
  for (const Row& row : FR_TRY(
           tx.query("SELECT project_id, protected, tag_list, min(id) AS first FROM jobs WHERE status = 'pending' AND "
                    "runner_id IS NULL GROUP BY project_id, protected, tag_list")))
    groups.push_back({.project_id = row.integer("project_id"),
                      .is_protected = row.boolean("protected"),
                      .tags = tags_of(row),
                      .first = row.integer("first")});
  return groups;
}

// Whether the runner may take jobs of a group; remembers what it learnt about projects.
class Eligibility {
 public:
  explicit Eligibility(model::Runner runner) : runner_(std::move(runner)) {}
  base::Result<bool> operator()(Transaction& tx, const Group& group) {
    if (!runner_.active || !accepts(runner_, group.is_protected, group.tags)) return false;
    auto known = served_.find(group.project_id);
    if (known != served_.end()) return known->second;
    auto project = FR_TRY(model::find_project(tx, group.project_id));
    bool serves = project && FR_TRY(model::runner_serves_project(tx, runner_, *project));
    served_.emplace(group.project_id, serves);
    return serves;
  }
  base::Result<bool> any(Transaction& tx, const std::vector<Group>& groups) {
    for (const Group& group : groups)
      if (FR_TRY((*this)(tx, group))) return true;
    return false;
  }

 private:
  model::Runner runner_;
  std::map<std::int64_t, bool> served_;
};

// Jobs of each project that instance runners work on, or have been handed. Two halves, each with an index of its own.
base::Result<std::map<std::int64_t, std::int64_t>> busy_on_instance_runners(Transaction& tx) {
  std::map<std::int64_t, std::int64_t> busy;
  for (std::string_view which : {"j.status IN ('running', 'canceling')", "j.status = 'pending'"})
    for (const Row& row : FR_TRY(tx.query(
             fmt::format("SELECT j.project_id, count(*) AS jobs FROM jobs j JOIN runners r ON r.id = j.runner_id WHERE "
                         "{} AND r.type = 'instance_type' GROUP BY j.project_id",
                         which))))
      busy[row.integer("project_id")] += row.integer("jobs");
  return busy;
}

net::Response no_content(const std::string& version, const std::string& request_id) {
  Reply reply = empty_reply(204);
  reply.headers.set("X-GitLab-Last-Update", version);
  reply.headers.set("X-Request-Id", request_id);
  return reply;
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
      born_(app_.now()),
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
  for (Waiter& waiter : waiters) waiter.responder.send(no_content(version(), waiter.poller.request_id));
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

// --- assignment ---------------------------------------------------------------------------------------------------

base::Result<std::optional<json::Value>> Queue::acquire(const Poller& poller) {
  // Most polls find nothing: they must not take the writer's lock.
  bool worth = FR_TRY(app_.store.read([&](Transaction& tx) -> base::Result<bool> {
    auto groups = FR_TRY(pending_groups(tx));
    if (groups.empty()) return false;
    auto runner = FR_TRY(model::find_runner(tx, poller.runner.id));
    return runner && FR_TRY(Eligibility(*runner).any(tx, groups));
  }));
  if (!worth) return std::optional<json::Value>();
  json::Value payload;
  auto picked = FR_TRY(app_.store.write([&](Transaction& tx) { return pick(tx, poller, payload); }));
  if (!picked) return std::optional<json::Value>();
  return std::optional(std::move(payload));
}

base::Result<std::optional<std::int64_t>> Queue::pick(Transaction& tx, const Poller& poller, json::Value& payload) {
  // The runner may have been edited or deleted while its request waited.
  auto runner = FR_TRY(model::find_runner(tx, poller.runner.id));
  if (!runner || !runner->active) return std::optional<std::int64_t>();
  Poller present = poller;
  present.runner = *runner;
  Eligibility eligible(*runner);
  bool fair = runner->type == RunnerType::kInstance &&
              !FR_TRY(model::setting_flag(tx, "ci_queueing_disaster_recovery_disable_fair_scheduling"));
  std::set<std::int64_t> dropped;
  while (true) {
    // Instance runners: the project with the fewest jobs on them first (fair use); others: first come.
    auto busy = fair ? FR_TRY(busy_on_instance_runners(tx)) : std::map<std::int64_t, std::int64_t>();
    std::optional<std::pair<std::int64_t, Group>> best;
    for (Group& group : FR_TRY(pending_groups(tx))) {
      if (!FR_TRY(eligible(tx, group))) continue;
      std::int64_t load = busy[group.project_id];
      if (!best || std::pair(load, group.first) < std::pair(best->first, best->second.first))
        best.emplace(load, std::move(group));
    }
    if (!best) return std::optional<std::int64_t>();
    auto job = FR_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ?", {best->second.first}));
    auto project = FR_TRY(model::find_project(tx, best->second.project_id));
    if (!job || !project) return base::fail(base::ErrorKind::kInternal, "a pending job without its project");
    if (FR_TRY(hand_over(tx, present, *job, *project, payload))) return std::optional(job->integer("id"));
    if (!dropped.insert(job->integer("id")).second)
      return base::fail(base::ErrorKind::kInternal, "a job that cannot be handed over stays pending");
  }
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
  if (!two_phase) FR_CHECK(service_.started(tx, job.integer("pipeline_id")));
  payload = std::move(built->payload);
  return true;
}

void Queue::answer(const Poller& poller, const net::Responder& responder, const json::Value& payload) {
  if (responder.disconnected()) return give_back(payload);
  Reply reply = json_reply(201, payload);
  reply.headers.set("X-Request-Id", poller.request_id);
  responder.send(std::move(reply));
}

// The runner went away between asking and being answered.
void Queue::give_back(const json::Value& payload) {
  auto done = app_.store.write([&](Transaction& tx) -> base::Status {
    auto job =
        FR_TRY(tx.query_one("SELECT id, pipeline_id FROM jobs WHERE id = ? AND token_digest = ? AND "
                            "acknowledged_at IS NULL AND status IN ('pending', 'running')",
                            {payload["id"].integer_or(0), token_digest(payload["token"].string_or(""))}));
    if (!job) return {};
    FR_CHECK(release(tx, job->integer("id")));
    FR_CHECK(service_.advance(tx, job->integer("pipeline_id")));
    tx.after_commit([this] { wake(); });
    return {};
  });
  if (!done) base::log::error("cannot take a job back", {{"error", done.error().message()}});
}

base::Status Queue::release(Transaction& tx, std::int64_t job_id) {
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = 'pending', runner_id = NULL, manager_id = NULL, token_digest = NULL, "
                 "handed_out_at = NULL, started_at = NULL, runner_features = NULL, updated_at = ? WHERE id = ?",
                 {app_.now(), job_id}));
  return {};
}

// --- waiting polls ------------------------------------------------------------------------------------------------

void Queue::wait(Poller poller, net::Responder responder, const std::string& version, std::int64_t seconds) {
  {
    std::lock_guard lock(mutex_);
    if (!stopped_) {
      // What happened since the caller looked at the version is looked at again: 0 differs from every version.
      bool fresh = version == fmt::format("{}{:016x}", instance_, version_);
      waiters_.push_back({.poller = std::move(poller),
                          .responder = std::move(responder),
                          .until = app_.now() + seconds * 1000,
                          .seen = fresh ? version_ : 0});
      if (!fresh) changed_.notify_all();
      return;
    }
  }
  responder.send(no_content(version, poller.request_id));
}

void Queue::run(const std::stop_token& stop) {
  std::int64_t next_housekeeping = app_.now() + kHousekeepingSeconds * 1000;
  while (!stop.stop_requested()) {
    std::deque<Waiter> ready;
    {
      std::unique_lock lock(mutex_);
      auto due = [&](const Waiter& waiter) { return waiter.seen != version_; };
      changed_.wait_for(lock, stop, std::chrono::seconds(1), [&] {
        return std::any_of(waiters_.begin(), waiters_.end(), due) || app_.now() >= next_housekeeping;
      });
      if (stop.stop_requested()) break;
      std::int64_t now = app_.now();
      std::deque<Waiter> rest;
      for (Waiter& waiter : waiters_) {
        if (waiter.responder.disconnected()) continue;
        bool move = due(waiter) || waiter.until <= now;
        waiter.look = due(waiter);
        waiter.seen = version_;
        (move ? ready : rest).push_back(std::move(waiter));
      }
      waiters_ = std::move(rest);
    }
    serve(std::move(ready));
    if (app_.now() >= next_housekeeping) {
      housekeeping();
      next_housekeeping = app_.now() + kHousekeepingSeconds * 1000;
    }
  }
}

// Answers who gets a job or has waited long enough; the others wait on, in their order.
void Queue::serve(std::deque<Waiter> ready) {
  if (ready.empty()) return;
  std::set<std::int64_t> hopeful; // runners that may take some job that waits
  auto looked = app_.store.read([&](Transaction& tx) -> base::Status {
    auto groups = FR_TRY(pending_groups(tx));
    std::set<std::int64_t> asked;
    for (const Waiter& waiter : ready) {
      std::int64_t id = waiter.poller.runner.id;
      if (groups.empty() || !waiter.look || !asked.insert(id).second) continue;
      auto runner = FR_TRY(model::find_runner(tx, id));
      if (runner && FR_TRY(Eligibility(*runner).any(tx, groups))) hopeful.insert(id);
    }
    return {};
  });
  if (!looked) base::log::error("cannot look for jobs", {{"error", looked.error().message()}});
  std::deque<Waiter> rest;
  for (Waiter& waiter : ready) {
    const Poller& poller = waiter.poller;
    if (waiter.look && hopeful.contains(poller.runner.id)) {
      auto payload = acquire(poller);
      if (!payload) base::log::error("cannot look for a job", {{"error", payload.error().message()}});
      if (payload && *payload) {
        answer(poller, waiter.responder, **payload);
        continue;
      }
      hopeful.erase(poller.runner.id); // nothing left for it
    }
    if (app_.now() >= waiter.until) {
      waiter.responder.send(no_content(version(), poller.request_id));
      continue;
    }
    rest.push_back(std::move(waiter));
  }
  std::lock_guard lock(mutex_);
  waiters_.insert(waiters_.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
}

} // namespace coordinator::queue
