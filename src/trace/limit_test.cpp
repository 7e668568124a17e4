#include "trace/limit.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/hash.hpp"

namespace trace {
namespace {

std::string notice(std::uint64_t limit) {
  return fmt::format(
      "\n\x1b[33;1mJob's log exceeded limit of {} bytes.\n"
      "Job execution will continue but no more output will be collected.\x1b[0;m\n",
      limit);
}
std::string left_out(std::uint64_t bytes) {
  return fmt::format("\x1b[33;1m{} bytes of the log were left out here. Its end:\x1b[0;m\n", bytes);
}

std::string limited(std::uint64_t limit, const std::vector<std::string>& writes) {
  StringSink sink;
  LimitWriter writer(sink, limit);
  for (const std::string& write : writes) writer.write(write);
  writer.close();
  writer.close();
  writer.write("too late");
  return sink.text();
}
std::string checksum(const std::string& text) { return fmt::format("crc32:{:08x}", base::crc32(text)); }

TEST(LimitWriter, GivesUpstreamsVectors) {
  std::vector<std::string> writes(100, "This is the long message");
  EXPECT_EQ(limited(10, writes), "This is th" + notice(10));
  EXPECT_EQ(checksum(limited(10, writes)), "crc32:295921ca");
  auto repeated = [](std::uint64_t limit, const std::string& text) {
    return checksum(limited(limit, std::vector<std::string>(100, text)));
  };
  EXPECT_EQ(repeated(10, "0123456789"), "crc32:d4b99d81");
  EXPECT_EQ(repeated(5, "\u01f2"), "crc32:318d2180");
  EXPECT_EQ(repeated(6, "\u01f2"), "crc32:8c2a1eda");
  EXPECT_EQ(repeated(20, "\u2500"), "crc32:f187099c");
  EXPECT_EQ(repeated(1, "\u2500"), "crc32:9e261b5f");
  EXPECT_EQ(repeated(23, "\U0001f424"), "crc32:10e32ecd");
  EXPECT_EQ(repeated(24, "\U0001f424"), "crc32:26e43372");
  EXPECT_EQ(checksum(limited(20, {"data before limit\n", "data after limit\n"})), "crc32:559aa46f");
}

TEST(LimitWriter, SaysNothingBelowTheLimit) {
  EXPECT_EQ(limited(10, {"12345", "6789"}), "123456789");
  EXPECT_EQ(limited(10, {"12345", "67890"}), "1234567890" + notice(10));
}

TEST(LimitWriter, KeepsTheLastWholeLines) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += fmt::format("line {:02}\n", i); // 8 bytes each
  EXPECT_EQ(limited(100, {text}),
            text.substr(0, 100) + notice(100) + left_out(800 - 100 - 24) + "line 97\nline 98\nline 99\n");
}

TEST(LimitWriter, LeavesNothingOutWhenTheRingHoldsIt) {
  EXPECT_EQ(limited(16, {"0123456789abcde\n", "x\ny\n"}), "0123456789abcde\n" + notice(16) + left_out(0) + "x\ny\n");
}

TEST(LimitWriter, DoesNotDependOnTheSizeOfWrites) {
  bool ok = rc::check([] {
    std::string text =
        *rc::gen::container<std::string>(*rc::gen::inRange(0, 400), rc::gen::elementOf(std::string("ab\n")));
    auto limit = *rc::gen::inRange<std::uint64_t>(1, 200);
    std::vector<std::string> writes;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t size = *rc::gen::inRange<std::size_t>(1, 60);
      writes.push_back(text.substr(at, size));
      at += size;
    }
    std::string out = limited(limit, writes);
    RC_ASSERT(out == limited(limit, {text}));
    if (text.size() < limit) {
      RC_ASSERT(out == text);
      return;
    }
    std::string head = text.substr(0, limit) + notice(limit);
    RC_ASSERT(out.starts_with(head));
    std::string rest = out.substr(head.size());
    if (rest.empty()) return;
    std::string tail = rest.substr(rest.find('\n') + 1);
    RC_ASSERT(tail.size() <= limit / 4);
    RC_ASSERT(text.ends_with(tail));
    RC_ASSERT(text[text.size() - tail.size() - 1] == '\n');
    RC_ASSERT(rest == left_out(text.size() - limit - tail.size()) + tail);
  });
  EXPECT_TRUE(ok);
}

} // namespace
} // namespace trace
