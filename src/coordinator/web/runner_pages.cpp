// What the pages of one runner, and the runner settings of a group or project, show.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/runner_rows.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kMostShown = 100; // managers, projects
constexpr std::int64_t kEphemeralLife = 3600LL * 1000;

// --- one runner ---

Outcome<json::Value> projects_json(Transaction& tx, const Call& call, const model::Runner& runner,
                                   std::int64_t& count) {
  auto out = json::Value::array();
  const auto ids = API_TRY(model::runner_project_ids(tx, runner.id));
  count = static_cast<std::int64_t>(ids.size());
  for (const auto id : ids) {
    const auto project = API_TRY(model::find_project(tx, id));
    if (!project || !allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *project, call.now())))) {
      continue;
    }
    out.push_back(json::Value::object({{"id", project->id},
                                       {"name", project->name},
                                       {"name_with_namespace", project->namespace_full_name + " / " + project->name},
                                       {"path_with_namespace", project->full_path},
                                       {"web_path", project_path(*project)},
                                       {"owner", runner.owner_project_id == project->id}}));
    if (out.size() == kMostShown) break;
  }
  return out;
}

Outcome<json::Value> groups_json(Transaction& tx, const Call& call, const model::Runner& runner) {
  auto out = json::Value::array();
  const auto group = runner.namespace_id ? API_TRY(model::find_namespace(tx, *runner.namespace_id)) : std::nullopt;
  if (group && allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *group, call.now())))) {
    out.push_back(group_json(call.app, *group));
  }
  return out;
}

// How far its registration has come: a manager appears with the first verify, and polls with the first job request.
json::Value registration_json(const model::Runner& runner, const std::vector<model::Manager>& managers,
                              std::int64_t now) {
  auto hosts = json::Value::array();
  for (const auto& manager : managers) {
    if (hosts.size() == kMostShown) break;
    hosts.push_back(json::Value::object({{"system_id", manager.system_id},
                                         {"platform", text_or_null(manager.platform)},
                                         {"architecture", text_or_null(manager.architecture)},
                                         {"executor", text_or_null(manager.executor)},
                                         {"version", text_or_null(manager.version)},
                                         {"ip_address", text_or_null(manager.ip_address)},
                                         {"contacted_at", model::time_json(manager.contacted_at)}}));
  }
  const bool open = runner.by_user && managers.empty() && runner.created_at > now - kEphemeralLife;
  return json::Value::object(
      {{"available", open},
       {"state", managers.empty() ? "waiting" : "registered"},
       {"polled", runner.creation_finished},
       {"expires_at", open ? model::time_json(runner.created_at + kEphemeralLife) : json::Value()},
       {"managers", std::move(hosts)}});
}

// For its creator alone, for an hour, until the first manager.
Outcome<json::Value> ephemeral_token(Transaction& tx, const Call& call, const model::Runner& runner,
                                     const RunnerAccess& access) {
  if (!allowed(Ability::kReadEphemeralToken, access)) return json::Value();
  const auto row = API_TRY(tx.query_one(
      "SELECT e.token_sealed FROM ephemeral_tokens e WHERE e.runner_id = ? AND e.expires_at > ? AND NOT EXISTS (SELECT "
      "1 FROM runner_managers m WHERE m.runner_id = e.runner_id)",
      {runner.id, call.now()}));
  if (!row) return json::Value();
  return json::Value(API_TRY(call.app.vault.unseal(row->text("token_sealed"))));
}

Outcome<Reply> show_runner(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(rest::runner_for(tx, call, call.path_id("id"), Ability::kReadRunner));
    const auto& runner = found.runner;
    auto out = API_TRY(runner_row(tx, call, runner, ""));
    const bool sensitive = static_cast<bool>(allowed(Ability::kReadRunnerSensitiveData, found.access));
    const auto all = API_TRY(model::managers_of(tx, runner.id));
    const auto known = sensitive ? all : std::vector<model::Manager>();
    auto managers = json::Value::array();
    for (const auto& manager : known) {
      if (managers.size() == kMostShown) break;
      managers.push_back(API_TRY(rest::manager_json(tx, manager, call.now())));
    }
    const auto latest = all.empty() ? model::Manager{} : all.front();
    std::int64_t project_count = 0;
    out.set("projects", API_TRY(projects_json(tx, call, runner, project_count)));
    out.set("projects_count", project_count);
    out.set("groups", API_TRY(groups_json(tx, call, runner)));
    out.set("name", runner.name ? json::Value(*runner.name) : json::Value());
    out.set("maintenance_note",
            allowed(Ability::kUpdateRunner, found.access) ? text_or_null(runner.maintenance_note) : json::Value());
    out.set("maximum_timeout", optional_json(runner.maximum_timeout));
    out.set("revision", text_or_null(latest.revision));
    out.set("platform", text_or_null(latest.platform));
    out.set("architecture", text_or_null(latest.architecture));
    out.set("managers", std::move(managers));
    out.set("managers_truncated", known.size() > kMostShown);
    out.set("registration", registration_json(runner, known, call.now()));
    out.set("ephemeral_token", API_TRY(ephemeral_token(tx, call, runner, found.access)));
    return json_reply(200, out);
  });
}

// --- registration tokens and creation ---

struct Switches {
  bool instance = false; // allow_runner_registration_token
  RegistrationRules rules;
};

Outcome<Switches> switches(Transaction& tx, RunnerType type, const model::Namespace* space) {
  return Switches{API_TRY(model::setting_flag(tx, "allow_runner_registration_token")),
                  API_TRY(model::registration_rules(tx, type, space))};
}

// Why the ability is missing, in the order of who could change that.
json::Value registration_reason(bool granted, const Switches& set) {
  if (granted) return nullptr;
  if (!set.instance) return "instance_disabled";
  if (!set.rules.tokens_allowed) return "group_disabled";
  if (!set.rules.registrar_allowed) return "registrars";
  return "role";
}

json::Value create_reason(bool granted, const Switches& set, bool archived) {
  if (granted) return nullptr;
  if (!set.rules.workflow_enabled) return "flag";
  if (archived) return "archived";
  if (!set.rules.registrar_allowed) return "registrars";
  return "role";
}

json::Value verdict(bool granted, json::Value reason) {
  return json::Value::object({{"allowed", granted}, {"reason", std::move(reason)}});
}

// {allowed, reason, token}; makes the token when it is shown for the first time.
Outcome<json::Value> registration(Transaction& tx, const Call& call, bool granted, const Switches& set,
                                  std::string_view scope, std::int64_t id) {
  auto out = verdict(granted, registration_reason(granted, set));
  out.set("token",
          granted ? json::Value(API_TRY(model::registration_token(tx, call.app.vault, scope, id))) : json::Value());
  return out;
}

Outcome<json::Value> instance_registration(Transaction& tx, const Call& call) {
  const auto set = API_TRY(switches(tx, RunnerType::kInstance, nullptr));
  const bool granted = static_cast<bool>(allowed(Ability::kReadRegistrationToken, call.identity.actor(), set.rules));
  return registration(tx, call, granted, set, "instance", 0);
}

Outcome<json::Value> group_registration(Transaction& tx, const Call& call, const model::GroupAccess& found) {
  const auto set = API_TRY(switches(tx, RunnerType::kGroup, &found.group));
  const bool granted = static_cast<bool>(allowed(Ability::kReadRegistrationToken, found.access, set.rules));
  return registration(tx, call, granted, set, "group", found.group.id);
}

Outcome<json::Value> project_registration(Transaction& tx, const Call& call, const model::ProjectAccess& found,
                                          const std::optional<model::Namespace>& space) {
  const auto set = API_TRY(switches(tx, RunnerType::kProject, space ? &*space : nullptr));
  const bool granted = static_cast<bool>(allowed(Ability::kReadRegistrationToken, found.access, set.rules));
  return registration(tx, call, granted, set, "project", found.project.id);
}

Outcome<Reply> registration_token(Call& call) {
  const auto scope = call.params.text("scope", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  return rest::read_else_write(call.app, [&](Transaction& tx) -> Outcome<Reply> {
    if (scope == "instance") return json_reply(200, API_TRY(instance_registration(tx, call)));
    if (scope.starts_with("group:")) {
      const auto found = API_TRY(model::visible_group(tx, call, scope.substr(6)));
      return json_reply(200, API_TRY(group_registration(tx, call, found)));
    }
    if (scope.starts_with("project:")) {
      const auto found = API_TRY(model::visible_project(tx, call, scope.substr(8)));
      const auto space = API_TRY(model::find_namespace(tx, found.project.namespace_id));
      return json_reply(200, API_TRY(project_registration(tx, call, found, space)));
    }
    return std::unexpected(invalid_parameters({"scope does not have a valid value"}));
  });
}

// --- settings of a group or project ---

// The nearest group above, or the group itself, that forbids what a child would turn on.
Outcome<json::Value> shared_runners_lock(Transaction& tx, const Call& call, const std::vector<std::int64_t>& chain) {
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) {
    const auto group = API_TRY(model::find_namespace(tx, *step));
    if (!group || group->shared_runners_setting != "disabled_and_unoverridable") continue;
    return json::Value::object(
        {{"text", "The group " + group->full_name + " has turned instance runners off for all in it."},
         {"group", group_json(call.app, *group)}});
  }
  return json::Value();
}

Outcome<json::Value> list_counts(Transaction& tx, const Call& call, const model::Project& project,
                                 const std::optional<model::Namespace>& space) {
  const auto available = available_runners(call, project);
  const auto inherited = inherited_group_runners(space);
  const auto count = [&](const std::string& where, const Binds& binds) {
    return tx.count("SELECT count(*) FROM runners r WHERE " + where, binds);
  };
  return json::Value::object(
      {{"assigned",
        API_TRY(count("r.id IN (SELECT runner_id FROM runner_projects WHERE project_id = ?)", {project.id}))},
       {"available", API_TRY(count(available.sql, available.binds))},
       {"group", API_TRY(count(inherited.sql, inherited.binds))},
       {"instance", API_TRY(count("r.type = 'instance_type'", {}))}});
}

Outcome<Reply> project_runner_settings(Call& call) {
  return rest::read_else_write(call.app, [&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kAdmin));
    const auto& project = found.project;
    const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
    const bool in_group = space && space->is_group();
    const auto set = API_TRY(switches(tx, RunnerType::kProject, space ? &*space : nullptr));
    const bool create = static_cast<bool>(allowed(Ability::kCreateRunners, found.access, set.rules));
    return json_reply(
        200, json::Value::object(
                 {{"shared_runners_enabled", project.shared_runners_enabled},
                  {"shared_runners_locked_reason",
                   API_TRY(shared_runners_lock(tx, call, in_group ? space->chain : std::vector<std::int64_t>{}))},
                  {"shared_runners_text", API_TRY(model::setting(tx, "shared_runners_text"))},
                  {"group_runners_enabled", project.group_runners_enabled},
                  {"has_group", in_group},
                  {"create", verdict(create, create_reason(create, set, found.access.archived))},
                  {"registration", API_TRY(project_registration(tx, call, found, space))},
                  {"counts", API_TRY(list_counts(tx, call, project, space))}}));
  });
}

// Whether a group above has `off` set; the group itself does not count.
Outcome<bool> parent_forbids(Transaction& tx, const model::Namespace& group, bool (*off)(const model::Namespace&)) {
  for (const auto id : group.chain) {
    if (id == group.id) continue;
    const auto parent = API_TRY(model::find_namespace(tx, id));
    if (parent && off(*parent)) return true;
  }
  return false;
}

Outcome<json::Value> group_switches(Transaction& tx, const model::Namespace& group, const Switches& set) {
  const bool top = !group.parent_id;
  const bool registrars = API_TRY(model::registration_rules(tx, RunnerType::kGroup, nullptr)).registrar_allowed;
  const bool parent_registration =
      API_TRY(parent_forbids(tx, group, [](const auto& parent) { return !parent.runner_registration_enabled; }));
  json::Value token_lock;
  if (!set.instance)
    token_lock = "instance";
  else if (!top)
    token_lock = "parent";
  json::Value registration_lock;
  if (!registrars)
    registration_lock = "instance";
  else if (parent_registration)
    registration_lock = "parent";
  return json::Value::object(
      {{"shared_runners_setting", group.shared_runners_setting},
       {"top_level", top},
       {"allow_runner_registration_token", group.allow_runner_registration_token},
       {"allow_runner_registration_token_locked_reason", token_lock},
       {"runner_registration_enabled", group.runner_registration_enabled},
       {"runner_registration_locked_reason", registration_lock},
       {"runner_token_expiration_interval", optional_json(group.runner_token_expiration_interval)},
       {"subgroup_runner_token_expiration_interval", optional_json(group.subgroup_runner_token_expiration_interval)},
       {"project_runner_token_expiration_interval", optional_json(group.project_runner_token_expiration_interval)}});
}

Outcome<Reply> group_runner_settings(Call& call) {
  return rest::read_else_write(call.app, [&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::group_for(tx, call, Ability::kReadRunners));
    const auto set = API_TRY(switches(tx, RunnerType::kGroup, &found.group));
    const bool create = static_cast<bool>(allowed(Ability::kCreateRunners, found.access, set.rules));
    auto out = API_TRY(group_switches(tx, found.group, set));
    auto above = found.group.chain;
    if (!above.empty()) above.pop_back();
    out.set("shared_runners_locked_reason", API_TRY(shared_runners_lock(tx, call, above)));
    out.set("create", verdict(create, create_reason(create, set, found.access.archived)));
    out.set("registration", API_TRY(group_registration(tx, call, found)));
    return json_reply(200, out);
  });
}

} // namespace

void register_runner_pages(Api& api) {
  api.get("/runners/:id", show_runner, {.root = kWebRoot});
  api.get("/registration_token", registration_token, {.root = kWebRoot});
  api.get("/projects/:id/runner_settings", project_runner_settings, {.root = kWebRoot});
  api.get("/groups/:id/runner_settings", group_runner_settings, {.root = kWebRoot});
}

} // namespace coordinator::web
