#include "ci/payload.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/scope.hpp"

namespace ci {
namespace {
json::Value strings(const std::vector<std::string>& items) {
  json::Array list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

void append(Variables& out, const Variables& more) { out.insert(out.end(), more.begin(), more.end()); }

Variable plain(std::string_view key, std::string value) {
  return {.key = std::string(key), .value = std::move(value), .is_public = true};
}

// With the job token as password, for git.
std::string repository_url(const Context& context, const std::string& token) {
  std::string url = context.server.url;
  std::size_t at = url.find("://");
  at = at == std::string::npos ? 0 : at + 3;
  url.insert(at, "gitlab-ci-token:" + token + "@");
  return url + "/" + context.project.full_path + ".git";
}

// What exists only once there is a job with an id.
Variables persisted(const Context& context, const JobFacts& facts) {
  std::string project_url = context.server.url + "/" + context.project.full_path;
  Variables list;
  list.push_back(plain("CI_PIPELINE_ID", std::to_string(context.pipeline.id)));
  list.push_back(plain("CI_PIPELINE_URL", fmt::format("{}/-/pipelines/{}", project_url, context.pipeline.id)));
  list.push_back(plain("CI_JOB_ID", std::to_string(facts.id)));
  list.push_back(plain("CI_JOB_URL", fmt::format("{}/-/jobs/{}", project_url, facts.id)));
  list.push_back({.key = "CI_JOB_TOKEN", .value = facts.token.reveal(), .masked = true});
  if (!facts.started_at.empty()) list.push_back(plain("CI_JOB_STARTED_AT", facts.started_at));
  list.push_back({.key = "CI_REPOSITORY_URL", .value = repository_url(context, facts.token.reveal())});
  return list;
}

// Servers print the tags as a list of strings, whatever the handbook says.
Variables runner_variables(const RunnerFacts& runner) {
  std::vector<std::string> tags;
  for (const std::string& tag : runner.tags) tags.push_back("\"" + tag + "\"");
  return {plain("CI_RUNNER_ID", std::to_string(runner.id)), plain("CI_RUNNER_DESCRIPTION", runner.description),
          plain("CI_RUNNER_TAGS", "[" + base::join(tags, ", ") + "]")};
}

json::Value executor_opts(const Image& image) {
  json::Value options = json::Value::object();
  json::Value docker = json::Value::object();
  if (!image.docker_platform.empty()) docker.set("platform", image.docker_platform);
  if (!image.docker_user.empty()) docker.set("user", image.docker_user);
  if (docker.size() > 0) options.set("docker", std::move(docker));
  if (!image.kubernetes_user.empty()) options.set("kubernetes", json::Value::object({{"user", image.kubernetes_user}}));
  return options;
}

json::Value container(const Image& image) {
  json::Value out = json::Value::object({{"name", image.name}});
  if (!image.alias.empty()) out.set("alias", image.alias);
  if (!image.entrypoint.empty()) out.set("entrypoint", strings(image.entrypoint));
  if (!image.command.empty()) out.set("command", strings(image.command));
  out.set("ports", json::Value::array());
  if (!image.pull_policy.empty()) out.set("pull_policy", strings(image.pull_policy));
  if (!image.variables.empty()) out.set("variables", variables_json(image.variables));
  json::Value options = executor_opts(image);
  if (options.size() > 0) out.set("executor_opts", std::move(options));
  return out;
}

json::Value step(std::string_view name, json::Value script, std::int64_t timeout, std::string_view when,
                 bool allow_failure) {
  return json::Value::object({{"name", name},
                              {"script", std::move(script)},
                              {"timeout", timeout},
                              {"when", when},
                              {"allow_failure", allow_failure}});
}
} // namespace

base::Result<Variables> job_variables(const Job& job, const Context& context, const JobFacts& facts) {
  Variables all = persisted(context, facts);
  append(all, job_predefined(job));
  append(all, predefined_variables(context));
  append(all, runner_variables(facts.runner));
  append(all, job.variables);
  append(all, user_variables(facts.user.login.empty() ? context.user : facts.user));
  append(all, facts.dotenv);
  append(all, outside_variables(context, job.environment ? job.environment->name : ""));
  append(all, facts.job_run);
  append(all, environment_variables(job));
  auto expanded = expand_collection(std::move(all));
  if (!expanded) return base::fail_context(job.name, std::move(expanded.error()));
  return expanded;
}

json::Value steps_json(const Job& job, std::int64_t timeout_seconds) {
  json::Array script;
  for (const auto* part : {&job.before_script, &job.script})
    for (const std::string& line : *part) script.emplace_back(line);
  json::Array steps{step("script", std::move(script), timeout_seconds, "on_success", false)};
  if (!job.after_script.empty())
    steps.push_back(step("after_script", strings(job.after_script), timeout_seconds, "always", true));
  return steps;
}

json::Value image_json(const Job& job) { return job.image ? container(*job.image) : json::Value(); }

json::Value services_json(const Job& job) {
  json::Array list;
  for (const Image& service : job.services) list.push_back(container(service));
  return list;
}

json::Value artifacts_json(const Job& job) {
  json::Array list;
  if (!job.artifacts) return list;
  const Artifacts& artifacts = *job.artifacts;
  if (artifacts.has_archive()) {
    json::Value archive = json::Value::object();
    if (!artifacts.name.empty()) archive.set("name", artifacts.name);
    archive.set("untracked", artifacts.untracked);
    archive.set("paths", strings(artifacts.paths));
    if (!artifacts.exclude.empty()) archive.set("exclude", strings(artifacts.exclude));
    archive.set("when", artifacts.when);
    if (!artifacts.expire_in.empty()) archive.set("expire_in", artifacts.expire_in);
    archive.set("artifact_type", "archive");
    archive.set("artifact_format", "zip");
    list.push_back(std::move(archive));
  }
  for (const Report& report : artifacts.reports) {
    json::Value entry = json::Value::object({{"name", report.name},
                                             {"paths", strings(report.paths)},
                                             {"when", "always"},
                                             {"artifact_type", report.type},
                                             {"artifact_format", report.format}});
    if (!artifacts.expire_in.empty()) entry.set("expire_in", artifacts.expire_in);
    list.push_back(std::move(entry));
  }
  return list;
}

json::Value hooks_json(const Job& job) {
  json::Array list;
  if (!job.pre_get_sources_script.empty())
    list.push_back(
        json::Value::object({{"name", "pre_get_sources_script"}, {"script", strings(job.pre_get_sources_script)}}));
  return list;
}

json::Value cache_json(const Job& job, const ProjectFacts& project, bool privileged) {
  json::Array list;
  for (const Cache& cache : job.caches) {
    std::string suffix;
    if (project.cache_index > 0) suffix += fmt::format("-{}", project.cache_index);
    if (project.separate_protected_caches) suffix += privileged && !cache.unprotect ? "-protected" : "-non_protected";
    json::Array fallback;
    for (const std::string& key : cache.fallback_keys) fallback.emplace_back(key + suffix);
    list.push_back(json::Value::object({{"key", cache.key + suffix},
                                        {"untracked", cache.untracked},
                                        {"paths", strings(cache.paths)},
                                        {"policy", cache.policy},
                                        {"when", cache.when},
                                        {"fallback_keys", std::move(fallback)}}));
  }
  return list;
}

std::int64_t git_depth(const Variables& variables, std::int64_t project_default) {
  const Variable* depth = find(variables, "GIT_DEPTH");
  if (depth == nullptr) return project_default;
  // Ruby's to_i: the digits at the start.
  std::string_view text = base::trim(depth->value);
  std::size_t end = text.find_first_not_of("0123456789");
  return base::parse_int(text.substr(0, end)).value_or(0);
}

std::vector<std::string> refspecs(std::int64_t pipeline_id, std::string_view ref, RefType type, std::int64_t depth) {
  std::vector<std::string> specs{fmt::format("+refs/pipelines/{0}:refs/pipelines/{0}", pipeline_id)};
  if (depth == 0) {
    specs.emplace_back("+refs/heads/*:refs/remotes/origin/*");
    specs.emplace_back("+refs/tags/*:refs/tags/*");
  } else if (type == RefType::kBranch) {
    specs.push_back(fmt::format("+refs/heads/{0}:refs/remotes/origin/{0}", ref));
  } else if (type == RefType::kTag) {
    specs.push_back(fmt::format("+refs/tags/{0}:refs/tags/{0}", ref));
  }
  return specs;
}

std::vector<std::string> artifact_sources(const Job& job, const std::vector<Job>& all) {
  auto named = [&](const std::string& name) {
    return !job.dependencies ||
           std::find(job.dependencies->begin(), job.dependencies->end(), name) != job.dependencies->end();
  };
  std::vector<std::string> sources;
  for (const Job& other : all) {
    bool take = named(other.name);
    if (job.needs) {
      take = take && std::any_of(job.needs->begin(), job.needs->end(),
                                 [&](const Need& need) { return need.artifacts && need.job == other.name; });
    } else if (!job.dependencies) {
      take = other.stage_index < job.stage_index;
    }
    if (take && other.name != job.name) sources.push_back(other.name);
  }
  return sources;
}

} // namespace ci
