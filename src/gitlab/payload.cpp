#include "gitlab/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "gitlab/decoder.hpp"

namespace gitlab {

namespace {

using json::Value;

void read_job_info(Decoder& d, const Value& v, JobInfo& out) {
  d.read(v, "name", out.name);
  d.read(v, "stage", out.stage);
  d.read(v, "pipeline_id", out.pipeline_id);
  d.read(v, "project_id", out.project_id);
  d.read(v, "project_name", out.project_name);
  d.read(v, "project_full_path", out.project_full_path);
  d.read(v, "namespace_id", out.namespace_id);
  d.read(v, "root_namespace_id", out.root_namespace_id);
  d.read(v, "organization_id", out.organization_id);
  d.read(v, "instance_id", out.instance_id);
  d.read(v, "instance_uuid", out.instance_uuid);
  d.read(v, "user_id", out.user_id);
  d.read(v, "scoped_user_id", out.scoped_user_id);
  d.read(v, "time_in_queue_seconds", out.time_in_queue_seconds);
  d.read(v, "project_jobs_running_on_instance_runners_count", out.project_jobs_running_on_instance_runners_count);
  d.read(v, "queue_size", out.queue_size);
  d.read(v, "queue_depth", out.queue_depth);
}

void read_git_info(Decoder& d, const Value& v, GitInfo& out) {
  d.read(v, "repo_url", out.repo_url);
  d.read(v, "repo_object_format", out.repo_object_format);
  d.read(v, "ref", out.ref);
  d.read(v, "sha", out.sha);
  d.read(v, "before_sha", out.before_sha);
  d.read(v, "ref_type", out.ref_type);
  d.read(v, "refspecs", out.refspecs);
  d.read(v, "depth", out.depth);
  d.read(v, "protected", out.is_protected);
}

void read_variables(Decoder& d, const Value& v, std::vector<Variable>& out) {
  d.objects(v, "variables", out, [&](const Value& item, Variable& variable) {
    d.read(item, "key", variable.key);
    d.read(item, "value", variable.value);
    d.read(item, "public", variable.is_public);
    d.read(item, "file", variable.file);
    d.read(item, "masked", variable.masked);
    d.read(item, "raw", variable.raw);
  });
}

// A string or an integer, kept as text: `user: 1000` and `user: "1000"` are the same.
void read_user(Decoder& d, const Value& v, std::string& out) {
  const Value* member = Decoder::present(v, "user");
  if (member == nullptr) return;
  if (member->is_integer()) {
    out = fmt::format("{}", member->as_integer());
    return;
  }
  d.read(v, "user", out);
}

std::vector<std::string> unknown_keys(const Value& object, std::initializer_list<std::string_view> known) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.as_object()) {
    const bool found = std::any_of(known.begin(), known.end(), [&](std::string_view k) { return k == key; });
    if (!found && std::find(unknown.begin(), unknown.end(), key) == unknown.end()) unknown.push_back(key);
  }
  std::sort(unknown.begin(), unknown.end());
  return unknown;
}

void read_executor_options(Decoder& d, const Value& v, ExecutorOptions& out) {
  out.unknown = unknown_keys(v, {"docker", "kubernetes"});
  d.object(v, "docker", [&](const Value& docker) {
    d.read(docker, "platform", out.docker_platform);
    read_user(d, docker, out.docker_user);
    out.unknown_docker = unknown_keys(docker, {"platform", "user"});
  });
  d.object(v, "kubernetes", [&](const Value& kubernetes) {
    read_user(d, kubernetes, out.kubernetes_user);
    out.unknown_kubernetes = unknown_keys(kubernetes, {"user"});
  });
}

void read_image(Decoder& d, const Value& v, Image& out) {
  d.read(v, "name", out.name);
  d.read(v, "alias", out.alias);
  d.read(v, "command", out.command);
  d.read(v, "entrypoint", out.entrypoint);
  d.objects(v, "ports", out.ports, [&](const Value& item, Port& port) {
    d.read(item, "number", port.number);
    d.read(item, "protocol", port.protocol);
    d.read(item, "name", port.name);
  });
  read_variables(d, v, out.variables);
  d.read(v, "pull_policy", out.pull_policy);
  d.object(v, "executor_opts", [&](const Value& options) { read_executor_options(d, options, out.executor_opts); });
}

void read_steps(Decoder& d, const Value& v, JobPayload& out) {
  d.objects(v, "steps", out.steps, [&](const Value& item, Step& step) {
    d.read(item, "name", step.name);
    d.read(item, "script", step.script);
    d.read(item, "timeout", step.timeout);
    d.read(item, "when", step.when);
    d.read(item, "allow_failure", step.allow_failure);
  });
  d.objects(v, "hooks", out.hooks, [&](const Value& item, Hook& hook) {
    d.read(item, "name", hook.name);
    d.read(item, "script", hook.script);
  });
  d.read(v, "run", out.run);
}

void read_artifacts_and_caches(Decoder& d, const Value& v, JobPayload& out) {
  d.objects(v, "artifacts", out.artifacts, [&](const Value& item, Artifact& artifact) {
    d.read(item, "name", artifact.name);
    d.read(item, "untracked", artifact.untracked);
    d.read(item, "paths", artifact.paths);
    d.read(item, "exclude", artifact.exclude);
    d.read(item, "when", artifact.when);
    d.read(item, "artifact_type", artifact.artifact_type);
    d.read(item, "artifact_format", artifact.artifact_format);
    d.read(item, "expire_in", artifact.expire_in);
  });
  d.objects(v, "cache", out.cache, [&](const Value& item, Cache& cache) {
    d.read(item, "key", cache.key);
    d.read(item, "untracked", cache.untracked);
    d.read(item, "policy", cache.policy);
    d.read(item, "paths", cache.paths);
    d.read(item, "when", cache.when);
    d.read(item, "fallback_keys", cache.fallback_keys);
  });
  d.objects(v, "dependencies", out.dependencies, [&](const Value& item, Dependency& dependency) {
    d.read(item, "id", dependency.id);
    d.read(item, "name", dependency.name);
    d.read(item, "token", dependency.token);
    d.object(item, "artifacts_file", [&](const Value& file) {
      d.read(file, "filename", dependency.artifacts_filename);
      d.read(file, "size", dependency.artifacts_size);
    });
  });
  d.objects(v, "credentials", out.credentials, [&](const Value& item, Credential& credential) {
    d.read(item, "type", credential.type);
    d.read(item, "url", credential.url);
    d.read(item, "username", credential.username);
    d.read(item, "password", credential.password);
  });
}

void read_features(Decoder& d, const Value& v, ServerFeatures& out) {
  d.read(v, "trace_sections", out.trace_sections);
  d.read(v, "token_mask_prefixes", out.token_mask_prefixes);
  d.read(v, "failure_reasons", out.failure_reasons);
  d.object(v, "tracing", [&](const Value& item) {
    Tracing& tracing = out.tracing.emplace();
    d.read(item, "trace_id", tracing.trace_id);
    d.read(item, "span_parent_id", tracing.span_parent_id);
    d.objects(item, "otel_endpoints", tracing.endpoints, [&](const Value& endpoint, TracingEndpoint& target) {
      d.read(endpoint, "url", target.url);
      d.object(endpoint, "auth", [&](const Value& auth) {
        d.read(auth, "type", target.auth_type);
        d.object(auth, "http_bearer_gcp_oidc", [&](const Value& oidc) { d.read(oidc, "audience", target.audience); });
      });
    });
  });
}

constexpr std::array<std::string_view, 5> kSecretProviders = {"vault", "gcp_secret_manager", "azure_key_vault",
                                                              "aws_secrets_manager", "gitlab_secrets_manager"};

void read_secrets(Decoder& d, const Value& v, JobPayload& out) {
  d.object(v, "secrets", [&](const Value& secrets) {
    for (const auto& [name, value] : secrets.as_object()) {
      const Decoder::Scope scope(d, name);
      JobSecret& secret = out.secrets[name];
      secret = {};
      if (value.is_null()) continue;
      if (!value.is_object()) return d.wrong_type("an object", value);
      d.read(value, "file", secret.file);
      for (const std::string_view provider : kSecretProviders) {
        d.object(value, provider, [&](const Value& settings) {
          secret.provider = provider;
          secret.settings = settings;
        });
      }
    }
  });
}

bool has_kind(const Value& content, std::string_view type) {
  if (type == "string") return content.is_string();
  if (type == "number") return content.is_number();
  if (type == "boolean") return content.is_bool();
  if (type == "array") return content.is_array();
  return content.is_object();
}

// Upstream refuses the whole payload for an input that it cannot make sense of.
void read_inputs(Decoder& d, const Value& v, std::vector<Input>& out) {
  d.objects(v, "inputs", out, [&](const Value& item, Input& input) {
    d.read(item, "key", input.key);
    if (input.key.empty()) return d.error("input without key");
    d.object(item, "value", [&](const Value& value) {
      d.read(value, "type", input.value.type);
      d.read(value, "sensitive", input.value.sensitive);
      input.value.content = value["content"];
    });
    const std::string& type = input.value.type;
    constexpr std::array<std::string_view, 5> kTypes = {"string", "number", "boolean", "array", "struct"};
    if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
      return d.error(fmt::format("input \"{}\" has the unknown type \"{}\"", input.key, type));
    }
    if (!has_kind(input.value.content, type)) {
      d.error(fmt::format("input \"{}\" is announced as {} but its content is {}", input.key, type,
                          json::to_string(input.value.content.type())));
    }
  });
}

void read_options(Decoder& d, const Value& v, JobPayload& out) {
  d.object(v, "policy_options", [&](const Value& item) {
    PolicyOptions& options = out.policy_options.emplace();
    d.read(item, "execution_policy_job", options.execution_policy_job);
    d.read(item, "policy_name", options.policy_name);
    d.read(item, "policy_variables_override_allowed", options.variables_override_allowed);
    d.read(item, "policy_variables_override_exceptions", options.variables_override_exceptions);
  });
  d.object(v, "suspend_options", [&](const Value& item) {
    d.read(item, "suspend_on_success", out.suspend_options.suspend_on_success);
    d.read(item, "suspend_on_failure", out.suspend_options.suspend_on_failure);
    d.read(item, "runtime_environment_key", out.suspend_options.runtime_environment_key);
  });
}

base::Result<Value> parse_object(std::string_view text) {
  Value document = FR_TRY(json::parse(text, {.ignore_trailing = true}));
  if (!document.is_object()) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("expected an object, got {}", json::to_string(document.type())));
  }
  return document;
}

void check_options(const ExecutorOptions& options, std::vector<std::string>& out) {
  const auto report = [&](const std::vector<std::string>& unknown, std::string_view where, std::string_view known) {
    if (unknown.empty()) return;
    out.push_back(fmt::format("Unsupported \"image\" options [{}] for \"{}\"; supported options are [{}]",
                              base::join(unknown, " "), where, known));
  };
  report(options.unknown, "executor_opts", "docker kubernetes");
  report(options.unknown_docker, "docker executor", "platform user");
  report(options.unknown_kubernetes, "kubernetes executor", "user");
}

} // namespace

std::vector<std::string> Image::aliases() const { return base::split_fields(base::replace_all(alias, ",", " ")); }

const std::vector<std::string>& JobPayload::hook_script(std::string_view name) const {
  static const std::vector<std::string> kNone;
  for (const Hook& hook : hooks) {
    if (hook.name == name) return hook.script;
  }
  return kNone;
}

const Variable* JobPayload::find_variable(std::string_view key) const {
  for (auto it = variables.rbegin(); it != variables.rend(); ++it) {
    if (it->key == key) return &*it;
  }
  return nullptr;
}

base::Result<JobPayload> parse_payload(std::string_view json_text) {
  const Value document = FR_TRY(parse_object(json_text));
  Decoder d;
  JobPayload out;
  d.read(document, "id", out.id);
  d.read(document, "token", out.token);
  d.read(document, "allow_git_fetch", out.allow_git_fetch);
  d.object(document, "job_info", [&](const Value& v) { read_job_info(d, v, out.job_info); });
  d.object(document, "git_info", [&](const Value& v) { read_git_info(d, v, out.git_info); });
  d.object(document, "runner_info", [&](const Value& v) {
    d.read(v, "timeout", out.runner_info.timeout);
    d.read(v, "uuid", out.runner_info.uuid);
  });
  read_inputs(d, document, out.inputs);
  read_variables(d, document, out.variables);
  read_steps(d, document, out);
  d.object(document, "image", [&](const Value& v) { read_image(d, v, out.image); });
  d.objects(document, "services", out.services, [&](const Value& v, Service& service) { read_image(d, v, service); });
  read_artifacts_and_caches(d, document, out);
  d.object(document, "features", [&](const Value& v) { read_features(d, v, out.features); });
  read_secrets(d, document, out);
  read_options(d, document, out);
  FR_CHECK(d.status());
  return out;
}

std::optional<PartialJob> salvage(std::string_view json_text) {
  const auto document = parse_object(json_text);
  if (!document) return std::nullopt;
  PartialJob job{(*document)["id"].integer_or(0), base::Secret((*document)["token"].string_or(""))};
  if (job.id <= 0 || job.token.empty()) return std::nullopt;
  return job;
}

std::vector<std::string> check_executor_options(const JobPayload& payload) {
  std::vector<std::string> problems;
  check_options(payload.image.executor_opts, problems);
  for (const Service& service : payload.services) check_options(service.executor_opts, problems);
  return problems;
}

base::Status check_run(const JobPayload& payload) {
  if (payload.run.empty()) return {};
  const auto steps = json::parse(payload.run);
  if (!steps) return base::fail_context("decoding `run`", steps.error());
  if (steps->is_null() || (steps->is_array() && steps->size() == 0)) return {};
  if (!steps->is_array()) return base::fail(base::ErrorKind::kInvalidInput, "decoding `run`: expected an array");
  for (const Step& step : payload.steps) {
    if (!step.script.empty()) {
      return base::fail(base::ErrorKind::kInvalidInput, "the `run` and `script` keywords cannot be used together");
    }
  }
  if (const Variable* variable = payload.find_variable("STEPS"); variable != nullptr && !variable->value.empty()) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      "the `run` keyword requires the exclusive use of the variable STEPS");
  }
  return {};
}

} // namespace gitlab
