#include "coordinator/model/releases.hpp"

#include <gtest/gtest.h>

#include "base/version.hpp"
#include "coordinator/app.hpp"

namespace coordinator::model {
namespace {

std::string_view judged(std::string_view version) { return to_string(upgrade_of(version)); }

TEST(Releases, ANewerPatchOfTheSameMinorIsRecommended) {
  EXPECT_EQ(judged("18.2.0"), "recommended");
  EXPECT_EQ(judged("18.2.2"), "available");
  EXPECT_EQ(judged("v18.2.0"), "recommended");
  EXPECT_EQ(judged("18.2.2~pre.1.gabc"), "recommended"); // before 18.2.2
}

TEST(Releases, AMajorBehindTheServerIsRecommended) {
  ASSERT_TRUE(kEmulatedVersion.starts_with("18."));
  EXPECT_EQ(judged("17.11.3"), "recommended");
  EXPECT_EQ(judged("11.2.0"), "recommended");
}

TEST(Releases, TheNewestNeedsNothing) {
  EXPECT_EQ(judged("19.4.0"), "not_available");
  EXPECT_EQ(judged("19.4.1"), "not_available");
  EXPECT_EQ(judged("99.0.0"), "not_available");
  EXPECT_EQ(judged("18.1.0"), "available");
  EXPECT_EQ(judged("19.4.0+build"), "not_available");
}

TEST(Releases, OursAreJudgedByOurs) {
  EXPECT_EQ(judged(base::version()), "not_available");
  EXPECT_EQ(judged("0.999.0"), "not_available");
}

TEST(Releases, WhatIsNoVersionIsInvalid) {
  for (const auto text :
       {"", "development", "18", "18.1", "18.1.x", "18.1.0.1", "a18.1.0", "18.1.0beta", "1..2", "99999999.0.0"}) {
    EXPECT_EQ(judged(text), "invalid") << text;
  }
}

} // namespace
} // namespace coordinator::model
