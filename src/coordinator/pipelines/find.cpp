#include "coordinator/pipelines/find.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "ci/status.hpp"

namespace coordinator::pipelines {

Outcome<model::ProjectAccess> readable_project(Transaction& tx, const Call& call) {
  auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
  if (!allowed(Ability::kReadBuilds, found.access)) return std::unexpected(forbidden());
  return found;
}

Outcome<Found> find_pipeline(Transaction& tx, const Call& call) {
  auto found = API_TRY(readable_project(tx, call));
  auto row = API_TRY(tx.query_one("SELECT * FROM pipelines WHERE id = ? AND project_id = ?",
                                  {call.path_id("pipeline_id").value_or(0), found.project.id}));
  if (!row) return std::unexpected(not_found("Pipeline"));
  return Found{.project = found.project, .access = found.access, .row = *row};
}

Outcome<Found> find_job(Transaction& tx, const Call& call) {
  auto found = API_TRY(readable_project(tx, call));
  auto row = API_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ? AND project_id = ?",
                                  {call.path_id("job_id").value_or(0), found.project.id}));
  if (!row) return std::unexpected(not_found(""));
  return Found{.project = found.project, .access = found.access, .row = *row};
}

Outcome<Row> find_archive(Transaction& tx, const Access& access, std::int64_t job_id) {
  auto artifact = API_TRY(tx.query_one("SELECT * FROM artifacts WHERE job_id = ? AND file_type = 'archive'", {job_id}));
  if (!artifact) return std::unexpected(not_found(""));
  if (!can_download_artifacts(access, artifact->text("access"))) return std::unexpected(forbidden());
  return *artifact;
}

model::Condition jobs_in_scope(Params& params) {
  model::Condition out;
  Binds statuses;
  std::string marks;
  for (const auto& word : params.list("scope").value_or(std::vector<std::string>())) {
    if (!ci::parse_status(word)) params.complain("scope does not have a valid value");
    marks += marks.empty() ? "?" : ", ?";
    statuses.emplace_back(word);
  }
  if (!marks.empty()) out.add("status IN (" + marks + ")", statuses);
  return out;
}

model::Condition pipelines_matching(Params& params) {
  model::Condition out;
  auto scope = params.one_of("scope", {"running", "pending", "finished", "branches", "tags"});
  for (const char* column : {"status", "ref", "sha", "source", "name"}) {
    auto value = params.text(column);
    if (!value) continue;
    if (column == std::string_view("status") && !ci::parse_status(*value)) {
      params.complain("status does not have a valid value");
    }
    out.add(fmt::format("{} = ?", column), {*value});
  }
  for (const char* column : {"created", "updated"}) {
    for (const bool after : {true, false}) {
      const auto name = fmt::format("{}_{}", column, after ? "after" : "before");
      const auto text = params.text(name);
      if (!text || text->empty()) continue;
      const auto seconds = base::parse_rfc3339(text->size() == 10 ? *text + "T00:00:00Z" : *text);
      if (!seconds) params.complain(name + " is invalid");
      out.add(fmt::format("{}_at {} ?", column, after ? ">" : "<"), {seconds.value_or(0) * 1000});
    }
  }
  if (auto username = params.text("username")) {
    out.add("user_id IN (SELECT id FROM users WHERE lower(username) = ?)", {base::to_lower(*username)});
  }
  if (auto broken = params.boolean("yaml_errors")) out.add(*broken ? "yaml_errors IS NOT NULL" : "yaml_errors IS NULL");
  if (scope == "running" || scope == "pending") out.add("status = ?", {*scope});
  if (scope == "finished") out.add("status IN ('success', 'failed', 'canceled')");
  if (scope == "branches") out.add("ref_type = 'branch'");
  if (scope == "tags") out.add("ref_type = 'tag'");
  return out;
}

} // namespace coordinator::pipelines
