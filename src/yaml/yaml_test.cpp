#include "yaml/yaml.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

namespace yaml {
namespace {
Node load(std::string_view text) {
  auto stream = parse(text);
  EXPECT_TRUE(stream) << (stream ? "" : stream.error().message);
  if (!stream || stream->documents.empty()) return {};
  return stream->documents.front();
}
ParseError error_of(std::string_view text, ParseOptions options = {}) {
  auto stream = parse(text, options);
  EXPECT_FALSE(stream) << text;
  return stream ? ParseError{} : stream.error();
}

TEST(Scalar, Words) {
  for (const char* text : {"", "~", "null", "NULL", "Null"}) EXPECT_TRUE(resolve_plain_scalar(text).is_null()) << text;
  for (const char* text : {"yes", "YeS", "true", "on", "ON"}) {
    Node node = resolve_plain_scalar(text);
    EXPECT_TRUE(node.is_bool() && node.as_bool()) << text;
    EXPECT_EQ(node.text(), "true");
  }
  for (const char* text : {"no", "No", "false", "off"}) {
    Node node = resolve_plain_scalar(text);
    EXPECT_TRUE(node.is_bool() && !node.as_bool()) << text;
  }
  for (const char* text : {"y", "n", "Y", "N", "nil", "yess", "tru", "<<", "a:b", "=", "%x"})
    EXPECT_TRUE(resolve_plain_scalar(text).is_string()) << text;
}

TEST(Scalar, Integers) {
  std::vector<std::pair<const char*, const char*>> cases = {
      {"0", "0"},
      {"12", "12"},
      {"-7", "-7"},
      {"+7", "7"},
      {"1:30", "5400"},
      {"1:2:3", "3723"},
      {"22:22", "80520"},
      {"0b11", "3"},
      {"010", "8"},
      {"012345", "5349"},
      {"1,000", "1000"},
      {"1_000", "1000"},
      {"0x1F", "31"},
      {"0755", "493"},
      {"12:30", "45000"},
      {"-0x10", "-16"},
      {"-0", "0"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"0xFFFFFFFFFFFFFFFFFF", "4722366482869645213695"}};
  for (auto [text, shown] : cases) {
    Node node = resolve_plain_scalar(text);
    EXPECT_TRUE(node.is_integer()) << text;
    EXPECT_EQ(node.text(), shown) << text;
    EXPECT_EQ(node.source_text(), text);
  }
  for (const char* text :
       {"08", "09", "0o17", "1__0", "1,,0", "1:60", "1:2:3:4", "-", "+", "0b", "0x", "1a", "12e3", "_1"})
    EXPECT_TRUE(resolve_plain_scalar(text).is_string()) << text;
  EXPECT_EQ(resolve_plain_scalar("99999999999999999999").as_integer(), INT64_MAX);
}

TEST(Scalar, Floats) {
  std::vector<std::pair<const char*, const char*>> cases = {{"1.10", "1.1"},
                                                            {"3.", "3.0"},
                                                            {".5", "0.5"},
                                                            {"1.5e+3", "1500.0"},
                                                            {"1,000.5", "1000.5"},
                                                            {"-1.0", "-1.0"},
                                                            {"100000000000000000000.0", "1.0e+20"},
                                                            {"0.00001", "1.0e-05"},
                                                            {"0.0001", "0.0001"},
                                                            {"1:30.5", "5430.0"},
                                                            {".inf", "Infinity"},
                                                            {"-.INF", "-Infinity"},
                                                            {".NaN", "NaN"},
                                                            {"123456789012345.0", "123456789012345.0"}};
  for (auto [text, shown] : cases) {
    Node node = resolve_plain_scalar(text);
    EXPECT_TRUE(node.is_float()) << text;
    EXPECT_EQ(node.text(), shown) << text;
  }
  for (const char* text : {"1.5e3", "1e3", ".", "+.", "1.2.3", "1.x", "..", ".e+1"})
    EXPECT_TRUE(resolve_plain_scalar(text).is_string()) << text;
}

TEST(Scalar, DatesAndTimesAreRejected) {
  EXPECT_EQ(error_of("a: 2024-01-02").message, "Tried to load unspecified class: Date");
  EXPECT_EQ(error_of("a: 2024-1-2").message, "Tried to load unspecified class: Date");
  EXPECT_EQ(error_of("a: 2001-12-14t21:59:43.10-05:00").message, "Tried to load unspecified class: Time");
  EXPECT_EQ(error_of("a: 2001-12-14 21:59:43 Z").message, "Tried to load unspecified class: Time");
  EXPECT_EQ(load("a: 2024-02-31").find("a")->text(), "2024-02-31");
  EXPECT_EQ(load("a: '2024-01-02'").find("a")->text(), "2024-01-02");
}

TEST(Scalar, SymbolsLoseTheirColon) {
  EXPECT_EQ(resolve_plain_scalar(":foo").text(), "foo");
  EXPECT_EQ(resolve_plain_scalar(":\"a b\"").text(), "a b");
  EXPECT_EQ(resolve_plain_scalar(":").text(), ":");
}

TEST(Parse, PositionsAndOrder) {
  Node root = load("b: 1\na:\n  - x\n  - {c: d}\n");
  ASSERT_EQ(root.size(), 2u);
  EXPECT_EQ(root.entries()[0].key.text(), "b");
  const Node& list = *root.find("a");
  EXPECT_EQ(list.items()[1].find("c")->mark(), (Mark{0, 4, 9}));
  EXPECT_EQ(root.find("missing"), nullptr);
}

TEST(Parse, QuotedAndBlockScalarsAreStrings) {
  Node root = load("a: 'yes'\nb: \"010\"\nc: |\n  12\nd: !!str 12\ne: !!int \"12\"\nf: ! 12\n");
  for (const char* key : {"a", "b", "c", "d", "f"}) EXPECT_TRUE(root.find(key)->is_string()) << key;
  EXPECT_TRUE(root.find("e")->is_integer());
}

TEST(Parse, MergeKeysAreAppliedWhereTheyStand) {
  Node root = load(
      "x: &x {a: 1, b: 2}\n"
      "y: &y {b: 3, c: 4}\n"
      "before: {a: 9, <<: *x}\n"
      "after: {<<: *x, a: 9}\n"
      "list: {<<: [*x, *y]}\n"
      "twice:\n  <<: *x\n  <<: *y\n"
      "literal: {<<: 5}\n");
  EXPECT_EQ(root.find("before")->find("a")->text(), "1");
  EXPECT_EQ(root.find("after")->find("a")->text(), "9");
  EXPECT_EQ(root.find("list")->find("b")->text(), "2");
  EXPECT_EQ(root.find("list")->find("c")->text(), "4");
  EXPECT_EQ(root.find("twice")->find("b")->text(), "3");
  EXPECT_EQ(root.find("literal")->find("<<")->text(), "5");
}

TEST(Parse, DuplicateKeysLastWinsWithAWarning) {
  auto stream = parse("a: 1\nb: 2\na: 3\n");
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->documents[0].find("a")->text(), "3");
  EXPECT_EQ(stream->documents[0].entries()[0].key.text(), "a");
  ASSERT_EQ(stream->warnings.size(), 1u);
  EXPECT_EQ(stream->warnings[0].message, "duplicate key a: the value in line 3 replaces the one in line 1");
  EXPECT_TRUE(parse("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n")->warnings.empty());
}

TEST(Parse, References) {
  Node root = load("s:\n  - !reference [.a, script]\n  - x\n");
  const Node& reference = root.find("s")->items()[0];
  ASSERT_TRUE(reference.is_reference());
  EXPECT_EQ(reference.items()[1].text(), "script");
  EXPECT_NE(error_of("a: !reference x").message.find("not valid"), std::string::npos);
}

TEST(Parse, TagsAreRefused) {
  EXPECT_EQ(error_of("a: !!binary aGk=").message, "Unsupported YAML tag !!binary at line 1 column 4");
  EXPECT_EQ(error_of("a: !ruby/object:Foo {}").message, "Unsupported YAML tag !ruby/object:Foo at line 1 column 4");
  EXPECT_EQ(error_of("a: !!set {x}").message, "Unsupported YAML tag !!set at line 1 column 4");
}

TEST(Parse, SyntaxErrorsReadLikePsych) {
  ParseError error = error_of("a: b\nc: d\n  - e\n: [\n");
  EXPECT_TRUE(error.message.starts_with("(<unknown>): ")) << error.message;
  error = error_of("job:\n  script: x\n bad: y\n");
  EXPECT_EQ(error.message, "(<unknown>): did not find expected key while parsing a block mapping at line 1 column 1");
  EXPECT_EQ(error.mark.line, 3);
  error = error_of("a: b\nc: \x01\n");
  EXPECT_EQ(error.message, "(<unknown>): control characters are not allowed at line 2 column 4");
  EXPECT_EQ(error_of("a: *nope").message, "An alias referenced an unknown anchor: nope");
  EXPECT_FALSE(parse("a: \xff\xfe"));
}

TEST(Parse, Limits) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    std::string previous = std::string("*") + static_cast<char>(c - 1);
    bomb += std::string(1, c) + ": &" + c + " [" + previous;
    for (int i = 0; i < 9; ++i) bomb += "," + previous;
    bomb += "]\n";
  }
  ParseError error = error_of(bomb);
  EXPECT_EQ(error.message, "The parsed YAML is too big");
  EXPECT_EQ(error.kind, base::ErrorKind::kLimit);
  EXPECT_GT(error.mark.line, 3);
  EXPECT_EQ(error_of(std::string(101, '[') + std::string(101, ']')).message, "The parsed YAML is too big");
  EXPECT_TRUE(parse(std::string(100, '[') + std::string(100, ']')));
  EXPECT_EQ(error_of("a\n---\nb\n---\nc\n").message, "The parsed YAML has too many documents");
  EXPECT_NE(error_of("a: &a [*a]").message.find("part of what it stands for"), std::string::npos);
}

TEST(Parse, AnchorsLivePerDocument) {
  EXPECT_FALSE(parse("a: &x 1\n---\nb: *x\n"));
  EXPECT_EQ(parse("")->documents.size(), 0u);
}

rc::Gen<Node> any_node(int depth) {
  auto text = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab01:-.+_ ,#'\"\\\n\t~yno[]{}<>!&*|=x")));
  auto leaf =
      rc::gen::oneOf(rc::gen::map(text, [](std::string s) { return Node::string(std::move(s)); }),
                     rc::gen::map(text, [](std::string s) { return resolve_plain_scalar(s); }),
                     rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](std::int64_t i) { return Node::integer(i); }));
  if (depth == 0) return leaf;
  auto child = rc::gen::lazy([depth] { return any_node(depth - 1); });
  auto list = rc::gen::map(rc::gen::container<std::vector<Node>>(child),
                           [](std::vector<Node> v) { return Node::sequence(std::move(v)); });
  auto map = rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, Node>>>(rc::gen::pair(text, child)),
                          [](std::vector<std::pair<std::string, Node>> v) {
                            Node node = Node::mapping();
                            for (auto& [key, value] : v)
                              if (key != "<<") node.set(key, std::move(value));
                            return node;
                          });
  return rc::gen::oneOf(leaf, list, map);
}

TEST(Dump, ReadsBackAsTheSameTree) {
  EXPECT_TRUE(rc::check([] {
    Node node = *rc::gen::resize(5, any_node(3));
    auto stream = parse(dump(node));
    RC_ASSERT(stream.has_value());
    RC_ASSERT(stream->documents.size() == 1u);
    RC_ASSERT(stream->documents[0] == node);
  }));
}
} // namespace
} // namespace yaml
