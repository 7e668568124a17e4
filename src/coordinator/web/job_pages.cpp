// GET /-/web/projects/:id/jobs/:job_id, its log from an offset on, and what is in its archive of artifacts.
#include <algorithm>

#include "coordinator/model/runners.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/pipelines/find.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/web/job_shapes.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/runner_rows.hpp"
#include "coordinator/web/shapes.hpp"
#include "coordinator/web/stuck.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kMostOfLog = 1 << 20;

bool is_over(const Row& job) {
  const auto status = ci::parse_status(job.text("status"));
  return status && ci::is_complete(*status);
}

Outcome<json::Value> runner_summary(Transaction& tx, const Call& call, const Row& job) {
  const auto id = job.optional_integer("runner_id");
  const auto runner = id ? API_TRY(model::find_runner(tx, *id)) : std::nullopt;
  if (!runner) return json::Value();
  return json::Value::object({{"id", runner->id},
                              {"short_sha", runner->token_short},
                              {"description", text_or_null(runner->description)},
                              {"runner_type", to_string(runner->type)},
                              {"web_path", API_TRY(runner_web_path(tx, call, *runner))}});
}

Outcome<json::Value> artifacts_json(Transaction& tx, const Call& call, const pipelines::Found& found) {
  const auto id = found.row.integer("id");
  const auto rows =
      API_TRY(tx.query("SELECT file_type, filename, size, access FROM artifacts WHERE job_id = ? ORDER BY id", {id}));
  const auto expire_at = found.row.optional_integer("artifacts_expire_at");
  const bool expired = expire_at && *expire_at <= call.now();
  if (rows.empty() && !expired) return json::Value();
  auto files = json::Value::array();
  json::Value size;
  for (const auto& row : rows) {
    if (!can_download_artifacts(found.access, row.text("access"))) continue;
    if (row.text("file_type") == "archive") size = row.integer("size");
    files.push_back(json::Value::object(
        {{"file_type", row.text("file_type")}, {"filename", row.text("filename")}, {"size", row.integer("size")}}));
  }
  if (files.as_array().empty() && !rows.empty()) return json::Value();
  const bool available = !size.is_null();
  const auto base = job_path(found.project, id) + "/artifacts/";
  // Past its date and still there: kept because it is the latest of its branch.
  return json::Value::object({{"available", available},
                              {"size", size},
                              {"expire_at", model::time_json(expire_at)},
                              {"expired", expired && !available},
                              {"keepable", available && expire_at.has_value()},
                              {"locked", expired && available},
                              {"files", std::move(files)},
                              {"browse_path", available ? json::Value(base + "browse") : json::Value()},
                              {"download_path", available ? json::Value(base + "download") : json::Value()}});
}

json::Value side_entry(const model::Project& project, const Row& job, bool retried) {
  return json::Value::object({{"id", job.integer("id")},
                              {"name", job.text("name")},
                              {"status", job.text("status")},
                              {"warning", is_warning(job)},
                              {"retried", retried},
                              {"web_path", job_path(project, job.integer("id"))}});
}

// The latest try of each job of the stage, and the tries of this one.
Outcome<json::Value> stage_jobs(Transaction& tx, const pipelines::Found& found) {
  auto out = json::Value::array();
  for (const auto& row : API_TRY(
           tx.query("SELECT id, name, status, allow_failure, retried FROM jobs WHERE pipeline_id = ? AND stage_idx = "
                    "? AND (retried = 0 OR name = ?) ORDER BY lower(name), id DESC",
                    {found.row.integer("pipeline_id"), found.row.integer("stage_idx"), found.row.text("name")}))) {
    out.push_back(side_entry(found.project, row, row.boolean("retried")));
  }
  return out;
}

Outcome<json::Value> retried_by(Transaction& tx, const Row& job) {
  if (!job.boolean("retried")) return json::Value();
  const auto row = API_TRY(
      tx.query_one("SELECT id FROM jobs WHERE pipeline_id = ? AND name = ? AND retried = 0 ORDER BY id DESC LIMIT 1",
                   {job.integer("pipeline_id"), job.text("name")}));
  return row ? json::Value(row->integer("id")) : json::Value();
}

json::Value abilities_json(const pipelines::Found& found, const json::Value& artifacts) {
  auto out = job_abilities(found.row, found.access);
  const bool update = static_cast<bool>(allowed(Ability::kUpdateBuilds, found.access));
  const bool there = artifacts["available"].bool_or(false);
  out.set("update", update);
  out.set("keep_artifacts", update && artifacts["keepable"].bool_or(false));
  out.set("delete_artifacts", update && there);
  return out;
}

// What the row knows beyond REST's form of it.
void add_details(json::Value& out, const Row& job) {
  out.set("warning", is_warning(job));
  out.set("when", job.text("when_to_run"));
  out.set("manual", job.text("when_to_run") == "manual");
  out.set("scheduled_at", model::time_json(job.optional_integer("scheduled_at")));
  out.set("timeout", optional_json(job.optional_integer("timeout")));
  out.set("timeout_source", text_or_null(job.text("timeout_source")));
  out.set("debug_trace", job.boolean("debug_trace"));
  out.set("exit_code", optional_json(job.optional_integer("exit_code")));
  out.set("failure_reason", text_or_null(job.text("failure_reason")));
  out.set("trace_size", job.integer("trace_size"));
  out.set("trace_complete", is_over(job));
  out.set("erased_by", nullptr); // who is in the audit trail, not in the job
  out.set("retried", job.boolean("retried"));
  out.set("reason", reason_json(job));
}

Outcome<Reply> show_job(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(pipelines::find_job(tx, call));
    const auto& job = found.row;
    const auto pipeline_id = job.integer("pipeline_id");
    const auto latest = API_TRY(pipelines::latest_jobs(tx, pipeline_id, ", stage"));
    const auto tries = API_TRY(earlier_tries(tx, found.project, pipeline_id));
    auto out = API_TRY(pipelines::job_json(tx, call.app, found.project, job));
    add_details(out, job);
    auto artifacts = API_TRY(artifacts_json(tx, call, found));
    out.set("abilities", abilities_json(found, artifacts));
    out.set("artifacts", std::move(artifacts));
    out.set("runner", API_TRY(runner_summary(tx, call, job)));
    const auto state = std::ranges::find(latest.states, job.text("name"), &ci::JobState::name);
    out.set("needs", state == latest.states.end() ? json::Value() : needs_json(*state));
    const auto earlier = tries.find(job.text("name"));
    out.set("retries", earlier == tries.end() ? json::Value::array() : earlier->second);
    out.set("retried_by", API_TRY(retried_by(tx, job)));
    out.set("stage_jobs", API_TRY(stage_jobs(tx, found)));
    out.set("stages",
            stages_json(latest, [&](std::size_t i) { return side_entry(found.project, latest.rows[i], false); }));
    out.set("stuck", API_TRY(stuck_json(tx, call, found.project, job)));
    out.set("web_path", job_path(found.project, job.integer("id")));
    auto pipeline = out["pipeline"];
    pipeline.set("web_path", pipeline_path(found.project, pipeline_id));
    out.set("pipeline", std::move(pipeline));
    return json_reply(200, out);
  });
}

Outcome<Reply> tail_log(const std::shared_ptr<Work>& work, Call& call) {
  const auto offset = std::max<std::int64_t>(0, call.params.integer("offset").value_or(0));
  const auto limit = std::clamp<std::int64_t>(call.params.integer("limit").value_or(kMostOfLog), 1, kMostOfLog);
  API_CHECK(call.params.finish());
  const auto found = API_TRY(call.app.store.read([&](Transaction& tx) { return pipelines::find_job(tx, call); }));
  // A log written with debug tracing shows every variable.
  if (found.row.boolean("debug_trace") && !allowed(Ability::kReadDebugTrace, found.access)) {
    return std::unexpected(forbidden());
  }
  const auto id = found.row.integer("id");
  work->traces.watch(id);
  const auto size = static_cast<std::int64_t>(API_TRY(work->traces.size(id)));
  Reply reply = text_reply(200, "");
  if (offset < size) {
    API_CHECK(work->traces.fill(reply, id, static_cast<std::uint64_t>(offset),
                                static_cast<std::uint64_t>(std::min(limit, size - offset))));
  }
  reply.headers.set("X-Trace-Offset", std::to_string(offset));
  reply.headers.set("X-Trace-Size", std::to_string(size));
  reply.headers.set("X-Trace-Complete", is_over(found.row) ? "true" : "false");
  reply.headers.set("X-Trace-Status", found.row.text("status"));
  return reply;
}

// `path`: a directory of the archive, "" for its top.
Outcome<Reply> list_artifacts(Call& call) {
  const auto directory = call.params.text("path").value_or("");
  API_CHECK(call.params.finish());
  const auto artifact = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<Row> {
    const auto found = API_TRY(pipelines::find_job(tx, call));
    return pipelines::find_archive(tx, found.access, found.row.integer("id"));
  }));
  return call.app.artifacts.list(artifact, directory);
}

} // namespace

void register_job_pages(Api& api, const std::shared_ptr<Work>& work) {
  api.get("/projects/:id/jobs/:job_id", show_job, {.root = kWebRoot});
  api.get("/projects/:id/jobs/:job_id/trace", [work](Call& call) { return tail_log(work, call); },
          {.slow = true, .root = kWebRoot});
  api.get("/projects/:id/jobs/:job_id/artifacts", list_artifacts, {.slow = true, .root = kWebRoot});
}

} // namespace coordinator::web
