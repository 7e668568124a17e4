// Pipelines and jobs through their lives, over HTTP: stages, needs, conditions, retries, manual jobs, cancellation.

#include <gtest/gtest.h>

#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

class Life : public TestProject {
 public:
  TestAnswer pipeline_action(std::int64_t id, const std::string& verb) {
    return server.post(fmt::format("{}/pipelines/{}/{}", base(), id, verb), json::Value::object());
  }
};

TEST_F(Life, StagesOneAfterTheOther) {
  std::int64_t id = pipeline(
      "stages: [build, test, deploy]\n"
      "a: {stage: build, script: [a]}\nb: {stage: build, script: [b]}\n"
      "t: {stage: test, script: [t]}\n"
      "fix: {stage: deploy, script: [f], when: on_failure}\n"
      "always: {stage: deploy, script: [f], when: always}\n"
      "ship: {stage: deploy, script: [s]}\n");
  EXPECT_EQ(states(id), "a=pending always=created b=pending fix=created ship=created t=created");
  run("a", "success");
  EXPECT_EQ(status(id), "running");
  EXPECT_EQ(states(id), "a=success always=created b=pending fix=created ship=created t=created");
  run("b", "success");
  run("t", "failed", {{"failure_reason", "script_failure"}});
  EXPECT_EQ(states(id), "a=success always=pending b=success fix=pending ship=skipped t=failed");
  run("fix", "success");
  run("always", "success");
  EXPECT_EQ(status(id), "failed");
  auto shown = show(id);
  EXPECT_FALSE(shown["finished_at"].is_null());
  EXPECT_EQ(shown["detailed_status"]["text"].as_string(), "failed");
}

TEST_F(Life, NeedsRunAhead) {
  std::int64_t id = pipeline(
      "stages: [one, two, three]\n"
      "slow: {stage: one, script: [a]}\n"
      "fast: {stage: one, script: [a], artifacts: {paths: [x]}}\n"
      "early: {stage: two, script: [b], needs: [fast]}\n"
      "at-once: {stage: three, script: [c], needs: []}\n"
      "late: {stage: three, script: [c]}\n");
  EXPECT_EQ(states(id), "at-once=pending early=created fast=pending late=created slow=pending");
  run("slow", "failed");
  run("fast", "success");
  EXPECT_EQ(states(id), "at-once=pending early=pending fast=success late=created slow=failed");
  run("early", "success");
  EXPECT_EQ(states(id), "at-once=pending early=success fast=success late=skipped slow=failed");
  run("at-once", "success");
  EXPECT_EQ(status(id), "failed");
}

TEST_F(Life, AllowedFailures) {
  std::int64_t id = pipeline(
      "stages: [one, two]\n"
      "lint: {stage: one, script: [a], allow_failure: true}\n"
      "codes: {stage: one, script: [a], allow_failure: {exit_codes: [3, 4]}}\n"
      "next: {stage: two, script: [a]}\n");
  run("lint", "failed");
  run("codes", "failed", {{"failure_reason", "script_failure"}, {"exit_code", 4}});
  EXPECT_EQ(states(id), "codes=failed lint=failed next=pending");
  EXPECT_TRUE(jobs(id)["codes"]["allow_failure"].as_bool());
  run("next", "success");
  auto shown = show(id);
  EXPECT_EQ(shown["status"].as_string(), "success");
  EXPECT_EQ(shown["detailed_status"]["group"].as_string(), "success-with-warnings");
  // Another exit code fails the pipeline.
  std::int64_t second = pipeline("codes: {script: [a], allow_failure: {exit_codes: [3, 4]}}\n", "second");
  run("codes", "failed", {{"failure_reason", "script_failure"}, {"exit_code", 5}});
  EXPECT_EQ(status(second), "failed");
}

TEST_F(Life, AutomaticRetry) {
  std::int64_t id = pipeline("flaky: {script: [a], retry: {max: 2, when: [runner_system_failure]}}\n");
  for (int attempt = 0; attempt < 2; ++attempt) {
    run("flaky", "failed", {{"failure_reason", "runner_system_failure"}});
    EXPECT_EQ(states(id), "flaky=pending");
  }
  run("flaky", "failed", {{"failure_reason", "runner_system_failure"}});
  EXPECT_EQ(status(id), "failed");
  auto all = server.get(fmt::format("{}/pipelines/{}/jobs?include_retried=true", base(), id));
  EXPECT_EQ(all.body.size(), 3u);
  std::int64_t second = pipeline("flaky: {script: [a], retry: {max: 2, when: [runner_system_failure]}}\n", "second");
  run("flaky", "failed", {{"failure_reason", "script_failure"}});
  EXPECT_EQ(status(second), "failed");
}

TEST_F(Life, RetryOfAJobAndOfAPipeline) {
  std::int64_t id = pipeline(
      "stages: [one, two]\n"
      "a: {stage: one, script: [a]}\nb: {stage: one, script: [b]}\nc: {stage: two, script: [c]}\n");
  run("a", "success");
  run("b", "failed");
  EXPECT_EQ(states(id), "a=success b=failed c=skipped");
  std::int64_t old = job_id(id, "b");
  auto again = act(old, "retry");
  EXPECT_EQ(again.status, 201);
  EXPECT_NE(again.id(), old);
  EXPECT_EQ(act(old, "retry").status, 403);
  EXPECT_EQ(states(id), "a=success b=pending c=created");
  EXPECT_EQ(act(again.id(), "retry").status, 403); // not finished
  run("b", "failed");
  EXPECT_EQ(status(id), "failed");
  auto retried = pipeline_action(id, "retry");
  EXPECT_EQ(retried.status, 201);
  EXPECT_EQ(retried.body["status"].as_string(), "running"); // "a" has passed
  EXPECT_TRUE(show(id)["finished_at"].is_null());
  EXPECT_EQ(states(id), "a=success b=pending c=created");
  run("b", "success");
  run("c", "success");
  EXPECT_EQ(status(id), "success");
  ASSERT_EQ(act(job_id(id, "a"), "retry").status, 201); // a successful one, too
  EXPECT_EQ(states(id), "a=pending b=success c=success");
}

TEST_F(Life, ManualJobs) {
  std::int64_t id = pipeline(
      "stages: [one, two, three]\n"
      "gate: {stage: one, script: [a], when: manual, allow_failure: false}\n"
      "extra: {stage: two, script: [b], when: manual}\n"
      "end: {stage: three, script: [c]}\n");
  EXPECT_EQ(states(id), "end=created extra=created gate=manual");
  EXPECT_EQ(status(id), "manual");
  EXPECT_EQ(act(job_id(id, "end"), "play").status, 400);
  auto played = server.post(
      fmt::format("{}/jobs/{}/play", base(), job_id(id, "gate")),
      json::Value::object(
          {{"job_variables_attributes", json::Array{json::Value::object({{"key", "WHO"}, {"value", "me"}})}}}));
  EXPECT_EQ(played.status, 200);
  EXPECT_EQ(played.body["status"].as_string(), "pending");
  Handed gate = start();
  bool told = false;
  for (const auto& variable : gate.payload["variables"].as_array())
    told = told || (variable["key"].as_string() == "WHO" && variable["value"].as_string() == "me");
  EXPECT_TRUE(told);
  EXPECT_EQ(update(gate, "success").status, 200);
  EXPECT_EQ(states(id), "end=pending extra=manual gate=success");
  run("end", "success");
  EXPECT_EQ(status(id), "success");
  EXPECT_EQ(act(job_id(id, "extra"), "play").status, 200);
  EXPECT_EQ(status(id), "running");
  run("extra", "success");
  EXPECT_EQ(status(id), "success");
}

TEST_F(Life, DelayedJobs) {
  std::int64_t id = pipeline("later: {script: [a], when: delayed, start_in: 30 minutes}\n");
  EXPECT_EQ(states(id), "later=scheduled");
  EXPECT_FALSE(poll());
  pass(std::chrono::minutes(31));
  EXPECT_TRUE(eventually([&] { return states(id) == "later=pending"; }));
  run("later", "success");
}

TEST_F(Life, RedundantPipelinesAreCanceled) {
  const char* yaml = "default: {interruptible: true}\na: {script: [a]}\n";
  std::int64_t first = pipeline(yaml);
  Handed job = start();
  std::int64_t second = pipeline(yaml, "newer");
  EXPECT_EQ(states(first), "a=canceling");
  EXPECT_EQ(update(job, "failed").headers.get("Job-Status"), "canceled");
  EXPECT_EQ(status(first), "canceled");
  EXPECT_EQ(status(second), "pending");
  // What has started and must not be interrupted saves its pipeline.
  std::int64_t third = pipeline("a: {script: [a]}\n", "third");
  EXPECT_EQ(status(second), "canceled");
  Handed solid = start();
  pipeline("a: {script: [a]}\n", "fourth");
  EXPECT_EQ(states(third), "a=running");
  EXPECT_EQ(update(solid, "success").headers.get("Job-Status"), "success");
}

TEST_F(Life, OverTheApi) {
  commit("", "no file", {{"a.txt", "a"}});
  ASSERT_EQ(git({"push", url(), "HEAD:refs/heads/main"}).code, 0);
  auto create = [&](const json::Value& body) { return server.post(base() + "/pipeline", body); };
  auto main = json::Value::object({{"ref", "main"}});
  auto missing = create(main);
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.body["message"]["base"].as_array()[0].as_string(), "Missing CI config file");
  EXPECT_EQ(create(json::Value::object({{"ref", "none"}})).body["message"]["base"].as_array()[0].as_string(),
            "Reference not found");
  EXPECT_EQ(create(json::Value::object()).error(), "ref is missing");
  ASSERT_EQ(push("a: {script: [$X], rules: [{if: $X == \"1\"}]}\n").code, 0);
  auto none = create(main);
  EXPECT_EQ(none.status, 400);
  EXPECT_NE(none.text.find("rules"), std::string::npos) << none.text;
  auto body = json::Value::object(
      {{"ref", "main"}, {"variables", json::Array{json::Value::object({{"key", "X"}, {"value", "1"}})}}});
  auto made = create(body);
  EXPECT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["source"].as_string(), "api");
  Handed job = start();
  EXPECT_EQ(job.name, "a");
  EXPECT_EQ(update(job, "success").status, 200);
  EXPECT_EQ(server.get(base() + "/pipelines?status=success").body.size(), 1u);
  EXPECT_EQ(server.get(base() + "/pipelines?status=failed").body.size(), 0u);
  EXPECT_EQ(server.get(base() + "/pipelines/latest").id(), made.id());
  EXPECT_EQ(server.get(base() + "/jobs?scope[]=success").body.size(), 1u);
  EXPECT_EQ(server.get(base() + "/jobs?scope[]=failed&scope[]=running").body.size(), 0u);
  EXPECT_EQ(server.remove(fmt::format("{}/pipelines/{}", base(), made.id())).status, 204);
  EXPECT_EQ(server.get(fmt::format("{}/pipelines/{}", base(), made.id())).status, 404);
  auto lint = server.post(base() + "/ci/lint", json::Value::object({{"content", "a: {script: [x]}\nb: {}\n"}}));
  EXPECT_EQ(lint.status, 200);
  EXPECT_FALSE(lint.body["valid"].as_bool());
}

TEST_F(Life, OnlyWhoMay) {
  std::int64_t id = pipeline("a: {script: [a]}\n");
  auto reporter = server.user("reporter");
  server.member(base(), reporter.id, 20);
  std::string job = fmt::format("{}/jobs/{}", base(), job_id(id, "a"));
  EXPECT_EQ(server.get(job, reporter.token).status, 200);
  for (const char* verb : {"/cancel", "/retry", "/play", "/erase"})
    EXPECT_EQ(server.post(job + verb, json::Value::object(), reporter.token).status, 403) << verb;
  EXPECT_EQ(server.post(base() + "/pipeline", json::Value::object({{"ref", "main"}}), reporter.token).status, 403);
  EXPECT_EQ(server.remove(fmt::format("{}/pipelines/{}", base(), id), reporter.token).status, 403);
  auto stranger = server.user("stranger");
  EXPECT_EQ(server.get(job, stranger.token).status, 404);
  EXPECT_EQ(server.get(fmt::format("{}/jobs/{}", base(), 424242)).status, 404);
  EXPECT_EQ(server.get(fmt::format("{}/jobs/abc", base())).status, 400);
}

} // namespace
} // namespace coordinator
