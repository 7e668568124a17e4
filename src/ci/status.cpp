// The rules of GitLab's pipeline processing: composite statuses, and what a created job becomes.
#include "ci/status.hpp"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <unordered_map>

#include "base/strings.hpp"

namespace ci {
namespace {
constexpr std::pair<Status, std::string_view> kNames[] = {
    {Status::kCreated, "created"},     {Status::kWaitingForResource, "waiting_for_resource"},
    {Status::kPreparing, "preparing"}, {Status::kWaitingForCallback, "waiting_for_callback"},
    {Status::kPending, "pending"},     {Status::kRunning, "running"},
    {Status::kCanceling, "canceling"}, {Status::kSuccess, "success"},
    {Status::kFailed, "failed"},       {Status::kCanceled, "canceled"},
    {Status::kSkipped, "skipped"},     {Status::kManual, "manual"},
    {Status::kScheduled, "scheduled"},
};

// A set of statuses with the two that only a job's leave to fail makes.
class StatusSet {
 public:
  static constexpr unsigned bit(Status status) { return 1U << static_cast<unsigned>(status); }
  static constexpr unsigned kWarn = 1U << 20;
  static constexpr unsigned kIgnored = 1U << 21;

  void add(const JobState& job) {
    bool failed = job.status == Status::kFailed || job.status == Status::kCanceled;
    if (job.allow_failure && failed) {
      bits_ |= kWarn;
    } else if (job.allow_failure && job.status == Status::kManual) {
      bits_ |= kIgnored;
    } else {
      bits_ |= bit(job.status);
    }
  }
  bool empty() const { return bits_ == 0; }
  bool any(unsigned mask) const { return (bits_ & mask) != 0; }
  bool has(Status status) const { return any(bit(status)); }
  bool within(unsigned mask) const { return (bits_ & ~mask) == 0; }
  bool warnings() const { return any(kWarn); }

 private:
  unsigned bits_ = 0;
};

// GitLab's order of questions; the first that fits decides.
Status composite_of(const StatusSet& set, bool dag) {
  constexpr auto bit = StatusSet::bit;
  constexpr unsigned soft = StatusSet::kWarn | StatusSet::kIgnored;
  constexpr unsigned skipped = bit(Status::kSkipped);
  constexpr unsigned success = bit(Status::kSuccess);
  if (set.empty()) return Status::kSuccess;
  if (dag && set.any(skipped | StatusSet::kIgnored)) return Status::kSkipped;
  if (set.within(skipped | StatusSet::kIgnored)) return Status::kSkipped;
  if (set.within(success | skipped | soft)) return Status::kSuccess;
  if (set.within(bit(Status::kCreated) | soft)) return Status::kCreated;
  if (set.within(bit(Status::kPreparing) | soft)) return Status::kPreparing;
  if (set.within(bit(Status::kCanceled) | success | skipped | soft)) return Status::kCanceled;
  if (set.within(bit(Status::kPending) | bit(Status::kCreated) | skipped | soft)) return Status::kPending;
  if (set.has(Status::kRunning) || set.has(Status::kPending)) return Status::kRunning;
  for (Status status : {Status::kWaitingForResource, Status::kWaitingForCallback, Status::kManual, Status::kScheduled,
                        Status::kPreparing})
    if (set.has(status)) return status;
  if (set.has(Status::kCreated)) return Status::kRunning;
  if (set.has(Status::kCanceling)) return Status::kCanceling;
  return Status::kFailed;
}

Composite composite_where(const std::vector<JobState>& jobs, bool dag,
                          const std::function<bool(const JobState&)>& take) {
  StatusSet set;
  for (const JobState& job : jobs)
    if (take(job)) set.add(job);
  return {composite_of(set, dag), set.warnings()};
}

bool acceptable(When when, Status previous, bool dag) {
  switch (when) {
    case When::kOnFailure:
      return previous == Status::kFailed;
    case When::kAlways:
      return previous == Status::kSuccess || previous == Status::kFailed || previous == Status::kSkipped;
    case When::kNever:
      return false;
    default:
      return previous == Status::kSuccess || (previous == Status::kSkipped && !dag);
  }
}

Status started(When when) {
  if (when == When::kManual) return Status::kManual;
  if (when == When::kDelayed) return Status::kScheduled;
  return Status::kPending;
}

using Names = std::unordered_map<std::string_view, std::size_t>;
Names names_of(const std::vector<JobState>& jobs) {
  Names names;
  for (std::size_t i = 0; i < jobs.size(); ++i) names.emplace(jobs[i].name, i);
  return names;
}

// Needed jobs before their dependents; a cycle (refused when compiling) is cut somewhere.
class NeedsOrder {
 public:
  explicit NeedsOrder(const std::vector<JobState>& jobs) : jobs_(jobs), names_(names_of(jobs)), state_(jobs.size()) {}

  // Iterative depth-first search: pipelines of thousands of jobs in a chain must not use up the stack.
  void visit(std::size_t root) {
    if (state_[root] != 0) return;
    std::vector<std::pair<std::size_t, std::size_t>> stack{{root, 0}};
    state_[root] = 1;
    while (!stack.empty()) {
      auto& [job, next] = stack.back();
      const auto& needs = jobs_[job].needs;
      if (!needs || next >= needs->size()) {
        state_[job] = 2;
        order_.push_back(job);
        stack.pop_back();
        continue;
      }
      auto found = names_.find((*needs)[next++]);
      if (found == names_.end()) continue;
      if (state_[found->second] == 1 && cycle_.empty()) remember_cycle(stack, found->second);
      if (state_[found->second] != 0) continue;
      state_[found->second] = 1;
      stack.emplace_back(found->second, 0);
    }
  }
  const std::vector<std::size_t>& order() const { return order_; }
  const std::vector<std::string>& cycle() const { return cycle_; }

 private:
  void remember_cycle(const std::vector<std::pair<std::size_t, std::size_t>>& stack, std::size_t start) {
    bool on = false;
    for (const auto& [job, next] : stack) {
      on = on || job == start;
      if (on) cycle_.push_back(jobs_[job].name);
    }
  }

  const std::vector<JobState>& jobs_;
  Names names_;
  std::vector<int> state_;
  std::vector<std::size_t> order_;
  std::vector<std::string> cycle_;
};

// Stages ascending, needs before dependents within.
std::vector<std::size_t> processing_order(const std::vector<JobState>& jobs) {
  std::vector<std::size_t> by_stage(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) by_stage[i] = i;
  std::stable_sort(by_stage.begin(), by_stage.end(),
                   [&](std::size_t a, std::size_t b) { return jobs[a].stage_index < jobs[b].stage_index; });
  NeedsOrder order(jobs);
  for (std::size_t job : by_stage) order.visit(job);
  return order.order();
}

std::string reason_for(const JobState& job, Status previous) {
  std::string before = job.needs ? "needed jobs are " : "earlier stages are ";
  return fmt::format("when: {}, {}{}", to_string(job.when), before, to_string(previous));
}
} // namespace

std::string_view to_string(Status status) {
  for (auto [value, name] : kNames)
    if (value == status) return name;
  return "created";
}

std::optional<Status> parse_status(std::string_view text) {
  for (auto [value, name] : kNames)
    if (name == text) return value;
  return std::nullopt;
}

bool is_complete(Status status) {
  return status == Status::kSuccess || status == Status::kFailed || status == Status::kCanceled ||
         status == Status::kSkipped;
}

bool is_active(Status status) {
  return status == Status::kWaitingForResource || status == Status::kPreparing ||
         status == Status::kWaitingForCallback || status == Status::kPending || status == Status::kRunning;
}

bool is_alive(Status status) { return is_active(status) || status == Status::kCreated || status == Status::kCanceling; }

JobState job_state(const Job& job) {
  JobState state{
      .name = job.name, .stage_index = job.stage_index, .allow_failure = job.allow_failure, .when = job.when};
  if (job.needs) {
    state.needs.emplace();
    for (const Need& need : *job.needs) state.needs->push_back(need.job);
  }
  return state;
}

Composite composite(const std::vector<JobState>& jobs) {
  return composite_where(jobs, false, [](const JobState&) { return true; });
}

Composite stage_composite(const std::vector<JobState>& jobs, int stage_index) {
  return composite_where(jobs, false, [&](const JobState& job) { return job.stage_index == stage_index; });
}

Composite needs_composite(const std::vector<JobState>& jobs) {
  return composite_where(jobs, true, [](const JobState&) { return true; });
}

std::vector<Transition> process(const std::vector<JobState>& jobs) {
  std::vector<JobState> now = jobs;
  Names names = names_of(jobs);
  std::vector<Transition> transitions;
  auto earlier_stages = [&](int stage) {
    StatusSet set;
    for (const JobState& other : now)
      if (other.stage_index < stage) set.add(other);
    return composite_of(set, false);
  };
  std::map<int, Status> remembered;
  for (std::size_t index : processing_order(jobs)) {
    JobState& job = now[index];
    if (job.status != Status::kCreated) continue;
    Status previous = Status::kSuccess;
    if (job.needs) {
      StatusSet set;
      for (const std::string& need : *job.needs) {
        auto found = names.find(need);
        if (found != names.end()) set.add(now[found->second]);
      }
      previous = composite_of(set, true);
    } else {
      auto known = remembered.find(job.stage_index);
      if (known == remembered.end()) known = remembered.emplace(job.stage_index, earlier_stages(job.stage_index)).first;
      previous = known->second;
    }
    if (!is_complete(previous)) continue;
    bool go = acceptable(job.when, previous, job.needs.has_value());
    job.status = go ? started(job.when) : Status::kSkipped;
    transitions.push_back({index, job.status, reason_for(job, previous)});
    // What later stages see has changed.
    remembered.erase(remembered.upper_bound(job.stage_index), remembered.end());
  }
  return transitions;
}

std::vector<std::size_t> dependents_to_reset(const std::vector<JobState>& jobs, std::size_t job) {
  std::vector<std::size_t> reset;
  std::set<std::string_view> alive{jobs[job].name};
  std::optional<int> stage = jobs[job].stage_index;
  for (std::size_t index : processing_order(jobs)) {
    const JobState& candidate = jobs[index];
    if (index == job || candidate.status != Status::kSkipped) continue;
    bool depends = false;
    if (candidate.needs) {
      for (const std::string& need : *candidate.needs) depends = depends || alive.contains(need);
    } else {
      depends = stage && candidate.stage_index > *stage;
    }
    if (!depends) continue;
    alive.insert(candidate.name);
    reset.push_back(index);
  }
  return reset;
}

std::optional<std::vector<std::string>> find_cycle(const std::vector<JobState>& jobs) {
  NeedsOrder order(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) order.visit(i);
  if (order.cycle().empty()) return std::nullopt;
  return order.cycle();
}

bool should_retry(const Job& job, std::string_view failure_reason, std::optional<int> exit_code, int attempts_so_far) {
  for (std::string_view hopeless : {"ci_quota_exceeded", "no_matching_runner", "missing_dependency_failure",
                                    "forward_deployment_failure", "environment_creation_failure"})
    if (failure_reason == hopeless) return false;
  int max = failure_reason == "scheduler_failure" ? 2 : 0;
  if (job.retry) {
    const Retry& retry = *job.retry;
    auto listed = [&](std::string_view reason) {
      return std::find(retry.when.begin(), retry.when.end(), reason) != retry.when.end();
    };
    bool by_code =
        exit_code && std::find(retry.exit_codes.begin(), retry.exit_codes.end(), *exit_code) != retry.exit_codes.end();
    if (listed("always") || listed(failure_reason) || by_code) max = retry.max;
  }
  return max > attempts_so_far;
}

bool failure_allowed(const Job& job, std::optional<int> exit_code) {
  if (job.allow_failure) return true;
  const auto& codes = job.allow_failure_exit_codes;
  return exit_code && std::find(codes.begin(), codes.end(), *exit_code) != codes.end();
}

} // namespace ci
