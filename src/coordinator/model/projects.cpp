#include "coordinator/model/projects.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::model {
namespace {

// "1.7.9." → 1, 7, 9
std::vector<std::int64_t> chain_of(std::string_view traversal) {
  std::vector<std::int64_t> out;
  for (const auto& part : base::split(traversal, '.')) {
    if (const auto id = base::parse_int(part)) out.push_back(*id);
  }
  return out;
}

std::vector<std::string> topics_of(const std::string& array) {
  std::vector<std::string> out;
  const auto value = json::parse(array);
  if (value && value->is_array()) {
    for (const auto& item : value->as_array()) out.push_back(item.string_or(""));
  }
  return out;
}

Namespace namespace_from(const Row& row) {
  return {
      .id = row.integer("id"),
      .kind = row.text("kind"),
      .parent_id = row.optional_integer("parent_id"),
      .owner_id = row.optional_integer("owner_id"),
      .name = row.text("name"),
      .path = row.text("path"),
      .full_path = row.text("full_path"),
      .full_name = row.text("full_name"),
      .chain = chain_of(row.text("traversal")),
      .description = row.text("description"),
      .visibility = parse_visibility(row.text("visibility")),
      .shared_runners_setting = row.text("shared_runners_setting"),
      .runner_registration_enabled = row.boolean("runner_registration_enabled"),
      .stale_runner_cleanup_enabled = row.boolean("stale_runner_cleanup_enabled"),
      .allow_runner_registration_token = row.boolean("allow_runner_registration_token"),
      .archived = row.boolean("archived"),
      .runner_token_expiration_interval = row.optional_integer("runner_token_expiration_interval"),
      .subgroup_runner_token_expiration_interval = row.optional_integer("subgroup_runner_token_expiration_interval"),
      .project_runner_token_expiration_interval = row.optional_integer("project_runner_token_expiration_interval"),
      .created_at = row.integer("created_at")};
}

Project project_from(const Row& row) {
  return {.id = row.integer("id"),
          .namespace_id = row.integer("namespace_id"),
          .creator_id = row.optional_integer("creator_id"),
          .name = row.text("name"),
          .path = row.text("path"),
          .full_path = row.text("full_path"),
          .namespace_path = row.text("namespace_path"),
          .namespace_name = row.text("namespace_name"),
          .namespace_full_name = row.text("namespace_full_name"),
          .namespace_kind = row.text("namespace_kind"),
          .namespace_parent_id = row.optional_integer("namespace_parent_id"),
          .description = row.text("description"),
          .visibility = parse_visibility(row.text("visibility")),
          .default_branch = row.text("default_branch"),
          .topics = topics_of(row.text("topics")),
          .archived = row.boolean("archived"),
          .empty_repository = row.boolean("empty_repository"),
          .builds_enabled = row.boolean("builds_enabled"),
          .shared_runners_enabled = row.boolean("shared_runners_enabled"),
          .group_runners_enabled = row.boolean("group_runners_enabled"),
          .ci_config_path = row.text("ci_config_path"),
          .build_timeout = row.integer("build_timeout"),
          .git_strategy = row.text("git_strategy"),
          .git_depth = row.optional_integer("git_depth"),
          .auto_cancel = row.boolean("auto_cancel"),
          .separated_caches = row.boolean("separated_caches"),
          .keep_latest_artifact = row.boolean("keep_latest_artifact"),
          .public_jobs = row.boolean("public_jobs"),
          .cache_index = row.integer("cache_index"),
          .runner_token_expiration_interval = row.optional_integer("runner_token_expiration_interval"),
          .created_at = row.integer("created_at"),
          .updated_at = row.integer("updated_at"),
          .last_activity_at = row.integer("last_activity_at")};
}

base::Result<std::optional<Project>> one_project(Transaction& tx, std::string_view where, const Bind& value) {
  const auto row = FR_TRY(tx.query_one(std::string(kProjectSelect) + " AND " + std::string(where), {value}));
  if (!row) return std::nullopt;
  return project_from(*row);
}

base::Result<bool> chain_archived(Transaction& tx, const std::vector<std::int64_t>& chain) {
  std::string ids = "0";
  for (const auto id : chain) ids += "," + std::to_string(id);
  return FR_TRY(tx.count("SELECT count(*) FROM namespaces WHERE archived = 1 AND id IN (" + ids + ")")) > 0;
}

// The highest role that a user's memberships give on these namespaces.
base::Result<int> chain_level(Transaction& tx, std::int64_t user_id, const std::vector<std::int64_t>& chain,
                              std::string_view today) {
  std::int64_t best = kNoAccess;
  for (const auto id : chain) {
    best =
        std::max(best, FR_TRY(tx.count("SELECT max(access_level) FROM members WHERE namespace_id = ? AND user_id = ? "
                                       "AND (expires_at IS NULL OR expires_at > ?)",
                                       {id, user_id, today})));
  }
  return static_cast<int>(best);
}

} // namespace

Project project_from_row(const Row& row) { return project_from(row); }
Namespace namespace_from_row(const Row& row) { return namespace_from(row); }

std::string_view to_string(Visibility visibility) {
  switch (visibility) {
    case Visibility::kPrivate:
      return "private";
    case Visibility::kInternal:
      return "internal";
    case Visibility::kPublic:
      return "public";
  }
  return "private";
}

base::Result<std::optional<Namespace>> find_namespace(Transaction& tx, std::int64_t id) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM namespaces WHERE id = ?", {id}));
  if (!row) return std::nullopt;
  return namespace_from(*row);
}

base::Result<std::optional<Namespace>> find_namespace(Transaction& tx, std::string_view path_or_id) {
  if (const auto id = base::parse_int(path_or_id)) return find_namespace(tx, *id);
  return find_namespace_by_path(tx, path_or_id);
}

base::Result<std::optional<Namespace>> find_namespace_by_path(Transaction& tx, std::string_view full_path) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM namespaces WHERE lower(full_path) = lower(?)", {full_path}));
  if (!row) return std::nullopt;
  return namespace_from(*row);
}

base::Result<std::optional<Namespace>> find_group(Transaction& tx, std::string_view path_or_id) {
  auto found = FR_TRY(find_namespace(tx, path_or_id));
  if (found && !found->is_group()) found.reset();
  return found;
}

base::Result<std::optional<Project>> find_project(Transaction& tx, std::int64_t id) {
  return one_project(tx, "p.id = ?", id);
}

base::Result<std::optional<Project>> find_project(Transaction& tx, std::string_view path_or_id) {
  if (const auto id = base::parse_int(path_or_id)) return find_project(tx, *id);
  return one_project(tx, "lower(p.full_path) = lower(?)", path_or_id);
}

base::Result<int> namespace_level(Transaction& tx, std::int64_t user_id, const Namespace& space, std::int64_t now) {
  if (space.kind == "user") return space.owner_id == user_id ? kOwner : kNoAccess;
  return chain_level(tx, user_id, space.chain, utc_date(now));
}

base::Result<ProjectAccesses::Place> ProjectAccesses::place(std::int64_t namespace_id) {
  if (const auto known = places_.find(namespace_id); known != places_.end()) return known->second;
  Place out;
  if (const auto space = FR_TRY(find_namespace(tx_, namespace_id))) {
    if (identity_.signed_in()) out.level = FR_TRY(namespace_level(tx_, identity_.user_id, *space, now_));
    out.archived = FR_TRY(chain_archived(tx_, space->chain));
  }
  places_.emplace(namespace_id, out);
  return out;
}

base::Result<Access> ProjectAccesses::to(const Project& project) {
  const auto around = FR_TRY(place(project.namespace_id));
  Access access{.actor = identity_.actor(),
                .visibility = project.visibility,
                .kind = PlaceKind::kProject,
                .archived = project.archived || around.archived,
                .public_jobs = project.public_jobs};
  if (!identity_.signed_in()) return access;
  if (!memberships_) {
    memberships_.emplace();
    for (const auto& row : FR_TRY(tx_.query("SELECT project_id, access_level FROM members WHERE user_id = ? AND "
                                            "project_id IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)",
                                            {identity_.user_id, utc_date(now_)}))) {
      memberships_->emplace(row.integer("project_id"), static_cast<int>(row.integer("access_level")));
    }
  }
  const auto own = memberships_->find(project.id);
  const int level = std::max(around.level, own == memberships_->end() ? kNoAccess : own->second);
  if (identity_.kind != Identity::Kind::kJob) {
    access.level = level;
    return access;
  }
  // A job reaches other projects only as far as anybody signed in does. In its own it reads as its user could; whatever
  // else its endpoints allow, they decide by the token itself.
  access.actor.admin = false;
  access.own_job = identity_.project_id == project.id;
  if (access.own_job) access.level = std::min(level, kReporter);
  return access;
}

base::Result<int> project_level(Transaction& tx, std::int64_t user_id, const Project& project, std::int64_t now) {
  const Identity user{.kind = Identity::Kind::kUser, .user_id = user_id};
  return FR_TRY(access_to(tx, user, project, now)).level;
}

base::Result<Access> access_to(Transaction& tx, const Identity& identity, const Project& project, std::int64_t now) {
  return ProjectAccesses(tx, identity, now).to(project);
}

base::Result<Access> access_to(Transaction& tx, const Identity& identity, const Namespace& space, std::int64_t now) {
  Access access{.actor = identity.actor(),
                .visibility = space.visibility,
                .kind = space.is_group() ? PlaceKind::kGroup : PlaceKind::kPersonal,
                .archived = FR_TRY(chain_archived(tx, space.chain))};
  if (identity.kind != Identity::Kind::kUser) {
    access.actor.admin = false;
    return access;
  }
  access.level = FR_TRY(namespace_level(tx, identity.user_id, space, now));
  if (!allowed(Ability::kRead, access) && space.is_group()) {
    // A member of a subgroup or of a project below sees the groups above.
    access.member_below =
        FR_TRY(tx.count("SELECT count(*) FROM members m LEFT JOIN projects p ON p.id = m.project_id "
                        "JOIN namespaces n ON n.id = coalesce(m.namespace_id, p.namespace_id) "
                        "WHERE m.user_id = ? AND n.traversal LIKE ? AND (m.expires_at IS NULL OR m.expires_at > ?)",
                        {identity.user_id, subtree_pattern(space), utc_date(now)})) > 0;
  }
  return access;
}

Outcome<ProjectAccess> visible_project(Transaction& tx, const Call& call, std::string_view path_or_id) {
  auto project = API_TRY(find_project(tx, path_or_id));
  if (!project) return std::unexpected(not_found("Project"));
  const auto access = API_TRY(access_to(tx, call.identity, *project, call.now()));
  if (!allowed(Ability::kRead, access)) return std::unexpected(not_found("Project"));
  return ProjectAccess{std::move(*project), access};
}

Outcome<GroupAccess> visible_group(Transaction& tx, const Call& call, std::string_view path_or_id) {
  auto group = API_TRY(find_group(tx, path_or_id));
  if (!group) return std::unexpected(not_found("Group"));
  const auto access = API_TRY(access_to(tx, call.identity, *group, call.now()));
  if (!allowed(Ability::kRead, access)) return std::unexpected(not_found("Group"));
  return GroupAccess{std::move(*group), access};
}

Outcome<ProjectAccess> project_for(Transaction& tx, const Call& call, Ability ability) {
  auto found = API_TRY(visible_project(tx, call, call.path("id")));
  if (!allowed(ability, found.access)) return std::unexpected(forbidden());
  return found;
}

Outcome<GroupAccess> group_for(Transaction& tx, const Call& call, Ability ability) {
  auto found = API_TRY(visible_group(tx, call, call.path("id")));
  if (!allowed(ability, found.access)) return std::unexpected(forbidden());
  return found;
}

std::string subtree_pattern(const Namespace& space) {
  std::string prefix;
  for (const auto id : space.chain) prefix += std::to_string(id) + ".";
  return prefix + "%";
}

base::Status delete_project(Transaction& tx, App& app, const Project& project) {
  std::vector<std::int64_t> bots;
  for (const auto& row : FR_TRY(tx.query("SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id WHERE "
                                         "m.project_id = ? AND u.kind = 'project_bot'",
                                         {project.id}))) {
    bots.push_back(row.integer("user_id"));
  }
  FR_CHECK(release_project_runners(tx, project.id));
  FR_CHECK(tx.execute("DELETE FROM registration_tokens WHERE scope = 'project' AND scope_id = ?", {project.id}));
  FR_CHECK(tx.execute("DELETE FROM projects WHERE id = ?", {project.id}));
  for (const auto bot : bots) FR_CHECK(tx.execute("DELETE FROM users WHERE id = ?", {bot}));
  tx.after_commit([&app, id = project.id, path = project.full_path] {
    app.events.project_deleted(id, path);
    app.events.eligibility_changed();
  });
  return {};
}

base::Status delete_namespace(Transaction& tx, App& app, const Namespace& space) {
  for (const auto& row :
       FR_TRY(tx.query("SELECT * FROM namespaces WHERE parent_id = ? AND id <> ?", {space.id, space.id}))) {
    FR_CHECK(delete_namespace(tx, app, namespace_from(row)));
  }
  for (const auto& row : FR_TRY(tx.query(std::string(kProjectSelect) + " AND p.namespace_id = ?", {space.id}))) {
    FR_CHECK(delete_project(tx, app, project_from(row)));
  }
  for (const auto& row : FR_TRY(tx.query("SELECT id FROM runners WHERE namespace_id = ?", {space.id}))) {
    FR_CHECK(delete_runner(tx, row.integer("id")));
    tx.after_commit([&app, id = row.integer("id")] { app.events.runner_deleted(id); });
  }
  FR_CHECK(
      tx.execute("DELETE FROM users WHERE kind = 'group_bot' AND id IN (SELECT user_id FROM members WHERE "
                 "namespace_id = ?)",
                 {space.id}));
  FR_CHECK(tx.execute("DELETE FROM registration_tokens WHERE scope = 'group' AND scope_id = ?", {space.id}));
  FR_CHECK(tx.execute("DELETE FROM namespaces WHERE id = ?", {space.id}));
  return {};
}

base::Result<std::vector<ProtectedRef>> protected_refs(Transaction& tx, std::int64_t project_id,
                                                       std::string_view kind) {
  std::vector<ProtectedRef> out;
  for (const auto& row : FR_TRY(tx.query("SELECT * FROM protected_refs WHERE project_id = ? AND kind = ? ORDER BY name",
                                         {project_id, kind}))) {
    out.push_back({.id = row.integer("id"),
                   .name = row.text("name"),
                   .push_access_level = static_cast<int>(row.integer("push_access_level")),
                   .merge_access_level = static_cast<int>(row.integer("merge_access_level")),
                   .create_access_level = static_cast<int>(row.integer("create_access_level")),
                   .allow_force_push = row.boolean("allow_force_push")});
  }
  return out;
}

base::Result<bool> is_protected(Transaction& tx, std::int64_t project_id, std::string_view ref, bool tag) {
  for (const auto& rule : FR_TRY(protected_refs(tx, project_id, tag ? "tag" : "branch"))) {
    if (ref_matches(rule.name, ref)) return true;
  }
  return false;
}

base::Result<int> push_level(Transaction& tx, std::int64_t project_id, std::string_view ref, bool tag) {
  std::optional<int> lowest;
  for (const auto& rule : FR_TRY(protected_refs(tx, project_id, tag ? "tag" : "branch"))) {
    if (!ref_matches(rule.name, ref)) continue;
    const int level = tag ? rule.create_access_level : rule.push_access_level;
    // 0 is "no one": any rule that names a role is more generous.
    if (!lowest || *lowest == kNoAccess || (level != kNoAccess && level < *lowest)) lowest = level;
  }
  return lowest.value_or(kDeveloper);
}

std::string project_url(const App& app, const Project& project) { return app.url + "/" + project.full_path; }

std::string clone_url(const App& app, const Project& project) { return project_url(app, project) + ".git"; }

std::string ssh_url(const App& app, const Project& project) {
  std::string_view host = app.url;
  if (const auto scheme = host.find("://"); scheme != std::string_view::npos) host.remove_prefix(scheme + 3);
  host = host.substr(0, host.find_first_of(":/"));
  return "git@" + std::string(host) + ":" + project.full_path + ".git";
}

json::Value project_basic_json(const App& app, const Project& project) {
  auto topics = json::Value::array();
  for (const auto& topic : project.topics) topics.push_back(topic);
  return json::Value::object(
      {{"id", project.id},
       {"description", project.description.empty() ? json::Value() : json::Value(project.description)},
       {"name", project.name},
       {"name_with_namespace", project.namespace_full_name + " / " + project.name},
       {"path", project.path},
       {"path_with_namespace", project.full_path},
       {"created_at", utc_millis(project.created_at)},
       {"default_branch", project.default_branch},
       {"tag_list", topics},
       {"topics", topics},
       {"ssh_url_to_repo", ssh_url(app, project)},
       {"http_url_to_repo", clone_url(app, project)},
       {"web_url", project_url(app, project)},
       {"readme_url", nullptr},
       {"avatar_url", nullptr},
       {"forks_count", 0},
       {"star_count", 0},
       {"last_activity_at", utc_millis(project.last_activity_at)},
       {"visibility", to_string(project.visibility)},
       {"namespace",
        json::Value::object(
            {{"id", project.namespace_id},
             {"name", project.namespace_name},
             {"path", project.namespace_path.substr(project.namespace_path.rfind('/') + 1)},
             {"kind", project.namespace_kind},
             {"full_path", project.namespace_path},
             {"parent_id", project.namespace_parent_id ? json::Value(*project.namespace_parent_id) : json::Value()},
             {"avatar_url", nullptr},
             {"web_url", namespace_url(app, project.namespace_kind == "group", project.namespace_path)}})}});
}

std::string namespace_url(const App& app, bool group, std::string_view full_path) {
  return app.url + (group ? "/groups/" : "/") + std::string(full_path);
}

json::Value namespace_json(const App& app, const Namespace& space) {
  return json::Value::object({{"id", space.id},
                              {"name", space.name},
                              {"path", space.path},
                              {"kind", space.kind},
                              {"full_path", space.full_path},
                              {"parent_id", space.parent_id ? json::Value(*space.parent_id) : json::Value()},
                              {"avatar_url", nullptr},
                              {"web_url", namespace_url(app, space.is_group(), space.full_path)}});
}

} // namespace coordinator::model
