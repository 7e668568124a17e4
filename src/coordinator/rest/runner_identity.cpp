// What runners call about themselves: register, verify, unregister, rotate the token (protocol digest §5,
// runner-tokens digest §7 and §8).
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

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

std::int64_t character_count(const std::string& text) {
  return std::ranges::count_if(text, [](unsigned char byte) { return (byte & 0xc0) != 0x80; });
}

model::RunnerAttributes read_attributes(Params& params) {
  model::RunnerAttributes out;
  params.exclusive("maintainer_note", "maintenance_note");
  params.exclusive("active", "paused");
  if (const auto note = params.text("maintainer_note")) out.maintenance_note = *note;
  read_runner_attributes(params, out);
  return out;
}

Outcome<Reply> register_runner(Call& call) {
  auto& params = call.params;
  // As everywhere, the header alone does, and must not say something else.
  const auto header = call.header("RUNNER-TOKEN");
  auto token = params.text("token", header.empty() ? Presence::kRequired : Presence::kOptional).value_or("");
  auto attributes = read_attributes(params);
  const auto& name = params.raw("info")["name"];
  API_CHECK(params.finish());
  if (!header.empty() && !token.empty() && !base::constant_time_equal(token, header)) {
    return std::unexpected(forbidden("invalid token supplied"));
  }
  if (token.empty()) token = header;
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto wanted = token.empty() ? std::nullopt : API_TRY(find_target(tx, token));
    const bool instance_allows = API_TRY(model::setting_flag(tx, "allow_runner_registration_token"));
    if (wanted ? !wanted->rules.tokens_allowed : !token.empty() && !instance_allows) {
      return std::unexpected(gone("runner registration disallowed"));
    }
    if (!wanted) return std::unexpected(forbidden("invalid token supplied"));
    if (wanted->type != RunnerType::kProject) attributes.locked = false;
    auto violations = model::validate(attributes);
    if (name.is_string() && character_count(name.as_string()) > 256) {
      violations.add("name", "is too long (maximum is 256 characters)");
    }
    if (!violations.empty()) return std::unexpected(violations.as_object());
    if (wanted->type != RunnerType::kInstance) {
      const auto over = API_TRY(runner_limit_violations(tx, wanted->type, wanted->scope.scope_id, call.now()));
      if (!over.empty()) return std::unexpected(over.as_object());
    }
    model::NewRunner wish{.type = wanted->type, .attributes = attributes};
    if (wanted->type == RunnerType::kGroup) wish.namespace_id = wanted->scope.scope_id;
    if (wanted->type == RunnerType::kProject) wish.project_id = wanted->scope.scope_id;
    if (name.is_string()) wish.name = name.as_string();
    const auto issued = API_TRY(model::create_runner(tx, call.app, wish));
    API_CHECK(model::audit(tx, call, "ci_runner_registered", model::subject_of(issued.runner),
                           json::Value::object({{"scope", wanted->scope.scope},
                                                {"scope_id", wanted->scope.scope_id},
                                                {"attributes", attributes_json(attributes)}}),
                           &issued.runner));
    tx.after_commit([&app = call.app, id = issued.runner.id] {
      base::log::warning("a runner was registered with a registration token, which is deprecated",
                         {{"runner", std::to_string(id)}});
      app.events.runner_changed(id);
    });
    return json_reply(201, credentials_json(issued.runner, issued.token)).header("Deprecation", kDeprecatedSince);
  });
}

// --- the runner's own token ---

Outcome<Reply> verify_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    API_CHECK(model::record_contact(tx, call.app, known.runner, model::contact_from(call, known, false)));
    auto token = call.params.text("token").value_or("");
    if (token.empty()) token = call.header("RUNNER-TOKEN");
    return json_reply(200, credentials_json(known.runner, token));
  });
}

Outcome<Reply> unregister_runner(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    if (!API_TRY(model::is_known_place(tx, call, known))) return std::unexpected(forbidden());
    API_CHECK(check_unmodified(call, known.runner.updated_at));
    API_CHECK(model::delete_runner(tx, known.runner.id));
    API_CHECK(model::audit(tx, call, "ci_runner_unregistered", model::subject_of(known.runner), json::Value::object(),
                           &known.runner));
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
    const auto manager = API_TRY(
        tx.query_one("SELECT contacted_at, created_at FROM runner_managers WHERE runner_id = ? AND system_id = ?",
                     {known.runner.id, *system_id}));
    if (manager) {
      API_CHECK(
          check_unmodified(call, manager->optional_integer("contacted_at").value_or(manager->integer("created_at"))));
    }
    const auto gone_rows = API_TRY(
        tx.execute("DELETE FROM runner_managers WHERE runner_id = ? AND system_id = ?", {known.runner.id, *system_id}));
    if (gone_rows == 0) return std::unexpected(not_found("Runner manager not found"));
    API_CHECK(model::audit(tx, call, "ci_runner_manager_unregistered", model::subject_of(known.runner),
                           json::Value::object({{"system_id", *system_id}}), &known.runner));
    return empty_reply(204);
  });
}

Outcome<Reply> rotate_token(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto known = API_TRY(model::authenticate_runner(tx, call));
    return json_reply(201, issued_json(API_TRY(model::rotate_token(tx, call, known))));
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
  static const std::string registration =
      "token:text info:object maintainer_note:text " + std::string(kRunnerAttributes);
  api.post("/runners", register_runner,
           {.auth = Auth::kNone,
            .summary = "Register a runner with a registration token (deprecated)",
            .params = registration,
            .answers = "201:NewRunner 403 410"});
  api.remove("/runners", unregister_runner,
             {.auth = Auth::kNone,
              .summary = "Delete the runner of this token",
              .params = "token:text system_id:text",
              .answers = "204 403 412 422"});
  api.post("/runners/verify", verify_runner,
           {.auth = Auth::kNone,
            .max_body = 64 << 10,
            .summary = "Check a runner's token and make its manager known",
            .params = "token:text system_id:text info:object",
            .answers = "200:NewRunner 403 422"});
  api.remove("/runners/managers", unregister_manager,
             {.auth = Auth::kNone,
              .summary = "Delete one manager of the runner of this token",
              .params = "token:text system_id!:text",
              .answers = "204 403 404 412 422"});
  api.post("/runners/reset_authentication_token", rotate_token,
           {.auth = Auth::kNone,
            .summary = "Rotate the runner's own token",
            .params = "token:text system_id:text",
            .answers = "201:IssuedToken 403 422"});
  api.get("/runners/router/discovery", router_discovery,
          {.auth = Auth::kNone, .summary = "Where the job router is: nowhere", .answers = "403 501"});
}

} // namespace coordinator::rest
