#include "coordinator/web/pages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/web/headers.hpp"
#include "coordinator/web/runner_rows.hpp"
#include "coordinator/web/shapes.hpp"
#include "net/url.hpp"

namespace coordinator::web {
namespace {

bool contains(const std::vector<std::int64_t>& ids, std::int64_t id) { return std::ranges::find(ids, id) != ids.end(); }

// The group above it or below it, or a project below.
Outcome<bool> belongs_to(Transaction& tx, const model::Runner& runner, const model::Namespace& group) {
  if (runner.type == RunnerType::kInstance) return group.shared_runners_setting == "enabled";
  if (runner.namespace_id) {
    if (contains(group.chain, *runner.namespace_id)) return true;
    return API_TRY(tx.count("SELECT count(*) FROM namespaces WHERE id = ? AND traversal LIKE ?",
                            {*runner.namespace_id, model::subtree_pattern(group)})) > 0;
  }
  return API_TRY(tx.count("SELECT count(*) FROM runner_projects rp JOIN projects p ON p.id = rp.project_id JOIN "
                          "namespaces n ON n.id = p.namespace_id WHERE rp.runner_id = ? AND p.deleted = 0 AND "
                          "n.traversal LIKE ?",
                          {runner.id, model::subtree_pattern(group)})) > 0;
}

Outcome<bool> belongs_to(Transaction& tx, const model::Runner& runner, const model::Project& project) {
  if (runner.type == RunnerType::kInstance) return true;
  if (runner.type == RunnerType::kProject) {
    return contains(API_TRY(model::runner_project_ids(tx, runner.id)), project.id);
  }
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  return space && runner.namespace_id && contains(space->chain, *runner.namespace_id);
}

// The switches that hold where a page is.
Outcome<RegistrationRules> rules_at(Transaction& tx, const PageDecision& out) {
  if (out.group) return API_TRY(model::registration_rules(tx, RunnerType::kGroup, &out.group->group));
  if (out.project) return API_TRY(project_rules(tx, out.project->project));
  return API_TRY(model::registration_rules(tx, RunnerType::kInstance, nullptr));
}

Outcome<bool> place_allows(Transaction& tx, const Call& call, const PageDecision& out, Ability ability) {
  const auto rules = API_TRY(rules_at(tx, out));
  if (out.group) return static_cast<bool>(allowed(ability, out.group->access, rules));
  if (out.project) return static_cast<bool>(allowed(ability, out.project->access, rules));
  return static_cast<bool>(allowed(ability, call.identity.actor(), rules));
}

// The runner must be one of those that the place lists for the caller, and grant what the page is for.
Outcome<bool> runner_allows(Transaction& tx, const Call& call, PageDecision& out) {
  auto runner = API_TRY(model::find_runner(tx, out.path->id));
  if (!runner) return false;
  const bool at_instance = !out.group && !out.project;
  if (!API_TRY(place_allows(tx, call, out, at_instance ? Ability::kAdminInstance : Ability::kReadRunners))) {
    return false;
  }
  if (out.group && !API_TRY(belongs_to(tx, *runner, out.group->group))) return false;
  if (out.project && !API_TRY(belongs_to(tx, *runner, out.project->project))) return false;
  // Only a runner that somebody created has something to register with.
  if (out.path->rule->pattern.ends_with("/register") && !runner->by_user) return false;
  if (!allowed(*out.path->rule->need, API_TRY(model::runner_access(tx, call.identity, *runner, call.now())))) {
    return false;
  }
  out.runner = std::move(runner);
  return true;
}

Outcome<bool> admits(Transaction& tx, const Call& call, PageDecision& out) {
  const auto& rule = *out.path->rule;
  if (out.path->id_name == "runner") return API_TRY(runner_allows(tx, call, out));
  return !rule.need || API_TRY(place_allows(tx, call, out, *rule.need));
}

// Whether the pipeline or job of the address is the project's.
Outcome<bool> numbers_exist(Transaction& tx, const PageDecision& out) {
  if (out.path->id_name != "pipeline" && out.path->id_name != "job") return true;
  const auto table = out.path->id_name == "job" ? "jobs" : "pipelines";
  return API_TRY(tx.count(fmt::format("SELECT count(*) FROM {} WHERE id = ? AND project_id = ?", table),
                          {out.path->id, out.project->project.id})) > 0;
}

// A visible_… that answers 404 means that there is no such page; anything else is an error.
template <class Found>
Outcome<std::optional<Found>> if_visible(Outcome<Found> found) {
  if (found) return std::optional<Found>(std::move(*found));
  if (found.error().status == 404) return std::optional<Found>();
  return std::unexpected(std::move(found.error()));
}

void redirect(PageDecision& out, std::string location) {
  out.status = 302;
  out.location = std::move(location);
}

// "/a" and "/a/b" are a project, else a group, else a user.
Outcome<std::monostate> resolve_namespace(Transaction& tx, const Call& call, std::string_view path, PageDecision& out) {
  if (out.path->rule->place == Place::kProject) {
    out.project = API_TRY(if_visible(model::visible_project(tx, call, out.path->full_path)));
    if (out.project) return {};
  }
  auto as_groups = as_group(path);
  if (!as_groups) {
    out.path.reset();
    return {};
  }
  out.group = API_TRY(if_visible(model::visible_group(tx, call, as_groups->full_path)));
  if (out.group) {
    // A group's own page may go without "/groups"; what is below has one address.
    if (!as_groups->rule->pattern.empty()) redirect(out, "/groups" + std::string(path));
    out.path = std::move(as_groups);
    return {};
  }
  const auto user = API_TRY(model::find_user_by_name(tx, out.path->full_path));
  if (user && user->kind == "human" && as_groups->rule->pattern.empty()) {
    out.user = user;
    out.status = 200;
    out.page = "user_page";
  }
  out.path.reset();
  return {};
}

Outcome<std::monostate> resolve(Transaction& tx, const Call& call, std::string_view path, PageDecision& out) {
  if (out.path->any_namespace) return resolve_namespace(tx, call, path, out);
  if (out.path->rule->place == Place::kGroup) {
    out.group = API_TRY(if_visible(model::visible_group(tx, call, out.path->full_path)));
    if (!out.group) out.path.reset();
  }
  return {};
}

// Objects that stand in a page's address below the administrator's area.
Outcome<bool> find_admin_object(Transaction& tx, const Call& call, PageDecision& out) {
  if (out.page == "admin_user") {
    out.user = API_TRY(model::find_user_by_name(tx, out.path->rest));
    return out.user.has_value();
  }
  if (out.page == "admin_group") {
    out.group = API_TRY(if_visible(model::visible_group(tx, call, out.path->rest)));
    return out.group.has_value();
  }
  return true;
}

std::string redirect_target(const PageDecision& out) {
  const auto target = out.path->rule->redirect;
  const auto& project = out.project->project;
  if (out.path->id_name == "job") {
    return fmt::format("/api/v4/projects/{}/jobs/{}/{}", project.id, out.path->id, target);
  }
  return fmt::format("{}/{}", project_path(project), target);
}

Outcome<std::monostate> decide_sign_in(const Call& call, std::string_view query, PageDecision& out) {
  out.page = "sign_in";
  out.status = 200;
  if (!call.identity.signed_in()) return {};
  std::string target = "/";
  for (const auto& [name, value] : net::parse_query(query)) {
    if (name == "redirect_to") target = safe_redirect(value);
  }
  redirect(out, target);
  return {};
}

} // namespace

Outcome<PageDecision> decide(Transaction& tx, const Call& call, std::string_view target) {
  PageDecision out;
  target = target.substr(0, target.find('#'));
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  if (path == "/users/sign_in" || path == "/users/sign_in/") {
    API_CHECK(decide_sign_in(call, question == std::string_view::npos ? "" : target.substr(question + 1), out));
    return out;
  }
  if (!call.identity.signed_in()) {
    redirect(out, sign_in_location(target));
    return out;
  }
  out.path = parse_page(path);
  if (!out.path) return out;
  API_CHECK(resolve(tx, call, path, out));
  if (!out.path) return out;
  const bool admitted = API_TRY(admits(tx, call, out)) && API_TRY(numbers_exist(tx, out));
  PageDecision refused;
  if (!admitted) return refused;
  if (out.status == 302) return out;
  if (!out.path->rule->redirect.empty()) {
    redirect(out, redirect_target(out));
    return out;
  }
  out.page = out.path->rule->page;
  if (!API_TRY(find_admin_object(tx, call, out))) return refused;
  out.status = 200;
  return out;
}

namespace {

json::Value params_json(const PageDecision& decision) {
  auto out = json::Value::object();
  if (decision.user) out.set("username", decision.user->username);
  if (!decision.path) return out;
  if (!decision.path->id_name.empty()) out.set(decision.path->id_name + "_id", decision.path->id);
  if (decision.page == "project_artifacts") out.set("dir", decision.path->rest);
  if (decision.page == "admin_group") out.set("path", decision.path->rest);
  return out;
}

// The groups above the place, outermost first.
Outcome<json::Value> ancestors_json(Transaction& tx, const PageDecision& decision) {
  auto out = json::Value::array();
  std::vector<std::int64_t> chain;
  if (decision.group) {
    chain = decision.group->group.chain;
    if (!chain.empty()) chain.pop_back();
  } else if (decision.project) {
    const auto space = API_TRY(model::find_namespace(tx, decision.project->project.namespace_id));
    if (space && space->is_group()) chain = space->chain;
  }
  for (const auto id : chain) {
    const auto group = API_TRY(model::find_namespace(tx, id));
    if (!group) continue;
    out.push_back(json::Value::object(
        {{"id", group->id}, {"name", group->name}, {"full_path", group->full_path}, {"web_path", group_path(*group)}}));
  }
  return out;
}

Outcome<json::Value> abilities_json(Transaction& tx, const Call& call, const PageDecision& decision) {
  auto out = decision.group     ? API_TRY(group_abilities(tx, *decision.group))
             : decision.project ? API_TRY(project_abilities(tx, *decision.project))
                                : API_TRY(instance_abilities(tx, call));
  if (decision.runner) {
    const auto access = API_TRY(model::runner_access(tx, call.identity, *decision.runner, call.now()));
    out.set("update_runner", static_cast<bool>(allowed(Ability::kUpdateRunner, access)));
    out.set("delete_runner", static_cast<bool>(allowed(Ability::kDeleteRunner, access)));
    out.set("assign_runner", static_cast<bool>(allowed(Ability::kAssignRunner, access)));
  }
  return out;
}

std::string runners_base(const PageDecision& decision) {
  if (decision.group) return group_path(decision.group->group) + "/-/runners";
  if (decision.project) return project_path(decision.project->project) + "/-/runners";
  return "/admin/runners";
}

} // namespace

Outcome<json::Value> decision_json(Transaction& tx, const Call& call, const PageDecision& decision) {
  auto out = json::Value::object({{"status", decision.status},
                                  {"page", decision.page},
                                  {"location", text_or_null(decision.location)},
                                  {"params", params_json(decision)},
                                  {"user", nullptr},
                                  {"group", nullptr},
                                  {"project", nullptr},
                                  {"runner", nullptr},
                                  {"ancestors", json::Value::array()},
                                  {"abilities", json::Value::object()}});
  if (decision.status != 200 || !call.identity.signed_in()) return out;
  if (decision.user) out.set("user", model::user_basic_json(call.app, *decision.user));
  if (decision.group) out.set("group", group_json(call.app, decision.group->group));
  if (decision.project) out.set("project", project_json(call.app, decision.project->project));
  if (decision.runner) {
    out.set("runner", API_TRY(runner_row(tx, call, *decision.runner, runners_base(decision))));
  }
  out.set("ancestors", API_TRY(ancestors_json(tx, decision)));
  out.set("abilities", API_TRY(abilities_json(tx, call, decision)));
  return out;
}

} // namespace coordinator::web
