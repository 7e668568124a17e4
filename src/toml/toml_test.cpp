#include "toml/toml.hpp"

#include <gtest/gtest.h>

namespace toml {
namespace {

TEST(Toml, ValuesAndPositions) {
  const auto document = parse_document(R"(concurrent = 4
name = "a\tb"
ratio = 1.5
on = true
at = 2020-01-01T10:10:10Z
list = ["x", 'y']
[[runners]]
  Name = "one"
  [runners.docker]
    image = "alpine"
[[runners]]
)");
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(document->find("concurrent")->integer, 4);
  EXPECT_EQ(document->find("name")->string, "a\tb");
  EXPECT_DOUBLE_EQ(document->find("ratio")->number, 1.5);
  EXPECT_TRUE(document->find("on")->boolean);
  EXPECT_EQ(document->find("at")->integer, 1577873410);
  EXPECT_EQ(document->find("at")->string, "2020-01-01T10:10:10Z");
  EXPECT_EQ(document->find("list")->array.at(1).string, "y");
  const Value* runners = document->find("RUNNERS");
  ASSERT_NE(runners, nullptr);
  EXPECT_TRUE(runners->is_table_array());
  EXPECT_EQ(runners->array.at(0).find("name")->string, "one");
  EXPECT_EQ(runners->array.at(0).find("name")->position.line, 8);
  EXPECT_EQ(document->table.front().key, "concurrent");
  EXPECT_EQ(document->table.back().key, "runners");
}

TEST(Toml, TimesWithOffsetsAndYearOne) {
  const auto document = parse_document("a = 2020-01-01T12:10:10+02:00\nb = 0001-01-01T00:00:00Z\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->find("a")->string, "2020-01-01T10:10:10Z");
  EXPECT_EQ(document->find("b")->integer, -62135596800);
  EXPECT_EQ(document->find("b")->string, "0001-01-01T00:00:00Z");
}

TEST(Toml, ErrorsSayWhere) {
  const auto document = parse_document("a = 1\nb = = 2\n", "config.toml");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_TRUE(document.error().message().starts_with("config.toml:2:")) << document.error().message();
  EXPECT_FALSE(parse_document("a = 1\na = 2\n"));
  EXPECT_FALSE(parse_document("a = " + std::string(10000, '[')));
  for (const char* text :
       {"[", "[[", "[[[", "[[a", "[]", "[=]", "[ ]", "=", "a", "a=", "a=\n", "a.=1", "[a", "\"", "'", "a='"}) {
    EXPECT_FALSE(parse_document(text)) << text;
  }
  EXPECT_FALSE(parse_document("\xEF\xBB\xBE")) << "a character that the library thinks cannot be";
  EXPECT_EQ(parse_document("a = 1\n\n[=]\nb = 2\n", "c").error().message(),
            "c:3:1: a key or a table's name is malformed");
}

TEST(Toml, QuoteAndKeys) {
  EXPECT_EQ(quote("a\"b\\\n\x01"), "\"a\\\"b\\\\\\n\\u0001\"");
  EXPECT_EQ(format_key("tls-ca-file"), "tls-ca-file");
  EXPECT_EQ(format_key("a.b"), "\"a.b\"");
  EXPECT_EQ(format_key(""), "\"\"");
}

} // namespace
} // namespace toml
