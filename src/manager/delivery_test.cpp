#include "manager/delivery.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "base/clock.hpp"

namespace manager {
namespace {

using gitlab::PatchOutcome;
using gitlab::PatchResult;
using gitlab::UpdateOutcome;
using gitlab::UpdateResult;
using Kind = Delivery::Action::Kind;
using namespace std::chrono_literals;

// A delivery with a clock and a log that grows.
struct Bench {
  base::FakeClock clock;
  std::uint64_t log = 0;
  Delivery delivery{clock.now(), 10, false};

  Delivery::Action next() const { return delivery.next(clock.now(), log); }
  // Lets the time pass until there is something to do.
  Delivery::Action wait() {
    for (int i = 0; i < 100; ++i) {
      auto action = next();
      if (action.kind != Kind::kWait) return action;
      clock.advance(std::chrono::ceil<std::chrono::microseconds>(action.until - clock.now()));
    }
    return {};
  }
  void patched(PatchOutcome outcome, std::uint64_t offset = 0, bool cancel = false) {
    delivery.on_patch(clock.now(), PatchResult{.outcome = outcome, .new_offset = offset, .cancel_requested = cancel});
  }
  void updated(UpdateOutcome outcome) { delivery.on_update(clock.now(), UpdateResult{.outcome = outcome}); }
  void accept(const Delivery::Action& patch) { patched(PatchOutcome::kSucceeded, patch.offset + patch.size); }
  std::chrono::milliseconds elapsed(base::Clock& from_start) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(from_start.now().time_since_epoch());
  }
};

TEST(Delivery, FirstLinesAfterASecondThenEveryThree) {
  Bench bench;
  bench.log = 10;
  auto patch = bench.wait();
  EXPECT_EQ(patch.kind, Kind::kPatch);
  EXPECT_EQ(patch.size, 10u);
  EXPECT_EQ(bench.elapsed(bench.clock), 1s);
  bench.accept(patch);
  bench.log = 15;
  patch = bench.wait();
  EXPECT_EQ(patch.offset, 10u);
  EXPECT_EQ(patch.size, 5u);
  EXPECT_EQ(bench.elapsed(bench.clock), 4s);
}

TEST(Delivery, ManyMegabytesGoOutAtOnce) {
  Bench bench;
  bench.log = 5 * Delivery::kMaxPatch + 7;
  for (int i = 0; i < 5; ++i) {
    auto patch = bench.next();
    ASSERT_EQ(patch.kind, Kind::kPatch) << i;
    EXPECT_EQ(patch.size, Delivery::kMaxPatch);
    bench.accept(patch);
  }
  EXPECT_EQ(bench.next().kind, Kind::kWait);
}

TEST(Delivery, IntervalOfTheServerHolds) {
  Bench bench;
  bench.log = 1;
  bench.wait();
  auto start = bench.clock.now();
  bench.delivery.on_patch(start, {.outcome = PatchOutcome::kSucceeded, .new_offset = 1, .trace_interval = 20s});
  bench.log = 2;
  EXPECT_EQ(bench.wait().kind, Kind::kPatch);
  EXPECT_EQ(bench.clock.now() - start, 20s);
}

TEST(Delivery, TouchAfterThirtySecondsOfSilence) {
  Bench bench;
  auto touch = bench.wait();
  EXPECT_EQ(touch.kind, Kind::kTouch);
  EXPECT_EQ(bench.elapsed(bench.clock), 30s);
  bench.updated(UpdateOutcome::kSucceeded);
  EXPECT_EQ(bench.wait().kind, Kind::kTouch);
  EXPECT_EQ(bench.elapsed(bench.clock), 60s);
}

TEST(Delivery, TouchThatIsRefusedAborts) {
  Bench bench;
  EXPECT_EQ(bench.wait().kind, Kind::kTouch);
  bench.updated(UpdateOutcome::kAbort);
  EXPECT_TRUE(bench.delivery.aborted());
  bench.log = 100;
  EXPECT_EQ(bench.next().kind, Kind::kWait);
}

TEST(Delivery, MismatchGoesOnWhereTheServerIs) {
  Bench bench;
  bench.log = 100;
  bench.accept(bench.wait());
  bench.log = 150;
  EXPECT_EQ(bench.wait().offset, 100u);
  bench.patched(PatchOutcome::kRangeMismatch, 20);
  auto patch = bench.wait();
  EXPECT_EQ(patch.offset, 20u);
  EXPECT_EQ(patch.size, 130u);
}

TEST(Delivery, NothingWaitsWhenTheServerIsBack) {
  Bench bench;
  bench.log = 100;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(bench.wait().kind, Kind::kPatch);
    bench.patched(PatchOutcome::kFailed);
  }
  auto before = bench.clock.now();
  bench.delivery.server_is_back(before);
  EXPECT_EQ(bench.wait().kind, Kind::kPatch);
  bench.patched(PatchOutcome::kSucceeded, 100);
  bench.delivery.finish(bench.clock.now(), 100);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(bench.wait().kind, Kind::kFinal);
    bench.updated(UpdateOutcome::kFailed);
  }
  before = bench.clock.now();
  bench.delivery.server_is_back(before);
  EXPECT_EQ(bench.wait().kind, Kind::kFinal);
  EXPECT_EQ(bench.clock.now(), before);
}

TEST(Delivery, FailedAndMissingPatchesAreTriedAgain) {
  Bench bench;
  bench.log = 100;
  std::vector<std::pair<PatchOutcome, std::chrono::seconds>> steps = {
      {PatchOutcome::kNotFound, 3s}, {PatchOutcome::kFailed, 3s},  {PatchOutcome::kFailed, 6s},
      {PatchOutcome::kFailed, 12s},  {PatchOutcome::kFailed, 24s}, {PatchOutcome::kFailed, 30s}};
  for (const auto& [outcome, wait] : steps) {
    EXPECT_EQ(bench.wait().offset, 0u);
    auto before = bench.clock.now();
    bench.patched(outcome);
    while (bench.wait().kind == Kind::kTouch) bench.updated(UpdateOutcome::kFailed);
    EXPECT_EQ(bench.clock.now() - before, wait);
    EXPECT_FALSE(bench.delivery.aborted());
  }
}

TEST(Delivery, FlushThenFinal) {
  Bench bench;
  bench.log = 3 * Delivery::kMaxPatch;
  bench.delivery.finish(bench.clock.now(), bench.log);
  for (int i = 0; i < 3; ++i) {
    auto patch = bench.next();
    ASSERT_EQ(patch.kind, Kind::kPatch);
    bench.accept(patch);
  }
  EXPECT_EQ(bench.next().kind, Kind::kFinal);
  bench.updated(UpdateOutcome::kSucceeded);
  EXPECT_EQ(bench.next().kind, Kind::kDone);
  EXPECT_TRUE(bench.delivery.final_tried());
}

TEST(Delivery, FinalUpdateAcceptedIsRepeated) {
  Bench bench;
  bench.delivery.finish(bench.clock.now(), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(bench.wait().kind, Kind::kFinal);
    auto before = bench.clock.now();
    bench.delivery.on_update(before, {.outcome = UpdateOutcome::kAccepted, .trace_interval = 2s});
    EXPECT_EQ(bench.wait().kind, Kind::kFinal);
    EXPECT_EQ(bench.clock.now() - before, 2s);
  }
  bench.updated(UpdateOutcome::kAbort); // "Job-Status: failed" is the usual answer to a failed job
  EXPECT_EQ(bench.next().kind, Kind::kDone);
}

TEST(Delivery, InvalidTraceIsSentAgainWhole) {
  Bench bench;
  bench.log = 50;
  bench.delivery.finish(bench.clock.now(), 50);
  bench.accept(bench.next());
  EXPECT_EQ(bench.next().kind, Kind::kFinal);
  bench.updated(UpdateOutcome::kTraceInvalid);
  auto patch = bench.wait();
  EXPECT_EQ(patch.kind, Kind::kPatch);
  EXPECT_EQ(patch.offset, 0u);
  EXPECT_EQ(patch.size, 50u);
}

TEST(Delivery, ServerThatHasMoreThanThereIs) {
  Bench bench;
  bench.log = 50;
  bench.delivery.finish(bench.clock.now(), 50);
  EXPECT_EQ(bench.wait().kind, Kind::kPatch);
  bench.patched(PatchOutcome::kRangeMismatch, 90);
  EXPECT_EQ(bench.wait().offset, 0u);
  bench.patched(PatchOutcome::kRangeMismatch, 90);
  EXPECT_EQ(bench.wait().kind, Kind::kFinal);
}

TEST(Delivery, EndlessResendsCountAsFailure) {
  for (bool by_patch : {true, false}) {
    Bench bench;
    bench.log = 50;
    bench.delivery.finish(bench.clock.now(), 50);
    int rounds = 0;
    while (bench.delivery.failed_tries() == 0 && ++rounds < 100) {
      auto action = bench.wait();
      if (action.kind == Kind::kFinal) {
        bench.updated(UpdateOutcome::kTraceInvalid);
      } else if (by_patch) {
        bench.patched(PatchOutcome::kRangeMismatch, 0);
      } else {
        bench.accept(action);
      }
    }
    EXPECT_EQ(bench.delivery.failed_tries(), 1);
  }
}

TEST(Delivery, BackOffThenNowAndThen) {
  Bench bench;
  bench.delivery.finish(bench.clock.now(), 0);
  std::chrono::seconds expected = 1s;
  for (int i = 1; i < 10; ++i) {
    EXPECT_EQ(bench.wait().kind, Kind::kFinal);
    auto before = bench.clock.now();
    bench.updated(UpdateOutcome::kFailed);
    EXPECT_FALSE(bench.delivery.postponed());
    EXPECT_EQ(bench.wait().kind, Kind::kFinal);
    EXPECT_EQ(bench.clock.now() - before, expected + 3s) << i;
    expected *= 2;
  }
  auto before = bench.clock.now();
  bench.updated(UpdateOutcome::kFailed);
  EXPECT_TRUE(bench.delivery.postponed());
  EXPECT_EQ(bench.wait().kind, Kind::kFinal);
  EXPECT_GE(bench.clock.now() - before, 10min);
  bench.updated(UpdateOutcome::kSucceeded);
  EXPECT_EQ(bench.next().kind, Kind::kDone);
}

TEST(Delivery, AbortedJobIsStillReportedOnce) {
  Bench bench;
  bench.log = 10;
  bench.wait();
  bench.patched(PatchOutcome::kAbort);
  EXPECT_TRUE(bench.delivery.aborted());
  bench.delivery.finish(bench.clock.now(), 10);
  EXPECT_EQ(bench.next().kind, Kind::kPatch);
  bench.patched(PatchOutcome::kAbort);
  EXPECT_EQ(bench.next().kind, Kind::kFinal);
  bench.updated(UpdateOutcome::kFailed); // nobody wants it: no second try
  EXPECT_EQ(bench.next().kind, Kind::kDone);
}

TEST(Delivery, MissingPatchWhileFinishingStillReports) {
  Bench bench;
  bench.log = 10;
  bench.delivery.finish(bench.clock.now(), 10);
  bench.next();
  bench.patched(PatchOutcome::kNotFound);
  EXPECT_EQ(bench.next().kind, Kind::kFinal);
}

TEST(Delivery, CancelIsHeardInEveryAnswer) {
  Bench bench;
  bench.log = 10;
  bench.wait();
  bench.patched(PatchOutcome::kFailed, 0, true);
  EXPECT_TRUE(bench.delivery.cancel_requested());
}

TEST(Delivery, TakeOverAsksTheServerFirst) {
  Bench bench;
  bench.log = 500;
  bench.delivery.resume(bench.clock.now());
  auto probe = bench.next();
  EXPECT_EQ(probe.kind, Kind::kPatch);
  EXPECT_EQ(probe.size, 1u);
  bench.patched(PatchOutcome::kRangeMismatch, 300);
  auto patch = bench.next();
  EXPECT_EQ(patch.offset, 300u);
  EXPECT_EQ(patch.size, 200u);
}

// Whatever the server does, the log it ends up with is the log, if it finally says that it is content.
TEST(Delivery, ALogSurvivesAnUnreliableServer) {
  rc::check("delivered log equals the log", [] {
    Bench bench;
    std::string log = *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
    std::string stored;
    bench.log = *rc::gen::inRange<std::size_t>(0, log.size() + 1);
    bool finished = false;
    for (int step = 0; step < 400; ++step) {
      auto action = bench.wait();
      if (!finished && *rc::gen::inRange(0, 4) == 0) {
        bench.log = log.size();
        bench.delivery.finish(bench.clock.now(), log.size());
        finished = true;
        continue;
      }
      int mood = step > 60 ? 0 : *rc::gen::inRange(0, 5);
      if (action.kind == Kind::kDone) break;
      if (action.kind == Kind::kPatch) {
        if (mood == 1) {
          bench.patched(PatchOutcome::kFailed);
        } else if (mood == 2 && stored.size() > 0) {
          stored.resize(stored.size() - 1);
          bench.patched(PatchOutcome::kRangeMismatch, stored.size());
        } else if (action.offset != stored.size()) {
          bench.patched(PatchOutcome::kRangeMismatch, stored.size());
        } else {
          stored += log.substr(action.offset, action.size);
          // The answer may get lost on the way.
          mood == 3 ? bench.patched(PatchOutcome::kFailed) : bench.accept(action);
        }
      } else if (mood == 1) {
        bench.updated(UpdateOutcome::kFailed);
      } else if (stored.size() < log.size() && finished) {
        stored.clear();
        bench.updated(UpdateOutcome::kTraceInvalid);
      } else {
        bench.updated(mood == 2 ? UpdateOutcome::kAccepted : UpdateOutcome::kSucceeded);
      }
    }
    if (!finished) return;
    RC_ASSERT(bench.next().kind == Kind::kDone);
    RC_ASSERT(stored == log);
  });
}

} // namespace
} // namespace manager
