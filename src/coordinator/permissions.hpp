// Who may do what: pure rules over facts that the caller has loaded (runner-tokens digest §2 and §3).
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

// The caller, as far as rights go.
struct Actor {
  bool known = false; // signed in
  bool admin = false;
  std::int64_t user_id = 0;
};

// A caller and one project or group: `level` is the effective one (own membership and inherited).
struct Access {
  Actor actor;
  int level = kNoAccess;
  Visibility visibility = Visibility::kPrivate;
  bool at_least(int wanted) const { return actor.admin || level >= wanted; }
};

bool can_see(const Access& access); // member, or visible to everybody (signed in)
// Projects.
bool can_read_code(const Access& access); // public projects: everybody; private ones: Reporter, as GitLab
bool can_push(const Access& access, bool ref_protected, int push_access_level);
bool can_create_pipeline(const Access& access);
bool can_read_jobs(const Access& access, bool public_jobs);
bool can_update_jobs(const Access& access);
bool can_administer_project(const Access& access); // settings, variables, members: Maintainer
bool can_delete_project(const Access& access);     // Owner
// Groups.
bool can_administer_group(const Access& access);   // Owner
bool can_create_projects(const Access& access);    // Developer, as GitLab's default
bool can_create_subgroup(const Access& access);    // Maintainer
bool can_read_group_runners(const Access& access); // Maintainer

// A caller and one runner.
enum class RunnerType { kInstance, kGroup, kProject };
std::string_view to_string(RunnerType type);
std::optional<RunnerType> parse_runner_type(std::string_view text);

struct RunnerAccess {
  Actor actor;
  RunnerType type = RunnerType::kInstance;
  bool locked = false;
  int group_level = kNoAccess;         // group runners: on the group
  int owner_project_level = kNoAccess; // project runners: on the owning project
  int best_project_level = kNoAccess;  // project runners: highest among assigned ones; group runners: among projects
                                       // below the group that use group runners
  std::size_t project_count = 0;
};
bool can_read_runner(const RunnerAccess& access);
bool can_update_runner(const RunnerAccess& access);
bool can_delete_runner(const RunnerAccess& access);
bool can_read_runner_jobs(const RunnerAccess& access);
bool can_assign_runner(const RunnerAccess& access);

// Creation and registration switches, effective for one group or project.
struct RegistrationRules {
  bool workflow_enabled = true;  // the feature flag of the runner's type
  bool registrar_allowed = true; // valid_runner_registrars and runner_registration_enabled of the group chain
  bool tokens_allowed = false;   // allow_runner_registration_token, instance and top-level group
};
bool can_create_runner(const Access& access, RunnerType type, const RegistrationRules& rules);
bool can_use_registration_token(const Access& access, RunnerType type, const RegistrationRules& rules);

// `*` in a protected branch's or tag's name stands for any text.
bool ref_matches(std::string_view pattern, std::string_view ref);

} // namespace coordinator
