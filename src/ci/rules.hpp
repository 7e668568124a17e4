// Deciding: rules, only and except of jobs, rules of the workflow and of includes. Internal to ci; one evaluator for
// each compile(), since it remembers the project's file list.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ci/config.hpp"
#include "ci/context.hpp"

namespace ci {

class RuleEvaluator {
 public:
  // `scope` must outlive the evaluator; changes for another job with use().
  RuleEvaluator(const Context& context, ProjectFiles* files, const Variables& scope)
      : context_(context), files_(files), scope_(&scope) {}
  void use(const Variables& scope);

  // The first rule all of whose clauses hold; nullptr when none does. Error: "rules:changes:compare_to is not a valid
  // ref".
  base::Result<const RuleConfig*> first_match(const std::vector<RuleConfig>& rules);
  // only and except; `defaults`: branches and tags unless the job says otherwise.
  base::Result<bool> policies_allow(const JobConfig& job, bool defaults);
  // Why the last question was answered so.
  const std::string& reason() const { return reason_; }

 private:
  base::Result<bool> matches(const RuleConfig& rule);
  base::Result<bool> changed(const PathsConfig& config);
  base::Result<bool> exists(const PathsConfig& config);
  base::Result<bool> policy_matches(const PolicyConfig& policy, bool all);
  bool ref_matches(const std::string& pattern) const;
  const Variables& expanded();

  const Context& context_;
  ProjectFiles* files_;
  const Variables* scope_;
  std::optional<Variables> expanded_;
  std::optional<std::vector<std::string>> tree_;
  std::set<std::string, std::less<>> tree_set_;
  std::map<std::string, std::vector<std::string>> compared_;
  std::string reason_;
};

} // namespace ci
