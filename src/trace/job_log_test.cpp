#include "trace/job_log.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <thread>

#include "base/strings.hpp"
#include "base/utf8.hpp"

namespace trace {
namespace {

struct Fixture {
  explicit Fixture(JobLogOptions options = {}) : log(sink, with_clock(std::move(options))) {}
  JobLogOptions with_clock(JobLogOptions options) {
    options.clock = &clock;
    return options;
  }
  const std::string& text() const { return sink.text(); }

  base::FakeClock clock; // 2026-01-02T03:04:05.000001
  StringSink sink;
  JobLog log;
};

JobLogOptions plain(std::vector<std::string> masks = {}) {
  JobLogOptions options;
  options.masks = std::move(masks);
  options.timestamps = false;
  return options;
}

TEST(JobLog, WritesRunnerLinesAsUpstreamDoes) {
  Fixture f(plain());
  f.log.println("Running with gitlab-runner 19.4.0 (abcd1234)");
  f.log.section_start("prepare_executor", 1700000000);
  f.log.header("Preparing the \"shell\" executor");
  f.log.println("Using Shell (bash) executor...");
  f.log.section_end("prepare_executor", 1700000000);
  f.log.warning("careful");
  f.log.info("Job succeeded");
  f.log.error("Job failed: exit status 1");
  f.log.soft_error("oops");
  EXPECT_EQ(f.text(),
            "\x1b[0KRunning with gitlab-runner 19.4.0 (abcd1234)\x1b[0;m\n"
            "section_start:1700000000:prepare_executor\r\x1b[0K"
            "\x1b[0K\x1b[36;1mPreparing the \"shell\" executor\x1b[0;m\x1b[0;m\n"
            "\x1b[0KUsing Shell (bash) executor...\x1b[0;m\n"
            "section_end:1700000000:prepare_executor\r\x1b[0K"
            "\x1b[0;33mWARNING: careful\x1b[0;m\n"
            "\x1b[32;1mJob succeeded\x1b[0;m\n"
            "\x1b[31;1mERROR: Job failed: exit status 1\x1b[0;m\n"
            "\x1b[31;1mERROR: oops\x1b[0;m\n");
}

TEST(JobLog, StampsLinesOfEachStream) {
  Fixture f;
  f.log.println("Running with");
  f.log.section_start("prepare_executor", 1767323045);
  f.log.header("Preparing");
  f.log.write(kStageOut, "Running on host1...\n");
  f.log.write(kStageErr, "fatal: something");
  f.log.write(service_stream(1, 'E'), "ready\n");
  f.log.flush_stream_ends();
  f.log.println("done");
  const std::string time = "2026-01-02T03:04:05.000001Z ";
  EXPECT_EQ(f.text(), time + "00O \x1b[0KRunning with\x1b[0;m\n" + time +
                          "00O section_start:1767323045:prepare_executor\r\x1b[0K\n" + time +
                          "00O+\x1b[0K\x1b[36;1mPreparing\x1b[0;m\x1b[0;m\n" + time + "01O Running on host1...\n" +
                          time + "10E ready\n" + time + "01E fatal: something\n" + time + "00O \x1b[0Kdone\x1b[0;m\n");
}

TEST(JobLog, MasksEveryPathAndKeepsItsOwnMarkup) {
  Fixture f(plain({"z", "0", "secret"}));
  f.log.section_start("prepare_zero", 1700000000);
  f.log.error("secret: onz two");
  f.log.warning("z");
  f.log.header("z0");
  f.log.write(kStageOut, "sec");
  f.log.write(kStageErr, "ret? ?private_token=abc glpat-x\n");
  f.log.write(kStageOut, "ret\n");
  EXPECT_EQ(f.text(),
            "section_start:1700000000:prepare_zero\r\x1b[0K"
            "\x1b[31;1mERROR: [MASKED]: on[MASKED] two\x1b[0;m\n"
            "\x1b[0;33mWARNING: [MASKED]\x1b[0;m\n"
            "\x1b[0K\x1b[36;1m[MASKED][MASKED]\x1b[0;m\x1b[0;m\n"
            "ret? ?private_token=[MASKED] glpat-[MASKED]\n"
            "[MASKED]\n");
}

TEST(JobLog, MasksTheLastLineWhole) {
  Fixture f(plain({"Job failed: exit status 1"}));
  f.log.error("Job failed: exit status 1");
  EXPECT_EQ(f.text(), "\x1b[31;1mERROR: [MASKED]\x1b[0;m\n");
}

TEST(JobLog, RunnerLinesComeAfterWhatAStageHeldBack) {
  Fixture f(plain({"secret"}));
  f.log.write(kStageOut, "a secr");
  f.log.write(kStageErr, "caf\xc3");
  EXPECT_EQ(f.text(), "a caf");
  f.log.flush_stream_ends();
  f.log.println("next");
  EXPECT_EQ(f.text(), "a caf\ufffdsecr\x1b[0Knext\x1b[0;m\n");
}

TEST(JobLog, RepairsUtf8PerStream) {
  Fixture f(plain());
  f.log.write(kStageOut,
              "hello a\xfe"
              "b\xff\xe2\x82");
  f.log.write(kStageErr, "|");
  f.log.write(kStageOut, "\xac\n");
  EXPECT_EQ(f.text(), "hello a\ufffdb\ufffd|\u20ac\n");
}

TEST(JobLog, HidesSecretsLearntLater) {
  Fixture f(plain({"first-secret"}));
  f.log.write(kStageOut, "late-secret and first-se");
  f.log.add_mask("late-secret");
  f.log.write(kStageOut, "cret then late-secret\n");
  f.log.println("late-secret");
  EXPECT_EQ(f.log.mask("x late-secret"), "x [MASKED]");
  EXPECT_EQ(f.text(), "late-secret and [MASKED] then [MASKED]\n\x1b[0K[MASKED]\x1b[0;m\n");
}

TEST(JobLog, LeavesSectionsOutWhenTheServerDoesNotKnowThem) {
  JobLogOptions options = plain();
  options.sections = false;
  Fixture f(options);
  f.log.section_start("x", 1);
  f.log.section_end("x", 1);
  EXPECT_EQ(f.text(), "");
}

TEST(JobLog, TeesMaskedTextWithItsLevel) {
  std::string seen;
  JobLogOptions options = plain({"secret"});
  options.tee = [&](base::log::Level level, std::string_view text) {
    seen += fmt::format("{}:{};", static_cast<int>(level), text);
  };
  Fixture f(options);
  f.log.soft_error("a secret");
  f.log.error("b");
  EXPECT_EQ(seen, fmt::format("{}:a [MASKED];{}:b;", static_cast<int>(base::log::Level::kWarning),
                              static_cast<int>(base::log::Level::kError)));
}

TEST(JobLog, KeepsTheVerdictOfAnOverlongLog) {
  JobLogOptions options;
  options.limit = 1024;
  Fixture f(options);
  for (int i = 0; i < 100; ++i) f.log.write(kStageOut, "a rather long line of output\n");
  f.log.error("Job failed: exit status 1");
  f.log.close();
  f.log.println("ignored");
  EXPECT_TRUE(f.log.limit_exceeded());
  const std::string time = "2026-01-02T03:04:05.000001Z ";
  EXPECT_EQ(f.text().find("\n\x1b[33;1mJob's log exceeded limit of 1024 bytes.\n"), 1024u);
  EXPECT_TRUE(f.text().ends_with(time + "01O a rather long line of output\n" + time +
                                 "00O \x1b[31;1mERROR: Job failed: exit status 1\x1b[0;m\n"));
  EXPECT_NE(f.text().find("collected.\x1b[0;m\n" + time + "00O \x1b[33;1m"), std::string::npos);
}

TEST(JobLog, TakesWritesFromSeveralThreads) {
  Fixture f(plain({"secret"}));
  auto work = [&](Stream stream) {
    for (int i = 0; i < 500; ++i) {
      f.log.write(stream, "se");
      f.log.write(stream, "cret\n");
      f.log.println("secret");
    }
  };
  std::thread other(work, kStageErr);
  work(kStageOut);
  other.join();
  f.log.close();
  std::string rest = base::replace_all(f.text(), "\x1b[0K[MASKED]\x1b[0;m\n", "");
  EXPECT_EQ(base::replace_all(rest, "[MASKED]\n", ""), "");
}

TEST(JobLog, IsTheSameHoweverAStreamIsCut) {
  bool ok = rc::check([] {
    auto text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("se\ncrt\xe2\x82\xac\xff\xc3\xa4?&=glpat- ")));
    std::size_t limit = *rc::gen::inRange<std::size_t>(1, 300);
    auto run = [&](const std::vector<std::string>& writes) {
      JobLogOptions options = plain({"secret", "cr", "\xe2\x82"});
      options.limit = limit;
      Fixture f(options);
      for (const std::string& write : writes) f.log.write(kStageOut, write);
      f.log.close();
      return f.text();
    };
    std::vector<std::string> writes;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t size = *rc::gen::inRange<std::size_t>(1, 5);
      writes.push_back(text.substr(at, size));
      at += size;
    }
    std::string out = run({text});
    RC_ASSERT(base::is_valid_utf8(out));
    RC_ASSERT(run(writes) == out);
  });
  EXPECT_TRUE(ok);
}

} // namespace
} // namespace trace
