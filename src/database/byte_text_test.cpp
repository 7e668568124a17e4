#include "database/byte_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/utf8.hpp"

namespace database {
namespace {

TEST(ByteText, WhatIsTextStays) {
  EXPECT_EQ(encode_bytes("caf\xc3\xa9 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(encode_bytes("a\xff"), "a\xf4\x8e\xbb\xbf");
  EXPECT_EQ(encode_bytes(std::string_view("\0", 1)), "\xf4\x8e\xb8\x80");
}

TEST(ByteText, LosesNothing) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const auto encoded = encode_bytes(text);
    RC_ASSERT(base::is_valid_utf8(encoded));
    RC_ASSERT(encoded.find('\0') == std::string::npos);
    RC_ASSERT(decode_bytes(encoded) == text);
    RC_ASSERT(decode_bytes(encode_bytes(encoded)) == encoded);
  }));
}

} // namespace
} // namespace database
