// The phases in order, and the last of them: rules decide which jobs there are and how they run.
#include "ci/compile.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <unordered_map>
#include <unordered_set>

#include "base/strings.hpp"
#include "ci/cache_key.hpp"
#include "ci/checks.hpp"
#include "ci/entry.hpp"
#include "ci/rules.hpp"
#include "ci/scope.hpp"
#include "ci/tree.hpp"

namespace ci {
namespace {
constexpr std::string_view kFiltered = "Pipeline filtered out by workflow rules.";
constexpr std::string_view kEmpty =
    "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being added to "
    "the "
    "pipeline.";

// Later values take the place of earlier ones.
void merge(Variables& into, const Variables& more) {
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < into.size(); ++i) index[into[i].key] = i;
  std::vector<const Variable*> fresh;
  for (const Variable& variable : more) {
    auto found = index.find(variable.key);
    if (found != index.end()) {
      into[found->second].value = variable.value;
      into[found->second].raw = variable.raw;
    } else {
      fresh.push_back(&variable);
    }
  }
  for (const Variable* variable : fresh) into.push_back(*variable);
}

class Seeder {
 public:
  Seeder(const Source& source, const Context& context, Problems& problems, PipelineConfig config, Compiled& out)
      : source_(source),
        context_(context),
        problems_(problems),
        predefined_(predefined_variables(context)),
        config_(std::move(config)),
        instances_(std::move(config_.jobs), problems),
        out_(out) {}

  void run() {
    if (!problems_.failed()) check_jobs(instances_, config_.stages, problems_);
    if (problems_.failed() || !workflow_allows()) return;
    out_.pipeline.stages = config_.stages;
    for (std::size_t i = 0; i < config_.stages.size(); ++i)
      stage_index_.emplace(config_.stages[i], static_cast<int>(i));
    for (JobConfig& job : instances_.all()) {
      seed(job);
      if (bytes_ > kMaxWeight) return problems_.error(job.mark, "The pipeline becomes too big");
    }
    check_needs();
    finish();
  }

 private:
  bool workflow_allows() {
    Variables scope = rule_scope(context_, predefined_, config_.variables);
    Pipeline& pipeline = out_.pipeline;
    pipeline.variables = config_.variables;
    if (config_.workflow.rules) {
      RuleEvaluator evaluator(context_, source_.files, scope);
      auto hit = evaluator.first_match(*config_.workflow.rules);
      if (!hit) {
        problems_.error({}, fmt::format("workflow:rules: {}", hit.error().message()));
        return false;
      }
      if (*hit == nullptr || (*hit)->when == When::kNever) {
        out_.outcome = Outcome::kFiltered;
        out_.message = kFiltered;
        pipeline.decisions.push_back({"workflow", false, evaluator.reason()});
        return false;
      }
      merge(pipeline.variables, (*hit)->variables);
    }
    if (!config_.workflow.name.empty()) {
      Variables all = rule_scope(context_, predefined_, pipeline.variables);
      pipeline.name = std::string(base::trim(expand_text(config_.workflow.name, expand_collection(all).value_or(all))));
      if (pipeline.name.size() > 255) pipeline.name.resize(255);
    }
    return true;
  }

  void seed(JobConfig& config) {
    Job& job = config.job;
    job.stage_index = stage_index_.at(job.stage);
    Variables yaml;
    for (const Variable& variable : out_.pipeline.variables)
      if (config.inherit_variables.takes(variable.key)) yaml.push_back(variable);
    merge(yaml, job.variables);
    job.variables = std::move(yaml);
    if (config.needs) job.needs = instances_.needs_of(config, *config.needs);
    if (!decide(config)) return;
    resolve_dependencies(config);
    expand_fields(config);
    for (std::size_t i = 0; i < config.caches.size(); ++i) {
      auto key = cache_key(config.caches[i], i, source_.files);
      if (!key) return problems_.error(config.mark, fmt::format("{}: {}", job.name, key.error().message()));
      job.caches.push_back(std::move(config.caches[i].cache));
      job.caches.back().key = std::move(*key);
    }
    for (const Variable& variable : job.variables)
      bytes_ += sizeof(Variable) + variable.key.size() + variable.value.size();
    out_.pipeline.jobs.push_back(std::move(job));
  }

  // Whether the job is in; applies what the matching rule changes.
  bool decide(JobConfig& config) {
    Job& job = config.job;
    Variables scope;
    if (config.rules || config.only || config.except) scope = rule_scope(context_, predefined_, job.variables, &job);
    if (!evaluator_) evaluator_.emplace(context_, source_.files, scope);
    evaluator_->use(scope);
    bool included = true;
    if (config.rules) {
      auto hit = evaluator_->first_match(*config.rules);
      if (!hit) {
        problems_.error(config.mark, fmt::format("Failed to parse rule for {}: {}", job.name, hit.error().message()));
        return false;
      }
      included = *hit != nullptr && (*hit)->when.value_or(job.when) != When::kNever;
      if (included) apply(**hit, config);
      warn_duplicate_pipelines(config);
    } else {
      auto allowed = evaluator_->policies_allow(config, !config_.workflow.rules);
      if (!allowed) {
        problems_.error(config.mark,
                        fmt::format("Failed to parse rule for {}: {}", job.name, allowed.error().message()));
        return false;
      }
      included = *allowed;
    }
    out_.pipeline.decisions.push_back({job.name, included, evaluator_->reason()});
    return included;
  }

  void apply(const RuleConfig& rule, JobConfig& config) {
    Job& job = config.job;
    if (rule.when) job.when = *rule.when;
    if (rule.start_in) job.start_in_seconds = *rule.start_in;
    if (rule.allow_failure) {
      job.allow_failure = *rule.allow_failure;
      job.allow_failure_exit_codes.clear();
    }
    if (rule.interruptible) job.interruptible = *rule.interruptible;
    if (rule.needs) job.needs = instances_.needs_of(config, *rule.needs);
    merge(job.variables, rule.variables);
  }

  void warn_duplicate_pipelines(const JobConfig& config) {
    if (config_.workflow.rules || config.rules->empty()) return;
    const RuleConfig& last = config.rules->back();
    bool only_when = !last.condition && !last.changes && !last.exists && last.when && *last.when != When::kNever;
    if (only_when)
      problems_.warning(
          last.mark,
          fmt::format("jobs:{} may allow multiple pipelines to run for a single action due to `rules:when` "
                      "clause with no `workflow:rules` - read more: "
                      "https://docs.gitlab.com/ci/jobs/job_troubleshooting/#job-may-allow-multiple-pipelines",
                      config.job.name));
  }

  void resolve_dependencies(JobConfig& config) {
    if (!config.dependencies) return;
    std::vector<std::string> names;
    for (const std::string& written : *config.dependencies)
      for (std::string& name : instances_.named(written)) names.push_back(std::move(name));
    config.job.dependencies = std::move(names);
  }

  // What the server expands when the pipeline is made: environment:name and tags.
  void expand_fields(JobConfig& config) {
    Job& job = config.job;
    if (!config.environment && job.tags.empty()) return;
    Variables scope = rule_scope(context_, predefined_, job.variables, &job);
    auto expanded = expand_collection(scope);
    if (!expanded) return problems_.error(config.mark, fmt::format("{}: {}", job.name, expanded.error().message()));
    for (std::string& tag : job.tags) tag = expand_text(tag, *expanded, true);
    if (!config.environment) return;
    job.environment = config.environment;
    job.environment->name = expand_text(job.environment->name, *expanded);
    if (job.environment->name.empty())
      problems_.error(config.mark,
                      fmt::format("jobs:{}:environment name is empty after its variables are expanded", job.name));
  }

  // Needs of jobs that are in, on jobs that are not.
  void check_needs() {
    std::unordered_set<std::string_view> present;
    for (const Job& job : out_.pipeline.jobs) present.insert(job.name);
    for (const Job& job : out_.pipeline.jobs) {
      for (const Need& need : job.needs.value_or(std::vector<Need>())) {
        if (need.optional || present.contains(need.job)) continue;
        const JobConfig* config = instances_.find(job.name);
        problems_.error(
            config != nullptr ? config->mark : yaml::Mark(),
            fmt::format("'{0}' job needs '{1}' job, but '{1}' does not exist in the pipeline. This might be "
                        "because of the only, except, or rules keywords. To need a job that sometimes does "
                        "not exist in the pipeline, use needs:optional.",
                        job.name, need.job));
      }
    }
  }

  void finish() {
    Pipeline& pipeline = out_.pipeline;
    std::stable_sort(pipeline.jobs.begin(), pipeline.jobs.end(),
                     [](const Job& a, const Job& b) { return a.stage_index < b.stage_index; });
    bool work = std::any_of(pipeline.jobs.begin(), pipeline.jobs.end(),
                            [](const Job& job) { return job.stage != ".pre" && job.stage != ".post"; });
    out_.outcome = work ? Outcome::kCreated : Outcome::kEmpty;
    if (!work) out_.message = kEmpty;
  }

  const Source& source_;
  const Context& context_;
  Problems& problems_;
  Variables predefined_;
  PipelineConfig config_;
  Instances instances_;
  Compiled& out_;
  std::unordered_map<std::string, int> stage_index_;
  std::optional<RuleEvaluator> evaluator_;
  std::size_t bytes_ = 0;
};

std::optional<yaml::Node> merged_tree(const Source& source, const Context& context, Problems& problems) {
  auto root = load_with_includes(source, context, problems);
  if (root && !problems.failed()) resolve_extends(*root, problems);
  if (root && !problems.failed()) resolve_references(*root, problems);
  if (problems.failed()) return std::nullopt;
  return root;
}
} // namespace

Compiled compile(const Source& source, const Context& context) {
  Compiled out;
  Problems problems;
  if (auto root = merged_tree(source, context, problems)) {
    PipelineConfig config = read_config(*root, problems);
    if (!problems.failed()) Seeder(source, context, problems, std::move(config), out).run();
  }
  if (problems.failed()) out.outcome = Outcome::kInvalid;
  out.errors = problems.take_errors();
  out.warnings = problems.take_warnings();
  return out;
}

Merged merged_yaml(const Source& source, const Context& context) {
  Merged out;
  Problems problems;
  if (auto root = merged_tree(source, context, problems)) out.yaml = yaml::dump(*root);
  out.errors = problems.take_errors();
  return out;
}

bool skip_requested(std::string_view commit_message) {
  static const RE2 pattern(R"((?i)\[(ci[ _-]skip|skip[ _-]ci)\])");
  return RE2::PartialMatch(re2::StringPiece(commit_message.data(), commit_message.size()), pattern);
}

} // namespace ci
