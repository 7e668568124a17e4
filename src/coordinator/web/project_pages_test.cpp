// The pages' calls about projects, pipelines and jobs.
#include <gtest/gtest.h>

#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

class ProjectPagesTest : public TestProject {
 protected:
  std::string web() const { return "/-/web" + base(); }
  TestAnswer tail(std::int64_t job, const std::string& query) {
    return server.get(fmt::format("{}/jobs/{}/trace?{}", web(), job, query));
  }
};

constexpr const char* kPipeline = R"(
stages: [build, test, ship]
compile: {stage: build, script: [x]}
unit: {stage: test, script: [x], needs: [compile]}
lint: {stage: test, script: [x], allow_failure: true, needs: []}
ship: {stage: ship, script: [x], when: manual}
)";

TEST_F(ProjectPagesTest, GraphAndList) {
  const auto id = pipeline(kPipeline);
  const auto graph = server.get(fmt::format("{}/pipelines/{}/graph", web(), id)).body;
  const auto& stages = graph["stages"].as_array();
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0]["name"].string_or(""), "build");
  EXPECT_EQ(stages[0]["status"].string_or(""), "pending");
  const auto& test = stages[1]["jobs"].as_array();
  ASSERT_EQ(test.size(), 2u);
  for (const auto& job : test) {
    EXPECT_EQ(job["needs"].size(), job["name"].string_or("") == "unit" ? 1u : 0u);
    EXPECT_TRUE(job["needs"].is_array());
  }
  const auto ship = stages[2]["jobs"].as_array()[0];
  EXPECT_TRUE(ship["needs"].is_null());
  EXPECT_TRUE(ship["manual"].bool_or(false));
  EXPECT_TRUE(graph["pipeline"]["abilities"]["cancel"].bool_or(false));
  const auto list = server.get(web() + "/pipelines").body;
  ASSERT_EQ(list.size(), 1u);
  const auto& row = list.as_array()[0];
  EXPECT_EQ(row["stages"].size(), 3u);
  EXPECT_FALSE(row["stages"].as_array()[0].find("jobs"));
  EXPECT_EQ(row["commit"]["title"].string_or(""), "change");
  EXPECT_FALSE(row["yaml_errors"].bool_or(true));
  EXPECT_EQ(server.get(web() + "/pipelines?status=success").body.size(), 0u);
  const auto dashboard = server.get("/-/web/projects").body;
  EXPECT_EQ(dashboard.as_array()[0]["last_pipeline"]["id"].integer_or(0), id);
  const auto refs = server.get(web() + "/refs").body;
  EXPECT_EQ(refs["branches"].as_array()[0].string_or(""), "main");
  EXPECT_EQ(server.get(web() + "/refs?search=zzz").body["branches"].size(), 0u);
}

TEST_F(ProjectPagesTest, JobAndItsLog) {
  const auto id = pipeline("job: {script: [x]}\n");
  const auto handed = poll();
  ASSERT_TRUE(handed);
  const auto path = fmt::format("{}/jobs/{}", web(), handed.id);
  update(handed, "running");
  patch(handed, "hello world\n", "0-11");
  auto shown = server.get(path).body;
  EXPECT_EQ(shown["status"].string_or(""), "running");
  EXPECT_TRUE(shown["abilities"]["cancel"].bool_or(false));
  EXPECT_FALSE(shown["abilities"]["retry"].bool_or(true));
  EXPECT_FALSE(shown["trace_complete"].bool_or(true));
  EXPECT_EQ(shown["pipeline"]["id"].integer_or(0), id);
  EXPECT_TRUE(shown["stuck"].is_null());
  EXPECT_EQ(shown["runner"]["web_path"].string_or(""), "/admin/runners/" + std::to_string(runner.id));

  auto log = tail(handed.id, "offset=0");
  EXPECT_EQ(log.text, "hello world\n");
  EXPECT_EQ(log.headers.get("X-Trace-Size"), "12");
  EXPECT_EQ(log.headers.get("X-Trace-Complete"), "false");
  EXPECT_TRUE(log.headers.get("Content-Type").starts_with("text/plain"));
  EXPECT_NE(log.headers.get("Content-Security-Policy").find("sandbox"), std::string::npos);
  EXPECT_EQ(tail(handed.id, "offset=6").text, "world\n");
  EXPECT_EQ(tail(handed.id, "offset=0&limit=5").text, "hello");
  EXPECT_EQ(tail(handed.id, "offset=12").text, "");
  EXPECT_EQ(tail(handed.id, "offset=999").headers.get("X-Trace-Size"), "12");
  EXPECT_EQ(tail(handed.id, "offset=-5").text, "hello world\n");
  EXPECT_EQ(tail(handed.id, "offset=x").status, 400);

  update(handed, "failed");
  EXPECT_EQ(tail(handed.id, "offset=12").headers.get("X-Trace-Complete"), "true");
  shown = server.get(path).body;
  EXPECT_TRUE(shown["abilities"]["retry"].bool_or(false));
  EXPECT_TRUE(shown["abilities"]["erase"].bool_or(false));
  const auto again = act(handed.id, "retry");
  EXPECT_EQ(again.status, 201);
  shown = server.get(path).body;
  EXPECT_TRUE(shown["retried"].bool_or(false));
  EXPECT_EQ(shown["retried_by"].integer_or(0), again.id());
  EXPECT_FALSE(shown["abilities"]["retry"].bool_or(true));
  const auto graph = server.get(fmt::format("{}/pipelines/{}/graph", web(), id)).body;
  const auto job = graph["stages"].as_array()[0]["jobs"].as_array()[0];
  EXPECT_EQ(job["id"].integer_or(0), again.id());
  EXPECT_EQ(job["retries"].as_array()[0]["id"].integer_or(0), handed.id);
}

TEST_F(ProjectPagesTest, WhyAJobIsStuck) {
  const auto stuck = [&](const std::string& yaml) {
    const auto id = pipeline(yaml);
    return server.get(fmt::format("{}/jobs/{}", web(), job_id(id, "job"))).body["stuck"];
  };
  EXPECT_EQ(stuck("job: {script: [x]}\n")["reason"].string_or(""), "none_online");
  poll();
  const auto tagged = stuck("job: {script: [x], tags: [gpu, arm]}\n");
  EXPECT_EQ(tagged["reason"].string_or(""), "no_matching_tags");
  EXPECT_EQ(tagged["tags"].size(), 2u);
  server.put("/runners/" + std::to_string(runner.id),
             json::Value::object({{"run_untagged", false}, {"tag_list", json::Array{"x"}}}));
  EXPECT_EQ(stuck("job: {script: [y]}\n")["reason"].string_or(""), "untagged");
  server.put("/runners/" + std::to_string(runner.id), json::Value::object({{"paused", true}}));
  EXPECT_EQ(stuck("job: {script: [z]}\n")["reason"].string_or(""), "paused");
  server.remove("/runners/" + std::to_string(runner.id));
  EXPECT_EQ(stuck("job: {script: [w]}\n")["reason"].string_or(""), "no_runners");
}

TEST_F(ProjectPagesTest, RightsAreThoseOfTheApi) {
  const auto id = pipeline(kPipeline);
  const auto job = job_id(id, "compile");
  const auto stranger = server.user("stranger").token;
  const auto guest = server.user("guest");
  server.member(base(), guest.id, kGuest);
  for (const auto& path : {fmt::format("{}/pipelines", web()), fmt::format("{}/pipelines/{}/graph", web(), id),
                           fmt::format("{}/jobs/{}", web(), job), fmt::format("{}/jobs/{}/trace", web(), job)}) {
    EXPECT_EQ(server.get(path, stranger).status, 404) << path;
    EXPECT_EQ(server.get(path, "").status, 401) << path;
    EXPECT_EQ(server.get(path, guest.token).status, 200) << path;
  }
  EXPECT_EQ(server.get(web() + "/refs", guest.token).status, 403); // no code for guests
  const auto shown = server.get(fmt::format("{}/jobs/{}", web(), job), guest.token).body;
  EXPECT_FALSE(shown["abilities"]["cancel"].bool_or(true));
  EXPECT_EQ(server.get("/-/web/projects", stranger).body.size(), 0u);
  EXPECT_EQ(server.get("/-/web/projects", guest.token).body.size(), 1u);
}

} // namespace
} // namespace coordinator
