// GET /runners/:id/jobs.
#include <fmt/format.h>

#include <map>

#include "coordinator/pipelines/json.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

using Projects = std::map<std::int64_t, model::Project>;

// Of the projects that have jobs on this runner, those whose jobs the caller may read.
Outcome<Projects> readable_projects(Transaction& tx, const Call& call, std::int64_t runner_id) {
  Projects out;
  for (const auto& row : API_TRY(tx.query("SELECT DISTINCT project_id FROM jobs WHERE runner_id = ?", {runner_id}))) {
    auto project = API_TRY(model::find_project(tx, row.integer("project_id")));
    if (!project) continue;
    const auto access = API_TRY(model::access_to(tx, call.identity, *project, call.now()));
    if (access.at_least(kReporter)) out.emplace(project->id, std::move(*project));
  }
  return out;
}

Outcome<Reply> list_jobs(Call& call) {
  auto& params = call.params;
  const auto listing = API_TRY(read_listing(params));
  const auto status =
      params.one_of("status", {"created", "waiting_for_resource", "preparing", "pending", "running", "success",
                               "failed", "canceled", "canceling", "skipped", "manual", "scheduled"});
  const auto system_id = params.text("system_id");
  API_CHECK(params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kReadRunnerJobs));
    const auto projects = API_TRY(readable_projects(tx, call, found.runner.id));
    std::string ids = "0";
    for (const auto& [id, project] : projects) ids += fmt::format(",{}", id);
    model::Condition where;
    where.add("runner_id = ? AND project_id IN (" + ids + ")", {found.runner.id});
    if (status) where.add("status = ?", {*status});
    if (system_id) {
      where.add("manager_id IN (SELECT id FROM runner_managers WHERE runner_id = ? AND system_id = ?)",
                {found.runner.id, *system_id});
    }
    // Counting one host's jobs would be slow, so GitLab does not promise it.
    return list_rows(tx, call, listing, {.table = "jobs", .id = "id", .counted = !system_id}, std::move(where),
                     [&](const Row& row) -> Outcome<json::Value> {
                       const auto& project = projects.at(row.integer("project_id"));
                       auto job = API_TRY(pipelines::job_json(tx, call.app, project, row));
                       job.set("project", model::project_basic_json(call.app, project));
                       return job;
                     });
  });
}

} // namespace

void register_runner_jobs_list(Api& api) {
  api.get("/runners/:id/jobs", list_jobs,
          {.scopes = {"read_api", "manage_runner"},
           .summary = "Jobs that a runner has taken, as far as the caller may read them",
           .params = "@keyset status:(created|waiting_for_resource|preparing|pending|running|success|failed|canceled|"
                     "canceling|skipped|manual|scheduled) system_id:text",
           .answers = "200:[RunnerJob]"});
}

} // namespace coordinator::rest
