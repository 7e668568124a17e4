// Assigning project runners to further projects, and resetting registration tokens (runner-tokens digest §7.1, §11.5).
#include <fmt/format.h>

#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

Reply runner_error(std::string_view text) { return message_reply(400, fmt::format("{} - runner_error", text)); }

Outcome<Reply> assign_runner(Call& call) {
  const auto runner_id = call.params.integer("runner_id", Presence::kRequired);
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto target = API_TRY(model::visible_project(tx, call, call.path("id")));
    const auto& project = target.project;
    const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
    const auto rules = API_TRY(model::registration_rules(tx, RunnerType::kProject, space ? &*space : nullptr));
    if (!allowed(Ability::kReceiveRunner, target.access, rules)) return std::unexpected(forbidden());
    const auto found = API_TRY(runner_for(tx, call, runner_id, Ability::kAssignRunner));
    const auto violations = API_TRY(runner_limit_violations(tx, RunnerType::kProject, project.id, call.now()));
    if (!violations.empty()) return std::unexpected(runner_error(violations.sentences().front()));
    auto done = tx.execute("INSERT INTO runner_projects (runner_id, project_id, created_at) VALUES (?, ?, ?)",
                           {found.runner.id, project.id, call.now()});
    if (!done && done.error().kind() == base::ErrorKind::kConflict) {
      return std::unexpected(runner_error("Runner is already assigned to this project"));
    }
    API_CHECK(std::move(done));
    API_CHECK(model::audit(tx, call, "ci_runner_assigned_to_project", model::subject_of(found.runner),
                           json::Value::object({{"project_id", project.id}, {"project", project.full_path}})));
    tx.after_commit([&app = call.app, id = found.runner.id] { app.events.runner_changed(id); });
    return json_reply(201, API_TRY(runner_json(tx, call, found.runner)));
  });
}

Outcome<Reply> unassign_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto project = API_TRY(model::project_for(tx, call, Ability::kAdmin)).project;
    const auto runner_id = call.path_id("runner_id").value_or(0);
    const auto assignment = API_TRY(tx.query_one(
        "SELECT created_at FROM runner_projects WHERE runner_id = ? AND project_id = ?", {runner_id, project.id}));
    const auto runner = assignment ? API_TRY(model::find_runner(tx, runner_id)) : std::nullopt;
    if (!runner) return std::unexpected(not_found("Runner"));
    auto access = API_TRY(model::runner_access(tx, call.identity, *runner, call.now()));
    access.from_owner = runner->owner_project_id == project.id;
    if (const auto decision = allowed(Ability::kUnassignRunner, access); !decision) {
      return std::unexpected(forbidden(decision.reason));
    }
    API_CHECK(check_unmodified(call, assignment->integer("created_at")));
    API_CHECK(
        tx.execute("DELETE FROM runner_projects WHERE runner_id = ? AND project_id = ?", {runner_id, project.id}));
    API_CHECK(model::audit(tx, call, "ci_runner_unassigned_from_project", model::subject_of(*runner),
                           json::Value::object({{"project_id", project.id}, {"project", project.full_path}})));
    tx.after_commit([&app = call.app, runner_id] { app.events.runner_changed(runner_id); });
    return empty_reply(204);
  });
}

// --- registration tokens ---

struct TokenPlace {
  model::AuditSubject subject{.kind = "instance"};
  std::optional<Access> access; // none: the instance
  std::optional<model::Namespace> space;
};

Outcome<TokenPlace> token_place(Transaction& tx, const Call& call, RunnerType type) {
  TokenPlace place;
  if (type == RunnerType::kGroup) {
    auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    place.subject = model::subject_of(found.group);
    place.access = found.access;
    place.space = std::move(found.group);
  } else if (type == RunnerType::kProject) {
    const auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
    place.subject = model::subject_of(found.project);
    place.access = found.access;
    place.space = API_TRY(model::find_namespace(tx, found.project.namespace_id));
  }
  return place;
}

ApiHandler reset_registration_token(RunnerType type) {
  return [type](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(token_place(tx, call, type));
      const auto rules = API_TRY(model::registration_rules(tx, type, place.space ? &*place.space : nullptr));
      const auto decision = place.access ? allowed(Ability::kUpdateRegistrationToken, *place.access, rules)
                                         : allowed(Ability::kUpdateRegistrationToken, call.identity.actor(), rules);
      if (!decision) return std::unexpected(forbidden());
      const auto token =
          API_TRY(model::reset_registration_token(tx, call.app.vault, place.subject.kind, place.subject.id));
      API_CHECK(model::audit(tx, call, "runners_registration_token_reset", place.subject));
      return json_reply(201, json::Value::object({{"token", token}}));
    });
  };
}

} // namespace

void register_runner_assignment(Api& api) {
  const std::vector<std::string> managers = {"manage_runner"};
  api.post("/projects/:id/runners", assign_runner,
           {.scopes = managers,
            .summary = "Assign another project's runner to this project",
            .params = "runner_id!:int",
            .answers = "201:Runner"});
  api.remove("/projects/:id/runners/:runner_id", unassign_runner,
             {.scopes = managers, .summary = "Unassign a runner", .answers = "204 412"});
  for (const auto& [path, type] :
       {std::pair("/runners", RunnerType::kInstance), std::pair("/groups/:id/runners", RunnerType::kGroup),
        std::pair("/projects/:id/runners", RunnerType::kProject)}) {
    api.post(
        std::string(path) + "/reset_registration_token", reset_registration_token(type),
        {.scopes = managers, .summary = "Replace the registration token (deprecated)", .answers = "201:IssuedToken"});
  }
}

} // namespace coordinator::rest
