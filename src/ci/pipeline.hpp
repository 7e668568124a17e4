// The result of compiling: a pipeline with its jobs, as values that can be stored as JSON and read back.
//
// Everything is resolved: extends, default, references, rules, matrix, needs by instance name, cache keys made of
// files. What only the runner or the end of the job can expand (image names, environment:url) is still as written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ci/variable.hpp"
#include "json/json.hpp"

namespace ci {

enum class When { kOnSuccess, kOnFailure, kAlways, kManual, kDelayed, kNever };
std::string_view to_string(When when);
std::optional<When> parse_when(std::string_view text);

// An image or a service.
struct Image {
  std::string name;
  std::string alias; // services only
  std::vector<std::string> entrypoint;
  std::vector<std::string> command; // services only
  std::vector<std::string> pull_policy;
  Variables variables; // services only
  std::string docker_platform;
  std::string docker_user;
  std::string kubernetes_user;
  friend bool operator==(const Image&, const Image&) = default;
};

struct Report {
  std::string type;   // artifact_type on the wire: junit, dotenv, cobertura …
  std::string format; // gzip, zip or raw
  std::string name;   // file name of the upload
  std::vector<std::string> paths;
  friend bool operator==(const Report&, const Report&) = default;
};

struct Artifacts {
  std::string name;
  std::vector<std::string> paths;
  std::vector<std::string> exclude;
  bool untracked = false;
  std::string when = "on_success";
  std::string expire_in; // as written; empty: the instance's default
  std::string expose_as;
  std::string access = "all"; // all developer maintainer none: who may download
  std::vector<Report> reports;
  bool has_archive() const { return untracked || !paths.empty(); }
  friend bool operator==(const Artifacts&, const Artifacts&) = default;
};

struct Cache {
  std::string key; // without the server's suffixes; see payload.hpp
  std::vector<std::string> paths;
  std::vector<std::string> fallback_keys;
  bool untracked = false;
  bool unprotect = false;
  std::string policy = "pull-push"; // or a $VARIABLE
  std::string when = "on_success";
  friend bool operator==(const Cache&, const Cache&) = default;
};

struct Retry {
  int max = 0;
  std::vector<std::string> when; // empty only when exit_codes are given
  std::vector<int> exit_codes;
  friend bool operator==(const Retry&, const Retry&) = default;
};

struct Environment {
  std::string name; // expanded
  std::string url;  // as written; expand_text() it with the job's variables when the job ends
  std::string action = "start";
  std::string tier;
  friend bool operator==(const Environment&, const Environment&) = default;
};

struct Need {
  std::string job;
  bool artifacts = true;
  bool optional = false;
  friend bool operator==(const Need&, const Need&) = default;
};

struct Job {
  std::string name;
  std::string stage;
  int stage_index = 0; // into Pipeline::stages
  std::vector<std::string> before_script;
  std::vector<std::string> script;
  std::vector<std::string> after_script;
  std::vector<std::string> pre_get_sources_script;
  std::optional<Image> image;
  std::vector<Image> services;
  std::vector<std::string> tags; // expanded
  std::optional<Artifacts> artifacts;
  std::vector<Cache> caches;
  std::optional<Retry> retry;
  std::optional<std::int64_t> timeout_seconds; // nullopt: the project's
  When when = When::kOnSuccess;
  std::int64_t start_in_seconds = 0; // when: delayed
  bool allow_failure = false;
  std::vector<int> allow_failure_exit_codes;
  // nullopt: runs after all jobs of the earlier stages. Names are instances that exist, but for optional ones.
  std::optional<std::vector<Need>> needs;
  // nullopt: artifacts of all earlier stages (or of the needs); names are instances.
  std::optional<std::vector<std::string>> dependencies;
  std::optional<Environment> environment;
  std::string coverage; // RE2 pattern without slashes
  bool interruptible = false;
  Variables
      variables; // the YAML block: root < workflow rules < job < matrix < rules; is_public, raw where expand: false
  int node_index = 0; // 1-based instance of a parallel job, 0 otherwise
  int node_total = 1;
  int line = 0; // where the job is written
  std::string file;

  bool dag() const { return needs.has_value(); }
  friend bool operator==(const Job&, const Job&) = default;
};

// CI_JOB_GROUP_NAME: the name without the suffix of a parallel job.
std::string group_name(std::string_view job_name);

// An error or warning with the place it came from. `message` has GitLab's wording and no position.
struct Diagnostic {
  std::string message;
  std::string file;
  int line = 0;
  int column = 0;
  // "message (.gitlab-ci.yml:3:5)"
  std::string text() const;
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

// Why a job is, or is not, in the pipeline.
struct Decision {
  std::string job;
  bool included = false;
  std::string reason;
};

struct Pipeline {
  std::string name;                // workflow:name, expanded
  std::vector<std::string> stages; // .pre … .post
  std::vector<Job> jobs;           // by stage, then as written
  Variables variables;             // root variables after workflow:rules:variables
  std::vector<Decision> decisions;
};

json::Value to_json(const Job& job);
base::Result<Job> job_from_json(const json::Value& value);
json::Value to_json(const Pipeline& pipeline);

} // namespace ci
