// JobPayload: what the server answers to `POST /jobs/request` with status 201, typed and complete.
//
// A plain value, no I/O. Decoding has the semantics of the decoder that every GitLab server is used to (Go's
// encoding/json): keys match without regard to case, unknown keys are ignored, null and absent mean the zero value, a
// wrong type fails the whole decode. Errors are kInvalidInput and name the field ("steps[0].script: expected an array
// of strings, got a string").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "json/json.hpp"

namespace gitlab {

struct JobInfo {
  std::string name;
  std::string stage;
  std::int64_t pipeline_id = 0;
  std::int64_t project_id = 0;
  std::string project_name;
  std::string project_full_path;
  std::int64_t namespace_id = 0;
  std::int64_t root_namespace_id = 0;
  std::int64_t organization_id = 0;
  std::string instance_id;
  std::string instance_uuid;
  std::int64_t user_id = 0;
  std::optional<std::int64_t> scoped_user_id;
  double time_in_queue_seconds = 0;
  std::string project_jobs_running_on_instance_runners_count; // "+Inf", "3", "5+": text
  std::int64_t queue_size = 0;
  std::int64_t queue_depth = 0;
};

struct GitInfo {
  std::string repo_url;           // with the job token as user info
  std::string repo_object_format; // "sha1", "sha256"; empty: sha1
  std::string ref;
  std::string sha;
  std::string before_sha;
  std::string ref_type; // "branch", "tag"
  std::vector<std::string> refspecs;
  std::int64_t depth = 0; // 0: full
  std::optional<bool> is_protected;
};

struct RunnerInfo {
  std::int64_t timeout = 0; // seconds; <= 0: the runner's default
  std::string uuid;
};

struct Variable {
  std::string key;
  std::string value;
  bool is_public = false;
  bool file = false;
  bool masked = false;
  bool raw = false;

  friend bool operator==(const Variable&, const Variable&) = default;
};

struct Step {
  std::string name; // "script", "release", "after_script", …
  std::vector<std::string> script;
  std::int64_t timeout = 0;
  std::string when; // "" = "on_success", "on_failure", "always"
  bool allow_failure = false;
};

struct Hook {
  std::string name; // "pre_get_sources_script", "post_get_sources_script"
  std::vector<std::string> script;
};

struct Port {
  std::int64_t number = 0;
  std::string protocol;
  std::string name;
};

// `executor_opts` of an image: options for one kind of executor. Unknown keys do not fail the decode; they fail the
// job after it was picked up (check_executor_options).
struct ExecutorOptions {
  std::string docker_platform;
  std::string docker_user;                     // a number arrives as its decimal text
  std::string kubernetes_user;                 // the same
  std::vector<std::string> unknown;            // keys of executor_opts itself, sorted
  std::vector<std::string> unknown_docker;     // keys below .docker
  std::vector<std::string> unknown_kubernetes; // keys below .kubernetes
};

struct Image {
  std::string name;
  std::string alias; // services: several, separated by blanks or commas
  std::vector<std::string> command;
  std::vector<std::string> entrypoint;
  std::vector<Port> ports;
  std::vector<Variable> variables;
  std::vector<std::string> pull_policy;
  ExecutorOptions executor_opts;

  // The names in `alias`.
  std::vector<std::string> aliases() const;
};
using Service = Image;

struct Artifact {
  std::string name;
  bool untracked = false;
  std::vector<std::string> paths;
  std::vector<std::string> exclude;
  std::string when; // "" = "on_success", "on_failure", "always"
  std::string artifact_type;
  std::string artifact_format; // "zip", "gzip", "raw", "zipzstd", "tarzstd"; empty: zip
  std::string expire_in;
};

struct Cache {
  std::string key;
  bool untracked = false;
  std::string policy; // "" = "pull-push", "pull", "push"; not checked here
  std::vector<std::string> paths;
  std::string when;
  std::vector<std::string> fallback_keys;
};

struct Credential {
  std::string type; // only "registry" is of use
  std::string url;
  std::string username;
  base::Secret password;
};

struct Dependency {
  std::int64_t id = 0;
  std::string name;
  base::Secret token;
  std::string artifacts_filename; // empty: nothing to download
  std::int64_t artifacts_size = 0;
};

struct TracingEndpoint {
  std::string url;
  std::string auth_type;
  std::string audience;
};

struct Tracing {
  std::string trace_id;
  std::string span_parent_id;
  std::vector<TracingEndpoint> endpoints;
};

// What the server says that it can do.
struct ServerFeatures {
  bool trace_sections = false;
  std::vector<std::string> token_mask_prefixes;
  std::vector<std::string> failure_reasons;
  std::optional<Tracing> tracing;
};

// A secret to fetch before the job. The provider's object is kept as it came; no provider is built in yet.
struct JobSecret {
  bool file = true;     // absent means true
  std::string provider; // "vault", "gcp_secret_manager", … or empty
  json::Value settings; // the provider's object
};

struct InputValue {
  std::string type; // "string", "number", "boolean", "array", "struct"
  json::Value content;
  bool sensitive = false;
};

struct Input {
  std::string key;
  InputValue value;
};

struct PolicyOptions {
  bool execution_policy_job = false;
  std::string policy_name;
  std::optional<bool> variables_override_allowed;
  std::vector<std::string> variables_override_exceptions;
};

struct SuspendOptions {
  bool suspend_on_success = false;
  bool suspend_on_failure = false;
  std::string runtime_environment_key;
};

struct JobPayload {
  std::int64_t id = 0;
  base::Secret token;
  bool allow_git_fetch = false;
  JobInfo job_info;
  GitInfo git_info;
  RunnerInfo runner_info;
  std::vector<Input> inputs;
  std::vector<Variable> variables; // on duplicate keys the last wins
  std::vector<Step> steps;
  std::vector<Hook> hooks;
  Image image; // empty name: none
  std::vector<Service> services;
  std::vector<Artifact> artifacts;
  std::vector<Cache> cache;
  std::vector<Credential> credentials;
  std::vector<Dependency> dependencies;
  ServerFeatures features;
  std::map<std::string, JobSecret> secrets;
  std::string run; // JSON text of an array of steps; empty: none
  std::optional<PolicyOptions> policy_options;
  SuspendOptions suspend_options;

  // The script of the first hook of that name, empty if there is none.
  const std::vector<std::string>& hook_script(std::string_view name) const;
  // The last variable of that name, nullptr if there is none.
  const Variable* find_variable(std::string_view key) const;
};

// The body of a 201. Only the first JSON value is read.
base::Result<JobPayload> parse_payload(std::string_view json_text);

// What is needed to tell the server that a payload could not be understood; nullopt when not even that is there.
struct PartialJob {
  std::int64_t id = 0;
  base::Secret token;
};
std::optional<PartialJob> salvage(std::string_view json_text);

// The errors that upstream finds in `executor_opts` after pick-up, one a line: `Unsupported "image" options [x] for
// "docker executor"; supported options are [platform user]`. Empty: fine.
std::vector<std::string> check_executor_options(const JobPayload& payload);

// For `run`: the keyword excludes scripts and the variable STEPS. An empty or absent `run` is fine.
base::Status check_run(const JobPayload& payload);

} // namespace gitlab
