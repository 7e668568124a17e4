// Groups, personal namespaces, projects, memberships and protected refs. Functions run inside a transaction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/app.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

struct Namespace {
  std::int64_t id = 0;
  std::string kind; // group, user
  std::optional<std::int64_t> parent_id;
  std::optional<std::int64_t> owner_id; // personal ones
  std::string name;
  std::string path;
  std::string full_path;
  std::string full_name;           // "Group / Subgroup"
  std::vector<std::int64_t> chain; // root … itself
  std::string description;
  Visibility visibility = Visibility::kPrivate;
  std::string shared_runners_setting;
  bool runner_registration_enabled = true;
  bool stale_runner_cleanup_enabled = false; // of the group's own runners
  bool allow_runner_registration_token = true;
  bool archived = false; // itself; groups above count as well: Access::archived
  std::optional<std::int64_t> runner_token_expiration_interval;
  std::optional<std::int64_t> subgroup_runner_token_expiration_interval;
  std::optional<std::int64_t> project_runner_token_expiration_interval;
  std::int64_t created_at = 0;
  bool is_group() const { return kind == "group"; }
};

struct Project {
  std::int64_t id = 0;
  std::int64_t namespace_id = 0;
  std::optional<std::int64_t> creator_id;
  std::string name;
  std::string path;
  std::string full_path;
  std::string namespace_path; // full
  std::string namespace_name;
  std::string namespace_full_name;
  std::string namespace_kind;
  std::optional<std::int64_t> namespace_parent_id;
  std::string description;
  Visibility visibility = Visibility::kPrivate;
  std::string default_branch;
  std::vector<std::string> topics;
  bool archived = false;
  bool empty_repository = true;
  bool builds_enabled = true;
  bool shared_runners_enabled = true;
  bool group_runners_enabled = true;
  std::string ci_config_path; // empty: .gitlab-ci.yml
  std::int64_t build_timeout = 3600;
  std::string git_strategy;
  std::optional<std::int64_t> git_depth;
  bool auto_cancel = true;
  bool separated_caches = true;
  bool keep_latest_artifact = true;
  bool public_jobs = true;
  std::int64_t cache_index = 0;
  std::optional<std::int64_t> runner_token_expiration_interval;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;
  std::int64_t last_activity_at = 0;
};

std::string_view to_string(Visibility visibility);

// The head of every query for projects; goes on with " AND …", ends with a sort order if one is wanted. Rows read with
// project_from_row().
inline constexpr std::string_view kProjectSelect =
    "SELECT p.*, n.full_path AS namespace_path, n.name AS namespace_name, n.full_name AS namespace_full_name, n.kind "
    "AS namespace_kind, "
    "n.parent_id AS namespace_parent_id FROM projects p JOIN namespaces n ON n.id = p.namespace_id "
    "WHERE p.deleted = 0";
Project project_from_row(const Row& row);
Namespace namespace_from_row(const Row& row);

base::Result<std::optional<Namespace>> find_namespace(Transaction& tx, std::int64_t id);
// By number or by full path (any letter case); path_or_id as it stands in a URL, decoded.
base::Result<std::optional<Namespace>> find_namespace(Transaction& tx, std::string_view path_or_id);
base::Result<std::optional<Namespace>> find_namespace_by_path(Transaction& tx, std::string_view full_path);
base::Result<std::optional<Namespace>> find_group(Transaction& tx, std::string_view path_or_id);
base::Result<std::optional<Project>> find_project(Transaction& tx, std::int64_t id);
base::Result<std::optional<Project>> find_project(Transaction& tx, std::string_view path_or_id);

// Effective rights: the highest of all memberships on the way up that have not expired; the owner of a personal
// namespace is Owner. A job token's caller has the rights of the job's user, for the job's own project only.
base::Result<Access> access_to(Transaction& tx, const Identity& identity, const Project& project, std::int64_t now);
base::Result<Access> access_to(Transaction& tx, const Identity& identity, const Namespace& space, std::int64_t now);
// access_to() for the many projects of a list: namespaces and the caller's memberships are looked up once. For one
// transaction.
class ProjectAccesses {
 public:
  ProjectAccesses(Transaction& tx, const Identity& identity, std::int64_t now)
      : tx_(tx), identity_(identity), now_(now) {}
  base::Result<Access> to(const Project& project);

 private:
  struct Place {
    int level = kNoAccess;
    bool archived = false;
  };
  base::Result<Place> place(std::int64_t namespace_id);

  Transaction& tx_;
  const Identity& identity_;
  std::int64_t now_;
  std::map<std::int64_t, Place> places_;
  std::optional<std::map<std::int64_t, int>> memberships_; // project → role
};

base::Result<int> namespace_level(Transaction& tx, std::int64_t user_id, const Namespace& space, std::int64_t now);
base::Result<int> project_level(Transaction& tx, std::int64_t user_id, const Project& project, std::int64_t now);

// The project of a `:id` path segment that the caller may see, with his rights: 404 otherwise, as GitLab hides what one
// may not know. The group likewise.
struct ProjectAccess {
  Project project;
  Access access;
};
struct GroupAccess {
  Namespace group;
  Access access;
};
Outcome<ProjectAccess> visible_project(Transaction& tx, const Call& call, std::string_view path_or_id);
Outcome<GroupAccess> visible_group(Transaction& tx, const Call& call, std::string_view path_or_id);
// The same of `:id`, and 403 without the ability.
Outcome<ProjectAccess> project_for(Transaction& tx, const Call& call, Ability ability);
Outcome<GroupAccess> group_for(Transaction& tx, const Call& call, Ability ability);

// For `traversal LIKE ?`: the namespace and everything below.
std::string subtree_pattern(const Namespace& space);

// With everything in it: pipelines and jobs, runners that are left without a project, for namespaces all below. The
// events follow the commit.
base::Status delete_project(Transaction& tx, App& app, const Project& project);
base::Status delete_namespace(Transaction& tx, App& app, const Namespace& space);

struct ProtectedRef {
  std::int64_t id = 0;
  std::string name;
  int push_access_level = kMaintainer;
  int merge_access_level = kMaintainer;
  int create_access_level = kMaintainer;
  bool allow_force_push = false;
};
base::Result<std::vector<ProtectedRef>> protected_refs(Transaction& tx, std::int64_t project_id, std::string_view kind);
base::Result<bool> is_protected(Transaction& tx, std::int64_t project_id, std::string_view ref, bool tag);
// What a push needs: the lowest level among the matching rules; kDeveloper when none matches.
base::Result<int> push_level(Transaction& tx, std::int64_t project_id, std::string_view ref, bool tag);

std::string project_url(const App& app, const Project& project); // web_url
std::string clone_url(const App& app, const Project& project);   // http_url_to_repo
std::string ssh_url(const App& app, const Project& project);
std::string namespace_url(const App& app, bool group, std::string_view full_path);
json::Value project_basic_json(const App& app, const Project& project); // id, name, paths, urls
json::Value namespace_json(const App& app, const Namespace& space);

} // namespace coordinator::model
