// The `info` object: what we tell the server about this program, and the flags that say what it can do.
#include <array>
#include <utility>

#include "base/version.hpp"
#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

using Flag = std::pair<std::string_view, bool Features::*>;

// In the order of upstream's structure. All are always on the wire.
constexpr std::array kFlags = std::to_array<Flag>({
    {"variables", &Features::variables},
    {"image", &Features::image},
    {"services", &Features::services},
    {"artifacts", &Features::artifacts},
    {"cache", &Features::cache},
    {"fallback_cache_keys", &Features::fallback_cache_keys},
    {"shared", &Features::shared},
    {"upload_multiple_artifacts", &Features::upload_multiple_artifacts},
    {"upload_raw_artifacts", &Features::upload_raw_artifacts},
    {"session", &Features::session},
    {"terminal", &Features::terminal},
    {"refspecs", &Features::refspecs},
    {"masking", &Features::masking},
    {"proxy", &Features::proxy},
    {"raw_variables", &Features::raw_variables},
    {"artifacts_exclude", &Features::artifacts_exclude},
    {"multi_build_steps", &Features::multi_build_steps},
    {"trace_reset", &Features::trace_reset},
    {"trace_checksum", &Features::trace_checksum},
    {"trace_size", &Features::trace_size},
    {"vault_secrets", &Features::vault_secrets},
    {"cancelable", &Features::cancelable},
    {"return_exit_code", &Features::return_exit_code},
    {"service_variables", &Features::service_variables},
    {"service_multiple_aliases", &Features::service_multiple_aliases},
    {"image_executor_opts", &Features::image_executor_opts},
    {"service_executor_opts", &Features::service_executor_opts},
    {"cancel_gracefully", &Features::cancel_gracefully},
    {"native_steps_integration", &Features::native_steps_integration},
    {"two_phase_job_commit", &Features::two_phase_job_commit},
    {"job_inputs", &Features::job_inputs},
});

void set_unless_empty(json::Value& object, std::string_view key, const std::string& text) {
  if (!text.empty()) object.set(key, text);
}

} // namespace

Features features_for(std::string_view executor) {
  Features f;
  // Every runner, whatever its executor: how logs and states are delivered.
  f.trace_reset = f.trace_checksum = f.trace_size = true;
  f.cancelable = f.cancel_gracefully = true;
  f.two_phase_job_commit = true;
  if (executor.empty()) return f;

  // What the generated scripts do, wherever they run.
  f.artifacts = f.cache = f.fallback_cache_keys = true;
  f.upload_multiple_artifacts = f.upload_raw_artifacts = f.artifacts_exclude = true;
  f.refspecs = f.masking = f.raw_variables = true;
  f.multi_build_steps = f.return_exit_code = true;

  if (executor == "shell") f.variables = f.shared = true;
  return f;
}

json::Value to_json(const Features& features) {
  json::Value out = json::Value::object();
  for (const auto& [name, member] : kFlags) out.set(name, features.*member);
  return out;
}

Features features_from_json(const json::Value& value) {
  Features features;
  for (const auto& [name, member] : kFlags) features.*member = value[name].bool_or(false);
  return features;
}

VersionInfo version_info(std::string_view executor, std::string_view shell,
                         const std::map<std::string, std::string>& labels, std::string_view gpus) {
  return {.name = std::string(base::kProgramName),
          .version = std::string(base::version()),
          .revision = std::string(base::revision()),
          .platform = std::string(base::platform()),
          .architecture = std::string(base::architecture()),
          .executor = std::string(executor),
          .shell = std::string(shell),
          .features = features_for(executor),
          .gpus = std::string(gpus),
          .labels = labels};
}

json::Value to_json(const VersionInfo& info) {
  json::Value out = json::Value::object();
  set_unless_empty(out, "name", info.name);
  set_unless_empty(out, "version", info.version);
  set_unless_empty(out, "revision", info.revision);
  set_unless_empty(out, "platform", info.platform);
  set_unless_empty(out, "architecture", info.architecture);
  set_unless_empty(out, "executor", info.executor);
  set_unless_empty(out, "shell", info.shell);
  out.set("features", to_json(info.features));
  out.set("config", json::Value::object({{"gpus", info.gpus}}));
  if (!info.labels.empty()) {
    json::Value labels = json::Value::object();
    for (const auto& [key, value] : info.labels) labels.set(key, value);
    out.set("labels", std::move(labels));
  }
  return out;
}

VersionInfo version_info_from_json(const json::Value& value) {
  VersionInfo info{.name = value["name"].string_or(""),
                   .version = value["version"].string_or(""),
                   .revision = value["revision"].string_or(""),
                   .platform = value["platform"].string_or(""),
                   .architecture = value["architecture"].string_or(""),
                   .executor = value["executor"].string_or(""),
                   .shell = value["shell"].string_or(""),
                   .features = features_from_json(value["features"]),
                   .gpus = value["config"]["gpus"].string_or(""),
                   .labels = {}};
  if (const json::Value& labels = value["labels"]; labels.is_object()) {
    for (const auto& [key, label] : labels.as_object()) info.labels[key] = label.string_or("");
  }
  return info;
}

} // namespace gitlab
