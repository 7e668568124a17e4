#include "coordinator/queue/payload.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "ci/payload.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::queue {
namespace {

ci::Variables unseal_variables(const App& app, const std::optional<std::string>& sealed) {
  if (!sealed) return {};
  auto plain = app.vault.unseal(*sealed);
  if (!plain) return {};
  auto value = json::parse(*plain);
  return value ? ci::variables_from_json(*value) : ci::Variables();
}

struct Dependencies {
  json::Value list = json::Value::array();
  ci::Variables dotenv;
  bool missing = false; // an artifact that was asked for by name is gone
};

// The jobs whose artifacts this one gets, with what they left; the token is that of the job that downloads.
base::Result<Dependencies> dependencies(Transaction& tx, pipelines::Service& service, const PayloadRequest& request,
                                        const ci::Job& job) {
  Dependencies result;
  auto rows = FR_TRY(
      tx.query("SELECT j.id, j.name, j.stage_idx, j.dotenv, j.erased_at, j.artifacts_expire_at, a.filename, a.size "
               "FROM jobs j LEFT JOIN artifacts a ON a.job_id = j.id AND a.file_type = 'archive' "
               "WHERE j.pipeline_id = ? AND j.retried = 0 ORDER BY j.stage_idx, j.id",
               {request.pipeline.integer("id")}));
  std::vector<ci::Job> all;
  for (const Row& row : rows) { // what the rule looks at
    ci::Job& other = all.emplace_back();
    other.name = row.text("name");
    other.stage_index = static_cast<int>(row.integer("stage_idx"));
  }
  std::vector<std::string> wanted = ci::artifact_sources(job, all);
  bool explicitly = job.dependencies.has_value() || job.needs.has_value();
  for (const std::string& name : wanted) {
    for (const Row& row : rows) {
      if (row.text("name") != name) continue;
      if (auto dotenv = row.optional_text("dotenv")) {
        auto values = json::parse(*dotenv);
        if (values)
          for (auto& variable : ci::variables_from_json(*values)) result.dotenv.push_back(std::move(variable));
      }
      auto file = row.optional_text("filename");
      if (!file) {
        // Named, and what it left has expired or was erased. (A job that never uploaded anything is fine.)
        auto expires = row.optional_integer("artifacts_expire_at");
        if (explicitly && (!row.is_null("erased_at") || (expires && *expires <= service.app().now())))
          result.missing = true;
        continue;
      }
      result.list.push_back(json::Value::object(
          {{"id", row.integer("id")},
           {"name", name},
           {"token", request.token.reveal()},
           {"artifacts_file", json::Value::object({{"filename", *file}, {"size", row.integer("size")}})}}));
    }
  }
  return result;
}

base::Result<json::Value> job_info(Transaction& tx, const App& app, const PayloadRequest& request) {
  const Row& job = request.job;
  auto space = FR_TRY(model::find_namespace(tx, request.project.namespace_id));
  std::int64_t root = space && !space->chain.empty() ? space->chain.front() : request.project.namespace_id;
  bool instance = request.runner.type == RunnerType::kInstance;
  std::int64_t running =
      FR_TRY(tx.count("SELECT count(*) FROM jobs j JOIN runners r ON r.id = j.runner_id WHERE j.project_id = ? "
                      "AND j.status IN ('running', 'canceling') AND r.type = 'instance_type'",
                      {request.project.id}));
  std::int64_t depth = FR_TRY(tx.count("SELECT count(*) FROM jobs WHERE status = 'pending' AND runner_id IS NULL"));
  double waited = static_cast<double>(app.now() - job.optional_integer("queued_at").value_or(app.now())) / 1000.0;
  return json::Value::object(
      {{"id", job.integer("id")},
       {"name", job.text("name")},
       {"stage", job.text("stage")},
       {"pipeline_id", request.pipeline.integer("id")},
       {"project_id", request.project.id},
       {"project_name", request.project.name},
       {"project_full_path", request.project.full_path},
       {"namespace_id", request.project.namespace_id},
       {"root_namespace_id", root},
       {"organization_id", 1},
       {"instance_id", app.url},
       {"instance_uuid", app.url},
       {"user_id", job.integer("user_id")},
       {"scoped_user_id", nullptr},
       {"time_in_queue_seconds", waited},
       {"project_jobs_running_on_instance_runners_count", instance ? std::to_string(running) : std::string("+Inf")},
       {"queue_size", depth},
       {"queue_depth", 1}});
}

json::Value git_info(const App& app, const PayloadRequest& request, const ci::Variables& variables) {
  const Row& pipeline = request.pipeline;
  bool tag = pipeline.text("ref_type") == "tag";
  std::int64_t depth = ci::git_depth(variables, request.project.git_depth.value_or(0));
  json::Value refspecs = json::Value::array();
  for (const auto& refspec : ci::refspecs(pipeline.integer("id"), pipeline.text("ref"),
                                          tag ? ci::RefType::kTag : ci::RefType::kBranch, depth))
    refspecs.push_back(refspec);
  return json::Value::object({{"repo_url", repository_url(app, request.project, request.token)},
                              {"ref", pipeline.text("ref")},
                              {"sha", pipeline.text("sha")},
                              {"before_sha", pipeline.text("before_sha")},
                              {"ref_type", tag ? "tag" : "branch"},
                              {"refspecs", std::move(refspecs)},
                              {"depth", depth},
                              {"repo_object_format", pipeline.text("sha").size() == 64 ? "sha256" : "sha1"},
                              {"protected", pipeline.boolean("protected")}});
}

} // namespace

json::Value failure_reasons() {
  json::Value list = json::Value::array();
  for (const char* reason : {"unknown_failure",
                             "script_failure",
                             "api_failure",
                             "stuck_or_timeout_failure",
                             "runner_system_failure",
                             "runner_configuration_error",
                             "runner_external_dependency_failure",
                             "runner_interrupted",
                             "runner_provisioning_timeout",
                             "missing_dependency_failure",
                             "runner_unsupported",
                             "stale_schedule",
                             "job_execution_timeout",
                             "job_execution_server_timeout",
                             "stuck_pending_with_matching_runners",
                             "stuck_pending_no_matching_runners",
                             "no_updates_running",
                             "no_updates_canceling",
                             "server_timeout_running",
                             "server_timeout_canceling",
                             "archived_failure",
                             "unmet_prerequisites",
                             "scheduler_failure",
                             "data_integrity_failure",
                             "forward_deployment_failure",
                             "failed_outdated_deployment_job",
                             "user_blocked",
                             "project_deleted",
                             "ci_quota_exceeded",
                             "trace_size_exceeded",
                             "builds_disabled",
                             "environment_creation_failure",
                             "deployment_rejected",
                             "job_token_expired"})
    list.push_back(reason);
  return list;
}

std::string repository_url(const App& app, const model::Project& project, const base::Secret& token) {
  std::size_t at = app.url.find("://");
  if (at == std::string::npos) return app.url;
  return fmt::format("{}://gitlab-ci-token:{}@{}/{}.git", app.url.substr(0, at), token.reveal(), app.url.substr(at + 3),
                     project.full_path);
}

std::string missing_feature(const ci::Job& job, const json::Value& features) {
  auto lacks = [&](std::string_view name) { return !features[name].bool_or(false); };
  if (job.artifacts) {
    if (!job.artifacts->reports.empty() && lacks("upload_multiple_artifacts")) return "upload_multiple_artifacts";
    for (const auto& report : job.artifacts->reports)
      if (report.format == "raw" && lacks("upload_raw_artifacts")) return "upload_raw_artifacts";
    if (!job.artifacts->exclude.empty() && lacks("artifacts_exclude")) return "artifacts_exclude";
  }
  if (!job.allow_failure_exit_codes.empty() && lacks("return_exit_code")) return "return_exit_code";
  for (const auto& cache : job.caches)
    if (!cache.fallback_keys.empty() && lacks("fallback_cache_keys")) return "fallback_cache_keys";
  return "";
}

base::Result<BuiltPayload> build_payload(Transaction& tx, pipelines::Service& service, const PayloadRequest& request) {
  const Row& row = request.job;
  App& app = service.app();
  auto job = FR_TRY(ci::job_from_json(FR_TRY(json::parse(row.text("definition")))));
  auto context = FR_TRY(service.context(tx, request.project, request.pipeline));
  Dependencies needed = FR_TRY(dependencies(tx, service, request, job));
  if (needed.missing) return BuiltPayload{.payload = {}, .refusal = "missing_dependency_failure"};

  ci::JobFacts facts;
  facts.id = row.integer("id");
  facts.token = request.token;
  facts.started_at = base::format_utc_seconds(app.now() / 1000);
  facts.runner = {.id = request.runner.id, .description = request.runner.description, .tags = request.runner.tag_list};
  facts.dotenv = std::move(needed.dotenv);
  facts.job_run = unseal_variables(app, row.optional_text("variables_sealed"));
  facts.user = context.user;
  if (auto user = FR_TRY(model::find_user(tx, row.integer("user_id"))))
    facts.user = {.id = user->id, .login = user->username, .name = user->name, .email = user->email};
  ci::Variables variables = FR_TRY(ci::job_variables(job, context, facts));

  json::Value payload = json::Value::object(
      {{"id", row.integer("id")},
       {"token", request.token.reveal()},
       {"allow_git_fetch", request.project.git_strategy != "clone"},
       {"job_info", FR_TRY(job_info(tx, app, request))},
       {"git_info", git_info(app, request, variables)},
       {"runner_info", json::Value::object({{"timeout", request.timeout_seconds}, {"uuid", ""}})},
       {"inputs", json::Value::array()},
       {"variables", ci::variables_json(variables)},
       {"steps", ci::steps_json(job, request.timeout_seconds)},
       {"hooks", ci::hooks_json(job)},
       {"image", ci::image_json(job)},
       {"services", ci::services_json(job)},
       {"artifacts", ci::artifacts_json(job)},
       {"cache", ci::cache_json(job, context.project, request.pipeline.boolean("protected"))},
       {"credentials", json::Value::array()},
       {"dependencies", std::move(needed.list)},
       {"features", json::Value::object({{"trace_sections", true},
                                         {"token_mask_prefixes", json::Value(json::Array{"glpat-"})},
                                         {"failure_reasons", failure_reasons()}})}});
  return BuiltPayload{.payload = std::move(payload), .refusal = {}};
}

} // namespace coordinator::queue
