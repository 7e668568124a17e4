// Runner management by users: creation, one runner's details, assignment, tokens (runner-tokens digest §6 and §11).
#include "coordinator/model/runners.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "coordinator/model/audit.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

std::string target(std::int64_t runner_id) { return fmt::format("runner {}", runner_id); }

void announce(Transaction& tx, Call& call, std::int64_t runner_id) {
  tx.after_commit([&app = call.app, runner_id] { app.events.runner_changed(runner_id); });
}

// Reads what is given over what is there.
void read_attributes(Params& params, model::RunnerAttributes& out) {
  if (params.has("description")) out.description = params.text("description").value_or("");
  if (params.has("maintenance_note")) out.maintenance_note = params.text("maintenance_note").value_or("");
  if (const auto paused = params.boolean("paused")) out.active = !*paused;
  if (const auto active = params.boolean("active")) out.active = *active;
  if (const auto locked = params.boolean("locked")) out.locked = *locked;
  if (const auto untagged = params.boolean("run_untagged")) out.run_untagged = *untagged;
  if (const auto level = params.one_of("access_level", {"not_protected", "ref_protected"})) {
    out.ref_protected = *level == "ref_protected";
  }
  if (params.has("maximum_timeout")) out.maximum_timeout = params.integer("maximum_timeout");
  if (params.has("tag_list")) out.tag_list = params.list("tag_list").value_or(std::vector<std::string>{});
}

json::Value issued_json(const model::IssuedToken& issued) {
  return json::Value::object({{"token", issued.token}, {"token_expires_at", model::time_json(issued.expires_at)}});
}

// --- POST /user/runners ---

struct Scope {
  std::optional<model::Namespace> group;
  std::optional<model::Project> project;
  Access access;
};

// What does not exist and what the caller may not know of are answered alike.
Outcome<Scope> scope_of(Transaction& tx, const Call& call, RunnerType type, std::optional<std::int64_t> id) {
  Scope scope;
  scope.access.actor = call.identity.actor();
  if (type == RunnerType::kGroup) {
    auto found = model::visible_group(tx, call, std::to_string(*id));
    if (!found) return std::unexpected(bad_request("Missing/invalid scope"));
    scope.access = found->access;
    scope.group = std::move(found->group);
  } else if (type == RunnerType::kProject) {
    auto found = model::visible_project(tx, call, std::to_string(*id));
    if (!found) return std::unexpected(bad_request("Missing/invalid scope"));
    scope.access = found->access;
    scope.project = std::move(found->project);
    scope.group = API_TRY(model::find_namespace(tx, scope.project->namespace_id));
  }
  return scope;
}

Outcome<Violations> limit_violations(Transaction& tx, RunnerType type, std::int64_t owner_id, std::int64_t now) {
  Violations out;
  const bool group = type == RunnerType::kGroup;
  const auto limit =
      API_TRY(model::setting_integer(tx, group ? "ci_registered_group_runners" : "ci_registered_project_runners"));
  if (limit > 0 && API_TRY(model::recent_runner_count(tx, type, owner_id, now)) >= limit) {
    out.add(
        group ? "runner_namespaces.base" : "runner_projects.base",
        fmt::format("Maximum number of ci registered {} runners ({}) exceeded", group ? "group" : "project", limit));
  }
  return out;
}

Outcome<Reply> create_runner(Call& call) {
  auto& params = call.params;
  const auto word = params.one_of("runner_type", {"instance_type", "group_type", "project_type"}, Presence::kRequired);
  const auto type = parse_runner_type(word.value_or("")).value_or(RunnerType::kInstance);
  std::optional<std::int64_t> owner_id;
  if (type == RunnerType::kGroup) owner_id = params.integer("group_id", Presence::kRequired);
  if (type == RunnerType::kProject) owner_id = params.integer("project_id", Presence::kRequired);
  if (type != RunnerType::kInstance && !owner_id &&
      params.is_null(type == RunnerType::kGroup ? "group_id" : "project_id")) {
    params.complain(type == RunnerType::kGroup ? "group_id is missing" : "project_id is missing");
  }
  model::NewRunner wish{.type = type, .creator_id = call.identity.user_id};
  read_attributes(params, wish.attributes);
  API_CHECK(params.finish());
  if (type != RunnerType::kProject) wish.attributes.locked = false;
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto scope = API_TRY(scope_of(tx, call, type, owner_id));
    const auto rules = API_TRY(model::registration_rules(tx, type, scope.group ? &*scope.group : nullptr));
    if (!can_create_runner(scope.access, type, rules)) return std::unexpected(forbidden("Insufficient permissions"));
    if (type == RunnerType::kGroup) wish.namespace_id = owner_id;
    if (type == RunnerType::kProject) wish.project_id = owner_id;
    if (const auto violations = model::validate(wish.attributes); !violations.empty()) {
      return std::unexpected(violations.as_sentence());
    }
    if (owner_id) {
      const auto violations = API_TRY(limit_violations(tx, type, *owner_id, call.now()));
      if (!violations.empty()) return std::unexpected(violations.as_sentence());
    }
    const auto issued = API_TRY(model::create_runner(tx, call.app, wish));
    API_CHECK(model::audit(tx, call, "ci_runner_created", target(issued.runner.id)));
    announce(tx, call, issued.runner.id);
    return json_reply(201,
                      json::Value::object({{"id", issued.runner.id},
                                           {"token", issued.token},
                                           {"token_expires_at", model::time_json(issued.runner.token_expires_at)}}));
  });
}

// --- one runner ---

struct Found {
  model::Runner runner;
  RunnerAccess access;
};

Outcome<Found> runner_of(Transaction& tx, const Call& call, std::optional<std::int64_t> id,
                         bool (*allowed)(const RunnerAccess&)) {
  auto runner = id ? API_TRY(model::find_runner(tx, *id)) : std::optional<model::Runner>();
  if (!runner) return std::unexpected(not_found("Runner"));
  const auto access = API_TRY(model::runner_access(tx, call.identity, *runner, call.now()));
  if (!allowed(access)) return std::unexpected(forbidden("No access granted"));
  return Found{std::move(*runner), access};
}

Outcome<Reply> show_runner(Call& call) {
  const bool with_projects = call.params.boolean("include_projects").value_or(true);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_read_runner));
    return json_reply(200, API_TRY(runner_details_json(tx, call, found.runner, with_projects)));
  });
}

model::RunnerAttributes attributes_of(const model::Runner& runner) {
  return {.description = runner.description,
          .maintenance_note = runner.maintenance_note,
          .active = runner.active,
          .locked = runner.locked,
          .run_untagged = runner.run_untagged,
          .ref_protected = runner.ref_protected,
          .maximum_timeout = runner.maximum_timeout,
          .tag_list = runner.tag_list};
}

Outcome<Reply> update_runner(Call& call) {
  auto& params = call.params;
  params.at_least_one({"description", "active", "paused", "tag_list", "run_untagged", "locked", "access_level",
                       "maximum_timeout", "maintenance_note"});
  params.exclusive("active", "paused");
  model::RunnerAttributes probe; // complaints before anything else
  read_attributes(params, probe);
  API_CHECK(params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_update_runner));
    auto attributes = attributes_of(found.runner);
    read_attributes(params, attributes);
    const bool tags_changed = attributes.tag_list != found.runner.tag_list;
    if (const auto violations = model::validate(attributes, tags_changed); !violations.empty()) {
      return std::unexpected(violations.as_object());
    }
    API_CHECK(model::update_runner(tx, found.runner.id, attributes));
    API_CHECK(model::audit(tx, call, "ci_runner_updated", target(found.runner.id)));
    announce(tx, call, found.runner.id);
    const auto runner = API_TRY(model::find_runner(tx, found.runner.id));
    return json_reply(200, API_TRY(runner_details_json(tx, call, *runner, true)));
  });
}

Outcome<Reply> delete_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_read_runner));
    const auto& access = found.access;
    if (!access.actor.admin && access.project_count > 1) {
      return std::unexpected(forbidden("Runner associated with more than one project"));
    }
    if (!can_delete_runner(access)) return std::unexpected(forbidden("No access granted"));
    API_CHECK(model::delete_runner(tx, found.runner.id));
    API_CHECK(model::audit(tx, call, "ci_runner_unregistered", target(found.runner.id)));
    tx.after_commit([&app = call.app, id = found.runner.id] { app.events.runner_deleted(id); });
    return empty_reply(204);
  });
}

Outcome<Reply> reset_token(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_update_runner));
    const auto issued = API_TRY(model::reset_token(tx, call.app, found.runner));
    API_CHECK(model::audit(tx, call, "ci_runner_token_reset", target(found.runner.id)));
    announce(tx, call, found.runner.id);
    return json_reply(201, issued_json(issued));
  });
}

Outcome<Reply> list_managers(Call& call) {
  const auto page = API_TRY(read_page(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_read_runner));
    const auto managers = API_TRY(model::managers_of(tx, found.runner.id));
    auto out = json::Value::array();
    const auto end = std::min<std::int64_t>(page.offset() + page.per_page, static_cast<std::int64_t>(managers.size()));
    for (auto i = page.offset(); i < end; ++i) {
      out.push_back(API_TRY(manager_json(tx, managers[static_cast<std::size_t>(i)], call.now())));
    }
    return call.page_reply(std::move(out), page, static_cast<std::int64_t>(managers.size()));
  });
}

Outcome<Reply> list_runner_projects(Call& call) {
  const auto page = API_TRY(read_page(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_read_runner));
    auto out = json::Value::array();
    std::int64_t total = 0;
    for (const auto id : API_TRY(model::runner_project_ids(tx, found.runner.id))) {
      const auto project = API_TRY(model::find_project(tx, id));
      if (!project || !can_see(API_TRY(model::access_to(tx, call.identity, *project, call.now())))) continue;
      if (total >= page.offset() && total < page.offset() + page.per_page) {
        out.push_back(model::project_basic_json(call.app, *project));
      }
      ++total;
    }
    return call.page_reply(std::move(out), page, total);
  });
}

// --- jobs of a runner ---

// Of the projects that have jobs on this runner, those where the caller is Reporter.
Outcome<std::map<std::int64_t, model::Project>> readable_projects(Transaction& tx, const Call& call,
                                                                  std::int64_t runner_id) {
  std::map<std::int64_t, model::Project> out;
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
  const auto page = API_TRY(read_page(params));
  const auto status =
      params.one_of("status", {"created", "waiting_for_resource", "preparing", "pending", "running", "success",
                               "failed", "canceled", "canceling", "skipped", "manual", "scheduled"});
  const auto system_id = params.text("system_id");
  params.one_of("order_by", {"id"});
  const auto sort = params.one_of("sort", {"asc", "desc"}).value_or("desc");
  API_CHECK(params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_of(tx, call, call.path_id("id"), can_read_runner_jobs));
    const auto projects = API_TRY(readable_projects(tx, call, found.runner.id));
    std::string ids = "0";
    for (const auto& [id, project] : projects) ids += fmt::format(",{}", id);
    const auto where = " FROM jobs WHERE runner_id = ? AND project_id IN (" + ids +
                       ") AND (? IS NULL OR status = ?) AND (? IS NULL OR manager_id IN (SELECT id FROM "
                       "runner_managers WHERE runner_id = ? AND system_id = ?))";
    const Binds binds = {found.runner.id, status, status, system_id, found.runner.id, system_id};
    const auto total = API_TRY(tx.count("SELECT count(*)" + where, binds));
    auto paged = binds;
    paged.emplace_back(page.per_page);
    paged.emplace_back(page.offset());
    auto out = json::Value::array();
    for (const auto& row :
         API_TRY(tx.query("SELECT *" + where + " ORDER BY id " + sort + " LIMIT ? OFFSET ?", paged))) {
      const auto& project = projects.at(row.integer("project_id"));
      auto job = API_TRY(pipelines::job_json(tx, call.app, project, row));
      job.set("project", model::project_basic_json(call.app, project));
      out.push_back(std::move(job));
    }
    return call.page_reply(std::move(out), page, total);
  });
}

// --- assignment ---

Reply runner_error(std::string_view text) { return message_reply(400, fmt::format("{} - runner_error", text)); }

Outcome<std::monostate> check_assignable(const Found& found) {
  switch (found.runner.type) {
    case RunnerType::kInstance:
      return std::unexpected(forbidden("Runner is an instance runner"));
    case RunnerType::kGroup:
      return std::unexpected(forbidden("Runner is a group runner"));
    case RunnerType::kProject:
      break;
  }
  if (found.access.actor.admin) return {};
  if (found.runner.locked) return std::unexpected(forbidden("Runner is locked"));
  if (!can_assign_runner(found.access)) return std::unexpected(forbidden("No access granted"));
  return {};
}

bool anybody(const RunnerAccess&) { return true; }

Outcome<Reply> assign_runner(Call& call) {
  const auto runner_id = call.params.integer("runner_id", Presence::kRequired);
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto project = API_TRY(model::project_for(tx, call, kMaintainer)).project;
    const auto found = API_TRY(runner_of(tx, call, runner_id, anybody));
    API_CHECK(check_assignable(found));
    const auto violations = API_TRY(limit_violations(tx, RunnerType::kProject, project.id, call.now()));
    if (!violations.empty()) return std::unexpected(runner_error(violations.sentences().front()));
    auto done = tx.execute("INSERT INTO runner_projects (runner_id, project_id, created_at) VALUES (?, ?, ?)",
                           {found.runner.id, project.id, call.now()});
    if (!done && done.error().kind() == base::ErrorKind::kConflict) {
      return std::unexpected(runner_error("Runner is already assigned to this project"));
    }
    API_CHECK(std::move(done));
    API_CHECK(model::audit(tx, call, "ci_runner_assigned_to_project", target(found.runner.id),
                           json::Value::object({{"project_id", project.id}})));
    announce(tx, call, found.runner.id);
    return json_reply(201, API_TRY(runner_json(tx, call, found.runner)));
  });
}

Outcome<Reply> unassign_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto project = API_TRY(model::project_for(tx, call, kMaintainer)).project;
    const auto runner_id = call.path_id("runner_id").value_or(0);
    const auto assigned = API_TRY(tx.count(
        "SELECT count(*) FROM runner_projects WHERE runner_id = ? AND project_id = ?", {runner_id, project.id}));
    if (assigned == 0) return std::unexpected(not_found("Runner"));
    const auto found = API_TRY(runner_of(tx, call, runner_id, anybody));
    if (!found.access.actor.admin && found.runner.locked) return std::unexpected(forbidden("Runner is locked"));
    if (found.runner.owner_project_id == project.id) {
      return std::unexpected(
          forbidden("You cannot unassign a runner from the owner project. Delete the runner instead"));
    }
    API_CHECK(
        tx.execute("DELETE FROM runner_projects WHERE runner_id = ? AND project_id = ?", {runner_id, project.id}));
    API_CHECK(model::audit(tx, call, "ci_runner_unassigned_from_project", target(runner_id),
                           json::Value::object({{"project_id", project.id}})));
    announce(tx, call, runner_id);
    return empty_reply(204);
  });
}

// --- registration tokens ---

ApiHandler reset_registration_token(RunnerType type) {
  return [type](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      Scope scope;
      std::string name = "instance";
      std::int64_t id = 0;
      scope.access.actor = call.identity.actor();
      if (type == RunnerType::kGroup) {
        auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
        name = "group";
        id = found.group.id;
        scope.access = found.access;
        scope.group = std::move(found.group);
      } else if (type == RunnerType::kProject) {
        auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
        name = "project";
        id = found.project.id;
        scope.access = found.access;
        scope.group = API_TRY(model::find_namespace(tx, found.project.namespace_id));
      }
      const auto rules = API_TRY(model::registration_rules(tx, type, scope.group ? &*scope.group : nullptr));
      if (!can_use_registration_token(scope.access, type, rules)) return std::unexpected(forbidden());
      const auto token = API_TRY(model::reset_registration_token(tx, call.app.vault, name, id));
      API_CHECK(model::audit(tx, call, "runners_registration_token_reset", fmt::format("{} {}", name, id)));
      return json_reply(201, json::Value::object({{"token", token}}));
    });
  };
}

} // namespace

void register_runners(Api& api) {
  const std::vector<std::string> readers = {"read_api", "manage_runner"};
  const Route read{.scopes = readers};
  const Route write{.scopes = {"manage_runner"}};
  api.post("/user/runners", create_runner, {.scopes = {"create_runner"}});
  api.get("/runners/:id", show_runner, read);
  api.put("/runners/:id", update_runner, write);
  api.remove("/runners/:id", delete_runner, write);
  api.get("/runners/:id/jobs", list_jobs, read);
  api.get("/runners/:id/managers", list_managers, read);
  api.get("/runners/:id/projects", list_runner_projects, read);
  api.post("/runners/:id/reset_authentication_token", reset_token, write);
  api.post("/projects/:id/runners", assign_runner, write);
  api.remove("/projects/:id/runners/:runner_id", unassign_runner, write);
  api.post("/runners/reset_registration_token", reset_registration_token(RunnerType::kInstance), write);
  api.post("/groups/:id/runners/reset_registration_token", reset_registration_token(RunnerType::kGroup), write);
  api.post("/projects/:id/runners/reset_registration_token", reset_registration_token(RunnerType::kProject), write);
}

} // namespace coordinator::rest
