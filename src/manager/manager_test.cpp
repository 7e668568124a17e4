// The manager against a scripted coordinator and a scripted worker.
#include "manager/manager.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "manager/test_coordinator.hpp"

namespace manager {
namespace {

using namespace std::chrono_literals;

net::Response plain(int status, const std::string& job_status = "") {
  net::Response response{.status = status};
  if (!job_status.empty()) response.headers.add("Job-Status", job_status);
  return response;
}

class ManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    base::log::set_level(base::log::Level::kFatal);
    ::setenv("no_proxy", "*", 1);
    // Before any thread: the spawner's fork and the signal mask.
    spawner_.emplace(sys::Spawner::start(test_worker).value());
    signals_.emplace(sys::SignalFd::create({SIGTERM, SIGINT, SIGQUIT, SIGHUP}).value());
    directory_.emplace(sys::TempDir::create().value());
    coordinator_.emplace();
  }

  config::Runner runner(const std::string& token = "glrt-one") {
    config::Runner runner;
    runner.name = "test";
    runner.url = coordinator_->url();
    runner.token = base::Secret(token);
    runner.executor = "shell";
    return runner;
  }
  config::Config config(std::int64_t concurrent = 1) {
    config::Config config;
    config.concurrent = concurrent;
    config.check_interval = 1;
    config.shutdown_timeout = 5;
    config.runners = {runner()};
    return config;
  }
  // Runs until so many jobs have been taken and delivered; with 0 until nothing has happened for a while.
  void run(config::Config config, std::int64_t jobs, std::chrono::seconds idle = 0s,
           std::vector<std::string> abandoned = {}) {
    auto loop = Loop::create();
    ASSERT_TRUE(loop);
    Manager manager(*loop, *spawner_, *signals_,
                    {.config_dir = directory_->path(),
                     .state_dir = directory_->path("state"),
                     .abandoned = std::move(abandoned),
                     .system_id = "s_0123456789ab",
                     .max_builds = jobs,
                     .wait_timeout = idle},
                    std::move(config));
    manager.run();
  }
  // Runs until stopped by a signal that the test sends.
  void run_until_signal(config::Config config) { run(std::move(config), 0); }

  std::vector<std::string> left_behind() {
    return sys::list_directory(directory_->path("state/jobs")).value_or(std::vector<std::string>());
  }
  void wait_for(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(condition());
  }
  bool called(const std::string& call) {
    auto calls = coordinator_->calls();
    return std::find(calls.begin(), calls.end(), call) != calls.end();
  }

  std::optional<sys::Spawner> spawner_;
  std::optional<sys::SignalFd> signals_;
  std::optional<sys::TempDir> directory_;
  std::optional<TestCoordinator> coordinator_;
};

TEST_F(ManagerTest, OneJobInUpstreamsOrderOfCalls) {
  coordinator_->add_job(1, "ok");
  run(config(), 1);
  EXPECT_EQ(coordinator_->calls(),
            (std::vector<std::string>{"request", "PUT 1 running", "PATCH 1 0-5", "PUT 1 success"}));
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.log, "hello\n");
  EXPECT_EQ(job.checksum, fmt::format("crc32:{:08x}", base::crc32("hello\n")));
  EXPECT_TRUE(left_behind().empty());
  auto request = coordinator_->requests().front();
  EXPECT_EQ(request["token"].string_or(""), "glrt-one");
  EXPECT_EQ(request["system_id"].string_or(""), "s_0123456789ab");
  EXPECT_EQ(request["info"]["executor"].string_or(""), "shell");
}

TEST_F(ManagerTest, FailureHasReasonAndExitCode) {
  coordinator_->add_job(1, "fail");
  run(config(), 1);
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.failure_reason, "script_failure");
  EXPECT_EQ(job.exit_code, 3);
}

TEST_F(ManagerTest, QueueIsWorkedOffWithoutIdleGaps) {
  auto settings = config(2);
  settings.check_interval = 3600;
  settings.runners.front().request_concurrency = 2;
  for (int i = 1; i <= 20; ++i) coordinator_->add_job(i, "ok");
  run(settings, 20); // would take hours if the interval counted
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(coordinator_->job(i).status, "success") << i;
  EXPECT_LE(coordinator_->peak(), 2u);
}

// It would run twice where the coordinator gives unacknowledged jobs to others.
TEST_F(ManagerTest, NoWorkerBeforeTheCoordinatorHasTakenNote) {
  coordinator_->add_job(1, "ok");
  int refusals = 7; // more than one call's own retries
  bool started_early = false;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (call != "PUT 1 running" || refusals-- <= 0) return std::nullopt;
    for (const std::string& name : left_behind())
      started_early |= sys::exists(directory_->path("state/jobs/" + name + "/journal"));
    return plain(500, "running");
  });
  run(config(), 1);
  EXPECT_FALSE(started_early);
  EXPECT_EQ(coordinator_->job(1).status, "success");
}

TEST_F(ManagerTest, LimitOfARunner) {
  auto settings = config(10);
  settings.runners.front().limit = 1;
  settings.runners.front().request_concurrency = 5;
  for (int i = 1; i <= 5; ++i) coordinator_->add_job(i, "ok");
  run(settings, 5);
  EXPECT_EQ(coordinator_->peak(), 1u);
}

TEST_F(ManagerTest, BigLogInOrder) {
  coordinator_->add_job(1, "big");
  run(config(), 1);
  EXPECT_EQ(coordinator_->job(1).log, std::string(3'500'000, 'b'));
}

TEST_F(ManagerTest, ResyncAfterMismatch) {
  int patches = 0;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (!call.starts_with("PATCH") || ++patches != 2) return std::nullopt;
    auto response = plain(416, "running");
    response.headers.add("Range", "0-1048576");
    return response;
  });
  coordinator_->add_job(1, "big");
  run(config(), 1);
  EXPECT_EQ(coordinator_->job(1).log.size(), 3'500'000u);
  EXPECT_EQ(coordinator_->job(1).status, "success");
}

TEST_F(ManagerTest, WorkerThatDiesIsReportedWithItsLog) {
  coordinator_->add_job(1, "die");
  run(config(), 1);
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.failure_reason, "runner_system_failure");
  EXPECT_TRUE(job.log.starts_with("one whole line\n")) << job.log;
  EXPECT_NE(job.log.find("worker process died (signal: killed)"), std::string::npos) << job.log;
}

TEST_F(ManagerTest, UnreadablePayloadFailsTheJobWithTheReason) {
  coordinator_->add_payload(R"({"id":5,"token":"glcbt-5","steps":"no list"})");
  run(config(), 1);
  auto job = coordinator_->job(5);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.failure_reason, "runner_system_failure");
  EXPECT_NE(job.log.find("steps"), std::string::npos) << job.log;
}

TEST_F(ManagerTest, AbortAtTheAcknowledgementDropsTheJob) {
  coordinator_->set_hook([](const std::string& call) -> std::optional<net::Response> {
    if (call == "PUT 1 running") return plain(403);
    return std::nullopt;
  });
  coordinator_->add_job(1, "ok");
  run(config(), 1);
  EXPECT_EQ(coordinator_->calls(), (std::vector<std::string>{"request", "PUT 1 running"}));
  EXPECT_TRUE(left_behind().empty());
}

TEST_F(ManagerTest, CanceledBeforeItBegan) {
  coordinator_->set_hook([](const std::string& call) -> std::optional<net::Response> {
    if (call == "PUT 1 running") return plain(200, "canceling");
    return std::nullopt;
  });
  coordinator_->add_job(1, "ok");
  run(config(), 1);
  EXPECT_EQ(coordinator_->calls(), (std::vector<std::string>{"request", "PUT 1 running", "PUT 1 failed"}));
  EXPECT_EQ(coordinator_->job(1).failure_reason, "job_canceled");
}

TEST_F(ManagerTest, CancelReachesTheWorker) {
  coordinator_->set_hook([](const std::string& call) -> std::optional<net::Response> {
    if (call != "PATCH 1 0-7") return std::nullopt;
    auto response = plain(202, "canceling");
    return response;
  });
  coordinator_->add_job(1, "wait");
  run(config(), 1);
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.failure_reason, "unknown_failure"); // job_canceled, mapped for a server that does not list it
}

TEST_F(ManagerTest, AbortReachesTheWorker) {
  coordinator_->set_hook([](const std::string& call) -> std::optional<net::Response> {
    if (call.starts_with("PATCH") || call == "PUT 1 failed") return plain(403, "canceled");
    return std::nullopt;
  });
  coordinator_->add_job(1, "wait");
  run(config(), 1);
  EXPECT_TRUE(called("PUT 1 failed"));
  EXPECT_TRUE(left_behind().empty());
}

TEST_F(ManagerTest, FinalUpdateIsRetriedAndLogResent) {
  int finals = 0;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (call != "PUT 1 success") return std::nullopt;
    switch (++finals) {
      case 1: {
        auto response = plain(202, "running");
        response.headers.add("X-GitLab-Trace-Update-Interval", "1");
        return response;
      }
      case 2:
        return plain(400);
      default:
        return std::nullopt;
    }
  });
  coordinator_->add_job(1, "ok");
  run(config(), 1);
  EXPECT_EQ(finals, 3);
  EXPECT_EQ(coordinator_->job(1).status, "success");
}

TEST_F(ManagerTest, RetriedStatusesKeepTheRequestId) {
  int times = 0;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (call != "request" || ++times > 2) return std::nullopt;
    return plain(times == 1 ? 500 : 429);
  });
  coordinator_->add_job(1, "ok");
  run(config(), 1);
  EXPECT_EQ(times, 3);
}

TEST_F(ManagerTest, LastUpdateIsSentBack) {
  run(config(), 0, 2s);
  auto requests = coordinator_->requests();
  ASSERT_GE(requests.size(), 2u);
  EXPECT_EQ(requests[0]["last_update"].string_or(""), "");
  EXPECT_EQ(requests[1]["last_update"].string_or(""), "v1");
}

TEST_F(ManagerTest, PollsNeverOutnumberFreeSlots) {
  auto settings = config(1);
  settings.runners = {runner("glrt-a"), runner("glrt-b"), runner("glrt-c")};
  for (int i = 1; i <= 9; ++i) coordinator_->add_job(i, "ok");
  run(settings, 9);
  EXPECT_EQ(coordinator_->peak(), 1u);
  std::map<std::string, int> jobs_of;
  for (const auto& request : coordinator_->requests()) {
    ++jobs_of[request["token"].string_or("")];
    EXPECT_EQ(request["last_update"].string_or(""), ""); // three runners, one slot: none may wait at the server
  }
  EXPECT_EQ(jobs_of["glrt-a"], 3);
  EXPECT_EQ(jobs_of["glrt-b"], 3);
  EXPECT_EQ(jobs_of["glrt-c"], 3);
}

TEST_F(ManagerTest, ForbiddenRunnerIsSwitchedOff) {
  coordinator_->set_hook([](const std::string&) -> std::optional<net::Response> { return plain(403); });
  auto settings = config(1);
  settings.runners.front().unhealthy_requests_limit = 2;
  run(settings, 0, 4s);
  EXPECT_EQ(coordinator_->calls().size(), 2u);
}

TEST_F(ManagerTest, QuitLetsJobsFinishAndEndsWaitingPolls) {
  coordinator_->hold_polls();
  coordinator_->add_job(1, "wait");
  auto settings = config(4);
  std::jthread user([this] {
    wait_for([this] { return called("PATCH 1 0-7"); });
    ::kill(::getpid(), SIGQUIT);
    job::JobDirectory directory(directory_->path("state/jobs/" + left_behind().at(0)));
    auto channel = directory.connect_control();
    ASSERT_TRUE(channel);
    EXPECT_TRUE(channel->send("finish", {}));
  });
  run_until_signal(settings);
  EXPECT_EQ(coordinator_->job(1).status, "success");
}

TEST_F(ManagerTest, TermInterruptsAndDelivers) {
  coordinator_->add_job(1, "wait");
  std::jthread user([this] {
    wait_for([this] { return called("PATCH 1 0-7"); });
    ::kill(::getpid(), SIGTERM);
  });
  run_until_signal(config());
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.log, "waiting\ninterrupt terminated\n");
  EXPECT_TRUE(left_behind().empty());
}

// ---- take-over ----------------------------------------------------------------------------------------------------

class TakeOver : public ManagerTest {
 protected:
  job::JobDirectory leave_job(std::int64_t id, const std::string& mode) {
    job::Context context;
    context.runner = config::to_json(runner());
    context.short_token = gitlab::short_token("glrt-one");
    auto payload =
        fmt::format(R"({{"id":{0},"token":"glcbt-{0}","variables":[{{"key":"MODE","value":"{1}"}}]}})", id, mode);
    return job::JobDirectory::create(directory_->path("state"), context.short_token, id, payload, context).value();
  }
};

TEST_F(TakeOver, NeverStarted) {
  leave_job(1, "ok");
  run(config(), 0, 1s);
  EXPECT_EQ(coordinator_->job(1).status, "success");
  EXPECT_TRUE(called("PUT 1 running"));
  EXPECT_TRUE(left_behind().empty());
}

TEST_F(TakeOver, OfAnotherProcessThatIsGone) {
  auto directory = leave_job(1, "ok");
  ASSERT_EQ(test_worker(directory.path()), 0);
  ASSERT_TRUE(sys::rename_file(directory_->path("state"), directory_->path("state-1")));
  run(config(), 0, 1s, {directory_->path("state-1")});
  EXPECT_EQ(coordinator_->job(1).status, "success");
}

TEST_F(TakeOver, EndedButNotDelivered) {
  auto directory = leave_job(1, "ok");
  ASSERT_EQ(test_worker(directory.path()), 0);
  run(config(), 0, 1s);
  EXPECT_EQ(coordinator_->job(1).status, "success");
  EXPECT_EQ(coordinator_->job(1).log, "hello\n");
  EXPECT_TRUE(left_behind().empty());
}

TEST_F(TakeOver, DiedWithoutResult) {
  auto directory = leave_job(1, "ok");
  {
    auto journal = job::JournalWriter::open(directory);
    ASSERT_TRUE(journal->started(999'999));
    ASSERT_TRUE(sys::write_file(directory.trace_path(), "first\nsec", 0600));
  }
  run(config(), 0, 1s);
  auto job = coordinator_->job(1);
  EXPECT_EQ(job.status, "failed");
  EXPECT_EQ(job.failure_reason, "runner_system_failure");
  EXPECT_TRUE(job.log.starts_with("first\nsec\n")) << job.log;
}

TEST_F(TakeOver, StillRunning) {
  auto directory = leave_job(1, "wait");
  ASSERT_TRUE(spawner_->spawn_worker(directory.path()));
  wait_for([&] { return directory.read_journal().value().worker.has_value(); });
  coordinator_->set_hook([](const std::string& call) -> std::optional<net::Response> {
    if (call == "PATCH 1 1-7") return plain(202, "canceling");
    return std::nullopt;
  });
  run(config(), 0, 1s);
  EXPECT_EQ(coordinator_->job(1).status, "failed");
  EXPECT_FALSE(called("PUT 1 running"));
  EXPECT_TRUE(left_behind().empty());
}

} // namespace
} // namespace manager
