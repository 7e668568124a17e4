#include "base/duration.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace base;
using namespace std::chrono_literals;

TEST(Duration, ParsesGoNotation) {
  EXPECT_EQ(parse_go_duration("1h30m"), 90min);
  EXPECT_EQ(parse_go_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_go_duration("-2m"), -2min);
  EXPECT_EQ(parse_go_duration("0"), 0ns);
  EXPECT_EQ(parse_go_duration("3us"), 3us);
  for (const char* text : {"", "5", "h", "1 h", "1min", "1h-", ".s"}) EXPECT_FALSE(parse_go_duration(text)) << text;
}

TEST(Duration, FormatsAsGoDoes) {
  EXPECT_EQ(format_go_duration(1h), "1h0m0s");
  EXPECT_EQ(format_go_duration(5min), "5m0s");
  EXPECT_EQ(format_go_duration(3s), "3s");
  EXPECT_EQ(format_go_duration(500ms), "500ms");
  EXPECT_EQ(format_go_duration(1500ms), "1.5s");
  EXPECT_EQ(format_go_duration(0s), "0s");
  EXPECT_EQ(format_go_duration(-90s), "-1m30s");
}

TEST(Duration, WhatIsFormattedParsesBack) {
  EXPECT_TRUE(rc::check("seconds", [](std::int32_t seconds) {
    RC_ASSERT(parse_go_duration(format_go_duration(std::chrono::seconds(seconds))) == std::chrono::seconds(seconds));
  }));
}

TEST(Time, Rfc3339) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:10Z"), 10);
  EXPECT_EQ(parse_rfc3339("1970-01-01T01:00:10.123+01:00"), 10);
  EXPECT_EQ(format_utc_seconds(1767323045), "2026-01-02T03:04:05Z");
  EXPECT_EQ(format_utc_millis(1767323045678), "2026-01-02T03:04:05.678Z");
  for (const char* text : {"", "1970-01-01", "1970-13-01T00:00:10Z", "1970-01-01T00:00:10", "1970-01-01T00:00:10Zx"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}
