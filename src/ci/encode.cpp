// Job ⇄ JSON, as the coordinator stores it beside its row. The payload of the runner is another thing: payload.cpp.
#include "ci/pipeline.hpp"

#include <fmt/format.h>

#include <re2/re2.h>

#include "base/strings.hpp"

namespace ci {
namespace {
constexpr std::pair<When, std::string_view> kWhen[] = {
    {When::kOnSuccess, "on_success"}, {When::kOnFailure, "on_failure"}, {When::kAlways, "always"},
    {When::kManual, "manual"},        {When::kDelayed, "delayed"},      {When::kNever, "never"},
};

template <class T>
json::Value list_of(const std::vector<T>& items) {
  json::Array list;
  for (const T& item : items) list.emplace_back(item);
  return list;
}
template <class T, class Encode>
json::Value list_of(const std::vector<T>& items, Encode encode) {
  json::Array list;
  for (const T& item : items) list.push_back(encode(item));
  return list;
}

// Leaves out what is empty, so that a stored job stays readable.
class Writer {
 public:
  void put(std::string_view key, json::Value value) {
    bool empty = value.is_null() || (value.is_string() && value.as_string().empty()) ||
                 (value.is_bool() && !value.as_bool()) || (value.is_array() && value.as_array().empty());
    if (!empty) object_.set(key, std::move(value));
  }
  void put_always(std::string_view key, json::Value value) { object_.set(key, std::move(value)); }
  json::Value take() { return std::move(object_); }

 private:
  json::Value object_ = json::Value::object();
};

std::vector<std::string> strings(const json::Value& value) {
  std::vector<std::string> out;
  if (!value.is_array()) return out;
  for (const json::Value& item : value.as_array()) out.push_back(item.string_or(""));
  return out;
}
std::vector<int> integers(const json::Value& value) {
  std::vector<int> out;
  if (!value.is_array()) return out;
  for (const json::Value& item : value.as_array()) out.push_back(static_cast<int>(item.integer_or(0)));
  return out;
}
template <class T, class Decode>
std::vector<T> decode_list(const json::Value& value, Decode decode) {
  std::vector<T> out;
  if (!value.is_array()) return out;
  for (const json::Value& item : value.as_array()) out.push_back(decode(item));
  return out;
}

json::Value encode_image(const Image& image) {
  Writer out;
  out.put("name", image.name);
  out.put("alias", image.alias);
  out.put("entrypoint", list_of(image.entrypoint));
  out.put("command", list_of(image.command));
  out.put("pull_policy", list_of(image.pull_policy));
  out.put("variables", variables_json(image.variables));
  out.put("docker_platform", image.docker_platform);
  out.put("docker_user", image.docker_user);
  out.put("kubernetes_user", image.kubernetes_user);
  return out.take();
}
Image decode_image(const json::Value& value) {
  return {.name = value["name"].string_or(""),
          .alias = value["alias"].string_or(""),
          .entrypoint = strings(value["entrypoint"]),
          .command = strings(value["command"]),
          .pull_policy = strings(value["pull_policy"]),
          .variables = variables_from_json(value["variables"]),
          .docker_platform = value["docker_platform"].string_or(""),
          .docker_user = value["docker_user"].string_or(""),
          .kubernetes_user = value["kubernetes_user"].string_or("")};
}

json::Value encode_report(const Report& report) {
  return json::Value::object(
      {{"type", report.type}, {"format", report.format}, {"name", report.name}, {"paths", list_of(report.paths)}});
}
Report decode_report(const json::Value& value) {
  return {value["type"].string_or(""), value["format"].string_or(""), value["name"].string_or(""),
          strings(value["paths"])};
}

json::Value encode_artifacts(const Artifacts& artifacts) {
  Writer out;
  out.put("name", artifacts.name);
  out.put("paths", list_of(artifacts.paths));
  out.put("exclude", list_of(artifacts.exclude));
  out.put("untracked", artifacts.untracked);
  out.put("when", artifacts.when);
  out.put("expire_in", artifacts.expire_in);
  out.put("expose_as", artifacts.expose_as);
  out.put("access", artifacts.access);
  out.put("reports", list_of(artifacts.reports, encode_report));
  return out.take();
}
Artifacts decode_artifacts(const json::Value& value) {
  return {.name = value["name"].string_or(""),
          .paths = strings(value["paths"]),
          .exclude = strings(value["exclude"]),
          .untracked = value["untracked"].bool_or(false),
          .when = value["when"].string_or("on_success"),
          .expire_in = value["expire_in"].string_or(""),
          .expose_as = value["expose_as"].string_or(""),
          .access = value["access"].string_or("all"),
          .reports = decode_list<Report>(value["reports"], decode_report)};
}

json::Value encode_cache(const Cache& cache) {
  Writer out;
  out.put("key", cache.key);
  out.put("paths", list_of(cache.paths));
  out.put("fallback_keys", list_of(cache.fallback_keys));
  out.put("untracked", cache.untracked);
  out.put("unprotect", cache.unprotect);
  out.put("policy", cache.policy);
  out.put("when", cache.when);
  return out.take();
}
Cache decode_cache(const json::Value& value) {
  return {.key = value["key"].string_or(""),
          .paths = strings(value["paths"]),
          .fallback_keys = strings(value["fallback_keys"]),
          .untracked = value["untracked"].bool_or(false),
          .unprotect = value["unprotect"].bool_or(false),
          .policy = value["policy"].string_or("pull-push"),
          .when = value["when"].string_or("on_success")};
}

json::Value encode_need(const Need& need) {
  return json::Value::object({{"job", need.job}, {"artifacts", need.artifacts}, {"optional", need.optional}});
}
Need decode_need(const json::Value& value) {
  return {value["job"].string_or(""), value["artifacts"].bool_or(true), value["optional"].bool_or(false)};
}

json::Value encode_retry(const Retry& retry) {
  return json::Value::object(
      {{"max", retry.max}, {"when", list_of(retry.when)}, {"exit_codes", list_of(retry.exit_codes)}});
}

json::Value encode_environment(const Environment& environment) {
  Writer out;
  out.put("name", environment.name);
  out.put("url", environment.url);
  out.put("action", environment.action);
  out.put("tier", environment.tier);
  return out.take();
}

void put_scheduling(Writer& out, const Job& job) {
  out.put("when", to_string(job.when));
  if (job.start_in_seconds != 0) out.put("start_in_seconds", job.start_in_seconds);
  out.put("allow_failure", job.allow_failure);
  out.put("allow_failure_exit_codes", list_of(job.allow_failure_exit_codes));
  if (job.retry) out.put("retry", encode_retry(*job.retry));
  if (job.timeout_seconds) out.put("timeout_seconds", *job.timeout_seconds);
  // An empty list says something else than none.
  if (job.needs) out.put_always("needs", list_of(*job.needs, encode_need));
  if (job.dependencies) out.put_always("dependencies", list_of(*job.dependencies));
  out.put("interruptible", job.interruptible);
}
} // namespace

std::string_view to_string(When when) {
  for (auto [value, name] : kWhen)
    if (value == when) return name;
  return "on_success";
}

std::optional<When> parse_when(std::string_view text) {
  for (auto [value, name] : kWhen)
    if (name == text) return value;
  return std::nullopt;
}

std::string group_name(std::string_view job_name) {
  // Upstream's pattern, where [\b\s:] is a class with a backspace in it.
  static const RE2 suffix(R"(([\x08\s:]+((\[.*\])|(\d+[\s:\/\\]+\d+))){1,3}\s*\z)", RE2::Quiet);
  std::string name(job_name);
  RE2::Replace(&name, suffix, "");
  return std::string(base::trim(name));
}

std::string Diagnostic::text() const {
  if (line == 0) return message;
  return fmt::format("{} ({}:{}:{})", message, file, line, column);
}

json::Value to_json(const Job& job) {
  Writer out;
  out.put("name", job.name);
  out.put("stage", job.stage);
  out.put_always("stage_index", job.stage_index);
  out.put("before_script", list_of(job.before_script));
  out.put("script", list_of(job.script));
  out.put("after_script", list_of(job.after_script));
  out.put("pre_get_sources_script", list_of(job.pre_get_sources_script));
  if (job.image) out.put("image", encode_image(*job.image));
  out.put("services", list_of(job.services, encode_image));
  out.put("tags", list_of(job.tags));
  if (job.artifacts) out.put("artifacts", encode_artifacts(*job.artifacts));
  out.put("caches", list_of(job.caches, encode_cache));
  put_scheduling(out, job);
  if (job.environment) out.put("environment", encode_environment(*job.environment));
  out.put("coverage", job.coverage);
  out.put("variables", variables_json(job.variables));
  if (job.node_index != 0) {
    out.put("node_index", job.node_index);
    out.put("node_total", job.node_total);
  }
  out.put("file", job.file);
  if (job.line != 0) out.put("line", job.line);
  return out.take();
}

base::Result<Job> job_from_json(const json::Value& value) {
  if (!value.is_object() || !value["name"].is_string())
    return base::fail(base::ErrorKind::kInvalidInput, "a stored job has no name");
  Job job;
  job.name = value["name"].as_string();
  job.stage = value["stage"].string_or("test");
  job.stage_index = static_cast<int>(value["stage_index"].integer_or(0));
  job.before_script = strings(value["before_script"]);
  job.script = strings(value["script"]);
  job.after_script = strings(value["after_script"]);
  job.pre_get_sources_script = strings(value["pre_get_sources_script"]);
  if (value["image"].is_object()) job.image = decode_image(value["image"]);
  job.services = decode_list<Image>(value["services"], decode_image);
  job.tags = strings(value["tags"]);
  if (value["artifacts"].is_object()) job.artifacts = decode_artifacts(value["artifacts"]);
  job.caches = decode_list<Cache>(value["caches"], decode_cache);
  auto when = parse_when(value["when"].string_or("on_success"));
  if (!when) return base::fail(base::ErrorKind::kInvalidInput, "a stored job has an unknown `when`");
  job.when = *when;
  job.start_in_seconds = value["start_in_seconds"].integer_or(0);
  job.allow_failure = value["allow_failure"].bool_or(false);
  job.allow_failure_exit_codes = integers(value["allow_failure_exit_codes"]);
  if (const json::Value& retry = value["retry"]; retry.is_object())
    job.retry =
        Retry{static_cast<int>(retry["max"].integer_or(0)), strings(retry["when"]), integers(retry["exit_codes"])};
  if (value["timeout_seconds"].is_integer()) job.timeout_seconds = value["timeout_seconds"].as_integer();
  if (value["needs"].is_array()) job.needs = decode_list<Need>(value["needs"], decode_need);
  if (value["dependencies"].is_array()) job.dependencies = strings(value["dependencies"]);
  if (const json::Value& environment = value["environment"]; environment.is_object())
    job.environment = Environment{environment["name"].string_or(""), environment["url"].string_or(""),
                                  environment["action"].string_or("start"), environment["tier"].string_or("")};
  job.coverage = value["coverage"].string_or("");
  job.interruptible = value["interruptible"].bool_or(false);
  job.variables = variables_from_json(value["variables"]);
  job.node_index = static_cast<int>(value["node_index"].integer_or(0));
  job.node_total = static_cast<int>(value["node_total"].integer_or(1));
  job.file = value["file"].string_or("");
  job.line = static_cast<int>(value["line"].integer_or(0));
  return job;
}

json::Value to_json(const Pipeline& pipeline) {
  json::Array decisions;
  for (const Decision& decision : pipeline.decisions)
    decisions.push_back(
        json::Value::object({{"job", decision.job}, {"included", decision.included}, {"reason", decision.reason}}));
  return json::Value::object({{"name", pipeline.name},
                              {"stages", list_of(pipeline.stages)},
                              {"variables", variables_json(pipeline.variables)},
                              {"jobs", list_of(pipeline.jobs, [](const Job& job) { return to_json(job); })},
                              {"decisions", std::move(decisions)}});
}

} // namespace ci
