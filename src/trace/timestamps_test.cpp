#include "trace/timestamps.hpp"

#include <gtest/gtest.h>

namespace trace {
namespace {

// One hour later at each look, from 2021-01-01T01:00:00 on.
class HourlyClock final : public base::Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return {}; }
  std::int64_t unix_micros() const override { return micros_ += 3'600'000'000; }

 private:
  mutable std::int64_t micros_ = 1'609'459'200'000'000;
};

std::string stamped(const std::vector<std::string>& writes, std::uint8_t stream = 255, char type = 'E') {
  HourlyClock clock;
  Timestamper stamper(clock, stream, type);
  std::string out;
  for (const std::string& write : writes) stamper.write(write, out);
  stamper.finish(out);
  stamper.finish(out);
  return out;
}

TEST(Timestamper, GivesUpstreamsVectors) {
  std::vector<std::string> writes = {"The beginning of a new line\n", "This is a split ", "up ", "line\n", "Bar: "};
  for (int i = 0; i < 3; ++i) writes.push_back(".\r");
  for (const char* text :
       {"Done.\r\n", "Windows\r\n", "multiple\nnew\nlines\n", "\nstart", "\nend\n", "Eat\r\r\r\n", "End"})
    writes.push_back(text);
  EXPECT_EQ(stamped(writes),
            "2021-01-01T01:00:00.000000Z ffE The beginning of a new line\n"
            "2021-01-01T02:00:00.000000Z ffE This is a split up line\n"
            "2021-01-01T03:00:00.000000Z ffE Bar: .\r\n"
            "2021-01-01T04:00:00.000000Z ffE+.\r\n"
            "2021-01-01T05:00:00.000000Z ffE+.\r\n"
            "2021-01-01T06:00:00.000000Z ffE+Done.\r\n"
            "2021-01-01T07:00:00.000000Z ffE Windows\r\n"
            "2021-01-01T08:00:00.000000Z ffE multiple\n"
            "2021-01-01T09:00:00.000000Z ffE new\n"
            "2021-01-01T10:00:00.000000Z ffE lines\n"
            "2021-01-01T11:00:00.000000Z ffE \n"
            "2021-01-01T12:00:00.000000Z ffE start\n"
            "2021-01-01T13:00:00.000000Z ffE end\n"
            "2021-01-01T14:00:00.000000Z ffE Eat\r\r\r\n"
            "2021-01-01T15:00:00.000000Z ffE End\n");
}

TEST(Timestamper, ACarriageReturnDoesNotSplitAWrite) {
  EXPECT_EQ(stamped({"section_start:123:foo\r\x1b[0K", "section_end:123:foo\r\x1b[0K"}, 1, 'O'),
            "2021-01-01T01:00:00.000000Z 01O section_start:123:foo\r\x1b[0K\n"
            "2021-01-01T02:00:00.000000Z 01O+section_end:123:foo\r\x1b[0K\n");
}

TEST(Timestamper, FlushesWhatExceedsTheBuffer) {
  std::string size(8192, '.');
  EXPECT_EQ(stamped({"First\n", "large ", size, size + ".", "ended\n"}),
            "2021-01-01T01:00:00.000000Z ffE First\n"
            "2021-01-01T02:00:00.000000Z ffE large " +
                size + "\n" + "2021-01-01T03:00:00.000000Z ffE+" + size + ".\n" +
                "2021-01-01T04:00:00.000000Z ffE+ended\n");
}

TEST(Timestamper, WritesMicrosecondsAndLeapDays) {
  base::FakeClock clock;
  clock.set_unix_micros(1'709'251'199'000'042);
  Timestamper stamper(clock, 16, 'O');
  std::string out;
  stamper.write("a\n", out);
  clock.advance(std::chrono::microseconds(999'958));
  stamper.write("b\n", out);
  EXPECT_EQ(out, "2024-02-29T23:59:59.000042Z 10O a\n2024-03-01T00:00:00.000000Z 10O b\n");
}

} // namespace
} // namespace trace
