// How often a manager may ask and a job may call (runner-tokens digest §15).

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

class LimitsTest : public TestProject {
 public:
  void limit(const std::string& setting, std::int64_t value) {
    auto changed = server.put("/application/settings", json::Value::object({{setting, value}}));
    ASSERT_EQ(changed.status, 200) << changed.text;
  }
  TestAnswer ask(const std::string& system_id) {
    return server.runner("POST", "/jobs/request",
                         json::Value::object({{"token", runner.token}, {"system_id", system_id}, {"info", info()}}));
  }
  void next_minute() { server.clock.advance(std::chrono::minutes(1)); }
  static void expect_refused(const TestAnswer& answer) {
    EXPECT_EQ(answer.status, 429) << answer.text;
    auto wait = base::parse_int(answer.headers.get("Retry-After")).value_or(0);
    EXPECT_TRUE(wait >= 1 && wait <= 60) << wait;
  }
};

TEST_F(LimitsTest, JobRequestsOfOneManager) {
  limit("runner_jobs_request_api_limit", 2);
  EXPECT_EQ(ask("s_1").status, 204);
  EXPECT_EQ(ask("s_1").status, 204);
  expect_refused(ask("s_1"));
  EXPECT_EQ(ask("s_2").status, 204); // another one with the same token
  next_minute();
  EXPECT_EQ(ask("s_1").status, 204);
  limit("runner_jobs_request_api_limit", 0); // none
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("s_1").status, 204);
}

TEST_F(LimitsTest, CallsOfOneJob) {
  pipeline("a: {script: [x]}\nb: {script: [x]}\n");
  limit("runner_jobs_endpoints_api_limit", 2);
  limit("runner_jobs_patch_trace_api_limit", 3);
  Handed a = poll();
  Handed b = poll();
  EXPECT_EQ(update(a, "running").status, 200); // counts once
  EXPECT_EQ(update(a, "running").status, 200);
  expect_refused(update(a, "running"));
  expect_refused(upload(a, "x"));
  EXPECT_EQ(update(b, "running").status, 200); // each job for itself
  for (int i = 0; i < 3; ++i) EXPECT_EQ(patch(a, "x", fmt::format("{}-{}", i, i)).status, 202);
  expect_refused(patch(a, "x", "3-3"));
  next_minute();
  EXPECT_EQ(patch(a, "x", "3-3").status, 202);
  EXPECT_EQ(update(a, "success").status, 200);
  // Who has no right to the job does not use up its calls.
  Handed thief = b;
  thief.token = "glcbt-64_wrong";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(update(thief, "success").status, 403);
  EXPECT_EQ(update(b, "success").status, 200);
}

} // namespace
} // namespace coordinator
