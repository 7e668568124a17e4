#include "coordinator/model/runner_query.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/vault.hpp"
#include "json/json.hpp"

namespace coordinator::model {
namespace {

// Ids come from the database, so they may stand in the text.
std::string id_list(const std::vector<std::int64_t>& ids) {
  std::string out = "0";
  for (const auto id : ids) out += fmt::format(",{}", id);
  return out;
}

// List filters do not follow the order of the statuses: offline includes stale ones that once had contact.
std::string status_sql(const std::string& status, std::int64_t now) {
  const auto online = now - kOnlineWindow;
  const auto stale = now - kStaleAfter;
  if (status == "online") return fmt::format("r.contacted_at > {}", online);
  if (status == "offline") return fmt::format("r.contacted_at <= {}", online);
  if (status == "never_contacted") return "r.contacted_at IS NULL";
  if (status == "stale") {
    return fmt::format("(r.created_at <= {} AND (r.contacted_at IS NULL OR r.contacted_at <= {}))", stale, stale);
  }
  return status == "active" ? "r.active = 1" : "r.active = 0";
}

// Tags are kept as a compact JSON array; LIKE would not tell upper from lower case.
void add_tag(Condition& out, const std::string& tag) {
  const auto quoted = json::Value(tag).dump();
  out.add("(replace(r.tag_list, ?, '') <> r.tag_list OR replace(r.tag_list, ?, '') <> r.tag_list)",
          {"[" + quoted, "," + quoted});
}

// Component by component, so that 15.1 does not match 15.10.
void add_version(Condition& out, std::string_view prefix) {
  std::vector<std::string> parts;
  for (auto& part : base::split(prefix.substr(0, prefix.find_first_not_of("0123456789.")), '.')) {
    if (!part.empty() && parts.size() < 3) parts.push_back(std::move(part));
  }
  if (parts.empty()) return;
  const auto text = base::join(parts, ".");
  constexpr std::string_view kHead = "EXISTS (SELECT 1 FROM runner_managers v WHERE v.runner_id = r.id AND ";
  if (parts.size() < 3) return out.add(fmt::format("{}v.version LIKE ?)", kHead), {text + ".%"});
  // What may follow a whole version: a suffix such as ~pre or -rc1.
  out.add(fmt::format("{}(v.version = ? OR v.version LIKE ? OR v.version LIKE ? OR v.version LIKE ?))", kHead),
          {text, text + "~%", text + "-%", text + "+%"});
}

// A membership of the namespace n or one above it; binds the user and today's date.
std::string member_above(int level) {
  return fmt::format(
      "EXISTS (SELECT 1 FROM members m JOIN namespaces g ON g.id = m.namespace_id WHERE m.user_id = ? "
      "AND (m.expires_at IS NULL OR m.expires_at > ?) AND m.access_level >= {} AND n.traversal LIKE "
      "g.traversal || '%')",
      level);
}

} // namespace

std::string like_pattern(std::string_view text) {
  auto out = base::to_lower(text);
  for (const auto special : {"\\", "%", "_"}) out = base::replace_all(out, special, std::string("\\") + special);
  return "%" + out + "%";
}

Condition runners_matching(const RunnerFilter& filter, std::int64_t now) {
  Condition out;
  if (!filter.types.empty()) {
    std::vector<std::string> words;
    for (const auto type : filter.types) words.push_back(fmt::format("'{}'", to_string(type)));
    out.add("r.type IN (" + base::join(words, ", ") + ")");
  }
  if (!filter.statuses.empty()) {
    std::vector<std::string> either;
    for (const auto& status : filter.statuses) either.push_back(status_sql(status, now));
    out.add("(" + base::join(either, " OR ") + ")");
  }
  if (filter.paused) out.add(*filter.paused ? "r.active = 0" : "r.active = 1");
  for (const auto& tag : filter.tags) add_tag(out, tag);
  if (!filter.version_prefix.empty()) add_version(out, filter.version_prefix);
  if (!filter.search.empty()) {
    out.add("(lower(r.description) LIKE ? ESCAPE '\\' OR r.token_digest = ?)",
            {like_pattern(filter.search), token_digest(filter.search)});
  }
  if (filter.creator_id) out.add("r.creator_id = ?", {*filter.creator_id});
  return out;
}

Condition projects_of_user(std::int64_t user_id, int level, std::int64_t now) {
  const auto today = utc_date(now);
  Condition out;
  out.add(fmt::format("((n.kind = 'user' AND n.owner_id = ?) OR {} OR EXISTS (SELECT 1 FROM members m WHERE "
                      "m.project_id = p.id AND m.user_id = ? AND m.access_level >= {} AND (m.expires_at IS NULL OR "
                      "m.expires_at > ?)))",
                      member_above(level), level),
          {user_id, user_id, today, user_id, today});
  return out;
}

namespace {

Condition visible_to(const Identity& identity, std::string_view alias, const Condition& own) {
  Condition out;
  if (identity.admin) return out;
  if (!identity.signed_in()) {
    out.add(fmt::format("{}.visibility = 'public'", alias));
  } else {
    out.add(fmt::format("({}.visibility IN ('public', 'internal') OR ({}))", alias, own.sql), own.binds);
  }
  return out;
}

} // namespace

Condition projects_visible_to(const Identity& identity, std::int64_t now) {
  return visible_to(identity, "p", projects_of_user(identity.user_id, kGuest, now));
}

Condition groups_of_user(std::int64_t user_id, int level, std::int64_t now) {
  Condition out;
  out.add(member_above(level), {user_id, utc_date(now)});
  return out;
}

Condition groups_around_user(std::int64_t user_id, std::int64_t now) {
  const auto today = utc_date(now);
  Condition out;
  out.add("(" + member_above(kGuest) +
              " OR EXISTS (SELECT 1 FROM members m LEFT JOIN projects q ON q.id = m.project_id JOIN namespaces b ON "
              "b.id = coalesce(m.namespace_id, q.namespace_id) WHERE m.user_id = ? AND (m.expires_at IS NULL OR "
              "m.expires_at > ?) AND b.traversal LIKE n.traversal || '%'))",
          {user_id, today, user_id, today});
  return out;
}

Condition groups_visible_to(const Identity& identity, std::int64_t now) {
  return visible_to(identity, "n", groups_around_user(identity.user_id, now));
}

Condition runners_of_user(std::int64_t user_id, std::int64_t now) {
  const auto projects = projects_of_user(user_id, kMaintainer, now);
  Binds binds = {user_id, utc_date(now)};
  binds.insert(binds.end(), projects.binds.begin(), projects.binds.end());
  Condition out;
  out.add(fmt::format(
              "((r.type = 'group_type' AND EXISTS (SELECT 1 FROM namespaces n WHERE n.id = r.namespace_id AND {})) "
              "OR (r.type = 'project_type' AND EXISTS (SELECT 1 FROM runner_projects rp JOIN projects p ON p.id = "
              "rp.project_id AND p.deleted = 0 JOIN namespaces n ON n.id = p.namespace_id WHERE rp.runner_id = r.id "
              "AND {})))",
              member_above(kOwner), projects.sql),
          binds);
  return out;
}

Condition runners_of_project(const Project& project, const std::optional<Namespace>& space) {
  std::string sql = "(r.id IN (SELECT runner_id FROM runner_projects WHERE project_id = ?)";
  if (project.group_runners_enabled && space && space->is_group()) {
    sql += " OR (r.type = 'group_type' AND r.namespace_id IN (" + id_list(space->chain) + "))";
  }
  if (project.shared_runners_enabled) sql += " OR r.type = 'instance_type'";
  Condition out;
  out.add(sql + ")", {project.id});
  return out;
}

Condition runners_of_group(const Namespace& group) {
  std::string sql = "((r.type = 'group_type' AND r.namespace_id IN (" + id_list(group.chain) + "))";
  if (group.shared_runners_setting == "enabled") sql += " OR r.type = 'instance_type'";
  Condition out;
  out.add(sql + ")");
  return out;
}

} // namespace coordinator::model
