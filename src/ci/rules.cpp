#include "ci/rules.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/glob.hpp"
#include "ci/scope.hpp"

namespace ci {
namespace {
constexpr std::size_t kMaxComparisons = 50'000; // beyond, GitLab takes the clause for true

// Which path a glob (or the expression) matched; nullopt when none.
std::optional<std::string> match_paths(const std::vector<std::string>& globs, const std::string& regexp,
                                       const std::vector<std::string>& paths) {
  if (!regexp.empty()) {
    auto regex = compile_regex(regexp);
    for (const std::string& path : paths)
      if (regex && regex_matches(*regex, path)) return path;
    return std::nullopt;
  }
  for (const std::string& glob : globs)
    for (const std::string& path : paths)
      if (fnmatch(glob, path)) return path;
  return std::nullopt;
}

bool is_literal(std::string_view glob) { return glob.find_first_of("*?[{\\") == std::string_view::npos; }

// push → push, pushes; merge_request_event → merge_request, merge_requests.
bool source_matches(std::string source, std::string_view pattern) {
  if (source.ends_with("_event")) source.resize(source.size() - 6);
  return pattern == source || pattern == source + "s" || pattern == source + "es";
}
} // namespace

void RuleEvaluator::use(const Variables& scope) {
  scope_ = &scope;
  expanded_.reset();
}

const Variables& RuleEvaluator::expanded() {
  if (!expanded_) expanded_ = expand_collection(*scope_).value_or(*scope_);
  return *expanded_;
}

base::Result<const RuleConfig*> RuleEvaluator::first_match(const std::vector<RuleConfig>& rules) {
  std::string tried;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    reason_.clear();
    bool hit = FR_TRY(matches(rules[i]));
    std::string clause = fmt::format("rule {}{}{}", i + 1, reason_.empty() ? "" : ": ", reason_);
    if (hit) {
      reason_ = clause + (reason_.empty() ? " always matches" : "");
      return &rules[i];
    }
    if (tried.size() < 500) tried += (tried.empty() ? "" : "; ") + clause;
  }
  reason_ = tried.empty() ? "no rule matches" : "no rule matches (" + tried + ")";
  return nullptr;
}

base::Result<bool> RuleEvaluator::matches(const RuleConfig& rule) {
  if (rule.condition) {
    bool hit = rule.condition->evaluate(lookup_in(*scope_));
    reason_ = fmt::format("if {} is {}", rule.condition_text, hit);
    if (!hit) return false;
  }
  if (rule.changes && !FR_TRY(changed(*rule.changes))) return false;
  if (rule.exists && !FR_TRY(exists(*rule.exists))) return false;
  return true;
}

base::Result<bool> RuleEvaluator::changed(const PathsConfig& config) {
  auto say = [&](std::string text) { reason_ += (reason_.empty() ? "" : ", ") + std::move(text); };
  std::optional<std::vector<std::string>> paths = context_.changed_paths;
  if (!config.compare_to.empty()) {
    std::string ref = expand_text(config.compare_to, expanded());
    auto known = compared_.find(ref);
    if (known == compared_.end()) {
      auto list = files_ != nullptr
                      ? files_->changed_since(ref)
                      : base::Result<std::vector<std::string>>(base::fail(base::ErrorKind::kNotFound, "no repository"));
      if (!list)
        return base::fail(base::ErrorKind::kInvalidInput, list.error().kind() == base::ErrorKind::kNotFound
                                                              ? "rules:changes:compare_to is not a valid ref"
                                                              : list.error().message());
      known = compared_.emplace(ref, std::move(*list)).first;
    }
    paths = known->second;
  }
  if (!paths) {
    say("changes are not known");
    return true;
  }
  if (paths->size() * config.paths.size() > kMaxComparisons) {
    say("too many changes to compare");
    return true;
  }
  std::vector<std::string> globs;
  for (const std::string& path : config.paths) globs.push_back(expand_text(path, expanded(), true));
  auto hit = match_paths(globs, config.regexp, *paths);
  say(hit ? fmt::format("changed {}", *hit) : "nothing it names has changed");
  return hit.has_value();
}

base::Result<bool> RuleEvaluator::exists(const PathsConfig& config) {
  auto say = [&](std::string text) { reason_ += (reason_.empty() ? "" : ", ") + std::move(text); };
  if (!tree_) {
    tree_ = files_ != nullptr ? FR_TRY(files_->list()) : std::vector<std::string>();
    tree_set_.insert(tree_->begin(), tree_->end());
  }
  std::vector<std::string> globs;
  for (const std::string& path : config.paths) {
    std::string glob = expand_text(path, *scope_, true);
    if (!is_literal(glob)) {
      globs.push_back(std::move(glob));
    } else if (tree_set_.contains(glob)) {
      say(fmt::format("{} exists", glob));
      return true;
    }
  }
  if (globs.size() * tree_->size() > kMaxComparisons) {
    say("too many files to compare");
    return true;
  }
  auto hit = match_paths(globs, config.regexp, *tree_);
  say(hit ? fmt::format("{} exists", *hit) : "no such file exists");
  return hit.has_value();
}

bool RuleEvaluator::ref_matches(const std::string& full) const {
  const PipelineFacts& pipeline = context_.pipeline;
  std::string pattern = full;
  // pattern@group/project: only in that project.
  std::size_t at = full.rfind('@');
  if (at != std::string::npos && full.find('/', at) != std::string::npos && compile_slashed_regex(full) == nullptr) {
    if (full.substr(at + 1) != context_.project.full_path) return false;
    pattern = full.substr(0, at);
  }
  bool merge_request = pipeline.ref_type == RefType::kMergeRequest;
  if (pattern == "branches") return pipeline.ref_type == RefType::kBranch;
  if (pattern == "tags") return pipeline.ref_type == RefType::kTag;
  if (source_matches(pipeline.source, pattern)) return true;
  if (merge_request) return false;
  if (auto regex = compile_slashed_regex(pattern)) return regex_matches(*regex, pipeline.ref);
  return pattern == pipeline.ref;
}

// all: every key must match (only); otherwise any of them (except).
base::Result<bool> RuleEvaluator::policy_matches(const PolicyConfig& policy, bool all) {
  std::vector<bool> answers;
  if (policy.refs)
    answers.push_back(std::any_of(policy.refs->begin(), policy.refs->end(),
                                  [&](const std::string& ref) { return ref_matches(ref); }));
  if (policy.variables) {
    auto lookup = lookup_in(*scope_);
    answers.push_back(std::any_of(policy.variables->begin(), policy.variables->end(),
                                  [&](const Expression& expression) { return expression.evaluate(lookup); }));
  }
  if (policy.changes) answers.push_back(FR_TRY(changed({.paths = *policy.changes})));
  auto yes = [](bool answer) { return answer; };
  return all ? std::all_of(answers.begin(), answers.end(), yes) : std::any_of(answers.begin(), answers.end(), yes);
}

base::Result<bool> RuleEvaluator::policies_allow(const JobConfig& job, bool defaults) {
  reason_.clear();
  PolicyConfig only = job.only.value_or(PolicyConfig{});
  // A job that names other conditions keeps the default for refs.
  if (!only.refs && (job.only || defaults)) only.refs = {"branches", "tags"};
  if (!FR_TRY(policy_matches(only, true))) {
    reason_ = job.only ? "`only` does not match" : "jobs without rules run for branches and tags only";
    return false;
  }
  if (job.except && FR_TRY(policy_matches(*job.except, false))) {
    reason_ = "`except` matches";
    return false;
  }
  reason_ = job.only ? "`only` matches" : "no rules";
  return true;
}

} // namespace ci
