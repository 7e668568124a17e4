// /projects.
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

json::Value project_settings_json(const model::Project& project) {
  return json::Value::object(
      {{"archived", project.archived},
       {"empty_repo", project.empty_repository},
       {"creator_id", project.creator_id ? json::Value(*project.creator_id) : json::Value()},
       {"issues_enabled", false},
       {"merge_requests_enabled", false},
       {"wiki_enabled", false},
       {"snippets_enabled", false},
       {"container_registry_enabled", false},
       {"jobs_enabled", project.builds_enabled},
       {"builds_access_level", project.builds_enabled ? "enabled" : "disabled"},
       {"repository_access_level", "enabled"},
       {"issues_access_level", "disabled"},
       {"merge_requests_access_level", "disabled"},
       {"import_status", "none"},
       {"open_issues_count", 0},
       {"shared_runners_enabled", project.shared_runners_enabled},
       {"group_runners_enabled", project.group_runners_enabled},
       {"lfs_enabled", false},
       {"public_jobs", project.public_jobs},
       {"shared_with_groups", json::Value::array()},
       {"ci_default_git_depth", project.git_depth ? json::Value(*project.git_depth) : json::Value()},
       {"ci_separated_caches", project.separated_caches},
       {"ci_config_path", project.ci_config_path},
       {"build_timeout", project.build_timeout},
       {"build_git_strategy", project.git_strategy},
       {"auto_cancel_pending_pipelines", project.auto_cancel ? "enabled" : "disabled"},
       {"keep_latest_artifact", project.keep_latest_artifact},
       {"updated_at", model::utc_millis(project.updated_at)}});
}

namespace {

// The caller's roles: by a membership of the project itself, and through its groups.
Outcome<json::Value> permissions_json(Transaction& tx, const Call& call, const model::Project& project,
                                      const std::optional<model::Namespace>& space) {
  const auto role = [](std::int64_t level) {
    if (level == kNoAccess) return json::Value();
    return json::Value::object({{"access_level", level}, {"notification_level", 3}});
  };
  const auto user_id = call.identity.user_id;
  auto direct =
      API_TRY(tx.count("SELECT access_level FROM members WHERE project_id = ? AND user_id = ? AND (expires_at "
                       "IS NULL OR expires_at > ?)",
                       {project.id, user_id, model::utc_date(call.now())}));
  const auto around = space ? API_TRY(model::namespace_level(tx, user_id, *space, call.now())) : kNoAccess;
  const bool personal = space && !space->is_group();
  if (personal) direct = std::max<std::int64_t>(direct, around);
  return json::Value::object(
      {{"project_access", role(direct)}, {"group_access", personal ? json::Value() : role(around)}});
}

} // namespace

Outcome<json::Value> project_json(Transaction& tx, const Call& call, const model::ProjectAccess& found) {
  const auto& project = found.project;
  auto out = model::project_basic_json(call.app, project);
  const auto settings = project_settings_json(project);
  for (const auto& [name, value] : settings.as_object()) out.set(name, value);
  out.set("_links",
          json::Value::object({{"self", fmt::format("{}/api/v4/projects/{}", call.app.url, project.id)},
                               {"members", fmt::format("{}/api/v4/projects/{}/members", call.app.url, project.id)}}));
  const auto owned = API_TRY(model::find_namespace(tx, project.namespace_id));
  if (owned && !owned->is_group()) out.set("owner", API_TRY(model::user_basic_json(tx, call.app, owned->owner_id)));
  if (allowed(Ability::kAdmin, found.access)) {
    const auto rules = API_TRY(model::registration_rules(tx, RunnerType::kProject, owned ? &*owned : nullptr));
    out.set("runners_token",
            rules.tokens_allowed
                ? json::Value(API_TRY(model::registration_token(tx, call.app.vault, "project", project.id)))
                : json::Value());
    out.set("runner_token_expiration_interval", project.runner_token_expiration_interval
                                                    ? json::Value(*project.runner_token_expiration_interval)
                                                    : json::Value());
  }
  if (call.identity.signed_in()) out.set("permissions", API_TRY(permissions_json(tx, call, project, owned)));
  return out;
}

namespace {

constexpr std::string_view kSettings =
    "name:text default_branch:text description:text visibility:(private|internal|public) ci_config_path:text? "
    "build_git_strategy:(fetch|clone) build_timeout:int ci_default_git_depth:int? "
    "runner_token_expiration_interval:int? "
    "topics:list tag_list:list shared_runners_enabled:bool group_runners_enabled:bool jobs_enabled:bool "
    "public_builds:bool public_jobs:bool ci_separated_caches:bool keep_latest_artifact:bool "
    "builds_access_level:(disabled|private|enabled) auto_cancel_pending_pipelines:(enabled|disabled)";

// What the audit trail compares.
json::Value audited_json(const model::Project& project) {
  auto out = project_settings_json(project);
  out.set("name", project.name);
  out.set("path", project.full_path);
  out.set("description", project.description);
  out.set("visibility", model::to_string(project.visibility));
  out.set("default_branch", project.default_branch);
  out.set("runner_token_expiration_interval", project.runner_token_expiration_interval
                                                  ? json::Value(*project.runner_token_expiration_interval)
                                                  : json::Value());
  out.set("updated_at", nullptr);
  return out;
}

Outcome<std::monostate> audit_update(Transaction& tx, const Call& call, const model::Project& before) {
  const auto after = API_TRY(model::find_project(tx, before.id));
  const auto difference = model::changes(audited_json(before), audited_json(*after));
  if (difference.size() > 0) {
    API_CHECK(model::audit(tx, call, "project_updated", model::subject_of(*after),
                           json::Value::object({{"changes", difference}})));
  }
  return {};
}

// The attributes that POST and PUT share, as column and value.
struct Attributes {
  std::vector<std::pair<std::string, Bind>> columns;
  void put(std::string_view column, Bind value) { columns.emplace_back(column, std::move(value)); }
};

void read_flags(Params& params, Attributes& out) {
  static constexpr std::pair<std::string_view, std::string_view> flags[] = {
      {"shared_runners_enabled", "shared_runners_enabled"},
      {"group_runners_enabled", "group_runners_enabled"},
      {"jobs_enabled", "builds_enabled"},
      {"public_builds", "public_jobs"},
      {"public_jobs", "public_jobs"},
      {"ci_separated_caches", "separated_caches"},
      {"keep_latest_artifact", "keep_latest_artifact"}};
  for (const auto& [name, column] : flags) {
    if (const auto value = params.boolean(name)) out.put(column, *value);
  }
  if (const auto level = params.one_of("builds_access_level", {"disabled", "private", "enabled"})) {
    out.put("builds_enabled", *level != "disabled");
  }
  if (const auto mode = params.one_of("auto_cancel_pending_pipelines", {"enabled", "disabled"})) {
    out.put("auto_cancel", *mode == "enabled");
  }
}

Attributes read_attributes(Params& params) {
  Attributes out;
  if (const auto text = params.text("description")) out.put("description", *text);
  if (const auto word = params.one_of("visibility", {"private", "internal", "public"})) out.put("visibility", *word);
  if (params.has("ci_config_path")) out.put("ci_config_path", params.text("ci_config_path"));
  if (const auto word = params.one_of("build_git_strategy", {"fetch", "clone"})) out.put("git_strategy", *word);
  if (const auto seconds = params.integer("build_timeout")) {
    if (*seconds < 600 || *seconds > 30LL * 24 * 3600) params.complain("build_timeout does not have a valid value");
    out.put("build_timeout", *seconds);
  }
  if (params.has("ci_default_git_depth")) {
    const auto depth = params.integer("ci_default_git_depth");
    if (depth && (*depth < 0 || *depth > 1000)) params.complain("ci_default_git_depth does not have a valid value");
    out.put("git_depth", depth);
  }
  if (params.has("runner_token_expiration_interval")) {
    const auto life = params.integer("runner_token_expiration_interval");
    if (life && *life < 7200) params.complain("runner_token_expiration_interval does not have a valid value");
    out.put("runner_token_expiration_interval", life);
  }
  const auto topics = params.has("topics") ? params.list("topics") : params.list("tag_list");
  if (topics) {
    auto array = json::Value::array();
    for (const auto& topic : *topics) array.push_back(topic);
    out.put("topics", array.dump());
  }
  read_flags(params, out);
  return out;
}

base::Status store_attributes(Transaction& tx, std::int64_t id, const Attributes& attributes) {
  for (const auto& [column, value] : attributes.columns) {
    FR_CHECK(tx.execute(fmt::format("UPDATE projects SET {} = ? WHERE id = ?", column), {value, id}));
  }
  return {};
}

Reply invalid(std::string_view attribute, std::string_view text) {
  Violations violations;
  violations.add(attribute, std::string(text));
  return violations.as_object();
}

// The namespace a project shall be made in: the caller's own by default.
Outcome<model::Namespace> target_namespace(Transaction& tx, const Call& call, std::optional<std::int64_t> id) {
  auto space = API_TRY(id ? model::find_namespace(tx, *id) : model::find_namespace_by_path(tx, call.identity.username));
  if (!space) return std::unexpected(invalid("namespace", "is not valid"));
  const auto access = API_TRY(model::access_to(tx, call.identity, *space, call.now()));
  if (!allowed(Ability::kCreateProjects, access)) {
    // Whether it exists is told only to those who may see it.
    return std::unexpected(allowed(Ability::kRead, access) ? forbidden() : invalid("namespace", "is not valid"));
  }
  return std::move(*space);
}

Outcome<std::string> free_path(Transaction& tx, const model::Namespace& space, const std::string& path,
                               std::int64_t except = 0) {
  if (!is_valid_path(path)) return std::unexpected(invalid("path", kPathRule));
  const auto full_path = space.full_path + "/" + path;
  const auto taken = API_TRY(
      tx.count("SELECT count(*) FROM projects WHERE lower(full_path) = lower(?) AND id <> ?", {full_path, except}));
  if (taken > 0 || API_TRY(model::find_namespace_by_path(tx, full_path))) {
    return std::unexpected(
        message_reply(400, json::Value::object({{"project_namespace.name", json::Array{"has already been taken"}},
                                                {"name", json::Array{"has already been taken"}},
                                                {"path", json::Array{"has already been taken"}}})));
  }
  return full_path;
}

struct NewProject {
  std::string name, path;
  std::optional<std::int64_t> namespace_id;
  std::optional<std::string> default_branch;
  Attributes attributes;
};

Outcome<std::int64_t> insert_project(Transaction& tx, Call& call, const NewProject& wish) {
  const auto space = API_TRY(target_namespace(tx, call, wish.namespace_id));
  const auto full_path = API_TRY(free_path(tx, space, wish.path));
  const auto visibility = API_TRY(model::setting(tx, "default_project_visibility")).string_or("private");
  const auto branch =
      wish.default_branch.value_or(API_TRY(model::setting(tx, "default_branch_name")).string_or("main"));
  const bool shared =
      API_TRY(model::setting_flag(tx, "shared_runners_enabled")) && space.shared_runners_setting == "enabled";
  const auto now = call.now();
  const auto id = API_TRY(tx.insert(
      "INSERT INTO projects (namespace_id, creator_id, name, path, full_path, visibility, default_branch, "
      "shared_runners_enabled, created_at, updated_at, last_activity_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {space.id, call.identity.user_id, wish.name, wish.path, full_path, visibility, branch, shared, now, now, now}));
  API_CHECK(store_attributes(tx, id, wish.attributes));
  API_CHECK(tx.execute("INSERT INTO protected_refs (project_id, kind, name) VALUES (?, 'branch', ?)", {id, branch}));
  const auto project = API_TRY(model::find_project(tx, id));
  if (API_TRY(model::project_level(tx, call.identity.user_id, *project, now)) < kOwner) {
    API_CHECK(
        tx.execute("INSERT INTO members (project_id, user_id, access_level, created_at, created_by) VALUES (?, ?, "
                   "?, ?, ?)",
                   {id, call.identity.user_id, kOwner, now, call.identity.user_id}));
  }
  tx.after_commit([&app = call.app, id] { app.events.project_created(id); });
  return id;
}

// What a client asks for and we cannot do; empty when there is nothing of the kind.
std::string unsupported(Params& params) {
  const bool readme = params.boolean("initialize_with_readme").value_or(false);
  params.integer("template_project_id");
  for (const auto name : {"import_url", "template_name", "template_project_id"}) {
    if (params.text(name)) return fmt::format("{} is not supported", name);
  }
  return readme ? "initialize_with_readme is not supported: push a first commit instead" : "";
}

Outcome<Reply> create_project(Call& call) {
  auto& params = call.params;
  NewProject wish;
  wish.name = params.text("name").value_or("");
  wish.path = params.text("path").value_or("");
  wish.namespace_id = params.integer("namespace_id");
  wish.default_branch = params.text("default_branch");
  wish.attributes = read_attributes(params);
  if (wish.name.empty() && wish.path.empty()) {
    params.complain("name, path are missing, at least one parameter must be provided");
  }
  const auto refusal = unsupported(params);
  API_CHECK(params.finish());
  if (!refusal.empty()) return std::unexpected(bad_request(refusal));
  if (wish.path.empty()) wish.path = path_from_name(wish.name);
  if (wish.name.empty()) wish.name = wish.path;
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto id = API_TRY(insert_project(tx, call, wish));
    const auto found = API_TRY(model::visible_project(tx, call, std::to_string(id)));
    API_CHECK(model::audit(tx, call, "project_created", model::subject_of(found.project)));
    return json_reply(201, API_TRY(project_json(tx, call, found)));
  });
}

Outcome<Reply> show_project(Call& call) {
  return read_else_write(call.app, [&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
    return json_reply(200, API_TRY(project_json(tx, call, found)));
  });
}

// Turning instance runners on where a group above forbids it is refused.
Outcome<std::monostate> check_shared_runners(Transaction& tx, const model::Project& project,
                                             std::optional<bool> wanted) {
  if (wanted != true || project.shared_runners_enabled) return {};
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  if (space && space->shared_runners_setting == "disabled_and_unoverridable") {
    return std::unexpected(
        invalid("shared_runners_enabled", "cannot be enabled because parent group does not allow it"));
  }
  return {};
}

Outcome<Reply> update_project(Call& call) {
  auto& params = call.params;
  const auto name = params.text("name");
  const auto path = params.text("path");
  const auto branch = params.text("default_branch");
  const auto shared = params.boolean("shared_runners_enabled");
  const auto attributes = read_attributes(params);
  API_CHECK(params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kAdmin));
    const auto& project = found.project;
    API_CHECK(check_shared_runners(tx, project, shared));
    API_CHECK(store_attributes(tx, project.id, attributes));
    if (name && name->empty()) return std::unexpected(invalid("name", "can't be blank"));
    API_CHECK(
        tx.execute("UPDATE projects SET name = coalesce(?, name), default_branch = coalesce(?, default_branch), "
                   "updated_at = ? WHERE id = ?",
                   {name, branch, call.now(), project.id}));
    if (path && *path != project.path) {
      const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
      const auto full_path = API_TRY(free_path(tx, *space, *path, project.id));
      API_CHECK(tx.execute("UPDATE projects SET path = ?, full_path = ? WHERE id = ?", {*path, full_path, project.id}));
    }
    API_CHECK(audit_update(tx, call, project));
    tx.after_commit([&app = call.app] { app.events.eligibility_changed(); });
    const auto again = API_TRY(model::visible_project(tx, call, std::to_string(project.id)));
    return json_reply(200, API_TRY(project_json(tx, call, again)));
  });
}

Outcome<Reply> delete_project(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kRemove));
    API_CHECK(check_unmodified(call, found.project.updated_at));
    API_CHECK(model::delete_project(tx, call.app, found.project));
    API_CHECK(model::audit(tx, call, "project_destroyed", model::subject_of(found.project)));
    return message_reply(202, "202 Accepted");
  });
}

ApiHandler set_archived(bool archived) {
  return [archived](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::project_for(tx, call, Ability::kArchive));
      API_CHECK(tx.execute("UPDATE projects SET archived = ? WHERE id = ?", {archived, found.project.id}));
      API_CHECK(audit_update(tx, call, found.project));
      const auto again = API_TRY(model::visible_project(tx, call, std::to_string(found.project.id)));
      return json_reply(201, API_TRY(project_json(tx, call, again)));
    });
  };
}

} // namespace

void register_projects(Api& api) {
  static const std::string create =
      "path:text namespace_id:int import_url:text template_name:text "
      "template_project_id:int initialize_with_readme:bool " +
      std::string(kSettings);
  static const std::string update = "path:text " + std::string(kSettings);
  api.post("/projects", create_project, {.summary = "Create a project", .params = create, .answers = "201:Project"});
  api.get("/projects/:id", show_project,
          {.auth = Auth::kOptional, .job_token = true, .summary = "One project", .answers = "200:Project"});
  api.put("/projects/:id", update_project, {.summary = "Edit a project", .params = update, .answers = "200:Project"});
  api.remove("/projects/:id", delete_project,
             {.summary = "Delete a project with all that is in it", .answers = "202:Message 412"});
  api.post("/projects/:id/archive", set_archived(true), {.summary = "Archive a project", .answers = "201:Project"});
  api.post("/projects/:id/unarchive", set_archived(false),
           {.summary = "Unarchive a project", .answers = "201:Project"});
}

} // namespace coordinator::rest
