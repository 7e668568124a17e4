// GET /-/web/projects and …/refs: the dashboard's list, and what a pipeline can be run for.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/pipelines/find.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kMostRefs = 50;

Outcome<json::Value> last_pipeline(Transaction& tx, const model::Project& project) {
  const auto row =
      API_TRY(tx.query_one("SELECT * FROM pipelines WHERE project_id = ? ORDER BY id DESC LIMIT 1", {project.id}));
  if (!row) return json::Value();
  const auto id = row->integer("id");
  return json::Value::object({{"id", id},
                              {"status", row->text("status")},
                              {"ref", row->text("ref")},
                              {"created_at", model::time_json(row->integer("created_at"))},
                              {"warnings", API_TRY(pipelines::has_warnings(tx, id))},
                              {"web_path", fmt::format("{}/-/pipelines/{}", project_path(project), id)}});
}

Outcome<json::Value> row_json(Transaction& tx, const Call& call, const model::Project& project) {
  const auto access = API_TRY(model::access_to(tx, call.identity, project, call.now()));
  auto out = json::Value::object({{"id", project.id},
                                  {"name", project.name},
                                  {"name_with_namespace", project.namespace_full_name + " / " + project.name},
                                  {"path_with_namespace", project.full_path},
                                  {"description", text_or_null(project.description)},
                                  {"visibility", model::to_string(project.visibility)},
                                  {"archived", project.archived},
                                  {"last_activity_at", model::utc_millis(project.last_activity_at)},
                                  {"empty_repo", project.empty_repository},
                                  {"web_path", project_path(project)},
                                  {"access_level", access.level}});
  out.set("last_pipeline", allowed(Ability::kReadBuilds, access) ? API_TRY(last_pipeline(tx, project)) : json::Value());
  return out;
}

std::string_view order_of(std::string_view sort) {
  if (sort == "name_asc") return "lower(p.name) ASC, p.id ASC";
  if (sort == "name_desc") return "lower(p.name) DESC, p.id DESC";
  if (sort == "created_desc") return "p.id DESC";
  return "p.last_activity_at DESC, p.id DESC";
}

Outcome<model::Condition> condition_of(Transaction& tx, const Call& call, const std::string& scope) {
  auto condition = scope == "member" ? model::projects_of_user(call.identity.user_id, kGuest, call.now())
                                     : model::projects_visible_to(call.identity, call.now());
  if (scope.starts_with("group:")) {
    const auto found = API_TRY(model::visible_group(tx, call, scope.substr(6)));
    condition.add("n.traversal LIKE ?", {model::subtree_pattern(found.group)});
  } else if (scope != "member" && scope != "all") {
    return std::unexpected(invalid_parameters({"scope does not have a valid value"}));
  }
  return condition;
}

Outcome<Reply> list_projects(Call& call) {
  auto& params = call.params;
  const auto page = API_TRY(read_page(params));
  const auto scope = params.text("scope").value_or("member");
  const auto search = std::string(base::trim(params.text("search").value_or("")));
  const auto archived = params.boolean("archived");
  const auto sort =
      params.one_of("sort", {"latest_activity_desc", "name_asc", "name_desc", "created_desc"}).value_or("");
  API_CHECK(params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto condition = API_TRY(condition_of(tx, call, scope));
    if (archived) condition.add("p.archived = ?", {*archived});
    if (!search.empty()) {
      const auto word = model::like_pattern(search);
      condition.add("(lower(p.name) LIKE ? ESCAPE '\\' OR lower(p.full_path) LIKE ? ESCAPE '\\')", {word, word});
    }
    const auto total =
        API_TRY(tx.count("SELECT count(*) FROM projects p JOIN namespaces n ON n.id = p.namespace_id "
                         "WHERE p.deleted = 0 AND " +
                             condition.sql,
                         condition.binds));
    auto binds = condition.binds;
    binds.emplace_back(page.per_page);
    binds.emplace_back(page.offset());
    auto out = json::Value::array();
    for (const auto& row : API_TRY(tx.query(fmt::format("{} AND {} ORDER BY {} LIMIT ? OFFSET ?", model::kProjectSelect,
                                                        condition.sql, order_of(sort)),
                                            binds))) {
      out.push_back(API_TRY(row_json(tx, call, model::project_from_row(row))));
    }
    return call.page_reply(std::move(out), page, total);
  });
}

json::Value names_json(const std::vector<std::string>& names, std::string_view word, std::string_view first) {
  auto out = json::Value::array();
  const auto lower = base::to_lower(word);
  const auto fits = [&](const std::string& name) { return base::to_lower(name).contains(lower); };
  for (const auto& name : names) {
    if (name == first && fits(name)) out.push_back(name);
  }
  for (const auto& name : names) {
    if (out.size() == kMostRefs) break;
    if (name != first && fits(name)) out.push_back(name);
  }
  return out;
}

Outcome<Reply> list_refs(Call& call) {
  const auto word = call.params.text("search").value_or("");
  API_CHECK(call.params.finish());
  const auto found = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<model::ProjectAccess> {
    auto project = API_TRY(model::visible_project(tx, call, call.path("id")));
    if (!allowed(Ability::kReadCode, project.access)) return std::unexpected(forbidden());
    return project;
  }));
  // Git is asked outside of the transaction: it is a process.
  const git::Repository repository(call.app, found.project.id);
  const auto branches = API_TRY(repository.names("heads"));
  const auto tags = API_TRY(repository.names("tags"));
  return json_reply(200, json::Value::object({{"branches", names_json(branches, word, found.project.default_branch)},
                                              {"tags", names_json(tags, word, "")}}));
}

} // namespace

void register_project_pages(Api& api) {
  api.get("/projects", list_projects, {.root = kWebRoot});
  api.get("/projects/:id/refs", list_refs, {.root = kWebRoot});
}

} // namespace coordinator::web
