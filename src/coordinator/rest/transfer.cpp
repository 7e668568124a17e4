// Moving a project to another namespace, a group below another one or to the top.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/names.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

Reply refused(std::string_view attribute, std::string_view text) {
  Violations violations;
  violations.add(attribute, std::string(text));
  return violations.as_object();
}

Outcome<bool> is_taken(Transaction& tx, const std::string& full_path) {
  if (API_TRY(model::find_namespace_by_path(tx, full_path))) return true;
  return API_TRY(tx.count("SELECT count(*) FROM projects WHERE lower(full_path) = lower(?)", {full_path})) > 0;
}

// Where instance runners are forbidden they end for what comes.
base::Status obey_shared_runners(Transaction& tx, const model::Namespace& above, const std::string& pattern) {
  if (above.shared_runners_setting == "enabled") return {};
  FR_CHECK(tx.execute("UPDATE namespaces SET shared_runners_setting = ? WHERE kind = 'group' AND traversal LIKE ?",
                      {above.shared_runners_setting, pattern}));
  FR_CHECK(
      tx.execute("UPDATE projects SET shared_runners_enabled = 0 WHERE namespace_id IN (SELECT id FROM namespaces "
                 "WHERE traversal LIKE ?)",
                 {pattern}));
  return {};
}

Outcome<Reply> transfer_project(Call& call) {
  const auto wanted = call.params.text("namespace", Presence::kRequired);
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kRemove));
    const auto& project = found.project;
    const auto target = API_TRY(model::find_namespace(tx, wanted.value_or("")));
    const auto access = target ? API_TRY(model::access_to(tx, call.identity, *target, call.now())) : Access{};
    if (!target || !allowed(Ability::kRead, access)) return std::unexpected(not_found("Namespace"));
    if (!allowed(Ability::kCreateProjects, access)) return std::unexpected(forbidden());
    if (target->id == project.namespace_id) {
      return std::unexpected(refused("new_namespace", "Project is already in this namespace."));
    }
    const auto full_path = target->full_path + "/" + project.path;
    if (API_TRY(is_taken(tx, full_path))) {
      return std::unexpected(
          refused("new_namespace", "Project with same name or path in target namespace already exists"));
    }
    const bool shared = project.shared_runners_enabled && target->shared_runners_setting == "enabled";
    API_CHECK(tx.execute(
        "UPDATE projects SET namespace_id = ?, full_path = ?, shared_runners_enabled = ?, updated_at = ? WHERE id = ?",
        {target->id, full_path, shared, call.now(), project.id}));
    const auto after = API_TRY(model::find_project(tx, project.id));
    API_CHECK(model::audit(tx, call, "project_transferred", model::subject_of(*after),
                           json::Value::object({{"from", project.full_path}, {"to", full_path}})));
    tx.after_commit([&app = call.app] { app.events.eligibility_changed(); });
    const auto now_access = API_TRY(model::access_to(tx, call.identity, *after, call.now()));
    return json_reply(200, API_TRY(project_json(tx, call, {*after, now_access})));
  });
}

// New paths, names and chains of the group and all that is in it; repositories follow ids.
Outcome<std::monostate> move_subtree(Transaction& tx, const model::Namespace& group,
                                     const std::optional<model::Namespace>& parent) {
  const auto full_path = parent ? parent->full_path + "/" + group.path : group.path;
  const auto full_name = parent ? parent->full_name + " / " + group.name : group.name;
  std::string chain;
  for (const auto id : parent ? parent->chain : std::vector<std::int64_t>{}) chain += fmt::format("{}.", id);
  chain += fmt::format("{}.", group.id);
  const auto below = model::subtree_pattern(group);
  const auto old_chain = static_cast<std::int64_t>(below.size()) - 1;
  API_CHECK(
      tx.execute("UPDATE projects SET full_path = ? || substr(full_path, length(?) + 1) WHERE namespace_id IN (SELECT "
                 "id FROM namespaces WHERE traversal LIKE ?)",
                 {full_path, group.full_path, below}));
  API_CHECK(tx.execute("UPDATE namespaces SET parent_id = ? WHERE id = ?",
                       {parent ? Bind(parent->id) : Bind(nullptr), group.id}));
  API_CHECK(
      tx.execute("UPDATE namespaces SET full_path = ? || substr(full_path, length(?) + 1), full_name = ? || "
                 "substr(full_name, length(?) + 1), traversal = ? || substr(traversal, ?) WHERE traversal LIKE ?",
                 {full_path, group.full_path, full_name, group.full_name, chain, old_chain + 1, below}));
  if (parent) API_CHECK(obey_shared_runners(tx, *parent, chain + "%"));
  return {};
}

Outcome<std::optional<model::Namespace>> target_group(Transaction& tx, const Call& call, const model::Namespace& group,
                                                      std::optional<std::int64_t> id) {
  if (!id) {
    if (!allowed(Ability::kCreateGroup, call.identity.actor())) return std::unexpected(forbidden());
    if (is_reserved_path(group.path)) {
      return std::unexpected(bad_request(fmt::format("Transfer failed: {} is a reserved name", group.path)));
    }
    return std::optional<model::Namespace>();
  }
  auto target = API_TRY(model::visible_group(tx, call, std::to_string(*id)));
  if (!allowed(Ability::kCreateSubgroup, target.access)) return std::unexpected(forbidden());
  if (std::ranges::find(target.group.chain, group.id) != target.group.chain.end()) {
    return std::unexpected(bad_request("Transfer failed: Cannot transfer group to one of its subgroup."));
  }
  const auto depth = API_TRY(tx.count(
      "SELECT max(length(traversal) - length(replace(traversal, '.', ''))) FROM namespaces WHERE traversal LIKE ?",
      {model::subtree_pattern(group)}));
  const auto own = static_cast<std::int64_t>(group.chain.size()) - 1;
  if (depth - own + static_cast<std::int64_t>(target.group.chain.size()) > static_cast<std::int64_t>(kDeepestNesting)) {
    return std::unexpected(bad_request("Transfer failed: has too deep level of nesting"));
  }
  return std::optional(std::move(target.group));
}

Outcome<Reply> transfer_group(Call& call) {
  const auto id = call.params.integer("group_id");
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto group = API_TRY(model::group_for(tx, call, Ability::kRemove)).group;
    if (id == group.parent_id) {
      return std::unexpected(bad_request(id ? "Transfer failed: Group is already associated to the parent group."
                                            : "Transfer failed: Group is already a root group."));
    }
    const auto parent = API_TRY(target_group(tx, call, group, id));
    if (API_TRY(is_taken(tx, parent ? parent->full_path + "/" + group.path : group.path))) {
      return std::unexpected(
          bad_request("Transfer failed: The parent group already has a subgroup or a project with the same path."));
    }
    API_CHECK(move_subtree(tx, group, parent));
    const auto after = API_TRY(model::find_namespace(tx, group.id));
    API_CHECK(model::audit(tx, call, "group_transferred", model::subject_of(*after),
                           json::Value::object({{"from", group.full_path}, {"to", after->full_path}})));
    tx.after_commit([&app = call.app] { app.events.eligibility_changed(); });
    return json_reply(201, group_json(call.app, *after));
  });
}

} // namespace

void register_transfer(Api& api) {
  api.put("/projects/:id/transfer", transfer_project,
          {.summary = "Move a project to another namespace", .params = "namespace!:text", .answers = "200:Project"});
  api.post("/groups/:id/transfer", transfer_group,
           {.summary = "Move a group below another one, or to the top when none is named",
            .params = "group_id:int",
            .answers = "201:Group"});
}

} // namespace coordinator::rest
