#include "base/utf8.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace base;

TEST(Utf8, RepairsInvalidBytes) {
  EXPECT_EQ(repair_utf8("a\xff\xfe"
                        "b"),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(repair_utf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "surrogates are not text";
  EXPECT_EQ(repair_utf8("\xf0\x9f\x90\x8e"), "\xf0\x9f\x90\x8e");
  EXPECT_EQ(repair_utf8("\xc3"), "\xef\xbf\xbd");
}

TEST(Utf8, PrefixNeverCutsACharacter) {
  EXPECT_EQ(utf8_prefix("a\xc3\xa9z", 2), 1u);
  EXPECT_EQ(utf8_prefix("a\xc3\xa9z", 3), 3u);
  EXPECT_EQ(utf8_prefix("abc", 9), 3u);
}

TEST(Utf8, ChunksDoNotMatter) {
  EXPECT_TRUE(rc::check("any split gives what one write gives", [](const std::string& bytes) {
    std::string whole = repair_utf8(bytes);
    std::string chunked;
    Utf8Repair repair;
    std::size_t at = 0;
    while (at < bytes.size()) {
      auto length = static_cast<std::size_t>(*rc::gen::inRange(1, 5));
      repair.append(std::string_view(bytes).substr(at, length), chunked);
      at += length;
    }
    repair.finish(chunked);
    RC_ASSERT(chunked == whole);
    RC_ASSERT(is_valid_utf8(whole));
    if (is_valid_utf8(bytes)) RC_ASSERT(whole == bytes);
  }));
}
