// What runners call about themselves: register, verify, unregister, rotate the token (protocol digest §5,
// runner-tokens digest §7 and §8).
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

json::Value credentials_json(std::int64_t id, const std::string& token, std::optional<std::int64_t> expires_at) {
  return json::Value::object({{"id", id}, {"token", token}, {"token_expires_at", model::time_json(expires_at)}});
}

std::string target(std::int64_t runner_id) { return fmt::format("runner {}", runner_id); }

// --- POST /runners ---

constexpr std::string_view kDeprecatedSince = "@1669075200"; // RFC 9745: with GitLab 15.6

struct RegistrationTarget {
  RunnerType type = RunnerType::kInstance;
  std::optional<model::Namespace> group;
  std::optional<model::Project> project;
  model::RegistrationScope scope;
  RegistrationRules rules;
};

// The scope whose registration token this is, as far as its kind of member may register runners at all.
Outcome<std::optional<RegistrationTarget>> find_target(Transaction& tx, std::string_view token) {
  const auto scope = API_TRY(model::find_registration_token(tx, token));
  if (!scope) return std::optional<RegistrationTarget>();
  RegistrationTarget out;
  out.scope = *scope;
  if (scope->scope == "group") {
    out.type = RunnerType::kGroup;
    out.group = API_TRY(model::find_namespace(tx, scope->scope_id));
    if (!out.group) return std::optional<RegistrationTarget>();
  } else if (scope->scope == "project") {
    out.type = RunnerType::kProject;
    out.project = API_TRY(model::find_project(tx, scope->scope_id));
    if (!out.project) return std::optional<RegistrationTarget>();
    out.group = API_TRY(model::find_namespace(tx, out.project->namespace_id));
  }
  out.rules = API_TRY(model::registration_rules(tx, out.type, out.group ? &*out.group : nullptr));
  if (!out.rules.registrar_allowed) return std::optional<RegistrationTarget>();
  return std::optional(std::move(out));
}

model::RunnerAttributes read_attributes(Params& params) {
  model::RunnerAttributes out;
  params.exclusive("maintainer_note", "maintenance_note");
  params.exclusive("active", "paused");
  out.description = params.text("description").value_or("");
  const auto note = params.text("maintenance_note");
  out.maintenance_note = note ? *note : params.text("maintainer_note").value_or("");
  if (const auto paused = params.boolean("paused")) out.active = !*paused;
  if (const auto active = params.boolean("active")) out.active = *active;
  out.locked = params.boolean("locked").value_or(false);
  out.run_untagged = params.boolean("run_untagged").value_or(true);
  out.ref_protected = params.one_of("access_level", {"not_protected", "ref_protected"}) == "ref_protected";
  out.maximum_timeout = params.integer("maximum_timeout");
  out.tag_list = params.list("tag_list").value_or(std::vector<std::string>{});
  return out;
}

Outcome<std::monostate> check_limit(Transaction& tx, const RegistrationTarget& wanted, std::int64_t now) {
  if (wanted.type == RunnerType::kInstance) return {};
  const bool group = wanted.type == RunnerType::kGroup;
  const auto limit =
      API_TRY(model::setting_integer(tx, group ? "ci_registered_group_runners" : "ci_registered_project_runners"));
  if (limit <= 0 || API_TRY(model::recent_runner_count(tx, wanted.type, wanted.scope.scope_id, now)) < limit) return {};
  Violations violations;
  violations.add(
      group ? "runner_namespaces.base" : "runner_projects.base",
      fmt::format("Maximum number of ci registered {} runners ({}) exceeded", group ? "group" : "project", limit));
  return std::unexpected(violations.as_object());
}

Outcome<Reply> register_runner(Call& call) {
  auto& params = call.params;
  const auto token = params.text("token", Presence::kRequired).value_or("");
  auto attributes = read_attributes(params);
  const auto& name = params.raw("info")["name"];
  API_CHECK(params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto wanted = token.empty() ? std::nullopt : API_TRY(find_target(tx, token));
    const bool instance_allows = API_TRY(model::setting_flag(tx, "allow_runner_registration_token"));
    if (wanted ? !wanted->rules.tokens_allowed : !token.empty() && !instance_allows) {
      return std::unexpected(gone("runner registration disallowed"));
    }
    if (!wanted) return std::unexpected(forbidden("invalid token supplied"));
    if (wanted->type != RunnerType::kProject) attributes.locked = false;
    if (const auto violations = model::validate(attributes); !violations.empty()) {
      return std::unexpected(violations.as_object());
    }
    API_CHECK(check_limit(tx, *wanted, call.now()));
    model::NewRunner wish{.type = wanted->type, .attributes = attributes};
    if (wanted->type == RunnerType::kGroup) wish.namespace_id = wanted->scope.scope_id;
    if (wanted->type == RunnerType::kProject) wish.project_id = wanted->scope.scope_id;
    if (name.is_string() && name.as_string().size() <= 256) wish.name = name.as_string();
    const auto issued = API_TRY(model::create_runner(tx, call.app, wish));
    API_CHECK(model::audit(tx, call, "ci_runner_registered", target(issued.runner.id), json::Value::object(),
                           issued.runner.id));
    tx.after_commit([&app = call.app, id = issued.runner.id] {
      base::log::warning("a runner was registered with a registration token, which is deprecated",
                         {{"runner", std::to_string(id)}});
      app.events.runner_changed(id);
    });
    return json_reply(201, credentials_json(issued.runner.id, issued.token, issued.runner.token_expires_at))
        .header("Deprecation", kDeprecatedSince);
  });
}

// --- the runner's own token ---

Outcome<Reply> verify_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    API_CHECK(model::record_contact(tx, call.app, known.runner, model::contact_from(call, known, false)));
    auto token = call.params.text("token").value_or("");
    if (token.empty()) token = call.header("RUNNER-TOKEN");
    return json_reply(200, credentials_json(known.runner.id, token, known.runner.token_expires_at));
  });
}

Outcome<Reply> unregister_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    API_CHECK(model::delete_runner(tx, known.runner.id));
    API_CHECK(model::audit(tx, call, "ci_runner_unregistered", target(known.runner.id), json::Value::object(),
                           known.runner.id));
    tx.after_commit([&app = call.app, id = known.runner.id] { app.events.runner_deleted(id); });
    return empty_reply(204);
  });
}

Outcome<Reply> unregister_manager(Call& call) {
  const auto token = call.params.text("token");
  const auto system_id = call.params.text("system_id", Presence::kRequired);
  if (call.params.has("system_id") && (!system_id || system_id->empty())) call.params.complain("system_id is missing");
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    const auto gone_rows = API_TRY(
        tx.execute("DELETE FROM runner_managers WHERE runner_id = ? AND system_id = ?", {known.runner.id, *system_id}));
    if (gone_rows == 0) return std::unexpected(not_found("Runner manager not found"));
    return empty_reply(204);
  });
}

Outcome<Reply> rotate_token(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    const auto issued = API_TRY(model::rotate_token(tx, call, known));
    return json_reply(
        201, json::Value::object({{"token", issued.token}, {"token_expires_at", model::time_json(issued.expires_at)}}));
  });
}

Outcome<Reply> router_discovery(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::find_runner_by_token(tx, call.header("RUNNER-TOKEN"), call.now()));
    if (!known) return std::unexpected(forbidden());
    return message_reply(501, "Job Router is not available. Please contact your administrator.");
  });
}

} // namespace

void register_runner_identity(Api& api) {
  const Route route{.auth = Auth::kNone};
  api.post("/runners", register_runner, route);
  api.remove("/runners", unregister_runner, route);
  api.post("/runners/verify", verify_runner, route);
  api.remove("/runners/managers", unregister_manager, route);
  api.post("/runners/reset_authentication_token", rotate_token, route);
  api.get("/runners/router/discovery", router_discovery, route);
}

} // namespace coordinator::rest
