#include "base/escape.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

std::string escaped(std::string_view text, JsonEscapes escapes = {}) {
  std::string out = "before ";
  append_json_escaped(out, text, escapes);
  return out.substr(7);
}

TEST(JsonEscapes, WhatJsonAsksFor) {
  EXPECT_EQ(escaped("a\"b\\c\b\f\n\r\t"), "a\\\"b\\\\c\\b\\f\\n\\r\\t");
  EXPECT_EQ(escaped(std::string_view("\0\x01\x1f", 3)), "\\u0000\\u0001\\u001f");
  EXPECT_EQ(escaped("</&>\x7f\xc3\xa9"), "</&>\x7f\xc3\xa9");
}

TEST(JsonEscapes, WhatSomeEncodersDoBeyondThat) {
  EXPECT_EQ(escaped("</&>", {.html = true}), "\\u003c/\\u0026\\u003e");
  EXPECT_EQ(escaped("</&>", {.slashes = true}), "<\\/&>");
  EXPECT_EQ(escaped("\x7f", {.rubout = true}), "\\u007f");
}

} // namespace
} // namespace base
