#include "ci/checks.hpp"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "base/strings.hpp"
#include "ci/status.hpp"

namespace ci {
namespace {

class Checker {
 public:
  Checker(const Instances& instances, const std::vector<std::string>& stages, Problems& problems)
      : instances_(instances), stages_(stages), problems_(problems) {
    for (std::size_t i = 0; i < stages.size(); ++i) stage_index_[stages[i]] = i;
  }

  void run() {
    for (const JobConfig& job : instances_.all()) check(job);
    if (!problems_.failed()) check_cycles();
  }

 private:
  void error(const JobConfig& job, std::string message) { problems_.error(job.mark, std::move(message)); }

  void check(const JobConfig& job) {
    if (!stage_index_.contains(job.job.stage)) {
      error(job, fmt::format("{} job: chosen stage {} does not exist; available stages are {}", job.job.name,
                             job.job.stage, base::join(stages_, ", ")));
      return;
    }
    if (job.needs) check_needs(job, *job.needs);
    for (const RuleConfig& rule : job.rules.value_or(std::vector<RuleConfig>()))
      if (rule.needs) check_needs(job, *rule.needs);
    if (job.dependencies) check_dependencies(job);
  }

  // `kind`: "need" or "dependency".
  void check_target(const JobConfig& job, const std::string& name, std::string_view kind, bool optional) {
    const JobConfig* target = instances_.find(name);
    if (target == nullptr) {
      if (!optional) error(job, fmt::format("{} job: undefined {}: {}", job.job.name, kind, name));
      return;
    }
    auto stage = stage_index_.find(target->job.stage);
    if (stage == stage_index_.end() || stage->second > stage_index_.at(job.job.stage))
      error(job, fmt::format("{} job: {} {} is not defined in current or prior stages", job.job.name, kind, name));
  }

  void check_needs(const JobConfig& job, const std::vector<NeedConfig>& configured) {
    std::unordered_set<std::string> seen;
    for (const Need& need : instances_.needs_of(job, configured)) {
      if (!seen.insert(need.job).second)
        error(job, fmt::format("{} has the following needs duplicated: {}.", job.job.name, need.job));
      check_target(job, need.job, "need", need.optional);
    }
    if (seen.size() > kMaxNeeds)
      error(job, fmt::format("{}: one job can only need {} others, but you have listed {}. See needs keyword "
                             "documentation for more details",
                             job.job.name, kMaxNeeds, seen.size()));
  }

  void check_dependencies(const JobConfig& job) {
    std::unordered_set<std::string> needed;
    if (job.needs)
      for (const Need& need : instances_.needs_of(job, *job.needs)) needed.insert(need.job);
    for (const std::string& written : *job.dependencies) {
      auto names = instances_.named(written);
      if (names.empty()) names.push_back(written);
      for (const std::string& name : names) {
        check_target(job, name, "dependency", false);
        if (job.needs && !needed.contains(name))
          error(job, fmt::format("jobs:{} dependencies the {} should be part of needs", job.job.name, name));
      }
    }
  }

  void check_cycles() {
    std::vector<JobState> states;
    for (const JobConfig& job : instances_.all()) {
      JobState state{.name = job.job.name};
      state.needs.emplace();
      auto add = [&](const std::vector<NeedConfig>& needs) {
        for (const Need& need : instances_.needs_of(job, needs)) state.needs->push_back(need.job);
      };
      if (job.needs) add(*job.needs);
      for (const RuleConfig& rule : job.rules.value_or(std::vector<RuleConfig>()))
        if (rule.needs) add(*rule.needs);
      states.push_back(std::move(state));
    }
    auto cycle = find_cycle(states);
    if (!cycle) return;
    const JobConfig* first = instances_.find(cycle->front());
    std::string what = cycle->size() == 1 ? "self-dependency: " + cycle->front() : base::join(*cycle, ", ");
    problems_.error(first != nullptr ? first->mark : yaml::Mark(), "The pipeline has circular dependencies: " + what);
  }

  const Instances& instances_;
  const std::vector<std::string>& stages_;
  Problems& problems_;
  std::unordered_map<std::string, std::size_t> stage_index_;
};
} // namespace

void check_jobs(const Instances& instances, const std::vector<std::string>& stages, Problems& problems) {
  Checker(instances, stages, problems).run();
}

} // namespace ci
