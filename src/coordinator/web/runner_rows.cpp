#include "coordinator/web/runner_rows.hpp"

#include <fmt/format.h>

#include "coordinator/model/users.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kMostCounted = 1001; // shown as "1,000+"

Outcome<std::int64_t> job_count(Transaction& tx, std::int64_t runner_id) {
  return API_TRY(tx.count("SELECT count(*) FROM (SELECT 1 AS one FROM jobs WHERE runner_id = ? LIMIT ?) AS found",
                          {runner_id, kMostCounted}));
}

Outcome<bool> is_busy(Transaction& tx, std::int64_t runner_id) {
  return API_TRY(tx.count("SELECT count(*) FROM (SELECT 1 AS one FROM jobs WHERE runner_id = ? AND status IN "
                          "('running', 'canceling') LIMIT 1) AS found",
                          {runner_id})) > 0;
}

json::Value owner(std::string_view kind, json::Value name, json::Value full_path, json::Value web_path,
                  std::int64_t others) {
  return json::Value::object({{"kind", kind},
                              {"name", std::move(name)},
                              {"full_path", std::move(full_path)},
                              {"web_path", std::move(web_path)},
                              {"others", others}});
}

// Names of places that the caller may not see stay out.
Outcome<json::Value> owner_json(Transaction& tx, const Call& call, const model::Runner& runner,
                                std::size_t project_count) {
  if (runner.type == RunnerType::kGroup && runner.namespace_id) {
    const auto group = API_TRY(model::find_namespace(tx, *runner.namespace_id));
    if (!group) return owner("group", nullptr, nullptr, nullptr, 0);
    return owner("group", group->full_name, group->full_path, group_path(*group), 0);
  }
  if (runner.type == RunnerType::kProject) {
    const auto others = static_cast<std::int64_t>(project_count > 0 ? project_count - 1 : 0);
    const auto project =
        runner.owner_project_id ? API_TRY(model::find_project(tx, *runner.owner_project_id)) : std::nullopt;
    if (!project || !allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *project, call.now())))) {
      return owner("project", nullptr, nullptr, nullptr, others);
    }
    return owner("project", project->namespace_full_name + " / " + project->name, project->full_path,
                 project_path(*project), others);
  }
  return owner("instance", "Administrator", nullptr, nullptr, 0);
}

json::Value delete_reason(const RunnerAccess& access) {
  const auto decision = allowed(Ability::kDeleteRunner, access);
  if (decision) return nullptr;
  return decision.reason.empty() ? "No access granted" : decision.reason;
}

json::Value runner_abilities(const RunnerAccess& access) {
  const auto may = [&](Ability ability) { return static_cast<bool>(allowed(ability, access)); };
  return json::Value::object({{"read", may(Ability::kReadRunner)},
                              {"update", may(Ability::kUpdateRunner)},
                              {"delete", may(Ability::kDeleteRunner)},
                              {"delete_reason", delete_reason(access)},
                              {"assign", may(Ability::kAssignRunner)},
                              {"read_jobs", may(Ability::kReadRunnerJobs)}});
}

} // namespace

std::string badge_condition(model::RunnerStatus status, std::int64_t now) {
  const auto fresh = fmt::format("(r.created_at > {0} OR coalesce(r.contacted_at, 0) > {0})", now - model::kStaleAfter);
  const auto online = now - model::kOnlineWindow;
  switch (status) {
    case model::RunnerStatus::kStale:
      return "NOT " + fresh;
    case model::RunnerStatus::kNeverContacted:
      return "(r.contacted_at IS NULL AND " + fresh + ")";
    case model::RunnerStatus::kOnline:
      return fmt::format("(r.contacted_at > {} AND {})", online, fresh);
    case model::RunnerStatus::kOffline:
      return fmt::format("(r.contacted_at <= {} AND {})", online, fresh);
  }
  return "";
}

model::Condition available_runners(const Call& call, const model::Project& project) {
  const bool any = static_cast<bool>(allowed(Ability::kReadAllRunners, call.identity.actor()));
  auto out = any ? model::Condition() : model::runners_of_user(call.identity.user_id, call.now());
  out.add("r.type = 'project_type' AND r.id NOT IN (SELECT runner_id FROM runner_projects WHERE project_id = ?)",
          {project.id});
  if (!any) out.add("r.locked = 0");
  return out;
}

model::Condition inherited_group_runners(const std::optional<model::Namespace>& space) {
  std::string ids = "0";
  for (const auto step : space && space->is_group() ? space->chain : std::vector<std::int64_t>{}) {
    ids += fmt::format(",{}", step);
  }
  model::Condition out;
  out.add("r.type = 'group_type' AND r.namespace_id IN (" + ids + ")");
  return out;
}

Outcome<json::Value> runner_web_path(Transaction& tx, const Call& call, const model::Runner& runner) {
  const auto at = [&](std::string_view base) { return json::Value(fmt::format("{}/{}", base, runner.id)); };
  if (allowed(Ability::kAdminInstance, call.identity.actor())) return at("/admin/runners");
  if (runner.type == RunnerType::kGroup && runner.namespace_id) {
    const auto group = API_TRY(model::find_namespace(tx, *runner.namespace_id));
    if (group && allowed(Ability::kReadRunners, API_TRY(model::access_to(tx, call.identity, *group, call.now())))) {
      return at(group_path(*group) + "/-/runners");
    }
  }
  if (runner.type != RunnerType::kProject) return json::Value();
  for (const auto id : API_TRY(model::runner_project_ids(tx, runner.id))) {
    const auto project = API_TRY(model::find_project(tx, id));
    if (project && allowed(Ability::kReadRunners, API_TRY(model::access_to(tx, call.identity, *project, call.now())))) {
      return at(project_path(*project) + "/-/runners");
    }
  }
  return json::Value();
}

Outcome<json::Value> runner_row(Transaction& tx, const Call& call, const model::Runner& runner, std::string base) {
  const auto access = API_TRY(model::runner_access(tx, call.identity, runner, call.now()));
  const auto manager = API_TRY(model::latest_manager(tx, runner.id)).value_or(model::Manager{});
  auto tags = json::Value::array();
  for (const auto& tag : runner.tag_list) tags.push_back(tag);
  const auto web_path =
      base.empty() ? API_TRY(runner_web_path(tx, call, runner)) : json::Value(fmt::format("{}/{}", base, runner.id));
  return json::Value::object(
      {{"id", runner.id},
       {"short_sha", runner.token_short},
       {"description", text_or_null(runner.description)},
       {"runner_type", to_string(runner.type)},
       {"status", model::to_string(model::runner_status(runner.created_at, runner.contacted_at, call.now()))},
       {"paused", !runner.active},
       {"locked", runner.locked},
       {"access_level", runner.ref_protected ? "ref_protected" : "not_protected"},
       {"run_untagged", runner.run_untagged},
       {"job_execution_status", API_TRY(is_busy(tx, runner.id)) ? "active" : "idle"},
       {"version", text_or_null(manager.version)},
       {"upgrade_status", API_TRY(model::upgrade_json(tx, runner.id))},
       {"ip_address", text_or_null(manager.ip_address)},
       {"contacted_at", model::time_json(runner.contacted_at)},
       {"created_at", model::utc_millis(runner.created_at)},
       {"created_by", API_TRY(model::user_basic_json(tx, call.app, runner.creator_id))},
       {"registration_type", runner.by_user ? "authenticated_user" : "registration_token"},
       {"tag_list", std::move(tags)},
       {"managers_count", API_TRY(tx.count("SELECT count(*) FROM runner_managers WHERE runner_id = ?", {runner.id}))},
       {"job_count", API_TRY(job_count(tx, runner.id))},
       {"token_expires_at", model::time_json(runner.token_expires_at)},
       {"owner", API_TRY(owner_json(tx, call, runner, access.project_count))},
       {"web_path", web_path},
       {"abilities", runner_abilities(access)}});
}

} // namespace coordinator::web
