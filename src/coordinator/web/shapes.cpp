#include "coordinator/web/shapes.hpp"

namespace coordinator::web {

std::string group_path(const model::Namespace& group) { return "/groups/" + group.full_path; }
std::string project_path(const model::Project& project) { return "/" + project.full_path; }

json::Value optional_json(std::optional<std::int64_t> value) { return value ? json::Value(*value) : json::Value(); }
json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

json::Value group_json(const App& app, const model::Namespace& group) {
  auto out = model::namespace_json(app, group);
  out.set("full_name", group.full_name);
  out.set("description", group.description);
  out.set("root", !group.parent_id.has_value());
  out.set("visibility", model::to_string(group.visibility));
  out.set("shared_runners_setting", group.shared_runners_setting);
  out.set("web_path", group_path(group));
  return out;
}

json::Value project_json(const App& app, const model::Project& project) {
  auto out = model::project_basic_json(app, project);
  out.set("empty_repo", project.empty_repository);
  out.set("archived", project.archived);
  out.set("web_path", project_path(project));
  auto space = out["namespace"];
  space.set("full_name", project.namespace_full_name);
  space.set("web_path", (project.namespace_kind == "group" ? "/groups/" : "/") + project.namespace_path);
  out.set("namespace", std::move(space));
  return out;
}

namespace {

struct Named {
  std::string_view name;
  Ability ability;
};

template <class Who>
json::Value granted(std::initializer_list<Named> abilities, const Who& who, const RegistrationRules& rules) {
  auto out = json::Value::object();
  for (const auto& [name, ability] : abilities) out.set(name, static_cast<bool>(allowed(ability, who, rules)));
  return out;
}

} // namespace

Outcome<json::Value> instance_abilities(Transaction& tx, const Call& call) {
  const auto rules = API_TRY(model::registration_rules(tx, RunnerType::kInstance, nullptr));
  return granted({{"admin", Ability::kAdminInstance},
                  {"create_group", Ability::kCreateGroup},
                  {"create_runner", Ability::kCreateInstanceRunners},
                  {"read_registration_token", Ability::kReadRegistrationToken}},
                 call.identity.actor(), rules);
}

Outcome<json::Value> group_abilities(Transaction& tx, const model::GroupAccess& found) {
  const auto rules = API_TRY(model::registration_rules(tx, RunnerType::kGroup, &found.group));
  return granted({{"read", Ability::kRead},
                  {"read_runners", Ability::kReadRunners},
                  {"create_runner", Ability::kCreateRunners},
                  {"read_registration_token", Ability::kReadRegistrationToken},
                  {"admin_group", Ability::kAdmin},
                  {"remove_group", Ability::kRemove},
                  {"create_projects", Ability::kCreateProjects},
                  {"create_subgroup", Ability::kCreateSubgroup},
                  {"admin_members", Ability::kAdminMembers},
                  {"admin_access_tokens", Ability::kManageAccessTokens},
                  {"admin_ci", Ability::kAdmin},
                  {"admin_variables", Ability::kAdminVariables}},
                 found.access, rules);
}

Outcome<RegistrationRules> project_rules(Transaction& tx, const model::Project& project) {
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  return API_TRY(model::registration_rules(tx, RunnerType::kProject, space ? &*space : nullptr));
}

Outcome<json::Value> project_abilities(Transaction& tx, const model::ProjectAccess& found) {
  const auto rules = API_TRY(project_rules(tx, found.project));
  return granted({{"read", Ability::kRead},
                  {"read_code", Ability::kReadCode},
                  {"read_jobs", Ability::kReadBuilds},
                  {"read_runners", Ability::kReadRunners},
                  {"create_pipeline", Ability::kCreatePipeline},
                  {"update_pipeline", Ability::kUpdateBuilds},
                  {"admin_project", Ability::kAdmin},
                  {"remove_project", Ability::kRemove},
                  {"archive_project", Ability::kArchive},
                  {"change_visibility", Ability::kRemove},
                  {"create_runner", Ability::kCreateRunners},
                  {"read_registration_token", Ability::kReadRegistrationToken},
                  {"admin_members", Ability::kAdminMembers},
                  {"admin_access_tokens", Ability::kManageAccessTokens},
                  {"admin_ci", Ability::kAdmin},
                  {"read_variables", Ability::kAdminVariables},
                  {"admin_variables", Ability::kAdminVariables}},
                 found.access, rules);
}

} // namespace coordinator::web
