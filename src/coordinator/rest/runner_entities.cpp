// Runners as JSON (runner-tokens digest §11.1).
#include <fmt/format.h>

#include "coordinator/model/runner_shapes.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"

namespace coordinator::rest {
namespace {

json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

Outcome<bool> has_job(Transaction& tx, std::string_view column, std::int64_t id) {
  return API_TRY(tx.count(fmt::format("SELECT EXISTS (SELECT 1 FROM jobs WHERE {} = ? AND status IN ('running', "
                                      "'canceling'))",
                                      column),
                          {id})) > 0;
}

Outcome<json::Value> projects_json(Transaction& tx, const Call& call, const model::Runner& runner) {
  auto out = json::Value::array();
  for (const auto id : API_TRY(model::runner_project_ids(tx, runner.id))) {
    const auto project = API_TRY(model::find_project(tx, id));
    if (!project || !allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *project, call.now()))))
      continue;
    out.push_back(model::project_basic_json(call.app, *project));
  }
  return out;
}

Outcome<json::Value> groups_json(Transaction& tx, const Call& call, const model::Runner& runner) {
  auto out = json::Value::array();
  if (!runner.namespace_id) return out;
  const auto group = API_TRY(model::find_namespace(tx, *runner.namespace_id));
  if (group && allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *group, call.now())))) {
    out.push_back(json::Value::object({{"id", group->id},
                                       {"web_url", model::namespace_url(call.app, true, group->full_path)},
                                       {"name", group->name}}));
  }
  return out;
}

} // namespace

Outcome<json::Value> runner_json(Transaction& tx, const Call& call, const model::Runner& runner) {
  auto out = model::runner_shape(runner, call.now());
  out.set("created_by", API_TRY(model::user_basic_json(tx, call.app, runner.creator_id)));
  out.set("created_at", model::utc_millis(runner.created_at));
  out.set("job_execution_status", API_TRY(has_job(tx, "runner_id", runner.id)) ? "active" : "idle");
  out.set("upgrade_status", API_TRY(model::upgrade_json(tx, runner.id)));
  return out;
}

Outcome<json::Value> runner_details_json(Transaction& tx, const Call& call, const model::Runner& runner,
                                         bool with_projects) {
  auto out = API_TRY(runner_json(tx, call, runner));
  auto tags = json::Value::array();
  for (const auto& tag : runner.tag_list) tags.push_back(tag);
  out.set("tag_list", std::move(tags));
  out.set("run_untagged", runner.run_untagged);
  out.set("locked", runner.locked);
  out.set("maximum_timeout", runner.maximum_timeout ? json::Value(*runner.maximum_timeout) : json::Value());
  out.set("access_level", runner.ref_protected ? "ref_protected" : "not_protected");
  const auto manager = API_TRY(model::latest_manager(tx, runner.id)).value_or(model::Manager{});
  out.set("version", text_or_null(manager.version));
  out.set("revision", text_or_null(manager.revision));
  out.set("platform", text_or_null(manager.platform));
  out.set("architecture", text_or_null(manager.architecture));
  out.set("contacted_at", model::time_json(runner.contacted_at));
  out.set("token_expires_at", model::time_json(runner.token_expires_at));
  const auto access = API_TRY(model::runner_access(tx, call.identity, runner, call.now()));
  out.set("maintenance_note",
          allowed(Ability::kUpdateRunner, access) ? text_or_null(runner.maintenance_note) : json::Value());
  if (with_projects) out.set("projects", API_TRY(projects_json(tx, call, runner)));
  out.set("groups", API_TRY(groups_json(tx, call, runner)));
  return out;
}

Outcome<json::Value> manager_json(Transaction& tx, const model::Manager& manager, std::int64_t now) {
  auto out = model::manager_shape(manager, now);
  out.set("executor", text_or_null(manager.executor));
  out.set("labels", manager.labels);
  out.set("job_execution_status", API_TRY(has_job(tx, "manager_id", manager.id)) ? "active" : "idle");
  out.set("upgrade_status", API_TRY(model::upgrade_json(tx, manager)));
  out.set("possible_clone", manager.possible_clone(now));
  return out;
}

json::Value issued_json(const model::IssuedToken& issued) {
  return json::Value::object({{"token", issued.token}, {"token_expires_at", model::time_json(issued.expires_at)}});
}

json::Value credentials_json(const model::Runner& runner, const std::string& token) {
  return json::Value::object(
      {{"id", runner.id}, {"token", token}, {"token_expires_at", model::time_json(runner.token_expires_at)}});
}

Outcome<FoundRunner> runner_for(Transaction& tx, const Call& call, std::optional<std::int64_t> id, Ability ability) {
  auto runner = id ? API_TRY(model::find_runner(tx, *id)) : std::optional<model::Runner>();
  if (!runner) return std::unexpected(not_found("Runner"));
  const auto access = API_TRY(model::runner_access(tx, call.identity, *runner, call.now()));
  if (const auto decision = allowed(ability, access); !decision) return std::unexpected(forbidden(decision.reason));
  return FoundRunner{std::move(*runner), access};
}

void read_runner_attributes(Params& params, model::RunnerAttributes& out) {
  if (params.has("description")) out.description = params.text("description").value_or("");
  if (params.has("maintenance_note")) out.maintenance_note = params.text("maintenance_note").value_or("");
  if (const auto paused = params.boolean("paused")) out.active = !*paused;
  if (const auto active = params.boolean("active")) out.active = *active;
  if (const auto locked = params.boolean("locked")) out.locked = *locked;
  if (const auto untagged = params.boolean("run_untagged")) out.run_untagged = *untagged;
  if (const auto level = params.one_of("access_level", {"not_protected", "ref_protected"})) {
    out.ref_protected = *level == "ref_protected";
  }
  if (params.has("maximum_timeout")) out.maximum_timeout = params.integer("maximum_timeout");
  if (params.has("tag_list")) out.tag_list = params.list("tag_list").value_or(std::vector<std::string>{});
}

json::Value attributes_json(const model::RunnerAttributes& attributes) {
  auto tags = json::Value::array();
  for (const auto& tag : attributes.tag_list) tags.push_back(tag);
  return json::Value::object(
      {{"description", attributes.description},
       {"maintenance_note", attributes.maintenance_note},
       {"paused", !attributes.active},
       {"locked", attributes.locked},
       {"run_untagged", attributes.run_untagged},
       {"access_level", attributes.ref_protected ? "ref_protected" : "not_protected"},
       {"maximum_timeout", attributes.maximum_timeout ? json::Value(*attributes.maximum_timeout) : json::Value()},
       {"tag_list", std::move(tags)}});
}

Outcome<Violations> runner_limit_violations(Transaction& tx, RunnerType type, std::int64_t owner_id, std::int64_t now) {
  Violations out;
  const std::string_view kind = type == RunnerType::kGroup ? "group" : "project";
  const auto limit = API_TRY(model::setting_integer(tx, fmt::format("ci_registered_{}_runners", kind)));
  if (limit > 0 && API_TRY(model::recent_runner_count(tx, type, owner_id, now)) >= limit) {
    out.add(type == RunnerType::kGroup ? "runner_namespaces.base" : "runner_projects.base",
            fmt::format("Maximum number of ci registered {} runners ({}) exceeded", kind, limit));
  }
  return out;
}

} // namespace coordinator::rest
