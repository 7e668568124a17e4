#include "coordinator/permissions.hpp"

#include <algorithm>
#include <iterator>

namespace coordinator {
namespace {

constexpr int kNobody = 100; // no role suffices, and it is no ability of that kind of place

// What a project or namespace demands. Being administrator suffices for every role.
struct Rule {
  Ability ability;
  std::string_view name;
  int project;
  int group;
  bool while_archived; // still possible then
};

// Visible ones (kRead and its like) are judged by visible(), their levels are those of private places.
constexpr Rule kRules[] = {
    {Ability::kRead, "read", kGuest, kGuest, true},
    {Ability::kReadMembers, "read_member", kGuest, kGuest, true},
    {Ability::kAdminMembers, "admin_member", kMaintainer, kOwner, true},
    {Ability::kAdmin, "admin", kMaintainer, kOwner, true},
    {Ability::kArchive, "archive", kOwner, kOwner, true},
    {Ability::kRemove, "remove", kOwner, kOwner, true},
    {Ability::kAdminVariables, "admin_cicd_variables", kMaintainer, kOwner, true},
    {Ability::kManageAccessTokens, "manage_resource_access_tokens", kMaintainer, kOwner, true},
    {Ability::kReadRunners, "read_runners", kMaintainer, kMaintainer, true},
    {Ability::kCreateRunners, "create_runners", kMaintainer, kOwner, false},
    {Ability::kReadRegistrationToken, "read_runners_registration_token", kMaintainer, kOwner, true},
    {Ability::kUpdateRegistrationToken, "update_runners_registration_token", kMaintainer, kOwner, true},
    {Ability::kCreateProjects, "create_projects", kNobody, kDeveloper, false},
    {Ability::kCreateSubgroup, "create_subgroup", kNobody, kMaintainer, false},
    {Ability::kReadCode, "download_code", kReporter, kNobody, true},
    {Ability::kPushCode, "push_code", kDeveloper, kNobody, false},
    {Ability::kReadBuilds, "read_build", kReporter, kNobody, true},
    {Ability::kReadDebugTrace, "read_build_trace", kDeveloper, kNobody, true},
    {Ability::kUpdateBuilds, "update_build", kDeveloper, kNobody, false},
    {Ability::kCreatePipeline, "create_pipeline", kDeveloper, kNobody, false},
    {Ability::kDestroyPipeline, "destroy_pipeline", kOwner, kNobody, false},
    {Ability::kReadPipelineVariables, "read_pipeline_variable", kDeveloper, kNobody, true},
    {Ability::kLint, "create_pipeline", kDeveloper, kNobody, true},
    {Ability::kReadProtectedBranches, "read_protected_branch", kDeveloper, kNobody, true},
    {Ability::kReadProtectedTags, "read_protected_tags", kReporter, kNobody, true},
    {Ability::kAdminProtectedRefs, "admin_protected_branch", kMaintainer, kNobody, true},
    {Ability::kReceiveRunner, "create_runners", kMaintainer, kNobody, false},
};

const Rule* rule_of(Ability ability) {
  const auto* found = std::ranges::find(kRules, ability, &Rule::ability);
  return found == std::end(kRules) ? nullptr : found;
}

bool has(const std::vector<std::string>& scopes, std::string_view scope) {
  return std::ranges::find(scopes, scope) != scopes.end();
}

// Open to everybody, or to everybody who is signed in.
bool visible(const Access& access) {
  if (access.visibility == Visibility::kPublic) return true;
  return access.visibility == Visibility::kInternal && access.actor.known;
}

bool role_suffices(const Rule& rule, const Access& access) {
  if (access.kind == PlaceKind::kPersonal) {
    // A user's own place: he is its Owner, and it has neither members nor runners of its own.
    const bool possible = rule.ability == Ability::kRead || rule.ability == Ability::kCreateProjects;
    return possible && access.at_least(kOwner);
  }
  const int wanted = access.kind == PlaceKind::kProject ? rule.project : rule.group;
  return wanted != kNobody && access.at_least(wanted);
}

bool open_without_role(Ability ability, const Access& access) {
  switch (ability) {
    case Ability::kRead:
    case Ability::kReadMembers:
      return visible(access) || access.member_below;
    case Ability::kReadCode:
      return access.kind == PlaceKind::kProject && (visible(access) || access.own_job);
    case Ability::kReadBuilds:
      return access.kind == PlaceKind::kProject && access.public_jobs && (visible(access) || access.at_least(kGuest));
    default:
      return false;
  }
}

constexpr std::string_view kNoRunnerAccess = "No access granted";

bool maintains_runner(const RunnerAccess& access) {
  switch (access.type) {
    case RunnerType::kInstance:
      return false;
    case RunnerType::kGroup:
      return access.group_level >= kOwner;
    case RunnerType::kProject:
      return access.owner_project_level >= kMaintainer || access.best_project_level >= kMaintainer;
  }
  return false;
}

bool sees_runner(const RunnerAccess& access) {
  switch (access.type) {
    case RunnerType::kInstance:
      return true;
    case RunnerType::kGroup:
      return access.group_level >= kMaintainer || access.best_project_level >= kMaintainer;
    case RunnerType::kProject:
      return maintains_runner(access);
  }
  return false;
}

Decision when(bool granted, std::string_view reason = kNoRunnerAccess) {
  return granted ? Decision{.granted = true} : Decision{.granted = false, .reason = reason};
}

Decision delete_runner(const RunnerAccess& access) {
  if (access.actor.admin) return when(true);
  if (access.type != RunnerType::kProject) return when(maintains_runner(access));
  if (sees_runner(access) && access.project_count > 1) {
    return when(false, "Runner associated with more than one project");
  }
  return when(access.owner_project_level >= kMaintainer);
}

Decision assign_runner(const RunnerAccess& access) {
  if (access.type == RunnerType::kInstance) return when(false, "Runner is an instance runner");
  if (access.type == RunnerType::kGroup) return when(false, "Runner is a group runner");
  if (access.actor.admin) return when(true);
  if (access.locked) return when(false, "Runner is locked");
  return when(maintains_runner(access));
}

Decision unassign_runner(const RunnerAccess& access) {
  if (!access.actor.admin && access.locked) return when(false, "Runner is locked");
  if (!access.actor.admin && !maintains_runner(access)) return when(false);
  return when(!access.from_owner, "You cannot unassign a runner from the owner project. Delete the runner instead");
}

} // namespace

bool is_access_level(std::int64_t level) {
  return level == kGuest || level == kReporter || level == kDeveloper || level == kMaintainer || level == kOwner;
}

Visibility parse_visibility(std::string_view text) {
  if (text == "public") return Visibility::kPublic;
  if (text == "internal") return Visibility::kInternal;
  return Visibility::kPrivate;
}

bool can_download_artifacts(const Access& access, std::string_view artifacts_access) {
  if (access.own_job) return true;
  if (artifacts_access == "none") return false;
  if (artifacts_access == "developer") return access.at_least(kDeveloper);
  return artifacts_access != "maintainer" || access.at_least(kMaintainer);
}

std::string_view to_string(RunnerType type) {
  switch (type) {
    case RunnerType::kInstance:
      return "instance_type";
    case RunnerType::kGroup:
      return "group_type";
    case RunnerType::kProject:
      return "project_type";
  }
  return "";
}

std::optional<RunnerType> parse_runner_type(std::string_view text) {
  for (const auto type : {RunnerType::kInstance, RunnerType::kGroup, RunnerType::kProject}) {
    if (text == to_string(type)) return type;
  }
  return std::nullopt;
}

std::string_view name_of(Ability ability) {
  if (const auto* rule = rule_of(ability)) return rule->name;
  switch (ability) {
    case Ability::kAdminInstance:
      return "admin_all_resources";
    case Ability::kCreateInstanceRunners:
      return "create_instance_runners";
    case Ability::kReadAllRunners:
      return "admin_runners";
    case Ability::kCreateGroup:
      return "create_group";
    case Ability::kReadRunner:
      return "read_runner";
    case Ability::kReadRunnerSensitiveData:
      return "read_runner_sensitive_data";
    case Ability::kReadRunnerJobs:
      return "read_builds";
    case Ability::kUpdateRunner:
      return "update_runner";
    case Ability::kDeleteRunner:
      return "delete_runner";
    case Ability::kAssignRunner:
      return "assign_runner";
    case Ability::kUnassignRunner:
      return "unassign_runner";
    case Ability::kReadEphemeralToken:
      return "read_ephemeral_token";
    default:
      return "";
  }
}

Decision allowed(Ability ability, const Actor& actor, const RegistrationRules& rules) {
  switch (ability) {
    case Ability::kAdminInstance:
    case Ability::kReadAllRunners:
      return {.granted = actor.admin};
    case Ability::kCreateGroup:
      return {.granted = actor.known && !actor.bot};
    case Ability::kCreateInstanceRunners:
      return when(actor.admin && rules.workflow_enabled, "Insufficient permissions");
    case Ability::kReadRegistrationToken:
    case Ability::kUpdateRegistrationToken:
      return {.granted = actor.admin && rules.tokens_allowed};
    default:
      return {};
  }
}

Decision allowed(Ability ability, const Access& access, const RegistrationRules& rules) {
  const auto* rule = rule_of(ability);
  if (!rule) return {};
  const bool registrar = access.actor.admin || rules.registrar_allowed;
  switch (ability) {
    case Ability::kCreateRunners:
      return when(rules.workflow_enabled && registrar && !access.archived && role_suffices(*rule, access),
                  "Insufficient permissions");
    case Ability::kReceiveRunner:
      return {.granted = registrar && !access.archived && role_suffices(*rule, access)};
    case Ability::kReadRegistrationToken:
    case Ability::kUpdateRegistrationToken:
      // Switched off they are for administrators, too.
      return {.granted = rules.tokens_allowed && registrar && role_suffices(*rule, access)};
    default:
      break;
  }
  if (access.archived && !rule->while_archived) return {};
  return {.granted = role_suffices(*rule, access) || open_without_role(ability, access)};
}

Decision allowed(Ability ability, const RunnerAccess& access) {
  if (!access.actor.known) return when(false);
  switch (ability) {
    case Ability::kReadRunner:
      return when(access.actor.admin || sees_runner(access));
    case Ability::kReadRunnerSensitiveData:
      return when(access.actor.admin || (access.type != RunnerType::kInstance && sees_runner(access)));
    case Ability::kReadRunnerJobs:
      return when(access.actor.admin ||
                  (access.type == RunnerType::kGroup ? access.group_level >= kMaintainer : maintains_runner(access)));
    case Ability::kUpdateRunner:
      return when(access.actor.admin || maintains_runner(access));
    case Ability::kDeleteRunner:
      return delete_runner(access);
    case Ability::kAssignRunner:
      return assign_runner(access);
    case Ability::kUnassignRunner:
      return unassign_runner(access);
    case Ability::kReadEphemeralToken:
      return when(access.creator);
    default:
      return {};
  }
}

bool can_push(const Access& access, bool ref_protected, int push_access_level) {
  if (ref_protected && push_access_level == kNoAccess) return false; // "no one", administrators included
  if (!allowed(Ability::kPushCode, access)) return false;
  return !ref_protected || access.at_least(push_access_level);
}

bool may_act_for(const Actor& actor, std::int64_t user_id) {
  return actor.known && (actor.admin || actor.user_id == user_id);
}

bool can_grant(const Access& access, std::int64_t level) { return access.at_least(static_cast<int>(level)); }

bool ref_matches(std::string_view pattern, std::string_view ref) {
  // Greedy with one point to return to: linear for our single kind of wildcard.
  std::size_t p = 0;
  std::size_t r = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (r < ref.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = r;
    } else if (p < pattern.size() && pattern[p] == ref[r]) {
      ++p;
      ++r;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      r = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool scopes_allow(const std::vector<std::string>& granted, const std::vector<std::string>& wanted, bool reading) {
  if (has(granted, "api")) return true;
  if (wanted.empty()) return reading && has(granted, "read_api");
  return std::ranges::any_of(wanted, [&](const auto& scope) { return has(granted, scope); });
}

std::vector<std::string> scopes_wanted(const std::vector<std::string>& wanted, bool reading) {
  if (wanted.empty()) return reading ? std::vector<std::string>{"api", "read_api"} : std::vector<std::string>{"api"};
  auto all = wanted;
  if (!has(all, "api")) all.insert(all.begin(), "api");
  return all;
}

bool scopes_allow_git(const std::vector<std::string>& granted, bool push) {
  if (has(granted, "api") || has(granted, "write_repository")) return true;
  return !push && (has(granted, "read_api") || has(granted, "read_repository"));
}

} // namespace coordinator
