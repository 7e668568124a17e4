// GET /-/web/projects/:id/pipelines and …/:pipeline_id/graph.
#include <set>

#include "coordinator/model/users.hpp"
#include "coordinator/pipelines/find.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/web/job_shapes.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

using pipelines::Latest;

json::Value pipeline_abilities(const Latest& latest, const Access& access) {
  bool alive = false;
  bool failed = false;
  for (const auto& row : latest.rows) {
    const auto status = ci::parse_status(row.text("status")).value_or(ci::Status::kFailed);
    alive = alive || ((ci::is_alive(status) || status == ci::Status::kScheduled || status == ci::Status::kManual) &&
                      status != ci::Status::kCanceling);
    failed = failed || status == ci::Status::kFailed || status == ci::Status::kCanceled;
  }
  const bool update = static_cast<bool>(allowed(Ability::kUpdateBuilds, access));
  return json::Value::object({{"cancel", update && alive},
                              {"retry", update && failed},
                              {"delete", static_cast<bool>(allowed(Ability::kDestroyPipeline, access))}});
}

// A row of the list; `stages` as the caller wants them.
Outcome<json::Value> pipeline_row(Transaction& tx, const Call& call, const pipelines::Found& found,
                                  const Latest& latest, json::Value stages) {
  auto out = API_TRY(pipelines::pipeline_json(tx, call.app, found.project, found.row));
  bool warnings = false;
  for (const auto& row : latest.rows) warnings = warnings || is_warning(row);
  out.set("warnings", warnings);
  out.set("commit", pipelines::commit_json(call.app, found.project, found.row));
  out.set("stages", std::move(stages));
  out.set("abilities", pipeline_abilities(latest, found.access));
  out.set("web_path", pipeline_path(found.project, found.row.integer("id")));
  return out;
}

Outcome<Reply> list_pipelines(Call& call) {
  const auto page = API_TRY(read_page(call.params));
  auto condition = pipelines::pipelines_matching(call.params);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(pipelines::readable_project(tx, call));
    condition.add("project_id = ?", {found.project.id});
    const auto total = API_TRY(tx.count("SELECT count(*) FROM pipelines WHERE " + condition.sql, condition.binds));
    auto binds = condition.binds;
    binds.emplace_back(page.per_page);
    binds.emplace_back(page.offset());
    auto out = json::Value::array();
    for (auto& row : API_TRY(tx.query(
             "SELECT * FROM pipelines WHERE " + condition.sql + " ORDER BY id DESC LIMIT ? OFFSET ?", binds))) {
      const auto latest = API_TRY(pipelines::latest_jobs(tx, row.integer("id"), ", stage"));
      auto stages = stages_json(latest, [](std::size_t) { return json::Value(); });
      for (auto& stage : stages.as_array())
        std::erase_if(stage.as_object(), [](const auto& m) { return m.first == "jobs"; });
      const pipelines::Found one{.project = found.project, .access = found.access, .row = std::move(row)};
      auto entry = API_TRY(pipeline_row(tx, call, one, latest, std::move(stages)));
      entry.set("yaml_errors", !entry["yaml_errors"].is_null());
      out.push_back(std::move(entry));
    }
    return call.page_reply(std::move(out), page, total);
  });
}

// Jobs of the pipeline that keep an archive of artifacts.
Outcome<std::set<std::int64_t>> jobs_with_artifacts(Transaction& tx, std::int64_t pipeline_id) {
  std::set<std::int64_t> out;
  for (const auto& row : API_TRY(tx.query("SELECT a.job_id AS id FROM artifacts a JOIN jobs j ON j.id = a.job_id WHERE "
                                          "j.pipeline_id = ? AND a.file_type = 'archive'",
                                          {pipeline_id}))) {
    out.insert(row.integer("id"));
  }
  return out;
}

struct Graph {
  const Call& call;
  const pipelines::Found& found;
  const Latest& latest;
  const std::set<std::int64_t>& with_artifacts;
  const std::map<std::string, json::Value>& tries;

  json::Value job(std::size_t i) const {
    const auto& row = latest.rows[i];
    const auto id = row.integer("id");
    const auto status = row.text("status");
    const auto started = row.optional_integer("started_at");
    const auto finished = row.optional_integer("finished_at");
    const bool alive = status == "running" || status == "canceling";
    const auto tags = json::parse(row.text("tag_list"));
    const auto earlier = tries.find(row.text("name"));
    const auto coverage = row.optional_real("coverage");
    return json::Value::object(
        {{"id", id},
         {"name", row.text("name")},
         {"stage", row.text("stage")},
         {"status", status},
         {"allow_failure", row.boolean("allow_failure")},
         {"warning", is_warning(row)},
         {"when", row.text("when_to_run")},
         {"manual", row.text("when_to_run") == "manual"},
         {"scheduled_at", model::time_json(row.optional_integer("scheduled_at"))},
         {"needs", needs_json(latest.states[i])},
         {"tag_list", tags ? *tags : json::Value::array()},
         {"created_at", model::time_json(row.integer("created_at"))},
         {"started_at", model::time_json(started)},
         {"finished_at", model::time_json(finished)},
         {"duration", pipelines::seconds_between(started, alive ? std::optional(call.now()) : finished)},
         {"queued_duration", pipelines::seconds_between(row.optional_integer("queued_at"), started)},
         {"failure_reason", text_or_null(row.text("failure_reason"))},
         {"coverage", coverage ? json::Value(*coverage) : json::Value()},
         {"artifacts", with_artifacts.contains(id)},
         {"retries", earlier == tries.end() ? json::Value::array() : earlier->second},
         {"reason", reason_json(row)},
         {"web_path", job_path(found.project, id)},
         {"abilities", job_abilities(row, found.access)}});
  }
};

Outcome<Reply> show_graph(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(pipelines::find_pipeline(tx, call));
    const auto id = found.row.integer("id");
    const auto latest = API_TRY(pipelines::latest_jobs(tx, id, kEntryColumns));
    const auto with_artifacts = API_TRY(jobs_with_artifacts(tx, id));
    const auto tries = API_TRY(earlier_tries(tx, found.project, id));
    const Graph graph{call, found, latest, with_artifacts, tries};
    const auto stages = stages_json(latest, [&](std::size_t i) { return graph.job(i); });
    auto pipeline = API_TRY(pipeline_row(tx, call, found, latest, stages));
    const auto warnings = json::parse(found.row.text("warnings"));
    pipeline.set("warnings_text", warnings ? *warnings : json::Value::array());
    return json_reply(200, json::Value::object({{"pipeline", std::move(pipeline)}, {"stages", stages}}));
  });
}

} // namespace

void register_pipeline_pages(Api& api) {
  api.get("/projects/:id/pipelines", list_pipelines, {.root = kWebRoot});
  api.get("/projects/:id/pipelines/:pipeline_id/graph", show_graph, {.root = kWebRoot});
}

} // namespace coordinator::web
