#include "coordinator/permissions.hpp"

#include <gtest/gtest.h>

namespace coordinator {
namespace {

constexpr Actor kSomebody{.known = true, .admin = false, .user_id = 7};
constexpr Actor kAdmin{.known = true, .admin = true, .user_id = 1};

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
    EXPECT_EQ(can_see({.actor = c.actor, .level = c.level, .visibility = c.visibility}), c.see);
  }
}

TEST(Permissions, PushToProtectedRefs) {
  const Access developer{.actor = kSomebody, .level = kDeveloper};
  const Access maintainer{.actor = kSomebody, .level = kMaintainer};
  EXPECT_TRUE(can_push(developer, false, kMaintainer));
  EXPECT_FALSE(can_push(developer, true, kMaintainer));
  EXPECT_TRUE(can_push(developer, true, kDeveloper));
  EXPECT_TRUE(can_push(maintainer, true, kMaintainer));
  EXPECT_FALSE(can_push({.actor = kAdmin}, true, kNoAccess));
  EXPECT_FALSE(can_push({.actor = kSomebody, .level = kReporter}, false, kMaintainer));
}

TEST(Permissions, CreatingRunners) {
  const RegistrationRules open;
  RegistrationRules flag_off;
  flag_off.workflow_enabled = false;
  RegistrationRules no_registrar;
  no_registrar.registrar_allowed = false;
  const auto level = [](int l) { return Access{.actor = kSomebody, .level = l}; };
  EXPECT_FALSE(can_create_runner(level(kOwner), RunnerType::kInstance, open));
  EXPECT_TRUE(can_create_runner({.actor = kAdmin}, RunnerType::kInstance, open));
  EXPECT_FALSE(can_create_runner(level(kMaintainer), RunnerType::kGroup, open));
  EXPECT_TRUE(can_create_runner(level(kOwner), RunnerType::kGroup, open));
  EXPECT_TRUE(can_create_runner(level(kMaintainer), RunnerType::kProject, open));
  EXPECT_FALSE(can_create_runner(level(kDeveloper), RunnerType::kProject, open));
  EXPECT_FALSE(can_create_runner(level(kOwner), RunnerType::kGroup, no_registrar));
  EXPECT_TRUE(can_create_runner({.actor = kAdmin}, RunnerType::kGroup, no_registrar));
  EXPECT_FALSE(can_create_runner({.actor = kAdmin}, RunnerType::kGroup, flag_off));
}

TEST(Permissions, RegistrationTokensOffBindAdministratorsToo) {
  RegistrationRules rules;
  EXPECT_FALSE(can_use_registration_token({.actor = kAdmin}, RunnerType::kInstance, rules));
  rules.tokens_allowed = true;
  EXPECT_TRUE(can_use_registration_token({.actor = kAdmin}, RunnerType::kInstance, rules));
  EXPECT_FALSE(can_use_registration_token({.actor = kSomebody, .level = kMaintainer}, RunnerType::kGroup, rules));
}

TEST(Permissions, OneRunner) {
  const RunnerAccess instance{.actor = kSomebody, .type = RunnerType::kInstance};
  EXPECT_TRUE(can_read_runner(instance));
  EXPECT_FALSE(can_update_runner(instance));
  EXPECT_FALSE(can_read_runner({.type = RunnerType::kInstance})); // anonymous

  const RunnerAccess group{.actor = kSomebody, .type = RunnerType::kGroup, .group_level = kMaintainer};
  EXPECT_TRUE(can_read_runner(group));
  EXPECT_FALSE(can_update_runner(group));
  const RunnerAccess below{.actor = kSomebody, .type = RunnerType::kGroup, .best_project_level = kMaintainer};
  EXPECT_TRUE(can_read_runner(below));
  EXPECT_FALSE(can_delete_runner(below));

  RunnerAccess project{.actor = kSomebody,
                       .type = RunnerType::kProject,
                       .owner_project_level = kMaintainer,
                       .best_project_level = kMaintainer,
                       .project_count = 1};
  EXPECT_TRUE(can_delete_runner(project));
  EXPECT_TRUE(can_assign_runner(project));
  project.project_count = 2;
  EXPECT_FALSE(can_delete_runner(project));
  project.locked = true;
  EXPECT_FALSE(can_assign_runner(project));
  project.actor = kAdmin;
  EXPECT_TRUE(can_assign_runner(project));
  EXPECT_TRUE(can_delete_runner(project));
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
