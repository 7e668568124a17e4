#include "coordinator/model/runners.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "coordinator/model/releases.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::model {
namespace {

std::vector<std::string> texts_of(const std::string& array) {
  std::vector<std::string> out;
  const auto value = json::parse(array);
  if (value && value->is_array()) {
    for (const auto& item : value->as_array()) out.push_back(item.string_or(""));
  }
  return out;
}

std::string array_of(const std::vector<std::string>& items) {
  auto out = json::Value::array();
  for (const auto& item : items) out.push_back(item);
  return out.dump();
}

json::Value parsed(const Row& row, std::string_view column) {
  auto value = json::parse(row.text(column));
  return value ? std::move(*value) : json::Value::object();
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

} // namespace

Runner runner_from(const Row& row) {
  return {.id = row.integer("id"),
          .type = parse_runner_type(row.text("type")).value_or(RunnerType::kInstance),
          .token_short = row.text("token_short"),
          .token_expires_at = row.optional_integer("token_expires_at"),
          .by_user = row.text("registration_type") == "authenticated_user",
          .creation_finished = row.text("creation_state") == "finished",
          .creator_id = row.optional_integer("creator_id"),
          .namespace_id = row.optional_integer("namespace_id"),
          .owner_project_id = row.optional_integer("owner_project_id"),
          .name = row.optional_text("name"),
          .description = row.text("description"),
          .maintenance_note = row.text("maintenance_note"),
          .active = row.boolean("active"),
          .locked = row.boolean("locked"),
          .run_untagged = row.boolean("run_untagged"),
          .ref_protected = row.text("access_level") == "ref_protected",
          .maximum_timeout = row.optional_integer("maximum_timeout"),
          .tag_list = texts_of(row.text("tag_list")),
          .created_at = row.integer("created_at"),
          .updated_at = std::max(row.integer("created_at"), row.integer("updated_at")),
          .contacted_at = row.optional_integer("contacted_at"),
          .rotating = !row.is_null("successor_sealed")};
}

Manager manager_from(const Row& row) {
  return {.id = row.integer("id"),
          .runner_id = row.integer("runner_id"),
          .system_id = row.text("system_id"),
          .version = row.text("version"),
          .revision = row.text("revision"),
          .platform = row.text("platform"),
          .architecture = row.text("architecture"),
          .executor = row.text("executor"),
          .ip_address = row.text("ip_address"),
          .config = parsed(row, "config"),
          .features = parsed(row, "features"),
          .labels = parsed(row, "labels"),
          .creation_finished = row.text("creation_state") == "finished",
          .created_at = row.integer("created_at"),
          .contacted_at = row.optional_integer("contacted_at"),
          .clone_seen_at = row.optional_integer("clone_seen_at")};
}

base::Result<std::optional<Runner>> find_runner(Transaction& tx, std::int64_t id) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM runners WHERE id = ?", {id}));
  if (!row) return std::nullopt;
  return runner_from(*row);
}

base::Result<std::vector<std::int64_t>> runner_project_ids(Transaction& tx, std::int64_t runner_id) {
  std::vector<std::int64_t> out;
  for (const auto& row :
       FR_TRY(tx.query("SELECT project_id FROM runner_projects WHERE runner_id = ? ORDER BY id", {runner_id}))) {
    out.push_back(row.integer("project_id"));
  }
  return out;
}

base::Result<std::vector<Manager>> managers_of(Transaction& tx, std::int64_t runner_id) {
  std::vector<Manager> out;
  for (const auto& row : FR_TRY(tx.query(
           "SELECT * FROM runner_managers WHERE runner_id = ? ORDER BY coalesce(contacted_at, 0) DESC, id DESC",
           {runner_id}))) {
    out.push_back(manager_from(row));
  }
  return out;
}

base::Result<json::Value> upgrade_json(Transaction& tx, const Manager& manager) {
  if (manager.version.empty() || !FR_TRY(setting_flag(tx, "update_runner_versions_enabled"))) return json::Value();
  return json::Value(to_string(upgrade_of(manager.version)));
}

base::Result<json::Value> upgrade_json(Transaction& tx, std::int64_t runner_id) {
  std::optional<Upgrade> worst;
  for (const auto& row : FR_TRY(tx.query(
           "SELECT DISTINCT version FROM runner_managers WHERE runner_id = ? AND version <> ''", {runner_id}))) {
    const auto upgrade = upgrade_of(row.text("version"));
    worst = worst ? std::max(*worst, upgrade) : upgrade;
  }
  if (!worst || !FR_TRY(setting_flag(tx, "update_runner_versions_enabled"))) return json::Value();
  return json::Value(to_string(*worst));
}

base::Result<std::optional<Manager>> latest_manager(Transaction& tx, std::int64_t runner_id) {
  const auto row = FR_TRY(tx.query_one(
      "SELECT * FROM runner_managers WHERE runner_id = ? ORDER BY coalesce(contacted_at, 0) DESC, id DESC LIMIT 1",
      {runner_id}));
  if (!row) return std::nullopt;
  return manager_from(*row);
}

base::Result<RunnerAccess> runner_access(Transaction& tx, const Identity& identity, const Runner& runner,
                                         std::int64_t now) {
  RunnerAccess access{.actor = identity.actor(), .type = runner.type, .locked = runner.locked};
  access.creator = runner.creator_id && *runner.creator_id == identity.user_id;
  if (identity.kind != Identity::Kind::kUser) {
    return RunnerAccess{.type = runner.type};
  }
  if (runner.type == RunnerType::kGroup && runner.namespace_id) {
    const auto group = FR_TRY(find_namespace(tx, *runner.namespace_id));
    if (!group) return access;
    access.group_level = FR_TRY(namespace_level(tx, identity.user_id, *group, now));
    // A Maintainer of some project below that uses group runners, by membership there or in a subgroup on the way.
    const auto row =
        FR_TRY(tx.query_one("SELECT max(m.access_level) AS level FROM members m "
                            "LEFT JOIN namespaces g ON g.id = m.namespace_id "
                            "JOIN projects p ON p.deleted = 0 AND p.group_runners_enabled = 1 "
                            "JOIN namespaces n ON n.id = p.namespace_id AND n.traversal LIKE ? "
                            "WHERE m.user_id = ? AND (m.project_id = p.id OR n.traversal LIKE g.traversal || '%') "
                            "AND (m.expires_at IS NULL OR m.expires_at > ?)",
                            {subtree_pattern(*group), identity.user_id, utc_date(now)}));
    if (row) access.best_project_level = static_cast<int>(row->integer("level"));
  }
  if (runner.type == RunnerType::kProject) {
    const auto ids = FR_TRY(runner_project_ids(tx, runner.id));
    access.project_count = ids.size();
    if (access.actor.admin) return access;
    for (const auto id : ids) {
      const auto project = FR_TRY(find_project(tx, id));
      if (!project) continue;
      const int level = FR_TRY(project_level(tx, identity.user_id, *project, now));
      access.best_project_level = std::max(access.best_project_level, level);
      if (runner.owner_project_id == id) access.owner_project_level = level;
    }
  }
  return access;
}

std::string_view to_string(RunnerStatus status) {
  switch (status) {
    case RunnerStatus::kOnline:
      return "online";
    case RunnerStatus::kOffline:
      return "offline";
    case RunnerStatus::kStale:
      return "stale";
    case RunnerStatus::kNeverContacted:
      return "never_contacted";
  }
  return "";
}

RunnerStatus runner_status(std::int64_t created_at, std::optional<std::int64_t> contacted_at, std::int64_t now) {
  if (std::max(created_at, contacted_at.value_or(0)) <= now - kStaleAfter) return RunnerStatus::kStale;
  if (!contacted_at) return RunnerStatus::kNeverContacted;
  return *contacted_at > now - kOnlineWindow ? RunnerStatus::kOnline : RunnerStatus::kOffline;
}

base::Result<bool> runner_serves_project(Transaction& tx, const Runner& runner, const Project& project) {
  if (!project.builds_enabled) return false;
  switch (runner.type) {
    case RunnerType::kInstance:
      return project.shared_runners_enabled;
    case RunnerType::kGroup: {
      if (!project.group_runners_enabled || !runner.namespace_id) return false;
      const auto space = FR_TRY(find_namespace(tx, project.namespace_id));
      return space && std::ranges::find(space->chain, *runner.namespace_id) != space->chain.end();
    }
    case RunnerType::kProject: {
      return FR_TRY(tx.count("SELECT count(*) FROM runner_projects WHERE runner_id = ? AND project_id = ?",
                             {runner.id, project.id})) > 0;
    }
  }
  return false;
}

Violations validate(const RunnerAttributes& attributes, bool tags_changed) {
  Violations out;
  if (characters(attributes.description) > 1024) out.add("description", "is too long (maximum is 1024 characters)");
  if (characters(attributes.maintenance_note) > 1024) {
    out.add("maintenance_note", "is too long (maximum is 1024 characters)");
  }
  if (attributes.tag_list.empty() && !attributes.run_untagged) {
    out.add("tags_list", "can not be empty when runner is not allowed to pick untagged jobs");
  }
  if (tags_changed) {
    if (attributes.tag_list.size() > 50) {
      out.add("tags_list", "Too many tags specified. Please limit the number of tags to 50");
    }
    for (const auto& tag : attributes.tag_list) {
      if (characters(tag) > 255) {
        out.add("tags_list", "has a tag that is too long (maximum is 255 characters)");
        break;
      }
    }
  }
  if (attributes.maximum_timeout && *attributes.maximum_timeout < 600) {
    out.add("maximum_timeout", "needs to be at least 10 minutes");
  }
  return out;
}

base::Status update_runner(Transaction& tx, std::int64_t id, const RunnerAttributes& attributes, std::int64_t now) {
  FR_CHECK(
      tx.execute("UPDATE runners SET description = ?, maintenance_note = ?, active = ?, locked = ?, run_untagged = ?, "
                 "access_level = ?, maximum_timeout = ?, tag_list = ?, updated_at = ? WHERE id = ?",
                 {attributes.description, attributes.maintenance_note, attributes.active, attributes.locked,
                  attributes.run_untagged, attributes.ref_protected ? "ref_protected" : "not_protected",
                  attributes.maximum_timeout, array_of(attributes.tag_list), now, id}));
  return {};
}

base::Status delete_runner(Transaction& tx, std::int64_t id) {
  FR_CHECK(tx.execute("DELETE FROM runners WHERE id = ?", {id}));
  return {};
}

base::Status release_project_runners(Transaction& tx, std::int64_t project_id) {
  const auto rows = FR_TRY(tx.query("SELECT runner_id FROM runner_projects WHERE project_id = ?", {project_id}));
  FR_CHECK(tx.execute("DELETE FROM runner_projects WHERE project_id = ?", {project_id}));
  for (const auto& row : rows) {
    const auto id = row.integer("runner_id");
    const auto left = FR_TRY(runner_project_ids(tx, id));
    if (left.empty()) {
      FR_CHECK(delete_runner(tx, id));
    } else {
      FR_CHECK(tx.execute("UPDATE runners SET owner_project_id = ? WHERE id = ? AND owner_project_id = ?",
                          {left.front(), id, project_id}));
    }
  }
  return {};
}

base::Result<std::int64_t> recent_runner_count(Transaction& tx, RunnerType type, std::int64_t owner_id,
                                               std::int64_t now) {
  const auto since = now - kStaleAfter;
  if (type == RunnerType::kGroup) {
    return tx.count("SELECT count(*) FROM runners WHERE namespace_id = ? AND (created_at > ? OR contacted_at > ?)",
                    {owner_id, since, since});
  }
  return tx.count(
      "SELECT count(*) FROM runners r JOIN runner_projects rp ON rp.runner_id = r.id WHERE "
      "rp.project_id = ? AND (r.created_at > ? OR r.contacted_at > ?)",
      {owner_id, since, since});
}

} // namespace coordinator::model
