// The small languages inside the language: expressions, globs, durations.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ci/duration.hpp"
#include "ci/expression.hpp"
#include "ci/glob.hpp"

namespace ci {
namespace {
std::optional<std::string> lookup(std::string_view name) {
  if (name == "EMPTY") return "";
  if (name == "BLANK") return "  ";
  if (name == "X") return "x";
  if (name == "FALSE") return "false";
  if (name == "PATTERN") return "/^x$/";
  if (name == "BRANCH") return "feature/one";
  return std::nullopt;
}
bool truth(std::string_view text) {
  auto expression = Expression::parse(text);
  EXPECT_TRUE(expression) << text;
  return expression && expression->evaluate(lookup);
}
bool valid(std::string_view text) { return Expression::parse(text).has_value(); }

TEST(Expression, Truth) {
  for (const char* text : {"$X",
                           "$FALSE",
                           "$X == \"x\"",
                           "$X == 'x'",
                           "$UNSET == null",
                           "null == $UNSET",
                           "$EMPTY != null",
                           "$EMPTY == \"\"",
                           "$X =~ /^x.*/",
                           "$X =~ $PATTERN",
                           "\"x\" =~ \"/x/\"",
                           "\"23\" =~ \"1234\"",
                           "$UNSET =~ /.*/",
                           "$X !~ /^yy/",
                           "$X !~ $UNSET",
                           "$EMPTY && $X",
                           "($UNSET || $X) && $X",
                           "\"v\" == \"v\" || \"a\" == \"b\" && \"c\" == \"d\"",
                           "\"1.11\" =~ /^([[:digit:]]+(.[[:digit:]]+)*|latest)$/",
                           "\"Hello World\" =~ /Hello (?i)world/",
                           "\"test/url\" =~ \"/test\\/ur/\"",
                           "$BRANCH =~ /^FEATURE\\//i",
                           "$X!=\"y\"",
                           "$BRANCH =~ /^feature\\/.+$/"})
    EXPECT_TRUE(truth(text)) << text;
  for (const char* text :
       {"$UNSET", "$EMPTY", "$BLANK", "$X == \"y\"", "$X == $EMPTY", "$UNSET =~ /^vv/", "$X =~ $UNSET", "$EMPTY || $X",
        "$UNSET && $X", "$UNSET == \"\"", "$X =~ /^yy$/", "$X && $EMPTY", "null"})
    EXPECT_FALSE(truth(text)) << text;
}

TEST(Expression, Syntax) {
  for (const char* text :
       {"",          "  ",        "${X}", "1",   "true",       "!$X",         "$X ==",
        "== $X",     "$X $X",     "($X",  "$X)", "$X = \"x\"", "$X =~ /a/",   "\"test/url\" =~ /test/ur/",
        "$X =~ /(/", "$X =~ /ab", "\"x",  "$",   "$X & $X",    "$X =~ /ab/x", "()"})
    EXPECT_FALSE(valid(text)) << text;
  std::string many = "$X";
  for (int i = 0; i < 49; ++i) many += " && $X";
  EXPECT_TRUE(valid(many));
  EXPECT_FALSE(valid(many + " && $X"));
}

TEST(Expression, AnyTextParsesOrFails) {
  rc::check([](const std::string& text) {
    if (auto expression = Expression::parse(text)) expression->evaluate(lookup);
  });
}

TEST(Glob, Fnmatch) {
  std::vector<std::pair<const char*, const char*>> yes = {{"**/*.md", "a.md"},
                                                          {"**/*.md", "x/y/.z.md"},
                                                          {"*.{js,ts}", "a.ts"},
                                                          {"Dockerfile*", "Dockerfile.dev"},
                                                          {"a/**/b", "a/b"},
                                                          {"a/**/b", "a/x/y/b"},
                                                          {"docs/**", "docs/a"},
                                                          {"docs/**/*", "docs/a/b"},
                                                          {"docs/**/*", "docs/a"},
                                                          {"[a-c]?.txt", "bx.txt"},
                                                          {"[^a]", "b"},
                                                          {"[!a]", "b"},
                                                          {"\\*", "*"},
                                                          {"{a,b{c,d}}/x", "bd/x"},
                                                          {"?", "é"},
                                                          {"*", ".hidden"},
                                                          {"a*b*c", "aXbYbZc"},
                                                          {"**/**/x", "x"},
                                                          {"a{b", "a{b"},
                                                          {"**/a/**/b", "q/a/b"}};
  for (auto [pattern, path] : yes) EXPECT_TRUE(fnmatch(pattern, path)) << pattern << " " << path;
  std::vector<std::pair<const char*, const char*>> no = {{"*.md", "x/a.md"},
                                                         {"src/*/a.c", "src/a.c"},
                                                         {"docs/**", "docs/a/b"},
                                                         {"/a", "a"},
                                                         {"./a", "a"},
                                                         {"docs", "docs/a"},
                                                         {"A", "a"},
                                                         {"[a", "a"},
                                                         {"a/", "a"},
                                                         {"**", "a/b"},
                                                         {"", "a"}};
  for (auto [pattern, path] : no) EXPECT_FALSE(fnmatch(pattern, path)) << pattern << " " << path;
  std::string bomb;
  for (int i = 0; i < 40; ++i) bomb += "{a,b}";
  EXPECT_FALSE(fnmatch(bomb, "x"));
  EXPECT_FALSE(fnmatch(std::string(2000, '*') + "a*a*a*a*b", std::string(5000, 'a')));
}

TEST(Glob, IncludeWildcards) {
  EXPECT_TRUE(include_wildcard_match("ci/*.yml", "ci/a.yml"));
  EXPECT_FALSE(include_wildcard_match("ci/*.yml", "ci/x/a.yml"));
  EXPECT_TRUE(include_wildcard_match("ci/**.yml", "ci/x/a.yml"));
  EXPECT_TRUE(include_wildcard_match("**/*.yml", "x/y/a.yml"));
  EXPECT_FALSE(include_wildcard_match("**/*.yml", "a.yml"));
  EXPECT_TRUE(scope_match("review/*", "review/a/b"));
  EXPECT_FALSE(scope_match("review/*", "staging"));
}

TEST(Duration, Vectors) {
  std::vector<std::pair<const char*, std::int64_t>> cases = {{"3 mins 4 sec", 184},
                                                             {"2h20min", 8400},
                                                             {"6 mos 1 day", 15638400},
                                                             {"47 yrs 6 mos and 4d", 1499104800},
                                                             {"3 weeks and 2 days", 1987200},
                                                             {"30", 30},
                                                             {"3:41:59", 13319},
                                                             {"1:30", 90},
                                                             {"1.5h", 5400},
                                                             {"day", 86400},
                                                             {"1 Hour, 30 Minutes", 5400}};
  for (auto [text, seconds] : cases) EXPECT_EQ(parse_duration(text), seconds) << text;
  for (const char* text : {"", "10 parsecs", "0", "never", "1:x", "h h", "-5"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}
} // namespace
} // namespace ci
