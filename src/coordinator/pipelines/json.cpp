#include "coordinator/pipelines/json.hpp"

#include <fmt/format.h>

#include "coordinator/git/repository.hpp"
#include "coordinator/model/runner_shapes.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::pipelines {
namespace {

std::string label(const std::string& status, bool warnings) {
  if (status == "success") return warnings ? "passed with warnings" : "passed";
  return status;
}

json::Value optional_real(const Row& row, std::string_view column) {
  auto value = row.optional_real(column);
  return value ? json::Value(*value) : json::Value();
}

json::Value optional_text(const Row& row, std::string_view column) {
  auto value = row.optional_text(column);
  return value ? json::Value(*value) : json::Value();
}

base::Result<json::Value> runner_json(Transaction& tx, const Row& job, std::int64_t now, json::Value& manager_out) {
  auto id = job.optional_integer("runner_id");
  if (!id) return json::Value();
  auto runner = FR_TRY(model::find_runner(tx, *id));
  if (!runner) return json::Value();
  if (auto manager_id = job.optional_integer("manager_id")) {
    auto row = FR_TRY(tx.query_one("SELECT * FROM runner_managers WHERE id = ?", {*manager_id}));
    if (row) manager_out = model::manager_shape(model::manager_from(*row), now);
  }
  return model::runner_shape(*runner, now);
}

} // namespace

json::Value seconds_between(std::optional<std::int64_t> from, std::optional<std::int64_t> to) {
  if (!from || !to) return nullptr;
  return static_cast<double>(*to - *from) / 1000.0;
}

json::Value commit_json(const App& app, const model::Project& project, const Row& pipeline) {
  auto facts = json::parse(pipeline.text("commit_facts"));
  std::string message = facts ? (*facts)["message"].string_or("") : "";
  std::string author = facts ? (*facts)["author"].string_or("") : "";
  std::string when = facts ? (*facts)["timestamp"].string_or("") : "";
  std::string sha = pipeline.text("sha");
  std::size_t bracket = author.find(" <");
  std::string name = author.substr(0, bracket);
  std::string email;
  if (bracket != std::string::npos) email = author.substr(bracket + 2, author.size() - bracket - 3);
  return json::Value::object({{"id", sha},
                              {"short_id", sha.substr(0, 8)},
                              {"created_at", when},
                              {"title", message.substr(0, message.find('\n'))},
                              {"message", message},
                              {"author_name", name},
                              {"author_email", email},
                              {"authored_date", when},
                              {"committer_name", name},
                              {"committer_email", email},
                              {"committed_date", when},
                              {"web_url", fmt::format("{}/-/commit/{}", model::project_url(app, project), sha)}});
}

base::Result<bool> has_warnings(Transaction& tx, std::int64_t pipeline_id) {
  return FR_TRY(tx.count("SELECT count(*) FROM jobs WHERE pipeline_id = ? AND retried = 0 AND allow_failure = 1 AND "
                         "status IN ('failed', 'canceled')",
                         {pipeline_id})) > 0;
}

json::Value pipeline_basic_json(const App& app, const model::Project& project, const Row& row) {
  return json::Value::object(
      {{"id", row.integer("id")},
       {"iid", row.integer("iid")},
       {"project_id", project.id},
       {"sha", row.text("sha")},
       {"ref", row.text("ref")},
       {"status", row.text("status")},
       {"source", row.text("source")},
       {"created_at", model::time_json(row.integer("created_at"))},
       {"updated_at", model::time_json(row.integer("updated_at"))},
       {"web_url", fmt::format("{}/-/pipelines/{}", model::project_url(app, project), row.integer("id"))},
       {"name", optional_text(row, "name")}});
}

base::Result<json::Value> pipeline_json(Transaction& tx, const App& app, const model::Project& project,
                                        const Row& row) {
  json::Value value = pipeline_basic_json(app, project, row);
  std::string status = row.text("status");
  auto started = row.optional_integer("started_at");
  auto finished = row.optional_integer("finished_at");
  bool warned = FR_TRY(has_warnings(tx, row.integer("id")));
  value.set("before_sha", row.text("before_sha"));
  value.set("tag", row.text("ref_type") == "tag");
  value.set("yaml_errors", optional_text(row, "yaml_errors"));
  value.set("user", FR_TRY(model::user_basic_json(tx, app, row.optional_integer("user_id"))));
  value.set("started_at", model::time_json(started));
  value.set("finished_at", model::time_json(finished));
  value.set("committed_at", nullptr);
  value.set("duration", seconds_between(started, finished));
  value.set("queued_duration", seconds_between(row.integer("created_at"), started));
  value.set("coverage", optional_real(row, "coverage"));
  value.set("failure_reason", optional_text(row, "failure_reason"));
  value.set(
      "detailed_status",
      json::Value::object({{"icon", "status_" + status},
                           {"text", label(status, warned)},
                           {"label", label(status, warned)},
                           {"group", status == "success" && warned ? std::string("success-with-warnings") : status},
                           {"tooltip", label(status, warned)},
                           {"has_details", true},
                           {"details_path", fmt::format("/{}/-/pipelines/{}", project.full_path, row.integer("id"))},
                           {"illustration", nullptr},
                           {"favicon", nullptr}}));
  return value;
}

base::Result<json::Value> job_json(Transaction& tx, const App& app, const model::Project& project, const Row& job) {
  std::int64_t id = job.integer("id");
  auto pipeline = FR_TRY(tx.query_one("SELECT * FROM pipelines WHERE id = ?", {job.integer("pipeline_id")}));
  if (!pipeline) return base::fail(base::ErrorKind::kInternal, "a job without a pipeline");
  auto started = job.optional_integer("started_at");
  auto finished = job.optional_integer("finished_at");
  bool alive = job.text("status") == "running" || job.text("status") == "canceling";
  json::Value manager;
  json::Value runner = FR_TRY(runner_json(tx, job, app.now(), manager));
  json::Value artifacts = json::Value::array();
  json::Value artifacts_file;
  json::Value artifacts_metadata; // ours: what is in the archive
  for (const Row& artifact : FR_TRY(tx.query("SELECT file_type, size, filename, file_format, entries, unpacked FROM "
                                             "artifacts WHERE job_id = ? ORDER BY id",
                                             {id}))) {
    artifacts.push_back(json::Value::object({{"file_type", artifact.text("file_type")},
                                             {"size", artifact.integer("size")},
                                             {"filename", artifact.text("filename")},
                                             {"file_format", artifact.text("file_format")}}));
    if (artifact.text("file_type") == "archive")
      artifacts_file =
          json::Value::object({{"filename", artifact.text("filename")}, {"size", artifact.integer("size")}});
    if (!artifact.is_null("entries"))
      artifacts_metadata =
          json::Value::object({{"entries", artifact.integer("entries")}, {"size", artifact.integer("unpacked")}});
  }
  auto tags = json::parse(job.text("tag_list"));
  json::Value value =
      json::Value::object({{"id", id},
                           {"status", job.text("status")},
                           {"stage", job.text("stage")},
                           {"name", job.text("name")},
                           {"ref", job.text("ref")},
                           {"tag", job.boolean("tag")},
                           {"coverage", optional_real(job, "coverage")},
                           {"allow_failure", job.boolean("allow_failure")},
                           {"created_at", model::time_json(job.integer("created_at"))},
                           {"started_at", model::time_json(started)},
                           {"finished_at", model::time_json(finished)},
                           {"erased_at", model::time_json(job.optional_integer("erased_at"))},
                           {"duration", seconds_between(started, alive ? std::optional(app.now()) : finished)},
                           {"queued_duration", seconds_between(job.optional_integer("queued_at"), started)},
                           {"user", FR_TRY(model::user_basic_json(tx, app, job.optional_integer("user_id")))},
                           {"commit", commit_json(app, project, *pipeline)},
                           {"pipeline", pipeline_basic_json(app, project, *pipeline)},
                           {"web_url", fmt::format("{}/-/jobs/{}", model::project_url(app, project), id)},
                           {"project", json::Value::object({{"ci_job_token_scope_enabled", false}})},
                           {"artifacts", std::move(artifacts)},
                           {"runner", std::move(runner)},
                           {"runner_manager", std::move(manager)},
                           {"artifacts_expire_at", model::time_json(job.optional_integer("artifacts_expire_at"))},
                           {"archived", false},
                           {"tag_list", tags ? std::move(*tags) : json::Value::array()}});
  if (!artifacts_metadata.is_null()) value.set("artifacts_metadata", std::move(artifacts_metadata));
  if (!artifacts_file.is_null()) value.set("artifacts_file", std::move(artifacts_file));
  if (auto reason = job.optional_text("failure_reason")) value.set("failure_reason", *reason);
  if (auto code = job.optional_integer("exit_code")) value.set("exit_code", *code);
  return value;
}

} // namespace coordinator::pipelines
