// Who gets which job, and when: eligibility, order, exactly-once hand-over, long polls, lost hand-overs, deadlines.

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "coordinator/queue/queue.hpp"
#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

class QueueTest : public TestProject {
 public:
  // A further project with `count` pending jobs, pushed from the same tree.
  std::int64_t other_project(const std::string& path, int count) {
    std::int64_t id = server.project(path);
    std::string yaml;
    for (int i = 1; i <= count; ++i) yaml += fmt::format("{}{}: {{script: [x]}}\n", path, i);
    commit(yaml, path);
    auto pushed = git({"push", "--force", url("root", TestServer::kRoot, "root/" + path), "HEAD:refs/heads/main"});
    EXPECT_EQ(pushed.code, 0) << pushed.text;
    return id;
  }
  TestServer::Runner with(const json::Object& more) { return server.make_runner("project_id", project, more); }
  void edit(const TestServer::Runner& which, const json::Value& body) {
    auto edited = server.put("/runners/" + std::to_string(which.id), body);
    EXPECT_EQ(edited.status, 200) << edited.text;
  }
};

TEST(QueueRules, TagsAndProtection) {
  model::Runner runner;
  auto check = [&](std::vector<std::string> job, std::vector<std::string> tags, bool untagged) {
    runner.tag_list = std::move(tags);
    runner.run_untagged = untagged;
    return queue::accepts(runner, false, job);
  };
  EXPECT_TRUE(check({}, {}, true));
  EXPECT_TRUE(check({}, {"a"}, true));
  EXPECT_FALSE(check({}, {"a"}, false));
  EXPECT_TRUE(check({"a"}, {"a", "b"}, false));
  EXPECT_TRUE(check({"a"}, {"a", "b"}, true));
  EXPECT_FALSE(check({"a"}, {}, true));
  EXPECT_FALSE(check({"a", "c"}, {"a", "b"}, true));
  EXPECT_FALSE(check({"A"}, {"a"}, true));
  runner.ref_protected = true;
  EXPECT_FALSE(queue::accepts(runner, false, {}));
  EXPECT_TRUE(queue::accepts(runner, true, {}));
}

TEST_F(QueueTest, TagsPausedAndProtected) {
  auto tagged = with({{"tag_list", "gpu"}, {"run_untagged", false}});
  auto guarded = with({{"access_level", "ref_protected"}});
  auto paused = with({{"paused", true}});
  commit("a: {script: [a], tags: [gpu]}\nb: {script: [b]}\n", "side");
  ASSERT_EQ(git({"push", url(), "HEAD:refs/heads/main", "HEAD:refs/heads/side"}).code, 0);
  server.post(base() + "/protected_branches", json::Value::object({{"name", "main"}}));
  auto asleep = poll(paused.token);
  EXPECT_EQ(asleep.status, 204);
  EXPECT_FALSE(asleep.last_update.empty());
  EXPECT_EQ(poll(tagged.token).name, "a");
  EXPECT_EQ(poll(tagged.token).name, "a");
  EXPECT_EQ(poll(tagged.token).status, 204);
  Handed first = poll(guarded.token);
  // The pipelines were made before the branch was protected unless the server protects the default branch by itself.
  if (first) EXPECT_EQ(first.payload["git_info"]["ref"].as_string(), "main");
  edit(paused, json::Value::object({{"paused", false}}));
  EXPECT_EQ(poll(paused.token).name, "b");
}

TEST_F(QueueTest, ScopeOfRunners) {
  std::int64_t group = server.group("acme");
  std::int64_t inner = server.project("inner", group);
  auto instance = server.make_runner();
  auto grouped = server.make_runner("group_id", group);
  auto foreign = server.make_runner("project_id", inner);
  pipeline("a: {script: [a]}\nb: {script: [b]}\nc: {script: [c]}\n");
  EXPECT_EQ(poll(grouped.token).status, 204);
  EXPECT_EQ(poll(foreign.token).status, 204);
  ASSERT_EQ(server.put(base(), json::Value::object({{"shared_runners_enabled", false}})).status, 200);
  EXPECT_EQ(poll(instance.token).status, 204);
  ASSERT_EQ(server.put(base(), json::Value::object({{"shared_runners_enabled", true}})).status, 200);
  EXPECT_EQ(poll(instance.token).name, "a");
  EXPECT_EQ(poll().name, "b");
  commit("inner: {script: [x]}\n", "inner");
  ASSERT_EQ(git({"push", url("root", TestServer::kRoot, "acme/inner"), "HEAD:refs/heads/main"}).code, 0);
  EXPECT_EQ(poll(grouped.token).name, "inner");
}

// Jobs 1-3 of project A, 4-5 of B, 6 of C.
class FairUse : public QueueTest {
 public:
  FairUse() {
    shared = server.make_runner();
    other_project("a", 3);
    other_project("b", 2);
    other_project("c", 1);
  }
  Handed take() {
    Handed job = poll(shared.token);
    EXPECT_TRUE(job);
    EXPECT_EQ(update(job, "running").status, 200);
    order += (order.empty() ? "" : " ") + job.name;
    return job;
  }
  TestServer::Runner shared;
  std::string order;
};

TEST_F(FairUse, NothingFinishes) {
  for (int i = 0; i < 6; ++i) take();
  EXPECT_EQ(order, "a1 b1 c1 a2 b2 a3");
}

TEST_F(FairUse, SomeFinish) {
  Handed a1 = take();
  EXPECT_EQ(update(a1, "success").status, 200);
  take();
  Handed b1 = take();
  EXPECT_EQ(update(b1, "success").status, 200);
  for (int i = 0; i < 3; ++i) take();
  EXPECT_EQ(order, "a1 a2 b1 b2 c1 a3");
}

TEST_F(FairUse, EveryJobFinishesFirst) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(update(take(), "success").status, 200);
  EXPECT_EQ(order, "a1 a2 a3 b1 b2 c1");
}

TEST_F(FairUse, CanBeSwitchedOff) {
  auto off = json::Value::object({{"ci_queueing_disaster_recovery_disable_fair_scheduling", true}});
  auto changed = server.put("/application/settings", off);
  ASSERT_EQ(changed.status, 200) << changed.text;
  for (int i = 0; i < 6; ++i) take();
  EXPECT_EQ(order, "a1 a2 a3 b1 b2 c1");
}

TEST_F(QueueTest, ManyIneligibleJobsHideNothing) {
  std::string yaml;
  for (int i = 0; i < 600; ++i) yaml += fmt::format("j{}: {{script: [x], tags: [rare]}}\n", i);
  yaml += "z: {stage: deploy, script: [x], needs: []}\n";
  pipeline(yaml);
  EXPECT_EQ(poll().name, "z");
  EXPECT_EQ(poll().status, 204);
}

TEST_F(QueueTest, RunnersThatCannotAreTold) {
  std::int64_t id = pipeline(
      "a: {script: [a], artifacts: {paths: [x], exclude: [y]}}\nb: {script: [b], allow_failure: {exit_codes: 3}}\n"
      "c: {script: [c]}\n");
  EXPECT_EQ(poll(runner.token, json::Value::object()).name, "c");
  auto all = jobs(id);
  EXPECT_EQ(all["a"]["failure_reason"].as_string(), "runner_unsupported");
  EXPECT_EQ(all["b"]["failure_reason"].as_string(), "runner_unsupported");
}

TEST_F(QueueTest, DroppedForItsUserOrProject) {
  auto user = server.user("leaver");
  server.member(base(), user.id, 40);
  commit("a: {script: [a]}\n", "m");
  ASSERT_EQ(git({"push", url("leaver", user.token), "HEAD:refs/heads/main"}).code, 0);
  std::int64_t id = latest()["id"].as_integer();
  auto blocked = server.post(fmt::format("/users/{}/block", user.id), json::Value::object());
  ASSERT_EQ(blocked.status, 201) << blocked.text;
  EXPECT_FALSE(poll());
  EXPECT_EQ(jobs(id)["a"]["failure_reason"].string_or(""), "user_blocked");
}

// 32 pollers, 200 jobs, each job exactly once.
TEST_F(QueueTest, ExactlyOnceUnderConcurrency) {
  constexpr int kJobs = 200;
  constexpr int kPollers = 32;
  std::string yaml;
  for (int i = 0; i < kJobs; ++i) yaml += fmt::format("j{}: {{script: [x]}}\n", i);
  std::int64_t id = pipeline(yaml);
  std::mutex mutex;
  std::multiset<std::int64_t> got;
  std::atomic<int> failures = 0;
  auto body = json::Value::object({{"token", runner.token}, {"info", info()}});
  auto started = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> pollers;
    for (int i = 0; i < kPollers; ++i)
      pollers.emplace_back([&, i] {
        net::HttpClient client{net::TlsOptions{}};
        auto send = [&](const std::string& method, const std::string& path, const json::Value& value) {
          net::HttpRequest request;
          request.method = method;
          request.url = server.server().address() + "/api/v4" + path;
          request.headers = {{"Content-Type", "application/json"}};
          request.body = value.dump();
          return client.send(request);
        };
        json::Value mine = body;
        mine.set("system_id", fmt::format("s_{}", i));
        while (true) {
          auto answer = send("POST", "/jobs/request", mine);
          if (!answer || (answer->status != 201 && answer->status != 204)) {
            ++failures;
            return;
          }
          if (answer->status == 204) return;
          auto job = json::parse(answer->body);
          {
            std::lock_guard lock(mutex);
            got.insert((*job)["id"].as_integer());
          }
          std::string path = fmt::format("/jobs/{}", (*job)["id"].as_integer());
          auto state = json::Value::object({{"token", (*job)["token"].as_string()}, {"state", "running"}});
          auto running = send("PUT", path, state);
          state.set("state", "success");
          auto done = send("PUT", path, state);
          if (!running || running->status != 200 || !done || done->status != 200) ++failures;
        }
      });
  }
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  RecordProperty("milliseconds", static_cast<int>(took.count()));
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(got.size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(std::set<std::int64_t>(got.begin(), got.end()).size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(status(id), "success");
}

TEST_F(QueueTest, ALongPollGetsTheJobItself) {
  Handed empty = poll();
  ASSERT_EQ(empty.status, 204);
  ASSERT_EQ(empty.last_update.size(), 32u);
  std::atomic<bool> answered = false;
  Handed held;
  std::jthread waiting([&] {
    net::HttpClient client{net::TlsOptions{}};
    net::HttpRequest request;
    request.method = "POST";
    request.url = server.server().address() + "/api/v4/jobs/request";
    request.headers = {{"Content-Type", "application/json"}};
    request.body =
        json::Value::object(
            {{"token", runner.token}, {"system_id", "s_2"}, {"last_update", empty.last_update}, {"info", info()}})
            .dump();
    auto answer = client.send(request);
    if (answer) {
      TestAnswer plain{.status = answer->status, .text = answer->body, .body = {}, .headers = answer->headers};
      if (auto parsed = json::parse(answer->body)) plain.body = *parsed;
      held = handed(plain);
    }
    answered = true;
  });
  // The poll's contact shows that it has arrived; it is not answered before there is a job.
  auto path = fmt::format("/runners/{}/managers", runner.id);
  EXPECT_TRUE(eventually([&] { return server.get(path).body.size() == 2; }));
  EXPECT_FALSE(answered);
  pipeline("a: {script: [a]}\n");
  waiting.join();
  EXPECT_EQ(held.name, "a");
  EXPECT_TRUE(held.last_update.empty());
}

TEST_F(QueueTest, ALongPollEnds) {
  Handed empty = poll();
  std::atomic<bool> answered = false;
  TestAnswer result;
  std::jthread waiting([&] {
    net::HttpClient client{net::TlsOptions{}};
    net::HttpRequest request;
    request.method = "POST";
    request.url = server.server().address() + "/api/v4/jobs/request";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = json::Value::object({{"token", runner.token}, {"last_update", empty.last_update}}).dump();
    if (auto answer = client.send(request))
      result = {.status = answer->status, .text = {}, .body = {}, .headers = answer->headers};
    answered = true;
  });
  EXPECT_TRUE(eventually([&] {
    pass(std::chrono::seconds(60));
    return answered.load();
  }));
  waiting.join();
  EXPECT_EQ(result.status, 204);
  EXPECT_FALSE(result.headers.get("X-GitLab-Last-Update").empty());
}

TEST_F(QueueTest, LostHandOversComeBack) {
  std::int64_t id = pipeline("a: {script: [a]}\n");
  Handed lost = poll();
  ASSERT_TRUE(lost);
  pass(std::chrono::seconds(60)); // its manager has not been heard of since
  EXPECT_EQ(poll().status, 204);  // now it has, without acknowledging
  Handed again;
  pass(std::chrono::seconds(6));
  EXPECT_TRUE(eventually([&] { return bool(again = poll()); }));
  EXPECT_EQ(again.id, lost.id);
  EXPECT_NE(again.token, lost.token);
  EXPECT_EQ(update(lost, "running").status, 403);
  EXPECT_EQ(update(again, "running").status, 200);
  EXPECT_EQ(update(again, "success").status, 200);
  EXPECT_EQ(status(id), "success");
}

TEST_F(QueueTest, AJobThatIsLostAgainAndAgainFails) {
  std::int64_t id = pipeline("a: {script: [a]}\n");
  for (int i = 0; i < queue::kMostLosses; ++i) {
    Handed lost;
    ASSERT_TRUE(eventually([&] { return bool(lost = poll()); }));
    pass(std::chrono::seconds(queue::kAcknowledgeSeconds + 10));
  }
  EXPECT_TRUE(eventually([&] { return status(id) == "failed"; }));
  EXPECT_EQ(jobs(id)["a"]["failure_reason"].as_string(), "runner_provisioning_timeout");
}

TEST_F(QueueTest, KeepAliveHoldsAHandOver) {
  pipeline("a: {script: [a]}\n");
  Handed job = poll();
  for (int i = 0; i < 5; ++i) {
    pass(std::chrono::seconds(100));
    EXPECT_EQ(update(job, "pending").status, 200);
  }
  EXPECT_EQ(update(job, "running").status, 200);
}

TEST_F(QueueTest, SilentJobsEnd) {
  std::int64_t id = pipeline("a: {script: [a]}\nb: {script: [b]}\n");
  Handed a = start();
  Handed b = start();
  EXPECT_EQ(act(b.id, "cancel").body["status"].as_string(), "canceling");
  pass(std::chrono::seconds(queue::kNoUpdatesSeconds - 20));
  EXPECT_EQ(patch(a, "x", "0-0").status, 202);
  pass(std::chrono::seconds(30));
  EXPECT_TRUE(eventually([&] { return states(id) == "a=running b=canceled"; }));
  pass(std::chrono::seconds(queue::kNoUpdatesSeconds));
  EXPECT_TRUE(eventually([&] { return states(id) == "a=failed b=canceled"; }));
  EXPECT_EQ(jobs(id)["a"]["failure_reason"].as_string(), "no_updates_running");
  EXPECT_EQ(patch(a, "y", "1-1").headers.get("Job-Status"), "failed");
}

TEST_F(QueueTest, JobsBeyondTheirTimeoutEnd) {
  std::int64_t id = pipeline("a: {script: [a], timeout: 10 minutes}\n");
  Handed job = start();
  EXPECT_EQ(job.payload["runner_info"]["timeout"].as_integer(), 600);
  for (int minute = 0; minute < 25; minute += 5) {
    EXPECT_EQ(update(job, "running").status, 200);
    pass(std::chrono::minutes(5));
  }
  pass(std::chrono::minutes(1));
  EXPECT_TRUE(eventually([&] { return status(id) == "failed"; }));
  EXPECT_EQ(jobs(id)["a"]["failure_reason"].as_string(), "server_timeout_running");
}

TEST_F(QueueTest, MaximumTimeoutOfTheRunner) {
  pipeline("a: {script: [a], timeout: 3 hours}\n");
  auto brief = with({{"maximum_timeout", 900}});
  EXPECT_EQ(poll(brief.token).payload["runner_info"]["timeout"].as_integer(), 900);
}

TEST_F(QueueTest, StuckJobs) {
  std::int64_t id = pipeline("nobody: {script: [a], tags: [none]}\nserved: {script: [b]}\n");
  auto far = with({{"run_untagged", true}});
  edit(runner, json::Value::object({{"paused", true}}));
  EXPECT_EQ(poll(far.token, json::Value::object({{"two_phase_job_commit", true}})).name, "served");
  // "served" is handed out; taken back after a while, and its runner stays around.
  for (int i = 0; i < 3; ++i) {
    pass(std::chrono::minutes(25));
    server.runner("POST", "/runners/verify", json::Value::object({{"token", far.token}, {"system_id", "s_1"}}));
  }
  EXPECT_TRUE(eventually([&] { return states(id) == "nobody=failed served=pending"; })) << states(id);
  EXPECT_EQ(jobs(id)["nobody"]["failure_reason"].as_string(), "stuck_pending_no_matching_runners");
  for (int i = 0; i < 25; ++i) {
    server.runner("POST", "/runners/verify", json::Value::object({{"token", far.token}, {"system_id", "s_1"}}));
    server.clock.advance(std::chrono::hours(1));
  }
  server.runner("POST", "/runners/verify", json::Value::object({{"token", far.token}, {"system_id", "s_1"}}));
  pass(std::chrono::seconds(6));
  EXPECT_TRUE(eventually([&] { return states(id) == "nobody=failed served=failed"; })) << states(id);
  EXPECT_EQ(jobs(id)["served"]["failure_reason"].as_string(), "stuck_pending_with_matching_runners");
}

// A server that was away blames nobody for having been silent.
TEST_F(QueueTest, RestartForgivesSilence) {
  std::int64_t id = pipeline("a: {script: [a]}\n");
  Handed job = start();
  server.stop();
  server.clock.advance(std::chrono::minutes(30));
  server.start();
  pass(std::chrono::seconds(10));
  EXPECT_EQ(update(job, "running").status, 200);
  EXPECT_EQ(status(id), "running");
  EXPECT_EQ(update(job, "success").status, 200);
}

} // namespace
} // namespace coordinator
