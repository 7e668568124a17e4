// Runner management by users: creation and one runner's details, edit, deletion, token (runner-tokens digest §6, §11).
#include "coordinator/model/runners.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/model/audit.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

void announce(Transaction& tx, Call& call, std::int64_t runner_id) {
  tx.after_commit([&app = call.app, runner_id] { app.events.runner_changed(runner_id); });
}

// Pausing and resuming are events of their own in the audit trail.
std::string_view name_of_change(const json::Value& difference) {
  if (difference.size() == 1 && difference.find("paused")) {
    return difference["paused"]["to"].bool_or(false) ? "ci_runner_paused" : "ci_runner_resumed";
  }
  return "ci_runner_updated";
}

} // namespace

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

Outcome<std::monostate> edit_runner(Transaction& tx, Call& call, const model::Runner& runner,
                                    model::RunnerAttributes attributes) {
  const auto before = attributes_of(runner);
  if (runner.type != RunnerType::kProject) attributes.locked = before.locked;
  const bool tags_changed = attributes.tag_list != before.tag_list;
  if (const auto violations = model::validate(attributes, tags_changed); !violations.empty()) {
    return std::unexpected(violations.as_object());
  }
  API_CHECK(model::update_runner(tx, runner.id, attributes, call.now()));
  const auto difference = model::changes(attributes_json(before), attributes_json(attributes));
  API_CHECK(model::audit(tx, call, name_of_change(difference), model::subject_of(runner),
                         json::Value::object({{"changes", difference}})));
  announce(tx, call, runner.id);
  return {};
}

Outcome<std::monostate> remove_runner(Transaction& tx, Call& call, const model::Runner& runner) {
  API_CHECK(model::delete_runner(tx, runner.id));
  API_CHECK(model::audit(tx, call, "ci_runner_unregistered", model::subject_of(runner),
                         json::Value::object({{"runner_type", to_string(runner.type)},
                                              {"attributes", attributes_json(attributes_of(runner))}})));
  tx.after_commit([&app = call.app, id = runner.id] { app.events.runner_deleted(id); });
  return {};
}

namespace {

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
  params.exclusive("active", "paused");
  model::NewRunner wish{.type = type, .creator_id = call.identity.user_id};
  read_runner_attributes(params, wish.attributes);
  API_CHECK(params.finish());
  if (type != RunnerType::kProject) wish.attributes.locked = false;
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto scope = API_TRY(scope_of(tx, call, type, owner_id));
    const auto rules = API_TRY(model::registration_rules(tx, type, scope.group ? &*scope.group : nullptr));
    const auto decision = type == RunnerType::kInstance
                              ? allowed(Ability::kCreateInstanceRunners, call.identity.actor(), rules)
                              : allowed(Ability::kCreateRunners, scope.access, rules);
    if (!decision) return std::unexpected(forbidden(decision.reason));
    if (type == RunnerType::kGroup) wish.namespace_id = owner_id;
    if (type == RunnerType::kProject) wish.project_id = owner_id;
    if (const auto violations = model::validate(wish.attributes); !violations.empty()) {
      return std::unexpected(violations.as_sentence());
    }
    if (owner_id) {
      const auto violations = API_TRY(runner_limit_violations(tx, type, *owner_id, call.now()));
      if (!violations.empty()) return std::unexpected(violations.as_sentence());
    }
    const auto issued = API_TRY(model::create_runner(tx, call.app, wish));
    API_CHECK(model::audit(tx, call, "ci_runner_created", model::subject_of(issued.runner),
                           json::Value::object({{"runner_type", to_string(type)},
                                                {"owner_id", owner_id ? json::Value(*owner_id) : json::Value()},
                                                {"attributes", attributes_json(wish.attributes)}})));
    announce(tx, call, issued.runner.id);
    return json_reply(201, credentials_json(issued.runner, issued.token));
  });
}

// --- one runner ---

Outcome<Reply> show_runner(Call& call) {
  const bool with_projects = call.params.boolean("include_projects").value_or(true);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kReadRunner));
    return json_reply(200, API_TRY(runner_details_json(tx, call, found.runner, with_projects)));
  });
}

Outcome<Reply> update_runner(Call& call) {
  auto& params = call.params;
  params.at_least_one({"description", "active", "paused", "tag_list", "run_untagged", "locked", "access_level",
                       "maximum_timeout", "maintenance_note"});
  params.exclusive("active", "paused");
  model::RunnerAttributes probe; // complaints before anything else
  read_runner_attributes(params, probe);
  API_CHECK(params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kUpdateRunner));
    auto attributes = attributes_of(found.runner);
    read_runner_attributes(params, attributes);
    API_CHECK(edit_runner(tx, call, found.runner, std::move(attributes)));
    const auto runner = API_TRY(model::find_runner(tx, found.runner.id));
    return json_reply(200, API_TRY(runner_details_json(tx, call, *runner, true)));
  });
}

Outcome<Reply> delete_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kDeleteRunner));
    API_CHECK(check_unmodified(call, found.runner.updated_at));
    API_CHECK(remove_runner(tx, call, found.runner));
    return empty_reply(204);
  });
}

Outcome<Reply> reset_token(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kUpdateRunner));
    const auto issued = API_TRY(model::reset_token(tx, call.app, found.runner));
    API_CHECK(model::audit(tx, call, "ci_runner_token_reset", model::subject_of(found.runner),
                           json::Value::object({{"rotated_by", "user"}})));
    announce(tx, call, found.runner.id);
    return json_reply(201, issued_json(issued));
  });
}

Outcome<Reply> list_managers(Call& call) {
  const auto listing = API_TRY(read_listing(call.params));
  // Who was heard of last comes first, unless the request says something else.
  const bool by_contact = !call.params.has("order_by") && !call.params.has("sort");
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kReadRunner));
    model::Condition where;
    where.add("m.runner_id = ?", {found.runner.id});
    return list_rows(
        tx, call, listing,
        {.table = "runner_managers m", .id = "m.id", .order = by_contact ? "coalesce(m.contacted_at, 0) DESC" : ""},
        std::move(where), [&](const Row& row) { return manager_json(tx, model::manager_from(row), call.now()); });
  });
}

Outcome<Reply> list_runner_projects(Call& call) {
  const auto listing = API_TRY(read_listing(call.params, {"id"}, "asc"));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(runner_for(tx, call, call.path_id("id"), Ability::kReadRunner));
    auto where = model::projects_visible_to(call.identity, call.now());
    where.add("p.id IN (SELECT project_id FROM runner_projects WHERE runner_id = ?)", {found.runner.id});
    return list_rows(tx, call, listing, {.table = {}, .id = "p.id", .query = model::kProjectSelect}, std::move(where),
                     [&](const Row& row) -> Outcome<json::Value> {
                       return model::project_basic_json(call.app, model::project_from_row(row));
                     });
  });
}

} // namespace

void register_runners(Api& api) {
  const std::vector<std::string> readers = {"read_api", "manage_runner"};
  const std::vector<std::string> managers = {"manage_runner"};
  static const std::string create =
      "runner_type!:(instance_type|group_type|project_type) group_id:int project_id:int " +
      std::string(kRunnerAttributes);
  api.post("/user/runners", create_runner,
           {.scopes = {"create_runner"},
            .summary = "Create a runner; its token is shown this once",
            .params = create,
            .answers = "201:NewRunner"});
  api.get(
      "/runners/:id", show_runner,
      {.scopes = readers, .summary = "One runner", .params = "include_projects:bool", .answers = "200:RunnerDetails"});
  api.put("/runners/:id", update_runner,
          {.scopes = managers,
           .summary = "Edit, pause or resume a runner",
           .params = kRunnerAttributes,
           .answers = "200:RunnerDetails"});
  api.remove("/runners/:id", delete_runner, {.scopes = managers, .summary = "Delete a runner", .answers = "204 412"});
  api.get("/runners/:id/managers", list_managers,
          {.scopes = readers,
           .summary = "Hosts that use the runner's token",
           .params = "@keyset",
           .answers = "200:[RunnerManager]"});
  api.get("/runners/:id/projects", list_runner_projects,
          {.scopes = readers,
           .summary = "Projects that a runner is assigned to",
           .params = "@keyset",
           .answers = "200:[BasicProject]"});
  api.post("/runners/:id/reset_authentication_token", reset_token,
           {.scopes = managers,
            .summary = "Replace a runner's token; the old one ends at once",
            .answers = "201:IssuedToken 422"});
}

} // namespace coordinator::rest
