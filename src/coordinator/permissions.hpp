// Who may do what: the one place that decides (runner-tokens digest §2 and §3). Pure rules over facts that the caller
// has loaded; the API, git and the pages ask `allowed()` and decide nothing themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coordinator {

inline constexpr int kNoAccess = 0;
inline constexpr int kGuest = 10;
inline constexpr int kReporter = 20;
inline constexpr int kDeveloper = 30;
inline constexpr int kMaintainer = 40;
inline constexpr int kOwner = 50;
bool is_access_level(std::int64_t level); // one of the five roles that we use

enum class Visibility { kPrivate, kInternal, kPublic };
Visibility parse_visibility(std::string_view text); // private for anything unknown

// GitLab's names for most of them: name_of().
enum class Ability {
  // the instance
  kAdminInstance,         // settings, features, users, audit
  kCreateInstanceRunners, // needs RegistrationRules
  kReadAllRunners,        // GET /runners/all
  kCreateGroup,           // a top-level one
  // a project or a group; for a personal namespace: kRead, kCreateProjects
  kRead,
  kReadMembers,
  kAdminMembers,
  kAdmin, // settings
  kArchive,
  kRemove,
  kAdminVariables,
  kManageAccessTokens,
  kReadRunners,
  kCreateRunners,           // needs RegistrationRules
  kReadRegistrationToken,   // needs RegistrationRules; the instance's as well
  kUpdateRegistrationToken, // needs RegistrationRules; the instance's as well
  // a group or a personal namespace
  kCreateProjects,
  kCreateSubgroup,
  // a project
  kReadCode,
  kPushCode, // somewhere; a protected ref asks can_push()
  kReadBuilds,
  kReadDebugTrace, // logs that show variables
  kUpdateBuilds,
  kCreatePipeline,
  kDestroyPipeline,
  kReadPipelineVariables,
  kLint,
  kReadProtectedBranches,
  kReadProtectedTags,
  kAdminProtectedRefs,
  kReceiveRunner, // another project's runner may be assigned to this project; needs RegistrationRules
  // a runner
  kReadRunner,
  kReadRunnerSensitiveData,
  kReadRunnerJobs,
  kUpdateRunner, // edit, pause, reset the token, see the maintenance note
  kDeleteRunner,
  kAssignRunner,
  kUnassignRunner, // from the project in question
  kReadEphemeralToken,
};
std::string_view name_of(Ability ability);

// What the caller may, and if not, why, where the API says so.
struct Decision {
  bool granted = false;
  std::string_view reason = {};
  explicit operator bool() const { return granted; }
};

// The caller, as far as rights go.
struct Actor {
  bool known = false; // signed in
  bool admin = false;
  std::int64_t user_id = 0;
  bool bot = false; // of a project's or group's access token
};

enum class PlaceKind { kProject, kGroup, kPersonal };

// A caller and one project or namespace: `level` is the effective one (own membership and inherited).
struct Access {
  Actor actor;
  int level = kNoAccess;
  Visibility visibility = Visibility::kPrivate;
  PlaceKind kind = PlaceKind::kProject;
  bool archived = false;     // itself or a group above
  bool public_jobs = false;  // projects
  bool own_job = false;      // a job asks about its own project
  bool member_below = false; // groups: member of something inside
  bool at_least(int wanted) const { return actor.admin || level >= wanted; }
};

// By people: `artifacts:access` says all, developer, maintainer or none. A project's own jobs get them whatever it
// says, as GitLab's.
bool can_download_artifacts(const Access& access, std::string_view artifacts_access);

enum class RunnerType { kInstance, kGroup, kProject };
std::string_view to_string(RunnerType type);
std::optional<RunnerType> parse_runner_type(std::string_view text);

// A caller and one runner.
struct RunnerAccess {
  Actor actor;
  RunnerType type = RunnerType::kInstance;
  bool locked = false;
  int group_level = kNoAccess;         // group runners: on the group
  int owner_project_level = kNoAccess; // project runners: on the owning project
  int best_project_level = kNoAccess;  // project runners: highest among assigned ones; group runners: among projects
                                       // below the group that use group runners
  std::size_t project_count = 0;
  bool creator = false;    // the caller made it
  bool from_owner = false; // kUnassignRunner: the project in question owns it
};

// Creation and registration switches, effective for one group or project.
struct RegistrationRules {
  bool workflow_enabled = true;  // the feature flag of the runner's type
  bool registrar_allowed = true; // valid_runner_registrars and runner_registration_enabled of the group chain
  bool tokens_allowed = false;   // allow_runner_registration_token, instance and top-level group
};

// The instance's abilities.
Decision allowed(Ability ability, const Actor& actor, const RegistrationRules& rules = {});
// Those of a project or namespace. Without `rules`, an ability that needs them is judged as if nothing were switched
// off but registration tokens.
Decision allowed(Ability ability, const Access& access, const RegistrationRules& rules = {});
// Those of a runner.
Decision allowed(Ability ability, const RunnerAccess& access);

// May this caller push to (or run a pipeline on) that ref? `push_access_level` counts for a protected one.
bool can_push(const Access& access, bool ref_protected, int push_access_level);
// A user's own affairs (his tokens, his address): he himself and administrators.
bool may_act_for(const Actor& actor, std::int64_t user_id);
// Nobody gives a role, or makes a bot of a role, above his own.
bool can_grant(const Access& access, std::int64_t level);
// `*` in a protected branch's or tag's name stands for any text.
bool ref_matches(std::string_view pattern, std::string_view ref);

// Do these scopes of an access token let it through a route that names `wanted` (empty: the usual ones)? `api` always
// does, `read_api` for reading where the route names nothing.
bool scopes_allow(const std::vector<std::string>& granted, const std::vector<std::string>& wanted, bool reading);
// What a refused token is told that it needs.
std::vector<std::string> scopes_wanted(const std::vector<std::string>& wanted, bool reading);
// Scopes of a token that fetches with git, or pushes.
bool scopes_allow_git(const std::vector<std::string>& granted, bool push);

} // namespace coordinator
