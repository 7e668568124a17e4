#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "manager/health.hpp"
#include "manager/request_limit.hpp"

namespace manager {
namespace {

using namespace std::chrono_literals;

TEST(Health, SwitchedOffAtTheLimitAndForLonger) {
  base::FakeClock clock;
  Health health;
  EXPECT_FALSE(health.mark_unhealthy(clock.now(), 3, 1h));
  EXPECT_FALSE(health.mark_unhealthy(clock.now(), 3, 1h));
  EXPECT_TRUE(health.may_ask(clock.now()));
  EXPECT_TRUE(health.mark_unhealthy(clock.now(), 3, 1h));
  EXPECT_FALSE(health.may_ask(clock.now()));
  EXPECT_EQ(health.off_for(), 10s);
  clock.advance(10s);
  EXPECT_TRUE(health.may_ask(clock.now()));
  for (int round = 0; round < 20; ++round)
    for (int i = 0; i < 3; ++i) health.mark_unhealthy(clock.now(), 3, 1h);
  EXPECT_EQ(health.off_for(), 1h);
  health.mark_healthy();
  EXPECT_TRUE(health.may_ask(clock.now()));
}

// Digest §14: starts at one request, two after the first job, and falls again.
TEST(RequestLimit, Adapts) {
  RequestLimit limit;
  EXPECT_EQ(limit.limit(10, true), 1);
  EXPECT_EQ(limit.limit(10, false), 10);
  limit.finished(true, false, 10);
  EXPECT_EQ(limit.limit(10, true), 1); // max(1, 0 * 1.1)
  limit.finished(true, false, 10);
  EXPECT_EQ(limit.limit(10, true), 2);
  for (int i = 0; i < 100; ++i) limit.finished(true, false, 10);
  EXPECT_EQ(limit.limit(10, true), 10);
  limit.finished(false, true, 10);
  EXPECT_EQ(limit.limit(10, true), 5);
  for (int i = 0; i < 100; ++i) limit.finished(false, false, 10);
  EXPECT_EQ(limit.limit(10, true), 1);
  EXPECT_EQ(limit.limit(0, true), 1);
}

} // namespace
} // namespace manager
