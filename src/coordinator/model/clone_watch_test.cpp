#include "coordinator/model/clone_watch.hpp"

#include <gtest/gtest.h>

namespace coordinator::model {
namespace {

constexpr std::int64_t kMinute = 60'000;

class CloneWatchTest : public testing::Test {
 protected:
  bool seen(std::string_view ip, std::string_view version, std::int64_t minutes = 1) {
    now_ += minutes * kMinute;
    auto watch = watch_for_clones(state_, ip, version, now_);
    state_ = watch.sightings;
    return watch.is_clone;
  }
  std::string state_;
  std::int64_t now_ = 1'700'000'000'000;
};

TEST_F(CloneWatchTest, OneHostIsNoClone) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
}

TEST_F(CloneWatchTest, UpgradeAndDowngradeAreNoClone) {
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.2.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
}

TEST_F(CloneWatchTest, NewAddressesAreNoClone) {
  for (const char* ip : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}) EXPECT_FALSE(seen(ip, "18.1.0"));
}

TEST_F(CloneWatchTest, AlternatingAddressesAre) {
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.2", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
  EXPECT_TRUE(seen("10.0.0.2", "18.1.0"));
  EXPECT_TRUE(seen("10.0.0.1", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
}

TEST_F(CloneWatchTest, AlternatingVersionsBehindOneAddressAre) {
  seen("10.0.0.1", "18.1.0");
  seen("10.0.0.1", "18.2.0");
  seen("10.0.0.1", "18.1.0");
  EXPECT_TRUE(seen("10.0.0.1", "18.2.0"));
}

TEST_F(CloneWatchTest, SlowChangesAreNot) {
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(seen(i % 2 ? "10.0.0.1" : "10.0.0.2", "18.1.0", 11));
}

TEST_F(CloneWatchTest, BrokenStateStartsAnew) {
  state_ = "not json";
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
  EXPECT_FALSE(seen("10.0.0.1", "18.1.0"));
}

} // namespace
} // namespace coordinator::model
