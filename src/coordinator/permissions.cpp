#include "coordinator/permissions.hpp"

namespace coordinator {

bool is_access_level(std::int64_t level) {
  return level == kGuest || level == kReporter || level == kDeveloper || level == kMaintainer || level == kOwner;
}

Visibility parse_visibility(std::string_view text) {
  if (text == "public") return Visibility::kPublic;
  if (text == "internal") return Visibility::kInternal;
  return Visibility::kPrivate;
}

bool can_see(const Access& access) {
  if (access.at_least(kGuest)) return true;
  if (access.visibility == Visibility::kPublic) return true;
  return access.visibility == Visibility::kInternal && access.actor.known;
}

bool can_read_code(const Access& access) {
  if (access.at_least(kReporter)) return true;
  if (access.visibility == Visibility::kPublic) return true;
  return access.visibility == Visibility::kInternal && access.actor.known;
}

bool can_push(const Access& access, bool ref_protected, int push_access_level) {
  if (ref_protected && push_access_level == kNoAccess) return false; // "no one", administrators included
  if (!access.at_least(kDeveloper)) return false;
  return !ref_protected || access.at_least(push_access_level);
}

bool can_create_pipeline(const Access& access) { return access.at_least(kDeveloper); }

bool can_read_jobs(const Access& access, bool public_jobs) {
  if (access.at_least(kReporter)) return true;
  return public_jobs && can_see(access);
}

bool can_update_jobs(const Access& access) { return access.at_least(kDeveloper); }
bool can_administer_project(const Access& access) { return access.at_least(kMaintainer); }
bool can_delete_project(const Access& access) { return access.at_least(kOwner); }
bool can_administer_group(const Access& access) { return access.at_least(kOwner); }
bool can_create_projects(const Access& access) { return access.at_least(kDeveloper); }
bool can_create_subgroup(const Access& access) { return access.at_least(kMaintainer); }
bool can_read_group_runners(const Access& access) { return access.at_least(kMaintainer); }

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

bool can_read_runner(const RunnerAccess& access) {
  if (access.actor.admin) return true;
  if (!access.actor.known) return false;
  switch (access.type) {
    case RunnerType::kInstance:
      return true;
    case RunnerType::kGroup:
      return access.group_level >= kMaintainer || access.best_project_level >= kMaintainer;
    case RunnerType::kProject:
      return access.owner_project_level >= kMaintainer || access.best_project_level >= kMaintainer;
  }
  return false;
}

bool can_update_runner(const RunnerAccess& access) {
  if (access.actor.admin) return true;
  if (!access.actor.known) return false;
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

bool can_delete_runner(const RunnerAccess& access) {
  if (access.actor.admin) return true;
  if (!access.actor.known) return false;
  switch (access.type) {
    case RunnerType::kInstance:
      return false;
    case RunnerType::kGroup:
      return access.group_level >= kOwner;
    case RunnerType::kProject:
      return access.owner_project_level >= kMaintainer && access.project_count <= 1;
  }
  return false;
}

bool can_read_runner_jobs(const RunnerAccess& access) {
  if (access.actor.admin) return true;
  if (!access.actor.known) return false;
  switch (access.type) {
    case RunnerType::kInstance:
      return false;
    case RunnerType::kGroup:
      return access.group_level >= kMaintainer;
    case RunnerType::kProject:
      return access.owner_project_level >= kMaintainer || access.best_project_level >= kMaintainer;
  }
  return false;
}

bool can_assign_runner(const RunnerAccess& access) {
  if (access.type != RunnerType::kProject) return false;
  if (access.actor.admin) return true;
  if (!access.actor.known || access.locked) return false;
  return access.owner_project_level >= kMaintainer || access.best_project_level >= kMaintainer;
}

bool can_create_runner(const Access& access, RunnerType type, const RegistrationRules& rules) {
  if (!rules.workflow_enabled) return false;
  if (access.actor.admin) return true;
  if (type == RunnerType::kInstance || !rules.registrar_allowed) return false;
  return access.level >= (type == RunnerType::kGroup ? kOwner : kMaintainer);
}

bool can_use_registration_token(const Access& access, RunnerType type, const RegistrationRules& rules) {
  if (!rules.tokens_allowed) return false; // administrators included
  if (access.actor.admin) return true;
  if (type == RunnerType::kInstance || !rules.registrar_allowed) return false;
  return access.level >= (type == RunnerType::kGroup ? kOwner : kMaintainer);
}

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

} // namespace coordinator
