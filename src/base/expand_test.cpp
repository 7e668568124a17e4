#include "base/expand.hpp"

#include <gtest/gtest.h>

namespace {
std::string with(std::string_view text) {
  return base::expand(text, [](std::string_view name) -> std::optional<std::string> {
    if (name == "NAME") return "value";
    if (name == "REF") return "$NAME";
    return std::nullopt;
  });
}
} // namespace

TEST(Expand, References) {
  EXPECT_EQ(with("a $NAME b ${NAME}c"), "a value b valuec");
  EXPECT_EQ(with("$NOWHERE|${NOWHERE}|"), "||");
  EXPECT_EQ(with("$REF"), "$NAME") << "one pass only";
}

TEST(Expand, OddForms) {
  EXPECT_EQ(with("$$NAME"), "$NAME");
  EXPECT_EQ(with("$1abc $? x"), "abc  x");
  EXPECT_EQ(with("$/x $ y$"), "$/x $ y$");
  EXPECT_EQ(with("a${}b"), "ab");
  EXPECT_EQ(with("a${NAME"), "aNAME");
  EXPECT_EQ(with("${NAME:-d}"), "");
  EXPECT_EQ(with(""), "");
}
