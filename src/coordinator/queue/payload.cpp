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

base::Result<PayloadBuilder::Shared*> PayloadBuilder::shared(const PayloadRequest& request) {
  std::int64_t id = request.pipeline.integer("id");
  auto known = pipelines_.find(id);
  if (known != pipelines_.end()) return &known->second;
  Shared common;
  common.context = FR_TRY(service_.context(tx_, request.project, request.pipeline));
  auto space = FR_TRY(model::find_namespace(tx_, request.project.namespace_id));
  common.root_namespace = space && !space->chain.empty() ? space->chain.front() : request.project.namespace_id;
  return &pipelines_.emplace(id, std::move(common)).first->second;
}

// The jobs whose artifacts this one gets, with what they left; the token is that of the job that downloads.
base::Result<PayloadBuilder::Dependencies> PayloadBuilder::dependencies(const PayloadRequest& request, Shared& common,
                                                                        const ci::Job& job) {
  Dependencies result;
  bool explicitly = job.dependencies.has_value() || job.needs.has_value();
  if (!explicitly && job.stage_index == 0) return result; // nothing comes before it
  if (!common.jobs)
    common.jobs = FR_TRY(
        tx_.query("SELECT j.id, j.name, j.stage_idx, j.dotenv, j.erased_at, j.artifacts_expire_at, a.filename, a.size "
                  "FROM jobs j LEFT JOIN artifacts a ON a.job_id = j.id AND a.file_type = 'archive' "
                  "WHERE j.pipeline_id = ? AND j.retried = 0 ORDER BY j.stage_idx, j.id",
                  {request.pipeline.integer("id")}));
  std::vector<ci::Job> all;
  for (const Row& row : *common.jobs) { // what the rule looks at
    ci::Job& other = all.emplace_back();
    other.name = row.text("name");
    other.stage_index = static_cast<int>(row.integer("stage_idx"));
  }
  std::vector<std::string> wanted = ci::artifact_sources(job, all);
  for (const std::string& name : wanted) {
    for (const Row& row : *common.jobs) {
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
        if (explicitly && (!row.is_null("erased_at") || (expires && *expires <= service_.app().now())))
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

json::Value PayloadBuilder::job_info(const PayloadRequest& request, const Shared& common) const {
  const Row& job = request.job;
  const App& app = service_.app();
  bool instance = request.runner.type == RunnerType::kInstance;
  double waited = static_cast<double>(app.now() - job.optional_integer("queued_at").value_or(app.now())) / 1000.0;
  return json::Value::object({{"id", job.integer("id")},
                              {"name", job.text("name")},
                              {"stage", job.text("stage")},
                              {"pipeline_id", request.pipeline.integer("id")},
                              {"project_id", request.project.id},
                              {"project_name", request.project.name},
                              {"project_full_path", request.project.full_path},
                              {"namespace_id", request.project.namespace_id},
                              {"root_namespace_id", common.root_namespace},
                              {"organization_id", 1},
                              {"instance_id", app.url},
                              {"instance_uuid", app.url},
                              {"user_id", job.integer("user_id")},
                              {"scoped_user_id", nullptr},
                              {"time_in_queue_seconds", waited},
                              {"project_jobs_running_on_instance_runners_count",
                               instance ? std::to_string(request.project_load) : std::string("+Inf")},
                              {"queue_size", request.queue_size},
                              {"queue_depth", 1}});
}

base::Result<ci::UserFacts> PayloadBuilder::user(std::int64_t id, const ci::UserFacts& fallback) {
  auto known = users_.find(id);
  if (known == users_.end()) {
    std::optional<ci::UserFacts> facts;
    if (auto found = FR_TRY(model::find_user(tx_, id)))
      facts = {.id = found->id, .login = found->username, .name = found->name, .email = found->email};
    known = users_.emplace(id, std::move(facts)).first;
  }
  return known->second.value_or(fallback);
}

base::Result<BuiltPayload> PayloadBuilder::build(const PayloadRequest& request) {
  const Row& row = request.job;
  App& app = service_.app();
  const ci::Job& job = request.definition;
  Shared& common = *FR_TRY(shared(request));
  Dependencies needed = FR_TRY(dependencies(request, common, job));
  if (needed.missing) return BuiltPayload{.payload = {}, .refusal = "missing_dependency_failure"};

  ci::JobFacts facts;
  facts.id = row.integer("id");
  facts.token = request.token;
  facts.started_at = base::format_utc_seconds(app.now() / 1000);
  facts.runner = {.id = request.runner.id, .description = request.runner.description, .tags = request.runner.tag_list};
  facts.dotenv = std::move(needed.dotenv);
  facts.job_run = unseal_variables(app, row.optional_text("variables_sealed"));
  facts.user = FR_TRY(user(row.integer("user_id"), common.context.user));
  ci::Variables variables = FR_TRY(ci::job_variables(job, common.context, facts));

  json::Value payload = json::Value::object(
      {{"id", row.integer("id")},
       {"token", request.token.reveal()},
       {"allow_git_fetch", request.project.git_strategy != "clone"},
       {"job_info", job_info(request, common)},
       {"git_info", git_info(app, request, variables)},
       {"runner_info", json::Value::object({{"timeout", request.timeout_seconds}, {"uuid", ""}})},
       {"inputs", json::Value::array()},
       {"variables", ci::variables_json(variables)},
       {"steps", ci::steps_json(job, request.timeout_seconds)},
       {"hooks", ci::hooks_json(job)},
       {"image", ci::image_json(job)},
       {"services", ci::services_json(job)},
       {"artifacts", ci::artifacts_json(job)},
       {"cache", ci::cache_json(job, common.context.project, request.pipeline.boolean("protected"))},
       {"credentials", json::Value::array()},
       {"dependencies", std::move(needed.list)},
       {"features", json::Value::object({{"trace_sections", true},
                                         {"token_mask_prefixes", json::Value(json::Array{"glpat-"})},
                                         {"failure_reasons", failure_reasons()}})}});
  return BuiltPayload{.payload = std::move(payload), .refusal = {}};
}

} // namespace coordinator::queue
