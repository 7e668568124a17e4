#include "coordinator/queue/assignment.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/vault.hpp"

namespace coordinator::queue {
namespace {

constexpr int kLookAhead = 32; // jobs of a group read at once

} // namespace

// --- what there is ------------------------------------------------------------------------------------------------

base::Result<const std::optional<model::Project>*> Assignment::project(std::int64_t id) {
  auto known = projects_.find(id);
  if (known == projects_.end()) known = projects_.emplace(id, FR_TRY(model::find_project(tx_, id))).first;
  return &known->second;
}

base::Result<const std::optional<model::Runner>*> Assignment::runner(std::int64_t id) {
  auto known = runners_.find(id);
  if (known == runners_.end()) known = runners_.emplace(id, FR_TRY(model::find_runner(tx_, id))).first;
  return &known->second;
}

base::Status Assignment::match() {
  std::map<std::int64_t, Place> places;
  for (Group& group : FR_TRY(pending_groups(tx_))) {
    if (!waiters_.wanted(group.is_protected, group.tags)) continue;
    auto place = places.find(group.project_id);
    if (place == places.end()) {
      const auto& found = *FR_TRY(project(group.project_id));
      place = places.emplace(group.project_id, found ? FR_TRY(place_of(tx_, *found)) : Place()).first;
    }
    auto able = waiters_.lines_for(place->second, group.is_protected, group.tags);
    if (able.empty()) continue;
    for (const Line* line : able) lines_[line].push_back(choices_.size());
    choices_.push_back({.group = std::move(group), .jobs = {}, .from = 0, .exhausted = false});
    choices_.back().from = choices_.back().group.first;
  }
  return {};
}

base::Result<bool> Assignment::possible() {
  FR_CHECK(match());
  return !choices_.empty();
}

// --- who is next --------------------------------------------------------------------------------------------------

base::Result<bool> Assignment::run(std::size_t most) {
  FR_CHECK(match());
  std::set<std::pair<std::uint64_t, const Line*>> next; // of each line the first one not served yet
  for (const auto& [line, choices] : lines_) next.emplace(*line->tickets.begin(), line);
  while (handed.size() < most && !next.empty()) {
    auto [ticket, line] = *next.begin();
    next.erase(next.begin());
    bool left = FR_TRY(serve(ticket, lines_[line]));
    auto following = line->tickets.upper_bound(ticket);
    if (left && following != line->tickets.end()) next.emplace(*following, line);
  }
  return !next.empty();
}

// False when nothing is left for anybody in the line.
base::Result<bool> Assignment::serve(std::uint64_t ticket, const std::vector<std::size_t>& choices) {
  const Waiter& waiter = waiters_.at(ticket);
  if (waiter.responder.disconnected()) return true;
  bool fits = false;
  FR_CHECK(check_runner(waiter, fits));
  if (!fits) return true;
  const model::Runner& taker = **FR_TRY(runner(waiter.runner_id));
  while (auto which = FR_TRY(best(taker, choices))) {
    Choice& choice = choices_[*which];
    std::int64_t job = choice.jobs.front();
    choice.jobs.pop_front();
    const model::Project& where = **FR_TRY(project(choice.group.project_id));
    if (FR_TRY(hand_over(ticket, taker, where, job)) == Outcome::kHanded) return true;
  }
  return false;
}

// The runner may have been edited or deleted while its request waited.
base::Status Assignment::check_runner(const Waiter& waiter, bool& fits) {
  auto known = fits_.find(waiter.runner_id);
  if (known == fits_.end()) {
    const auto& found = *FR_TRY(runner(waiter.runner_id));
    bool same = found && FR_TRY(reach_of(tx_, *found)).key() == waiter.line->key;
    if (!same) outdated.insert(waiter.runner_id);
    known = fits_.emplace(waiter.runner_id, same).first;
  }
  fits = known->second;
  return {};
}

base::Result<bool> Assignment::refill(Choice& choice) {
  if (!choice.jobs.empty()) return true;
  if (choice.exhausted) return false;
  auto more = FR_TRY(jobs_of(tx_, choice.group, choice.from, kLookAhead));
  choice.exhausted = more.size() < static_cast<std::size_t>(kLookAhead);
  if (!more.empty()) choice.from = more.back() + 1;
  choice.jobs.assign(more.begin(), more.end());
  return !choice.jobs.empty();
}

base::Result<std::optional<std::size_t>> Assignment::best(const model::Runner& runner,
                                                          const std::vector<std::size_t>& choices) {
  if (!fair_) fair_ = !FR_TRY(model::setting_flag(tx_, "ci_queueing_disaster_recovery_disable_fair_scheduling"));
  bool fair = *fair_ && runner.type == RunnerType::kInstance;
  std::optional<std::size_t> found;
  std::pair<std::int64_t, std::int64_t> lowest;
  for (std::size_t which : choices) {
    Choice& choice = choices_[which];
    if (!FR_TRY(refill(choice))) continue;
    std::pair rank(fair ? FR_TRY(load_of(choice.group.project_id)) : 0, choice.jobs.front());
    if (found && rank >= lowest) continue;
    found = which;
    lowest = rank;
  }
  return found;
}

base::Result<std::int64_t> Assignment::load_of(std::int64_t project_id) {
  if (!load_) load_ = FR_TRY(busy_on_instance_runners(tx_));
  return (*load_)[project_id];
}

// --- the hand-over ------------------------------------------------------------------------------------------------

// kNotThis when the job had to be dropped instead, or somebody else has it; the scan goes on.
base::Result<Assignment::Outcome> Assignment::hand_over(std::uint64_t ticket, const model::Runner& runner,
                                                        const model::Project& project, std::int64_t job_id) {
  auto job = FR_TRY(tx_.query_one(
      "SELECT * FROM jobs WHERE id = ? AND status = 'pending' AND runner_id IS NULL FOR UPDATE SKIP LOCKED", {job_id}));
  if (!job) return Outcome::kNotThis;
  const Waiter& waiter = waiters_.at(ticket);
  auto drop = [&](std::string reason) -> base::Result<Outcome> {
    FR_CHECK(service_.finish(tx_, job_id, {.status = "failed", .failure_reason = std::move(reason), .exit_code = {}}));
    return Outcome::kNotThis;
  };
  if (!project.builds_enabled) return drop("builds_disabled");
  std::int64_t user_id = job->integer("user_id");
  if (!blocked_users_.contains(user_id)) {
    auto user = FR_TRY(tx_.query_one("SELECT state FROM users WHERE id = ?", {user_id}));
    blocked_users_[user_id] = user && user->text("state") != "active";
  }
  if (blocked_users_[user_id]) return drop("user_blocked");
  std::int64_t pipeline_id = job->integer("pipeline_id");
  auto pipeline = pipelines_.find(pipeline_id);
  if (pipeline == pipelines_.end()) {
    auto found = FR_TRY(tx_.query_one("SELECT * FROM pipelines WHERE id = ?", {pipeline_id}));
    if (!found) return drop("scheduler_failure");
    pipeline = pipelines_.emplace(pipeline_id, std::move(*found)).first;
  }
  auto value = json::parse(job->text("definition"));
  auto definition = value ? ci::job_from_json(*value) : base::Result<ci::Job>(base::fail(std::move(value.error())));
  if (!definition) return drop("scheduler_failure");
  if (!missing_feature(*definition, *waiter.features).empty()) return drop("runner_unsupported");

  bool instance = runner.type == RunnerType::kInstance;
  if (!pending_) pending_ = FR_TRY(pending_count(tx_));
  std::int64_t timeout = definition->timeout_seconds.value_or(project.build_timeout);
  if (runner.maximum_timeout) timeout = std::min(timeout, *runner.maximum_timeout);
  base::Secret token("glcbt-64_" + base::random_token(20));
  auto built = payloads_.build({.job = *job,
                                .definition = *definition,
                                .pipeline = pipeline->second,
                                .project = project,
                                .runner = runner,
                                .token = token,
                                .timeout_seconds = timeout,
                                .project_load = instance ? FR_TRY(load_of(project.id)) : 0,
                                .queue_size = *pending_});
  if (!built) {
    base::log::error("cannot build the payload of a job",
                     {{"job", std::to_string(job_id)}, {"error", built.error().message()}});
    return drop("scheduler_failure");
  }
  if (!built->refusal.empty()) return drop(built->refusal);

  std::int64_t now = service_.app().now();
  bool two_phase = (*waiter.features)["two_phase_job_commit"].bool_or(false);
  std::string digest = token_digest(token.reveal());
  auto taken = FR_TRY(
      tx_.execute("UPDATE jobs SET status = ?, runner_id = ?, manager_id = ?, on_instance = ?, runner_features = ?, "
                  "token_digest = ?, timeout = ?, handed_out_at = ?, contacted_at = ?, updated_at = ?, started_at = ?, "
                  "trace_size = 0 WHERE id = ? AND status = 'pending' AND runner_id IS NULL",
                  {two_phase ? "pending" : "running", runner.id, waiter.manager_id, instance, waiter.features->dump(),
                   digest, timeout, now, now, now, two_phase ? Bind(nullptr) : Bind(now), job_id}));
  if (taken == 0) return Outcome::kNotThis;
  if (!two_phase) FR_CHECK(service_.started(tx_, pipeline_id));
  if (instance && load_) ++(*load_)[project.id];
  --*pending_;
  handed.push_back(
      {.ticket = ticket, .job_id = job_id, .token_digest = std::move(digest), .payload = std::move(built->payload)});
  return Outcome::kHanded;
}

} // namespace coordinator::queue
