// A pipeline's configuration after reading, before anything is decided: jobs with their rules, matrices and names as
// written. Internal to ci: entry*.cpp fill it, parallel.cpp, rules.cpp and compile.cpp make a Pipeline of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ci/expression.hpp"
#include "ci/pipeline.hpp"
#include "yaml/yaml.hpp"

namespace ci {

// One permutation of a matrix: values in key order.
using Permutation = std::vector<std::pair<std::string, std::string>>;
// One entry of a matrix: key → values.
using MatrixEntry = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct NeedConfig {
  std::string job;
  bool artifacts = true;
  bool optional = false;
  std::vector<MatrixEntry> matrix; // selects instances; empty: all of them
  yaml::Mark mark;
};

struct PathsConfig {
  std::vector<std::string> paths;
  std::string regexp;     // instead of paths
  std::string compare_to; // changes only
};

struct RuleConfig {
  yaml::Mark mark;
  std::string condition_text;
  std::optional<Expression> condition;
  std::optional<PathsConfig> changes;
  std::optional<PathsConfig> exists;
  std::optional<When> when;
  std::optional<std::int64_t> start_in;
  std::optional<bool> allow_failure;
  std::optional<bool> interruptible;
  std::optional<std::vector<NeedConfig>> needs;
  Variables variables;
};

// only or except.
struct PolicyConfig {
  std::optional<std::vector<std::string>> refs;
  std::optional<std::vector<Expression>> variables;
  std::optional<std::vector<std::string>> changes;
};

struct CacheConfig {
  Cache cache; // key: as written, unless made of files
  std::vector<std::string> key_files;
  bool by_commit = false; // files_commits
  std::optional<std::string> key_prefix;
};

// inherit:default or inherit:variables.
struct InheritConfig {
  bool all = true;
  std::vector<std::string> only; // when not empty
  bool takes(std::string_view name) const {
    return only.empty() ? all : std::find(only.begin(), only.end(), name) != only.end();
  }
};

struct JobConfig {
  Job job; // what needs no decision
  yaml::Mark mark;
  bool allow_failure_given = false;
  std::optional<std::vector<RuleConfig>> rules;
  std::optional<PolicyConfig> only;
  std::optional<PolicyConfig> except;
  std::optional<std::vector<NeedConfig>> needs;
  std::optional<std::vector<std::string>> dependencies;
  std::optional<Environment> environment;
  std::vector<CacheConfig> caches;
  InheritConfig inherit_variables;
  int parallel = 0; // 0: not parallel
  std::vector<MatrixEntry> matrix;
  Permutation permutation; // of an instance, after expansion
};

struct WorkflowConfig {
  std::string name;
  std::optional<std::vector<RuleConfig>> rules;
};

struct PipelineConfig {
  std::vector<std::string> stages;
  Variables variables;
  WorkflowConfig workflow;
  std::vector<JobConfig> jobs;
};

} // namespace ci
