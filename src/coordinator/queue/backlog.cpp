#include "coordinator/queue/backlog.hpp"

#include "json/json.hpp"

namespace coordinator::queue {

std::vector<std::string> tags_of(const Row& job) {
  std::vector<std::string> tags;
  auto value = json::parse(job.text("tag_list"));
  if (value && value->is_array())
    for (const auto& tag : value->as_array()) tags.push_back(tag.string_or(""));
  return tags;
}

base::Result<std::vector<Group>> pending_groups(Transaction& tx) {
  // From each group's first job to the first of the next one, along the index jobs_queue: never through a group.
  static constexpr const char* kSql =
      "WITH RECURSIVE heads (id) AS ("
      "SELECT (SELECT id FROM jobs WHERE status = 'pending' AND runner_id IS NULL "
      "ORDER BY project_id, protected, tag_list, id LIMIT 1) "
      "UNION ALL "
      "SELECT (SELECT n.id FROM jobs n WHERE n.status = 'pending' AND n.runner_id IS NULL AND "
      "(n.project_id, n.protected, n.tag_list) > (j.project_id, j.protected, j.tag_list) "
      "ORDER BY n.project_id, n.protected, n.tag_list, n.id LIMIT 1) "
      "FROM heads h JOIN jobs j ON j.id = h.id) "
      "SELECT j.id, j.project_id, j.protected, j.tag_list FROM heads h JOIN jobs j ON j.id = h.id";
  std::vector<Group> groups;
  for (const Row& row : FR_TRY(tx.query(kSql)))
    groups.push_back({.project_id = row.integer("project_id"),
                      .is_protected = row.boolean("protected"),
                      .tag_list = row.text("tag_list"),
                      .tags = tags_of(row),
                      .first = row.integer("id")});
  return groups;
}

base::Result<std::vector<std::int64_t>> jobs_of(Transaction& tx, const Group& group, std::int64_t from, int most) {
  std::vector<std::int64_t> ids;
  for (const Row& row :
       FR_TRY(tx.query("SELECT id FROM jobs WHERE status = 'pending' AND runner_id IS NULL AND project_id = ? AND "
                       "protected = ? AND tag_list = ? AND id >= ? ORDER BY id LIMIT ?",
                       {group.project_id, group.is_protected, group.tag_list, from, most})))
    ids.push_back(row.integer("id"));
  return ids;
}

base::Result<std::int64_t> pending_count(Transaction& tx) {
  return tx.count("SELECT count(*) FROM jobs WHERE status = 'pending' AND runner_id IS NULL");
}

base::Result<std::map<std::int64_t, std::int64_t>> busy_on_instance_runners(Transaction& tx) {
  std::map<std::int64_t, std::int64_t> busy;
  for (const Row& row : FR_TRY(tx.query("SELECT project_id, count(*) AS jobs FROM jobs WHERE on_instance = 1 AND "
                                        "status IN ('pending', 'running', 'canceling') GROUP BY project_id")))
    busy[row.integer("project_id")] = row.integer("jobs");
  return busy;
}

} // namespace coordinator::queue
