#include "base/log.hpp"

#include <gtest/gtest.h>

using namespace base::log;

TEST(Log, RunnerFormat) {
  EXPECT_EQ(format_line(Format::kRunner, Level::kInfo, "hello", {{"b", "2"}, {"a", "x y"}}, false, ""),
            "hello                                               a=x y b=2\n");
  EXPECT_EQ(format_line(Format::kRunner, Level::kError, "broken", {}, false, ""), "ERROR: broken\n");
}

TEST(Log, RunnerFormatInColour) {
  EXPECT_EQ(format_line(Format::kRunner, Level::kWarning, "careful", {{"a", "1"}}, true, ""),
            "\x1b[0;33mWARNING: careful                                  \x1b[0;m  \x1b[0;33ma\x1b[0;m=1\n");
  EXPECT_EQ(format_line(Format::kRunner, Level::kInfo, "hello", {}, true, ""),
            "hello                                             \x1b[0;m\n");
}

TEST(Log, TextAndJson) {
  EXPECT_EQ(format_line(Format::kText, Level::kWarning, "a b", {{"k", "v"}}, false, "T"),
            "time=\"T\" level=warning msg=\"a b\" k=v\n");
  EXPECT_EQ(format_line(Format::kJson, Level::kInfo, "a\"b\n", {{"k", "v"}}, false, "T"),
            "{\"k\":\"v\",\"level\":\"info\",\"msg\":\"a\\\"b\\n\",\"time\":\"T\"}\n");
}

TEST(Log, ParsesNames) {
  EXPECT_EQ(parse_level("WARN"), Level::kWarning);
  EXPECT_EQ(parse_format("json"), Format::kJson);
  EXPECT_FALSE(parse_level("loud"));
  EXPECT_FALSE(parse_format("xml"));
}
