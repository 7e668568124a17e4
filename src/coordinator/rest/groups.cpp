// /groups.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/names.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

json::Value optional_json(std::optional<std::int64_t> value) { return value ? json::Value(*value) : json::Value(); }

} // namespace

json::Value group_json(const App& app, const model::Namespace& group) {
  return json::Value::object({{"id", group.id},
                              {"web_url", model::namespace_url(app, true, group.full_path)},
                              {"name", group.name},
                              {"path", group.path},
                              {"description", group.description},
                              {"visibility", model::to_string(group.visibility)},
                              {"share_with_group_lock", false},
                              {"require_two_factor_authentication", false},
                              {"project_creation_level", "developer"},
                              {"auto_devops_enabled", nullptr},
                              {"subgroup_creation_level", "maintainer"},
                              {"emails_disabled", false},
                              {"mentions_disabled", nullptr},
                              {"lfs_enabled", false},
                              {"archived", group.archived},
                              {"default_branch", nullptr},
                              {"default_branch_protection", 2},
                              {"avatar_url", nullptr},
                              {"request_access_enabled", false},
                              {"full_name", group.full_name},
                              {"full_path", group.full_path},
                              {"created_at", model::utc_millis(group.created_at)},
                              {"parent_id", optional_json(group.parent_id)},
                              {"organization_id", 1},
                              {"shared_runners_setting", group.shared_runners_setting}});
}

namespace {

// What is shown of one group; tokens and settings to Owners only.
Outcome<json::Value> group_details(Transaction& tx, const Call& call, const model::GroupAccess& found,
                                   bool with_projects) {
  const auto& group = found.group;
  auto out = group_json(call.app, group);
  if (allowed(Ability::kAdmin, found.access)) {
    const auto rules = API_TRY(model::registration_rules(tx, RunnerType::kGroup, &group));
    out.set("runners_token",
            rules.tokens_allowed
                ? json::Value(API_TRY(model::registration_token(tx, call.app.vault, "group", group.id)))
                : json::Value());
    out.set("allow_runner_registration_token", group.allow_runner_registration_token);
    out.set("runner_registration_enabled", group.runner_registration_enabled);
    out.set("stale_runner_cleanup_enabled", group.stale_runner_cleanup_enabled);
    out.set("runner_token_expiration_interval", optional_json(group.runner_token_expiration_interval));
    out.set("subgroup_runner_token_expiration_interval",
            optional_json(group.subgroup_runner_token_expiration_interval));
    out.set("project_runner_token_expiration_interval", optional_json(group.project_runner_token_expiration_interval));
  }
  out.set("shared_with_groups", json::Value::array());
  out.set("prevent_sharing_groups_outside_hierarchy", false);
  if (with_projects) {
    auto projects = json::Value::array();
    for (const auto& row :
         API_TRY(tx.query(std::string(model::kProjectSelect) + " AND p.namespace_id = ? ORDER BY p.id DESC LIMIT 100",
                          {group.id}))) {
      const auto project = model::project_from_row(row);
      const auto access = API_TRY(model::access_to(tx, call.identity, project, call.now()));
      if (allowed(Ability::kRead, access)) projects.push_back(model::project_basic_json(call.app, project));
    }
    out.set("projects", std::move(projects));
    out.set("shared_projects", json::Value::array());
  }
  return out;
}

// {"message":"Failed to save group {…}"}: the words that clients know.
Reply failed_to_save(std::string_view attribute, std::string_view text) {
  return message_reply(400, fmt::format("Failed to save group {{:{}=>[\"{}\"]}}", attribute, text));
}

struct GroupSettings {
  std::optional<std::string> shared_runners_setting;
  std::optional<bool> allow_token;
  std::optional<bool> registration_enabled;
  std::optional<bool> stale_cleanup;
  std::vector<std::pair<std::string, std::optional<std::int64_t>>> intervals;
};

constexpr std::string_view kSettings =
    "description:text visibility:(private|internal|public) "
    "shared_runners_setting:(enabled|disabled_and_overridable|disabled_with_override|disabled_and_unoverridable) "
    "allow_runner_registration_token:bool runner_registration_enabled:bool stale_runner_cleanup_enabled:bool "
    "runner_token_expiration_interval:int? "
    "subgroup_runner_token_expiration_interval:int? project_runner_token_expiration_interval:int?";

// What the audit trail compares.
json::Value settings_json(const model::Namespace& group) {
  return json::Value::object(
      {{"name", group.name},
       {"path", group.full_path},
       {"description", group.description},
       {"visibility", model::to_string(group.visibility)},
       {"archived", group.archived},
       {"shared_runners_setting", group.shared_runners_setting},
       {"allow_runner_registration_token", group.allow_runner_registration_token},
       {"runner_registration_enabled", group.runner_registration_enabled},
       {"stale_runner_cleanup_enabled", group.stale_runner_cleanup_enabled},
       {"runner_token_expiration_interval", optional_json(group.runner_token_expiration_interval)},
       {"subgroup_runner_token_expiration_interval", optional_json(group.subgroup_runner_token_expiration_interval)},
       {"project_runner_token_expiration_interval", optional_json(group.project_runner_token_expiration_interval)}});
}

// Records what differs from before.
Outcome<std::monostate> audit_update(Transaction& tx, const Call& call, const model::Namespace& before) {
  const auto after = API_TRY(model::find_namespace(tx, before.id));
  const auto difference = model::changes(settings_json(before), settings_json(*after));
  if (difference.size() > 0) {
    API_CHECK(model::audit(tx, call, "group_updated", model::subject_of(*after),
                           json::Value::object({{"changes", difference}})));
  }
  return {};
}

GroupSettings read_settings(Params& params) {
  GroupSettings out;
  out.shared_runners_setting =
      params.one_of("shared_runners_setting",
                    {"enabled", "disabled_and_overridable", "disabled_with_override", "disabled_and_unoverridable"});
  if (out.shared_runners_setting == "disabled_with_override") out.shared_runners_setting = "disabled_and_overridable";
  out.allow_token = params.boolean("allow_runner_registration_token");
  out.registration_enabled = params.boolean("runner_registration_enabled");
  out.stale_cleanup = params.boolean("stale_runner_cleanup_enabled");
  for (const auto name : {"runner_token_expiration_interval", "subgroup_runner_token_expiration_interval",
                          "project_runner_token_expiration_interval"}) {
    if (!params.has(name)) continue;
    const auto value = params.integer(name);
    if (value && *value < 7200) params.complain(fmt::format("{} does not have a valid value", name));
    out.intervals.emplace_back(name, value);
  }
  return out;
}

// Switching instance runners off for a group does so for everything below.
base::Status cascade_shared_runners(Transaction& tx, const model::Namespace& group, const std::string& setting) {
  FR_CHECK(tx.execute("UPDATE namespaces SET shared_runners_setting = ? WHERE id = ?", {setting, group.id}));
  if (setting == "enabled") return {}; // what below was switched off stays off
  const auto below = model::subtree_pattern(group);
  FR_CHECK(tx.execute("UPDATE namespaces SET shared_runners_setting = ? WHERE traversal LIKE ? AND id <> ?",
                      {setting, below, group.id}));
  FR_CHECK(
      tx.execute("UPDATE projects SET shared_runners_enabled = 0 WHERE namespace_id IN (SELECT id FROM namespaces "
                 "WHERE traversal LIKE ?)",
                 {below}));
  return {};
}

Outcome<std::monostate> apply_settings(Transaction& tx, Call& call, const model::Namespace& group,
                                       const GroupSettings& settings) {
  if (settings.shared_runners_setting) {
    const auto parent =
        group.parent_id ? API_TRY(model::find_namespace(tx, *group.parent_id)) : std::optional<model::Namespace>();
    if (parent && parent->shared_runners_setting == "disabled_and_unoverridable" &&
        *settings.shared_runners_setting != "disabled_and_unoverridable") {
      Violations violations;
      if (*settings.shared_runners_setting == "enabled") {
        violations.add("shared_runners_enabled", "cannot be enabled because parent group has shared Runners disabled");
      } else {
        violations.add("allow_descendants_override_disabled_shared_runners",
                       "cannot be enabled because parent group does not allow it");
      }
      return std::unexpected(violations.as_object());
    }
    API_CHECK(cascade_shared_runners(tx, group, *settings.shared_runners_setting));
  }
  if (settings.allow_token) {
    API_CHECK(tx.execute("UPDATE namespaces SET allow_runner_registration_token = ? WHERE id = ?",
                         {*settings.allow_token, group.id}));
  }
  if (settings.registration_enabled) {
    if (!allowed(Ability::kAdminInstance, call.identity.actor())) return std::unexpected(forbidden());
    API_CHECK(tx.execute("UPDATE namespaces SET runner_registration_enabled = ? WHERE id = ?",
                         {*settings.registration_enabled, group.id}));
  }
  if (settings.stale_cleanup) {
    API_CHECK(tx.execute("UPDATE namespaces SET stale_runner_cleanup_enabled = ? WHERE id = ?",
                         {*settings.stale_cleanup, group.id}));
  }
  for (const auto& [name, value] : settings.intervals) {
    API_CHECK(tx.execute(fmt::format("UPDATE namespaces SET {} = ? WHERE id = ?", name), {value, group.id}));
  }
  tx.after_commit([&app = call.app] { app.events.eligibility_changed(); });
  return {};
}

struct NewGroup {
  std::string name, path, description;
  std::optional<std::string> visibility;
  std::optional<std::int64_t> parent_id;
};

Outcome<std::int64_t> insert_group(Transaction& tx, const Call& call, NewGroup group) {
  std::optional<model::Namespace> parent;
  if (!group.parent_id && !allowed(Ability::kCreateGroup, call.identity.actor())) return std::unexpected(forbidden());
  if (group.parent_id) {
    auto found = model::visible_group(tx, call, std::to_string(*group.parent_id));
    if (!found) return std::unexpected(not_found("Group"));
    if (!allowed(Ability::kCreateSubgroup, found->access)) return std::unexpected(forbidden());
    parent = std::move(found->group);
    if (parent->chain.size() >= kDeepestNesting) {
      return std::unexpected(failed_to_save("parent_id", "has too deep level of nesting"));
    }
  }
  if (!is_valid_path(group.path)) return std::unexpected(failed_to_save("path", kPathRule));
  if (!parent && is_reserved_path(group.path)) {
    return std::unexpected(failed_to_save("path", fmt::format("{} is a reserved name", group.path)));
  }
  const auto full_path = parent ? parent->full_path + "/" + group.path : group.path;
  if (API_TRY(model::find_namespace_by_path(tx, full_path)) ||
      API_TRY(tx.count("SELECT count(*) FROM projects WHERE lower(full_path) = lower(?)", {full_path})) > 0) {
    return std::unexpected(failed_to_save("path", "has already been taken"));
  }
  const auto visibility =
      group.visibility ? *group.visibility : API_TRY(model::setting(tx, "default_group_visibility")).string_or("");
  const auto id = API_TRY(tx.insert(
      "INSERT INTO namespaces (kind, parent_id, name, path, full_path, full_name, description, visibility, "
      "shared_runners_setting, created_at) VALUES ('group', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {group.parent_id, group.name, group.path, full_path, parent ? parent->full_name + " / " + group.name : group.name,
       group.description, visibility, parent ? parent->shared_runners_setting : "enabled", call.now()}));
  std::string traversal;
  for (const auto step : parent ? parent->chain : std::vector<std::int64_t>{}) traversal += fmt::format("{}.", step);
  API_CHECK(tx.execute("UPDATE namespaces SET traversal = ? WHERE id = ?", {fmt::format("{}{}.", traversal, id), id}));
  // Whoever has Owner rights through the parent needs no membership of his own.
  if (!parent || API_TRY(model::namespace_level(tx, call.identity.user_id, *parent, call.now())) < kOwner) {
    API_CHECK(
        tx.execute("INSERT INTO members (namespace_id, user_id, access_level, created_at, created_by) VALUES (?, "
                   "?, ?, ?, ?)",
                   {id, call.identity.user_id, kOwner, call.now(), call.identity.user_id}));
  }
  return id;
}

Outcome<Reply> create_group(Call& call) {
  auto& params = call.params;
  NewGroup group;
  group.name = params.text("name", Presence::kRequired).value_or("");
  group.path = params.text("path", Presence::kRequired).value_or("");
  group.description = params.text("description").value_or("");
  group.visibility = params.one_of("visibility", {"private", "internal", "public"});
  group.parent_id = params.integer("parent_id");
  const auto settings = read_settings(params);
  API_CHECK(params.finish());
  if (group.name.empty()) return std::unexpected(failed_to_save("name", "can't be blank"));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto id = API_TRY(insert_group(tx, call, group));
    const auto made = API_TRY(model::find_namespace(tx, id));
    API_CHECK(apply_settings(tx, call, *made, settings));
    API_CHECK(model::audit(tx, call, "group_created", model::subject_of(*made)));
    const auto found = API_TRY(model::visible_group(tx, call, std::to_string(id)));
    return json_reply(201, API_TRY(group_details(tx, call, found, true)));
  });
}

Outcome<Reply> show_group(Call& call) {
  const bool with_projects = call.params.boolean("with_projects").value_or(true);
  API_CHECK(call.params.finish());
  return read_else_write(call.app, [&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    return json_reply(200, API_TRY(group_details(tx, call, found, with_projects)));
  });
}

// A new path moves everything below; repositories follow ids, not paths.
Outcome<std::monostate> move_group(Transaction& tx, const model::Namespace& group, const std::string& path) {
  if (!is_valid_path(path)) return std::unexpected(failed_to_save("path", kPathRule));
  if (!group.parent_id && is_reserved_path(path)) {
    return std::unexpected(failed_to_save("path", fmt::format("{} is a reserved name", path)));
  }
  const auto slash = group.full_path.rfind('/');
  const auto full_path = slash == std::string::npos ? path : group.full_path.substr(0, slash + 1) + path;
  const auto other = API_TRY(model::find_namespace_by_path(tx, full_path));
  if (other && other->id != group.id) return std::unexpected(failed_to_save("path", "has already been taken"));
  const auto old_length = static_cast<std::int64_t>(group.full_path.size());
  API_CHECK(tx.execute("UPDATE namespaces SET path = ? WHERE id = ?", {path, group.id}));
  const auto below = model::subtree_pattern(group);
  API_CHECK(
      tx.execute("UPDATE projects SET full_path = ? || substr(full_path, ?) WHERE namespace_id IN (SELECT id FROM "
                 "namespaces WHERE traversal LIKE ?)",
                 {full_path, old_length + 1, below}));
  API_CHECK(tx.execute("UPDATE namespaces SET full_path = ? || substr(full_path, ?) WHERE traversal LIKE ?",
                       {full_path, old_length + 1, below}));
  return {};
}

Outcome<std::monostate> rename_group(Transaction& tx, const model::Namespace& group, const std::string& name) {
  if (name.empty()) return std::unexpected(failed_to_save("name", "can't be blank"));
  const auto full_name = group.full_name.substr(0, group.full_name.size() - group.name.size()) + name;
  API_CHECK(tx.execute("UPDATE namespaces SET name = ? WHERE id = ?", {name, group.id}));
  // substr() counts characters, so the length does as well.
  API_CHECK(tx.execute("UPDATE namespaces SET full_name = ? || substr(full_name, length(?) + 1) WHERE traversal LIKE ?",
                       {full_name, group.full_name, model::subtree_pattern(group)}));
  return {};
}

Outcome<Reply> update_group(Call& call) {
  auto& params = call.params;
  const auto name = params.text("name");
  const auto path = params.text("path");
  const auto description = params.text("description");
  const auto visibility = params.one_of("visibility", {"private", "internal", "public"});
  const auto settings = read_settings(params);
  API_CHECK(params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::group_for(tx, call, Ability::kAdmin));
    API_CHECK(
        tx.execute("UPDATE namespaces SET description = coalesce(?, description), visibility = "
                   "coalesce(?, visibility) WHERE id = ?",
                   {description, visibility, found.group.id}));
    if (name && *name != found.group.name) API_CHECK(rename_group(tx, found.group, *name));
    if (path && *path != found.group.path) API_CHECK(move_group(tx, found.group, *path));
    API_CHECK(apply_settings(tx, call, found.group, settings));
    API_CHECK(audit_update(tx, call, found.group));
    const auto now_found = API_TRY(model::visible_group(tx, call, std::to_string(found.group.id)));
    return json_reply(200, API_TRY(group_details(tx, call, now_found, true)));
  });
}

Outcome<Reply> delete_group(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::group_for(tx, call, Ability::kRemove));
    API_CHECK(check_unmodified(call, found.group.created_at));
    API_CHECK(model::delete_namespace(tx, call.app, found.group));
    API_CHECK(model::audit(tx, call, "group_destroyed", model::subject_of(found.group)));
    return message_reply(202, "202 Accepted");
  });
}

ApiHandler set_archived(bool archived) {
  return [archived](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::group_for(tx, call, Ability::kArchive));
      API_CHECK(tx.execute("UPDATE namespaces SET archived = ? WHERE id = ?", {archived, found.group.id}));
      API_CHECK(audit_update(tx, call, found.group));
      const auto again = API_TRY(model::visible_group(tx, call, std::to_string(found.group.id)));
      return json_reply(201, API_TRY(group_details(tx, call, again, true)));
    });
  };
}

} // namespace

void register_groups(Api& api) {
  static const std::string create = "name!:text path!:text parent_id:int " + std::string(kSettings);
  static const std::string update = "name:text path:text " + std::string(kSettings);
  api.post("/groups", create_group, {.summary = "Create a group", .params = create, .answers = "201:Group 404"});
  api.get("/groups/:id", show_group,
          {.auth = Auth::kOptional, .summary = "One group", .params = "with_projects:bool", .answers = "200:Group"});
  api.put("/groups/:id", update_group, {.summary = "Edit a group", .params = update, .answers = "200:Group"});
  api.remove("/groups/:id", delete_group,
             {.summary = "Delete a group with all that is in it", .answers = "202:Message 412"});
  api.post("/groups/:id/archive", set_archived(true), {.summary = "Archive a group", .answers = "201:Group"});
  api.post("/groups/:id/unarchive", set_archived(false), {.summary = "Unarchive a group", .answers = "201:Group"});
}

} // namespace coordinator::rest
