#include "ci/status.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace ci {
namespace {
using S = Status;

JobState state(S status, bool allow_failure = false) {
  return {.name = "x", .status = status, .allow_failure = allow_failure};
}
S of(std::vector<JobState> jobs) { return composite(jobs).status; }

TEST(Composite, FollowsGitLabsOrder) {
  JobState warn = state(S::kFailed, true);
  JobState ignored = state(S::kManual, true);
  EXPECT_EQ(of({}), S::kSuccess);
  EXPECT_EQ(of({state(S::kSkipped), ignored}), S::kSkipped);
  EXPECT_EQ(of({state(S::kSuccess), warn, state(S::kSkipped), ignored}), S::kSuccess);
  EXPECT_EQ(of({warn}), S::kSuccess);
  EXPECT_EQ(of({state(S::kCreated), warn}), S::kCreated);
  EXPECT_EQ(of({state(S::kPreparing), ignored}), S::kPreparing);
  EXPECT_EQ(of({state(S::kCanceled), state(S::kSuccess)}), S::kCanceled);
  EXPECT_EQ(of({state(S::kPending), state(S::kCreated)}), S::kPending);
  EXPECT_EQ(of({state(S::kPending), state(S::kSuccess)}), S::kRunning);
  EXPECT_EQ(of({state(S::kRunning), state(S::kFailed)}), S::kRunning);
  EXPECT_EQ(of({state(S::kWaitingForResource), state(S::kManual)}), S::kWaitingForResource);
  EXPECT_EQ(of({state(S::kManual), state(S::kFailed)}), S::kManual);
  EXPECT_EQ(of({state(S::kScheduled), state(S::kSuccess)}), S::kScheduled);
  EXPECT_EQ(of({state(S::kCreated), state(S::kSuccess)}), S::kRunning);
  EXPECT_EQ(of({state(S::kCanceling), state(S::kFailed)}), S::kCanceling);
  EXPECT_EQ(of({state(S::kFailed), state(S::kSuccess)}), S::kFailed);
  EXPECT_EQ(of({state(S::kFailed), state(S::kCanceled)}), S::kFailed);
  EXPECT_TRUE(composite({warn}).warnings);
  EXPECT_EQ(needs_composite({state(S::kSuccess), ignored}).status, S::kSkipped);
  EXPECT_EQ(needs_composite({state(S::kSuccess), state(S::kSkipped)}).status, S::kSkipped);
}

TEST(Status, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(S::kScheduled); ++i) {
    auto status = static_cast<S>(i);
    EXPECT_EQ(parse_status(to_string(status)), status);
  }
  EXPECT_EQ(parse_status("nope"), std::nullopt);
}

// A pipeline written down in a line each: name, stage, when, needs.
struct Board {
  std::vector<JobState> jobs;

  JobState& add(std::string name, int stage, When when = When::kOnSuccess,
                std::optional<std::vector<std::string>> needs = std::nullopt) {
    jobs.push_back({.name = std::move(name), .stage_index = stage, .when = when, .needs = std::move(needs)});
    jobs.back().allow_failure = when == When::kManual;
    return jobs.back();
  }
  JobState& operator[](std::string_view name) {
    return *std::find_if(jobs.begin(), jobs.end(), [&](const JobState& job) { return job.name == name; });
  }
  void step() {
    for (const Transition& transition : process(jobs)) jobs[transition.job].status = transition.to;
    EXPECT_TRUE(process(jobs).empty()) << "one call decides all that can be decided";
  }
  S at(std::string_view name) { return (*this)[name].status; }
  void set(std::string_view name, S status) {
    (*this)[name].status = status;
    step();
  }
};

TEST(Process, StagesWaitForEachOther) {
  Board board;
  board.add("build", 0);
  board.add("test a", 1);
  board.add("test b", 1);
  board.add("cleanup", 2, When::kAlways);
  board.add("mourn", 2, When::kOnFailure);
  board.step();
  EXPECT_EQ(board.at("build"), S::kPending);
  EXPECT_EQ(board.at("test a"), S::kCreated);
  board.set("build", S::kRunning);
  board.set("build", S::kSuccess);
  EXPECT_EQ(board.at("test a"), S::kPending);
  EXPECT_EQ(board.at("test b"), S::kPending);
  board.set("test a", S::kFailed);
  EXPECT_EQ(board.at("mourn"), S::kCreated) << "the stage still runs";
  board.set("test b", S::kSuccess);
  EXPECT_EQ(board.at("mourn"), S::kPending);
  EXPECT_EQ(board.at("cleanup"), S::kPending);
}

TEST(Process, FailureSkipsAndAllowedFailureDoesNot) {
  Board board;
  board.add("build", 0);
  board.add("test", 1);
  board.add("mourn", 1, When::kOnFailure);
  board.add("deploy", 2);
  board.step();
  Board allowed = board;
  allowed["build"].allow_failure = true;
  board.set("build", S::kFailed);
  EXPECT_EQ(board.at("test"), S::kSkipped);
  EXPECT_EQ(board.at("mourn"), S::kPending);
  board.set("mourn", S::kSuccess);
  EXPECT_EQ(board.at("deploy"), S::kSkipped);
  EXPECT_EQ(composite(board.jobs).status, S::kFailed);
  allowed.set("build", S::kFailed);
  EXPECT_EQ(allowed.at("test"), S::kPending);
  EXPECT_EQ(allowed.at("mourn"), S::kSkipped);
}

TEST(Process, CanceledStageSkipsEvenAlways) {
  Board board;
  board.add("build", 0);
  board.add("cleanup", 1, When::kAlways);
  board.step();
  board.set("build", S::kCanceled);
  EXPECT_EQ(board.at("cleanup"), S::kSkipped);
}

TEST(Process, ManualJobs) {
  Board optional;
  optional.add("gate", 0, When::kManual);
  optional.add("next", 1);
  optional.add("follows", 1, When::kOnSuccess, std::vector<std::string>{"gate"});
  optional.step();
  EXPECT_EQ(optional.at("gate"), S::kManual);
  EXPECT_EQ(optional.at("next"), S::kPending) << "an optional manual job holds nobody up";
  EXPECT_EQ(optional.at("follows"), S::kSkipped);
  // Played: what it had skipped comes back.
  std::size_t gate = 0;
  for (std::size_t index : dependents_to_reset(optional.jobs, gate)) optional.jobs[index].status = S::kCreated;
  optional.set("gate", S::kPending);
  EXPECT_EQ(optional.at("follows"), S::kCreated);
  optional.set("gate", S::kSuccess);
  EXPECT_EQ(optional.at("follows"), S::kPending);

  Board blocking;
  blocking.add("gate", 0, When::kManual).allow_failure = false;
  blocking.add("next", 1);
  blocking.step();
  EXPECT_EQ(blocking.at("next"), S::kCreated);
  EXPECT_EQ(composite(blocking.jobs).status, S::kManual);
}

TEST(Process, NeedsStartEarlyAndIgnoreWhatIsNotThere) {
  Board board;
  board.add("slow", 0);
  board.add("quick", 0);
  board.add("test", 1, When::kOnSuccess, std::vector<std::string>{"quick", "absent"});
  board.add("lint", 2, When::kOnSuccess, std::vector<std::string>{});
  board.add("after", 2, When::kOnSuccess, std::vector<std::string>{"test"});
  board.add("late", 3);
  board.step();
  EXPECT_EQ(board.at("lint"), S::kPending);
  board.set("quick", S::kSuccess);
  EXPECT_EQ(board.at("test"), S::kPending);
  board.set("test", S::kFailed);
  EXPECT_EQ(board.at("after"), S::kSkipped);
  EXPECT_EQ(board.at("late"), S::kCreated);
  board.set("slow", S::kSuccess);
  board.set("lint", S::kSuccess);
  EXPECT_EQ(board.at("late"), S::kSkipped);
}

TEST(Process, SkippedStageLetsStageJobsRunAndNeedsNot) {
  Board board;
  board.add("mourn", 0, When::kOnFailure);
  board.add("stage", 1);
  board.add("dag", 1, When::kOnSuccess, std::vector<std::string>{"mourn"});
  board.add("later", 1, When::kDelayed);
  board.step();
  EXPECT_EQ(board.at("mourn"), S::kSkipped);
  EXPECT_EQ(board.at("stage"), S::kPending);
  EXPECT_EQ(board.at("dag"), S::kSkipped);
  EXPECT_EQ(board.at("later"), S::kScheduled);
}

TEST(Process, EveryPipelineComesToAnEnd) {
  rc::check([](const std::vector<std::tuple<int, int, int, bool>>& shape, const std::vector<bool>& luck) {
    Board board;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      auto [stage, when, need, allow] = shape[i];
      std::optional<std::vector<std::string>> needs;
      if (need % 3 == 0 && i > 0) needs = {{"j" + std::to_string(static_cast<unsigned>(need) % i)}};
      board
          .add("j" + std::to_string(i), static_cast<int>(static_cast<unsigned>(stage) % 4),
               std::array{When::kOnSuccess, When::kOnFailure, When::kAlways}[static_cast<unsigned>(when) % 3], needs)
          .allow_failure = allow;
    }
    // Stages must not go backwards along needs, as compile() guarantees.
    for (JobState& job : board.jobs)
      if (job.needs)
        for (const std::string& need : *job.needs) job.stage_index = std::max(job.stage_index, board[need].stage_index);
    std::size_t turn = 0;
    for (std::size_t rounds = 0; rounds <= 2 * shape.size(); ++rounds) {
      board.step();
      for (JobState& job : board.jobs) {
        if (job.status != S::kPending) continue;
        job.status = !luck.empty() && luck[turn++ % luck.size()] ? S::kFailed : S::kSuccess;
        break;
      }
    }
    for (const JobState& job : board.jobs) RC_ASSERT(is_complete(job.status));
    RC_ASSERT(is_complete(composite(board.jobs).status));
  });
}

TEST(Retry, ReasonsAndCodes) {
  Job job;
  EXPECT_FALSE(should_retry(job, "script_failure", 1, 0));
  EXPECT_TRUE(should_retry(job, "scheduler_failure", std::nullopt, 1));
  job.retry = Retry{2, {"always"}, {}};
  EXPECT_TRUE(should_retry(job, "script_failure", 1, 1));
  EXPECT_FALSE(should_retry(job, "script_failure", 1, 2));
  EXPECT_FALSE(should_retry(job, "missing_dependency_failure", std::nullopt, 0));
  job.retry = Retry{1, {"runner_system_failure"}, {}};
  EXPECT_FALSE(should_retry(job, "script_failure", 1, 0));
  EXPECT_TRUE(should_retry(job, "runner_system_failure", std::nullopt, 0));
  job.retry = Retry{1, {"runner_system_failure"}, {137}};
  EXPECT_TRUE(should_retry(job, "script_failure", 137, 0));
  EXPECT_FALSE(should_retry(job, "script_failure", 1, 0));
}

TEST(AllowFailure, ExitCodes) {
  Job job;
  job.allow_failure_exit_codes = {42};
  EXPECT_TRUE(failure_allowed(job, 42));
  EXPECT_FALSE(failure_allowed(job, 1));
  EXPECT_FALSE(failure_allowed(job, std::nullopt));
}
} // namespace
} // namespace ci
