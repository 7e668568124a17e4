#include "base/strings.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace base;

TEST(Strings, SplitsAndJoins) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(split_fields("  a \t b\n"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(replace_all("aXXbXX", "XX", "-"), "a-b-");
  EXPECT_EQ(replace_all("abc", "", "x"), "abc");
  EXPECT_EQ(trim(" \n a b\t"), "a b");
}

TEST(Strings, ParsesWholeNumbersOnly) {
  EXPECT_EQ(parse_int("42"), 42);
  EXPECT_EQ(parse_int("-7"), -7);
  EXPECT_EQ(parse_int("+7"), 7);
  for (const char* text : {"", "4x", "x", "+", "99999999999999999999", " 1"}) EXPECT_FALSE(parse_int(text)) << text;
}

TEST(Strings, GoBooleans) {
  for (const char* text : {"1", "t", "T", "TRUE", "true", "True"}) EXPECT_EQ(parse_go_bool(text), true);
  for (const char* text : {"0", "f", "F", "FALSE", "false", "False"}) EXPECT_EQ(parse_go_bool(text), false);
  for (const char* text : {"", "yes", "tRUE", "2"}) EXPECT_FALSE(parse_go_bool(text));
}

TEST(Strings, ConstantTimeEqual) {
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "ab"));
}

TEST(Strings, PercentVectors) {
  EXPECT_EQ(percent_encode("a b/é"), "a%20b%2F%C3%A9");
  EXPECT_EQ(query_encode("1 week"), "1+week");
  EXPECT_EQ(percent_decode("a%2Fb%zz%4"), "a/b%zz%4");
  EXPECT_EQ(percent_decode("a+b%20c", true), "a b c");
  EXPECT_EQ(percent_decode("%41"), "A");
}

TEST(Strings, EncodingsRoundTrip) {
  EXPECT_EQ(base64_encode("hello"), "aGVsbG8=");
  EXPECT_FALSE(base64_decode("a"));
  EXPECT_FALSE(base64_decode("a$=="));
  EXPECT_TRUE(rc::check("base64, base64url and percent encodings lead back", [](const std::string& bytes) {
    RC_ASSERT(base64_decode(base64_encode(bytes)) == bytes);
    RC_ASSERT(base64_decode(base64url_encode(bytes)) == bytes);
    RC_ASSERT(percent_decode(percent_encode(bytes)) == bytes);
    RC_ASSERT(percent_decode(query_encode(bytes), true) == bytes);
  }));
}
