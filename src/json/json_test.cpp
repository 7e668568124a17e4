#include "json/json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using json::parse;
using json::Value;

TEST(Json, LooksUpAsGoDoes) {
  Value value = *parse(R"({"Id": 1, "id": 2, "NAME": "x", "twice": 1, "twice": 2})");
  EXPECT_EQ(value["id"].as_integer(), 2);
  EXPECT_EQ(value["Id"].as_integer(), 1);
  EXPECT_EQ(value["name"].as_string(), "x");
  EXPECT_EQ(value["twice"].as_integer(), 2);
  EXPECT_TRUE(value["absent"].is_null());
}

TEST(Json, KeepsKindsOfNumbers) {
  EXPECT_TRUE(parse("3600")->is_integer());
  EXPECT_FALSE(parse("3600.0")->is_integer());
  EXPECT_FALSE(parse("18446744073709551615")->is_integer());
  EXPECT_EQ(parse("9007199254740993")->as_integer(), 9007199254740993);
}

TEST(Json, SaysWhereItBroke) {
  auto broken = parse("{\"a\": 1,\n  oops}");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_NE(broken.error().message().find("line 2"), std::string::npos) << broken.error().message();
  EXPECT_FALSE(parse("1 2"));
  EXPECT_TRUE(parse("1 garbage", {.ignore_trailing = true}));
  EXPECT_EQ(parse(std::string(300, '[')).error().kind(), base::ErrorKind::kLimit);
  EXPECT_FALSE(parse(""));
}

TEST(Json, DumpsWhatItParsed) {
  const std::string text = R"({"a":[1,-2,true,null,"q\"\\\n\u0001é"],"b":{},"c":1.5})";
  EXPECT_EQ(parse(text)->dump(), text);
  EXPECT_EQ(Value("a\xff").dump(), "\"a\xef\xbf\xbd\"");
  EXPECT_EQ(Value::object({{"a", 1}}).dump(2), "{\n  \"a\": 1\n}");
}

TEST(Json, SetAndAppend) {
  Value value;
  value.set("a", 1);
  value.set("a", "two");
  value.set("list", Value::array());
  EXPECT_EQ(value.size(), 2u);
  EXPECT_EQ(value["a"].as_string(), "two");
  EXPECT_EQ(value["a"].integer_or(7), 7);
}

TEST(Json, ArbitraryTextNeverBreaksTheParser) {
  EXPECT_TRUE(rc::check("parse(any bytes) ends; a string survives the round trip", [](const std::string& bytes) {
    (void)parse(bytes);
    Value text(std::string_view("x" + bytes));
    auto back = parse(text.dump());
    RC_ASSERT(back.has_value());
  }));
}
