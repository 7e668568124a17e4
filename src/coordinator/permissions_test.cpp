#include "coordinator/permissions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace coordinator {
namespace {

constexpr Actor kSomebody{.known = true, .admin = false, .user_id = 7};
constexpr Actor kAdmin{.known = true, .admin = true, .user_id = 1};
constexpr int kRoles[] = {kNoAccess, kGuest, kReporter, kDeveloper, kMaintainer, kOwner};
constexpr int kNever = 100;

Access place(PlaceKind kind, int level, const Actor& actor = kSomebody) {
  return {.actor = actor, .level = level, .kind = kind};
}

// The whole table: the least role on a private project and on a private group.
struct Row {
  Ability ability;
  int project;
  int group;
};
constexpr Row kTable[] = {
    {Ability::kRead, kGuest, kGuest},
    {Ability::kReadMembers, kGuest, kGuest},
    {Ability::kAdminMembers, kMaintainer, kOwner},
    {Ability::kAdmin, kMaintainer, kOwner},
    {Ability::kArchive, kOwner, kOwner},
    {Ability::kRemove, kOwner, kOwner},
    {Ability::kAdminVariables, kMaintainer, kOwner},
    {Ability::kManageAccessTokens, kMaintainer, kOwner},
    {Ability::kReadRunners, kMaintainer, kMaintainer},
    {Ability::kCreateRunners, kMaintainer, kOwner},
    {Ability::kCreateProjects, kNever, kDeveloper},
    {Ability::kCreateSubgroup, kNever, kMaintainer},
    {Ability::kReadCode, kReporter, kNever},
    {Ability::kPushCode, kDeveloper, kNever},
    {Ability::kReadBuilds, kReporter, kNever},
    {Ability::kReadDebugTrace, kDeveloper, kNever},
    {Ability::kUpdateBuilds, kDeveloper, kNever},
    {Ability::kCreatePipeline, kDeveloper, kNever},
    {Ability::kDestroyPipeline, kOwner, kNever},
    {Ability::kReadPipelineVariables, kDeveloper, kNever},
    {Ability::kLint, kDeveloper, kNever},
    {Ability::kReadProtectedBranches, kDeveloper, kNever},
    {Ability::kReadProtectedTags, kReporter, kNever},
    {Ability::kAdminProtectedRefs, kMaintainer, kNever},
    {Ability::kReceiveRunner, kMaintainer, kNever},
};

TEST(Permissions, TheTableOfRoles) {
  for (const auto& row : kTable) {
    for (const int role : kRoles) {
      EXPECT_EQ(bool(allowed(row.ability, place(PlaceKind::kProject, role))), role >= row.project)
          << name_of(row.ability) << " on a project with " << role;
      EXPECT_EQ(bool(allowed(row.ability, place(PlaceKind::kGroup, role))), role >= row.group)
          << name_of(row.ability) << " on a group with " << role;
    }
    EXPECT_EQ(bool(allowed(row.ability, place(PlaceKind::kProject, kNoAccess, kAdmin))), row.project != kNever);
    EXPECT_EQ(bool(allowed(row.ability, place(PlaceKind::kGroup, kNoAccess, kAdmin))), row.group != kNever);
    EXPECT_FALSE(allowed(row.ability, place(PlaceKind::kProject, kNoAccess, {}))) << name_of(row.ability);
  }
}

TEST(Permissions, PersonalNamespacesHoldProjectsOnly) {
  for (const auto& row : kTable) {
    const bool possible = row.ability == Ability::kRead || row.ability == Ability::kCreateProjects;
    EXPECT_EQ(bool(allowed(row.ability, place(PlaceKind::kPersonal, kOwner))), possible) << name_of(row.ability);
    EXPECT_FALSE(allowed(row.ability, place(PlaceKind::kPersonal, kNoAccess))) << name_of(row.ability);
  }
}

TEST(Permissions, WhatArchivingPrevents) {
  for (const auto& row : kTable) {
    auto access = place(PlaceKind::kProject, kOwner);
    access.archived = true;
    const Ability prevented[] = {Ability::kCreateRunners,  Ability::kReceiveRunner,  Ability::kPushCode,
                                 Ability::kUpdateBuilds,   Ability::kCreatePipeline, Ability::kDestroyPipeline,
                                 Ability::kCreateProjects, Ability::kCreateSubgroup};
    const bool possible = row.project != kNever && std::ranges::find(prevented, row.ability) == std::end(prevented);
    EXPECT_EQ(bool(allowed(row.ability, access)), possible) << name_of(row.ability);
    access.actor = kAdmin;
    EXPECT_EQ(bool(allowed(row.ability, access)), possible) << name_of(row.ability);
  }
}

TEST(Permissions, SeeingFollowsMembershipAndVisibility) {
  struct Case {
    Actor actor;
    int level;
    Visibility visibility;
    bool see;
  };
  const Case cases[] = {
      {{}, kNoAccess, Visibility::kPrivate, false},        {{}, kNoAccess, Visibility::kInternal, false},
      {{}, kNoAccess, Visibility::kPublic, true},          {kSomebody, kNoAccess, Visibility::kPrivate, false},
      {kSomebody, kNoAccess, Visibility::kInternal, true}, {kSomebody, kGuest, Visibility::kPrivate, true},
      {kAdmin, kNoAccess, Visibility::kPrivate, true},
  };
  for (const auto& c : cases) {
    const Access access{.actor = c.actor, .level = c.level, .visibility = c.visibility};
    EXPECT_EQ(bool(allowed(Ability::kRead, access)), c.see);
  }
  Access below = place(PlaceKind::kGroup, kNoAccess);
  below.member_below = true;
  EXPECT_TRUE(allowed(Ability::kRead, below));
  EXPECT_FALSE(allowed(Ability::kReadRunners, below));
}

TEST(Permissions, JobsOfPublicProjectsMayBePublic) {
  Access access{.actor = {}, .visibility = Visibility::kPublic, .public_jobs = true};
  EXPECT_TRUE(allowed(Ability::kReadBuilds, access));
  access.public_jobs = false;
  EXPECT_FALSE(allowed(Ability::kReadBuilds, access));
  auto guest = place(PlaceKind::kProject, kGuest);
  EXPECT_FALSE(allowed(Ability::kReadBuilds, guest));
  guest.public_jobs = true;
  EXPECT_TRUE(allowed(Ability::kReadBuilds, guest));
}

TEST(Permissions, AJobReadsItsOwnProject) {
  Access access = place(PlaceKind::kProject, kNoAccess);
  EXPECT_FALSE(allowed(Ability::kReadCode, access));
  access.own_job = true;
  EXPECT_TRUE(allowed(Ability::kReadCode, access));
  EXPECT_FALSE(allowed(Ability::kPushCode, access));
}

TEST(Permissions, PushToProtectedRefs) {
  const auto developer = place(PlaceKind::kProject, kDeveloper);
  const auto maintainer = place(PlaceKind::kProject, kMaintainer);
  EXPECT_TRUE(can_push(developer, false, kMaintainer));
  EXPECT_FALSE(can_push(developer, true, kMaintainer));
  EXPECT_TRUE(can_push(developer, true, kDeveloper));
  EXPECT_TRUE(can_push(maintainer, true, kMaintainer));
  EXPECT_FALSE(can_push({.actor = kAdmin}, true, kNoAccess));
  EXPECT_FALSE(can_push(place(PlaceKind::kProject, kReporter), false, kMaintainer));
}

TEST(Permissions, TheInstance) {
  RegistrationRules rules;
  EXPECT_TRUE(allowed(Ability::kCreateInstanceRunners, kAdmin, rules));
  EXPECT_EQ(allowed(Ability::kCreateInstanceRunners, kSomebody, rules).reason, "Insufficient permissions");
  rules.workflow_enabled = false;
  EXPECT_FALSE(allowed(Ability::kCreateInstanceRunners, kAdmin, rules));
  for (const auto ability : {Ability::kAdminInstance, Ability::kReadAllRunners}) {
    EXPECT_TRUE(allowed(ability, kAdmin));
    EXPECT_FALSE(allowed(ability, kSomebody));
    EXPECT_FALSE(allowed(ability, Actor{}));
  }
  EXPECT_TRUE(allowed(Ability::kCreateGroup, kSomebody));
  EXPECT_FALSE(allowed(Ability::kCreateGroup, Actor{.known = true, .bot = true}));
  EXPECT_FALSE(allowed(Ability::kCreateGroup, Actor{}));
}

TEST(Permissions, SwitchesOfCreation) {
  RegistrationRules flag_off;
  flag_off.workflow_enabled = false;
  RegistrationRules no_registrar;
  no_registrar.registrar_allowed = false;
  const auto owner = place(PlaceKind::kGroup, kOwner);
  const auto admin = place(PlaceKind::kGroup, kNoAccess, kAdmin);
  EXPECT_TRUE(allowed(Ability::kCreateRunners, owner, {}));
  EXPECT_FALSE(allowed(Ability::kCreateRunners, owner, no_registrar));
  EXPECT_TRUE(allowed(Ability::kCreateRunners, admin, no_registrar));
  EXPECT_EQ(allowed(Ability::kCreateRunners, admin, flag_off).reason, "Insufficient permissions");
  // The flag hides creation only; a runner that exists may still be assigned.
  EXPECT_TRUE(allowed(Ability::kReceiveRunner, place(PlaceKind::kProject, kMaintainer), flag_off));
  EXPECT_FALSE(allowed(Ability::kReceiveRunner, place(PlaceKind::kProject, kMaintainer), no_registrar));
}

TEST(Permissions, RegistrationTokensOffBindAdministratorsToo) {
  for (const auto ability : {Ability::kReadRegistrationToken, Ability::kUpdateRegistrationToken}) {
    RegistrationRules rules;
    EXPECT_FALSE(allowed(ability, kAdmin, rules));
    EXPECT_FALSE(allowed(ability, place(PlaceKind::kGroup, kNoAccess, kAdmin), rules));
    rules.tokens_allowed = true;
    EXPECT_TRUE(allowed(ability, kAdmin, rules));
    EXPECT_FALSE(allowed(ability, kSomebody, rules));
    EXPECT_FALSE(allowed(ability, place(PlaceKind::kGroup, kMaintainer), rules));
    EXPECT_TRUE(allowed(ability, place(PlaceKind::kGroup, kOwner), rules));
    EXPECT_TRUE(allowed(ability, place(PlaceKind::kProject, kMaintainer), rules));
    EXPECT_FALSE(allowed(ability, place(PlaceKind::kProject, kDeveloper), rules));
    rules.registrar_allowed = false;
    EXPECT_FALSE(allowed(ability, place(PlaceKind::kProject, kMaintainer), rules));
    EXPECT_TRUE(allowed(ability, place(PlaceKind::kProject, kNoAccess, kAdmin), rules));
  }
}

// Which of the runner's abilities are granted, as letters: Read, Sensitive, Jobs, Update, Delete, Assign, uNassign.
std::string letters(const RunnerAccess& access) {
  std::string out;
  for (const auto& [ability, letter] :
       std::initializer_list<std::pair<Ability, char>>{{Ability::kReadRunner, 'R'},
                                                       {Ability::kReadRunnerSensitiveData, 'S'},
                                                       {Ability::kReadRunnerJobs, 'J'},
                                                       {Ability::kUpdateRunner, 'U'},
                                                       {Ability::kDeleteRunner, 'D'},
                                                       {Ability::kAssignRunner, 'A'},
                                                       {Ability::kUnassignRunner, 'N'}}) {
    if (allowed(ability, access)) out += letter;
  }
  return out;
}

TEST(Permissions, OneInstanceRunner) {
  RunnerAccess access{.actor = kSomebody, .type = RunnerType::kInstance};
  EXPECT_EQ(letters(access), "R");
  access.actor = kAdmin;
  EXPECT_EQ(letters(access), "RSJUDN");
  EXPECT_EQ(allowed(Ability::kAssignRunner, access).reason, "Runner is an instance runner");
  access.actor = {};
  EXPECT_EQ(letters(access), "");
}

TEST(Permissions, OneGroupRunner) {
  RunnerAccess access{.actor = kSomebody, .type = RunnerType::kGroup};
  for (const int role : {kNoAccess, kGuest, kReporter, kDeveloper}) {
    access.group_level = role;
    EXPECT_EQ(letters(access), "") << role;
  }
  access.group_level = kMaintainer;
  EXPECT_EQ(letters(access), "RSJ");
  EXPECT_EQ(allowed(Ability::kUpdateRunner, access).reason, "No access granted");
  access.group_level = kOwner;
  EXPECT_EQ(letters(access), "RSJUDN");
  EXPECT_EQ(allowed(Ability::kAssignRunner, access).reason, "Runner is a group runner");
  access.group_level = kNoAccess;
  access.best_project_level = kMaintainer; // of a project below that uses group runners
  EXPECT_EQ(letters(access), "RS");
}

TEST(Permissions, OneProjectRunner) {
  RunnerAccess access{.actor = kSomebody, .type = RunnerType::kProject, .project_count = 1};
  access.owner_project_level = access.best_project_level = kDeveloper;
  EXPECT_EQ(letters(access), "");
  access.owner_project_level = access.best_project_level = kMaintainer;
  EXPECT_EQ(letters(access), "RSJUDAN");
  access.project_count = 2;
  EXPECT_EQ(letters(access), "RSJUAN");
  EXPECT_EQ(allowed(Ability::kDeleteRunner, access).reason, "Runner associated with more than one project");
  access.locked = true;
  EXPECT_EQ(letters(access), "RSJU");
  EXPECT_EQ(allowed(Ability::kAssignRunner, access).reason, "Runner is locked");
  EXPECT_EQ(allowed(Ability::kUnassignRunner, access).reason, "Runner is locked");
  access.actor = kAdmin;
  EXPECT_EQ(letters(access), "RSJUDAN");
  access.from_owner = true;
  EXPECT_EQ(allowed(Ability::kUnassignRunner, access).reason,
            "You cannot unassign a runner from the owner project. Delete the runner instead");
  // Maintainer of another assigned project: everything but deletion.
  const RunnerAccess other{
      .actor = kSomebody, .type = RunnerType::kProject, .best_project_level = kMaintainer, .project_count = 1};
  EXPECT_EQ(letters(other), "RSJUAN");
}

TEST(Permissions, TheEphemeralTokenIsItsCreators) {
  RunnerAccess access{.actor = kAdmin, .type = RunnerType::kInstance};
  EXPECT_FALSE(allowed(Ability::kReadEphemeralToken, access));
  access.creator = true;
  EXPECT_TRUE(allowed(Ability::kReadEphemeralToken, access));
}

TEST(Permissions, Scopes) {
  using Scopes = std::vector<std::string>;
  EXPECT_TRUE(scopes_allow({"api"}, {}, false));
  EXPECT_TRUE(scopes_allow({"api"}, {"create_runner"}, false));
  EXPECT_TRUE(scopes_allow({"read_api"}, {}, true));
  EXPECT_FALSE(scopes_allow({"read_api"}, {}, false));
  EXPECT_FALSE(scopes_allow({"read_api"}, {"create_runner"}, true));
  EXPECT_TRUE(scopes_allow({"create_runner"}, {"create_runner"}, false));
  EXPECT_FALSE(scopes_allow({"create_runner", "sudo", "admin_mode"}, {}, true));
  EXPECT_FALSE(scopes_allow({}, {"manage_runner"}, false));
  EXPECT_EQ(scopes_wanted({}, true), (Scopes{"api", "read_api"}));
  EXPECT_EQ(scopes_wanted({}, false), Scopes{"api"});
  EXPECT_EQ(scopes_wanted({"create_runner"}, false), (Scopes{"api", "create_runner"}));
  EXPECT_TRUE(scopes_allow_git({"read_repository"}, false));
  EXPECT_FALSE(scopes_allow_git({"read_repository"}, true));
  EXPECT_FALSE(scopes_allow_git({"read_api"}, true));
  EXPECT_TRUE(scopes_allow_git({"write_repository"}, true));
  EXPECT_FALSE(scopes_allow_git({"manage_runner", "read_user"}, false));
}

TEST(Permissions, RefPatterns) {
  EXPECT_TRUE(ref_matches("main", "main"));
  EXPECT_FALSE(ref_matches("main", "main2"));
  EXPECT_TRUE(ref_matches("release/*", "release/1.0/x"));
  EXPECT_TRUE(ref_matches("*-stable", "a-stable-stable"));
  EXPECT_TRUE(ref_matches("*", ""));
  EXPECT_FALSE(ref_matches("a*b*c", "ab"));
  EXPECT_TRUE(ref_matches("a*b*c", "axxbbc"));
}

} // namespace
} // namespace coordinator
