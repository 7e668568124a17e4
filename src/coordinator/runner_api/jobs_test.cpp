// The runner contract over HTTP: hand-over and acknowledgement, updates, the log, cancellation, wrong tokens.

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "base/strings.hpp"
#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

constexpr const char* kOneJob = "build: {script: [make, make test], after_script: [echo bye]}\n";

class RunnerJobs : public TestProject {
 public:
  std::string job_status(std::int64_t id) {
    return server.get(fmt::format("{}/jobs/{}", base(), id)).body["status"].string_or("");
  }
};

TEST_F(RunnerJobs, PayloadAndAcknowledgement) {
  std::int64_t id = pipeline(kOneJob);
  Handed job = poll();
  ASSERT_EQ(job.status, 201);
  EXPECT_TRUE(job.last_update.empty());
  const json::Value& payload = job.payload;
  EXPECT_TRUE(job.token.starts_with("glcbt-"));
  EXPECT_EQ(payload["job_info"]["project_full_path"].as_string(), "root/demo");
  EXPECT_EQ(payload["job_info"]["project_jobs_running_on_instance_runners_count"].as_string(), "+Inf");
  EXPECT_EQ(payload["git_info"]["refspecs"].as_array()[0].as_string(),
            fmt::format("+refs/pipelines/{}:refs/pipelines/{}", id, id));
  EXPECT_EQ(payload["git_info"]["ref_type"].as_string(), "branch");
  EXPECT_EQ(payload["runner_info"]["timeout"].as_integer(), 3600);
  ASSERT_EQ(payload["steps"].size(), 2u);
  EXPECT_EQ(payload["steps"].as_array()[0]["script"].size(), 2u);
  EXPECT_EQ(payload["steps"].as_array()[1]["when"].as_string(), "always");
  EXPECT_TRUE(payload["features"]["trace_sections"].as_bool());
  EXPECT_TRUE(payload["run"].is_null());
  EXPECT_EQ(payload.find("run"), nullptr);
  std::map<std::string, json::Value> variables;
  for (const auto& variable : payload["variables"].as_array()) variables[variable["key"].as_string()] = variable;
  EXPECT_EQ(variables["CI_JOB_ID"]["value"].as_string(), std::to_string(job.id));
  EXPECT_EQ(variables["CI_JOB_TOKEN"]["value"].as_string(), job.token);
  EXPECT_TRUE(variables["CI_JOB_TOKEN"]["masked"].as_bool());
  EXPECT_EQ(variables["CI_PIPELINE_ID"]["value"].as_string(), std::to_string(id));
  EXPECT_EQ(variables["CI_COMMIT_MESSAGE"]["value"].as_string(), "change\n");

  // Handed out, nobody else gets it, but it runs only once its runner says so.
  EXPECT_EQ(job_status(job.id), "pending");
  EXPECT_EQ(poll().status, 204);
  EXPECT_EQ(patch(job, "x", "0-0").status, 403);
  EXPECT_EQ(update(job, "success").status, 400);
  EXPECT_EQ(update(job, "pending").status, 200);
  auto answer = update(job, "running");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("Job-Status"), "running");
  EXPECT_EQ(status(id), "running");
  EXPECT_EQ(update(job, "running").status, 200);
  EXPECT_EQ(update(job, "pending").status, 409);
  EXPECT_EQ(update(job, "nonsense").status, 400);
}

TEST_F(RunnerJobs, WithoutTwoPhaseTheJobRunsAtOnce) {
  pipeline(kOneJob);
  auto features = runner_features();
  features.set("two_phase_job_commit", false);
  Handed job = poll(runner.token, features);
  EXPECT_EQ(job_status(job.id), "running");
  EXPECT_EQ(patch(job, "x", "0-0").status, 202);
}

TEST_F(RunnerJobs, FinalUpdateIsIdempotent) {
  std::int64_t id = pipeline(kOneJob);
  Handed job = start();
  auto done = update(job, "failed",
                     {{"failure_reason", "script_failure"}, {"exit_code", 7}, {"output", json::Value::object()}});
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.headers.get("Job-Status"), "failed");
  for (int i = 0; i < 2; ++i) {
    auto repeat = update(job, i == 0 ? "failed" : "success");
    EXPECT_EQ(repeat.status, 403);
    EXPECT_EQ(repeat.headers.get("Job-Status"), "failed");
  }
  EXPECT_EQ(patch(job, "x", "0-0").headers.get("Job-Status"), "failed");
  auto shown = server.get(fmt::format("{}/jobs/{}", base(), job.id)).body;
  EXPECT_EQ(shown["failure_reason"].string_or(""), "script_failure");
  EXPECT_EQ(shown["exit_code"].integer_or(0), 7);
  EXPECT_EQ(status(id), "failed");
}

TEST_F(RunnerJobs, UnknownReasonsBecomeUnknownFailure) {
  std::int64_t id = pipeline("a: {script: [a]}\nb: {script: [b]}\nc: {script: [c]}\n");
  run("a", "failed", {{"failure_reason", "image_pull_failure"}});
  run("b", "failed");
  run("c", "failed", {{"failure_reason", "runner_system_failure"}, {"exit_code", 1 << 20}});
  auto all = jobs(id);
  EXPECT_EQ(all["a"]["failure_reason"].as_string(), "unknown_failure");
  EXPECT_EQ(all["b"]["failure_reason"].as_string(), "unknown_failure");
  EXPECT_EQ(all["c"]["failure_reason"].as_string(), "runner_system_failure");
  EXPECT_EQ(all["c"]["exit_code"].integer_or(0), 32767);
}

// A runner that could not even read the payload says so before it acknowledges.
TEST_F(RunnerJobs, MayFailBeforeItIsAcknowledged) {
  std::int64_t id = pipeline(kOneJob);
  Handed job = poll();
  EXPECT_EQ(update(job, "failed", {{"failure_reason", "runner_system_failure"}}).status, 200);
  EXPECT_EQ(states(id), "build=failed");
}

TEST_F(RunnerJobs, TokensOfOthers) {
  pipeline("a: {script: [a]}\nb: {script: [b]}\n");
  Handed a = start();
  Handed b = start();
  Handed mixed = a;
  mixed.token = b.token;
  EXPECT_EQ(update(mixed, "success").status, 403);
  EXPECT_EQ(patch(mixed, "x", "0-0").status, 403);
  EXPECT_EQ(upload(mixed, "PK").status, 403);
  EXPECT_TRUE(update(mixed, "success").headers.get("Job-Status").empty());
  mixed.token = "glcbt-unknown";
  EXPECT_EQ(update(mixed, "success").status, 403);
  mixed.id = 999999;
  EXPECT_EQ(update(mixed, "success").status, 403);
  mixed.token = "";
  auto missing = server.runner("PUT", fmt::format("/jobs/{}", a.id), json::Value::object({{"state", "success"}}));
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.error(), "token is missing");
  EXPECT_EQ(poll("glrt-nobody").status, 403);
  EXPECT_EQ(server.runner("POST", "/jobs/request", json::Value::object()).error(), "token is missing");
  std::string big(40 << 10, 'x');
  EXPECT_EQ(server.runner("POST", "/jobs/request", json::Value::object({{"token", runner.token}, {"x", big}})).status,
            413);
}

TEST_F(RunnerJobs, TraceRanges) {
  pipeline(kOneJob);
  Handed job = start();
  auto first = patch(job, "hello ", "0-5");
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(first.headers.get("Range"), "0-6");
  EXPECT_EQ(first.headers.get("Job-Status"), "running");
  EXPECT_EQ(first.headers.get("X-GitLab-Trace-Update-Interval"), "3");
  EXPECT_EQ(patch(job, "world", "6-10/11").status, 202);
  // A repeat, and any chunk that ends where the log ends.
  EXPECT_EQ(patch(job, "world", "6-10").status, 202);
  EXPECT_EQ(patch(job, "rld", "8-10").status, 202);
  EXPECT_EQ(patch(job, "hello world", "0-10").status, 202);
  // Too early, too late, and the end of the range does not matter.
  auto gap = patch(job, "later", "20-24");
  EXPECT_EQ(gap.status, 416);
  EXPECT_EQ(gap.headers.get("Range"), "0-11");
  EXPECT_EQ(patch(job, "hello", "0-4").status, 416);
  EXPECT_EQ(patch(job, "world and more", "6-19").status, 416);
  EXPECT_EQ(patch(job, "\n", "11-999").status, 202);
  for (const char* wrong : {"", "bytes 12-13", "x", "-5", "12"}) {
    auto refused = patch(job, "x", wrong);
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_EQ(refused.headers.get("Job-Status"), "running");
  }
  std::string binary("\x00\xff\r\n\x1b[0m", 8);
  EXPECT_EQ(patch(job, binary, "12-19").status, 202);
  EXPECT_EQ(log(job.id), "hello world\n" + binary);
  auto shown = server.get(fmt::format("{}/jobs/{}/trace", base(), job.id));
  EXPECT_TRUE(shown.headers.get("Content-Type").starts_with("text/plain"));
}

TEST_F(RunnerJobs, TraceLimitEndsTheJob) {
  ASSERT_EQ(server.put("/application/settings", json::Value::object({{"ci_max_trace_size", 1}})).status, 200);
  std::int64_t id = pipeline(kOneJob);
  Handed job = start();
  EXPECT_EQ(patch(job, std::string(1 << 20, 'x'), "0-1048575").status, 202);
  auto over = patch(job, "x", "1048576-1048576");
  EXPECT_EQ(over.status, 403);
  EXPECT_EQ(over.headers.get("Job-Status"), "failed");
  EXPECT_EQ(jobs(id)["build"]["failure_reason"].as_string(), "trace_size_exceeded");
}

TEST_F(RunnerJobs, GracefulCancel) {
  std::int64_t id = pipeline("a: {script: [a]}\nb: {stage: deploy, script: [b]}\n");
  Handed job = start();
  ASSERT_EQ(act(job.id, "cancel").body["status"].as_string(), "canceling");
  EXPECT_EQ(status(id), "running"); // b is created, as GitLab's composite has it
  EXPECT_EQ(patch(job, "x", "0-0").headers.get("Job-Status"), "canceling");
  EXPECT_EQ(update(job, "running").headers.get("Job-Status"), "canceling");
  auto done = update(job, "failed", {{"failure_reason", "unknown_failure"}});
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.headers.get("Job-Status"), "canceled");
  EXPECT_EQ(states(id), "a=canceled b=skipped");
  EXPECT_EQ(status(id), "canceled");
  EXPECT_TRUE(jobs(id)["a"]["failure_reason"].is_null());
}

TEST_F(RunnerJobs, CancelWithoutGrace) {
  std::int64_t id = pipeline("a: {script: [a]}\nb: {script: [b]}\nc: {script: [c]}\n");
  auto features = runner_features();
  features.set("cancel_gracefully", false);
  Handed a = poll(runner.token, features);
  ASSERT_EQ(update(a, "running").status, 200);
  Handed b = poll(); // not acknowledged
  ASSERT_EQ(server.post(fmt::format("{}/pipelines/{}/cancel", base(), id), json::Value::object()).status, 200);
  EXPECT_EQ(states(id), "a=canceled b=canceled c=canceled");
  EXPECT_EQ(status(id), "canceled");
  for (const Handed& job : {a, b}) {
    auto refused = update(job, "running");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.headers.get("Job-Status"), "canceled");
  }
}

TEST_F(RunnerJobs, EraseAndVisibility) {
  std::int64_t id = pipeline(kOneJob);
  Handed job = start();
  EXPECT_EQ(patch(job, "secret\n", "0-6").status, 202);
  EXPECT_EQ(upload(job, "PK", "artifact_type=archive&artifact_format=zip").status, 201);
  EXPECT_EQ(act(job.id, "erase").status, 403);
  EXPECT_EQ(update(job, "success").status, 200);
  auto reporter = server.user("reporter");
  server.member(base(), reporter.id, 20);
  std::string path = fmt::format("{}/jobs/{}", base(), job.id);
  EXPECT_EQ(server.get(path + "/trace", reporter.token).text, "secret\n");
  EXPECT_EQ(server.post(path + "/erase", json::Value::object(), reporter.token).status, 403);
  auto erased = act(job.id, "erase");
  EXPECT_EQ(erased.status, 201);
  EXPECT_FALSE(erased.body["erased_at"].is_null());
  EXPECT_EQ(log(job.id), "");
  EXPECT_EQ(server.get(path + "/artifacts").status, 404);
  EXPECT_EQ(status(id), "success");
}

TEST_F(RunnerJobs, CoverageOutOfTheLog) {
  std::int64_t id = pipeline("a: {script: [a], coverage: '/total: (\\d+\\.\\d+)%/'}\nb: {script: [b]}\n");
  Handed job = start();
  EXPECT_EQ(patch(job, "total: 10.0%\ntotal: 83.5%\n", "0-25").status, 202);
  EXPECT_EQ(update(job, "success").status, 200);
  EXPECT_DOUBLE_EQ(jobs(id)["a"]["coverage"].as_number(), 83.5);
  run("b", "success");
  EXPECT_DOUBLE_EQ(show(id)["coverage"].as_number(), 83.5);
}

TEST_F(RunnerJobs, OwnJobByItsToken) {
  pipeline(kOneJob);
  Handed job = start();
  auto own = raw("GET", "/job", "", {{"JOB-TOKEN", job.token}});
  EXPECT_EQ(own.status, 200);
  EXPECT_EQ(own.id(), job.id);
  EXPECT_EQ(raw("GET", "/job", "", {}).status, 401);
}

TEST_F(RunnerJobs, AgentsAndAccountsStayApart) {
  pipeline(kOneJob);
  EXPECT_EQ(server.get(base() + "/jobs", "").status, 404); // private project
  EXPECT_EQ(raw("POST", "/jobs/request", "{\"token\": [1]}", {{"Content-Type", "application/json"}}).status, 400);
  EXPECT_EQ(raw("POST", "/jobs/request", "{", {{"Content-Type", "application/json"}}).status, 400);
}

} // namespace
} // namespace coordinator
