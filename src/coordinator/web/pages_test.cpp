#include "coordinator/web/pages.hpp"

#include <gtest/gtest.h>

#include <map>

#include "coordinator/permissions.hpp"
#include "coordinator/web/assets.hpp"
#include "coordinator/web/test_browser.hpp"
#include "coordinator/web/test_pages.hpp"

namespace coordinator::web {
namespace {

constexpr int kAdmin = 100;
constexpr int kAnybody = -1; // signed in

// Who at least may open a page, independently of the table that is tested.
const std::map<std::string, int>& lowest_role() {
  static const std::map<std::string, int> roles = {{"projects", kAnybody},
                                                   {"groups", kAnybody},
                                                   {"project_new", kAnybody},
                                                   {"group_new", kAnybody},
                                                   {"user_access_tokens", kAnybody},
                                                   {"user_profile", kAnybody},
                                                   {"help", kAnybody},
                                                   {"admin", kAdmin},
                                                   {"admin_runners", kAdmin},
                                                   {"admin_runner_new", kAdmin},
                                                   {"admin_runner", kAdmin},
                                                   {"admin_runner_register", kAdmin},
                                                   {"admin_runner_edit", kAdmin},
                                                   {"admin_users", kAdmin},
                                                   {"admin_user_new", kAdmin},
                                                   {"admin_user", kAdmin},
                                                   {"admin_settings_ci_cd", kAdmin},
                                                   {"admin_audit_log", kAdmin},
                                                   {"admin_group", kAdmin},
                                                   {"group", kGuest},
                                                   {"group_runners", kMaintainer},
                                                   {"group_runner_new", kOwner},
                                                   {"group_runner", kMaintainer},
                                                   {"group_runner_register", kMaintainer},
                                                   {"group_runner_edit", kOwner},
                                                   {"group_settings_ci_cd", kOwner},
                                                   {"group_access_tokens", kOwner},
                                                   {"group_members", kGuest},
                                                   {"group_edit", kOwner},
                                                   {"project", kGuest},
                                                   {"project_pipelines", kGuest}, // jobs are public within the project
                                                   {"project_pipeline_new", kDeveloper},
                                                   {"project_pipeline", kGuest},
                                                   {"project_jobs", kGuest},
                                                   {"project_job", kGuest},
                                                   {"project_artifacts", kGuest},
                                                   {"project_settings_ci_cd", kMaintainer},
                                                   {"project_runner_new", kMaintainer},
                                                   {"project_runner", kMaintainer},
                                                   {"project_runner_register", kMaintainer},
                                                   {"project_runner_edit", kMaintainer},
                                                   {"project_access_tokens", kMaintainer},
                                                   {"project_members", kGuest},
                                                   {"project_edit", kMaintainer}};
  return roles;
}

class PagesTest : public ::testing::Test {
 protected:
  PagesTest() : pack(test_pack()), server(pack) {
    group = server.group("g");
    sub = server.group("s", group);
    project = server.project("p", sub);
    instance_runner = server.make_runner().id;
    group_runner = server.make_runner("group_id", sub).id;
    project_runner = server.make_runner("project_id", project).id;
    for (const auto& [name, level] : roles) person_with(name, level);
    person(server, "outsider");
    const auto done = server.app().store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
      pipeline =
          FR_TRY(tx.insert("INSERT INTO pipelines (iid, project_id, ref, sha, created_at, updated_at) VALUES (1, "
                           "?, 'main', 'abc', 1, 1)",
                           {project}));
      job =
          FR_TRY(tx.insert("INSERT INTO jobs (pipeline_id, project_id, name, stage, stage_idx, definition, ref, "
                           "created_at, updated_at) VALUES (?, ?, 'j', 'test', 0, '{}', 'main', 1, 1)",
                           {pipeline, project}));
      return job;
    });
    EXPECT_TRUE(done) << done.error().message();
  }

  void person_with(const std::string& name, int level) {
    server.member("/groups/" + std::to_string(group), person(server, name), level);
  }
  std::int64_t number_for(const PageRule& rule) const {
    if (rule.pattern.find(":pipeline") != std::string_view::npos) return pipeline;
    if (rule.pattern.find(":job") != std::string_view::npos) return job;
    if (rule.place == Place::kInstance) return instance_runner;
    return rule.place == Place::kGroup ? group_runner : project_runner;
  }
  std::string address(const PageRule& rule) const {
    return example_of(rule, rule.place == Place::kProject ? "g/s/p" : "g/s", number_for(rule), "outsider", "g/s");
  }

  const std::vector<std::pair<std::string, int>> roles = {{"guest", kGuest},
                                                          {"reporter", kReporter},
                                                          {"developer", kDeveloper},
                                                          {"maintainer", kMaintainer},
                                                          {"owner", kOwner}};
  std::string pack;
  TestServer server;
  std::int64_t group = 0, sub = 0, project = 0, pipeline = 0, job = 0;
  std::int64_t instance_runner = 0, group_runner = 0, project_runner = 0;
};

// Every page for every role, asked by address and by the pages themselves.
TEST_F(PagesTest, EveryPageForEveryRole) {
  auto people = roles;
  people.emplace_back("outsider", 0);
  people.emplace_back("root", kAdmin);
  for (const auto& [name, level] : people) {
    Browser browser(server);
    ASSERT_EQ(browser.sign_in(name, name == "root" ? "root password" : kPassword).status, 200) << name;
    for (const auto& rule : page_rules()) {
      const auto path = address(rule);
      const auto page = browser.get(path);
      const auto asked = browser.get("/-/web/page?path=" + path).body;
      EXPECT_EQ(asked["status"].integer_or(0), page.status) << path;
      if (rule.page.empty()) continue; // goes on elsewhere
      ASSERT_TRUE(lowest_role().contains(std::string(rule.page))) << rule.page;
      const int lowest = lowest_role().at(std::string(rule.page));
      const bool may = lowest == kAnybody || level >= lowest;
      EXPECT_EQ(page.status, may ? 200 : 404) << name << " " << path;
      EXPECT_EQ(asked["page"].string_or(""), may ? rule.page : "not_found") << name << " " << path;
      EXPECT_NE(page.text.find("<body>"), std::string::npos) << path;
      if (!may) EXPECT_TRUE(asked["project"].is_null() && asked["group"].is_null() && asked["runner"].is_null());
    }
  }
}

TEST_F(PagesTest, AnonymousGoesToSignInEverywhere) {
  Browser browser(server);
  for (const auto& rule : page_rules()) {
    const auto path = address(rule);
    const auto page = browser.get(path);
    EXPECT_EQ(page.status, 302) << path;
    EXPECT_TRUE(page.headers.get("Location").starts_with("/users/sign_in")) << path;
  }
  // Nor does the answer tell what exists.
  EXPECT_EQ(browser.get("/g/s/nothing").status, 302);
  EXPECT_EQ(browser.get("/g/s/p?a=b&c=%20").headers.get("Location"),
            "/users/sign_in?redirect_to=%2Fg%2Fs%2Fp%3Fa%3Db%26c%3D%2520");
  EXPECT_EQ(browser.get("/users/sign_in").status, 200);
  const auto token = server.send("GET", "/-/web/page?path=/g/s/p", {});
  EXPECT_EQ(token.body["status"].integer_or(0), 200); // asked with a token: as its user
}

TEST_F(PagesTest, SignedInAtSignIn) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("owner", kPassword).status, 200);
  EXPECT_EQ(browser.get("/users/sign_in").headers.get("Location"), "/");
  EXPECT_EQ(browser.get("/users/sign_in?redirect_to=%2Fg%2Fs").headers.get("Location"), "/g/s");
  for (const auto evil : {"//evil.example", "http%3A%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%2Fevil.example",
                          "%2Fx%0d%0aSet-Cookie%3A%20a%3Db"}) {
    const auto answer = browser.get(std::string("/users/sign_in?redirect_to=") + evil);
    EXPECT_EQ(answer.headers.get("Location"), "/") << evil;
  }
}

TEST_F(PagesTest, FlagsHideTheCreatePages) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("root", "root password").status, 200);
  const auto status = [&](const std::string& path) { return browser.get(path).status; };
  const auto set = [&](const std::string& flag, bool on) {
    ASSERT_EQ(server.post("/features/" + flag, json::Value::object({{"value", on}})).status, 201);
  };
  set("create_runner_workflow_for_admin", false);
  EXPECT_EQ(status("/admin/runners/new"), 404);
  EXPECT_EQ(status("/groups/g/-/runners/new"), 200);
  set("create_runner_workflow_for_admin", true);
  set("create_runner_workflow_for_namespace", false);
  EXPECT_EQ(status("/admin/runners/new"), 200);
  EXPECT_EQ(status("/groups/g/-/runners/new"), 404);
  EXPECT_EQ(status("/g/s/p/-/runners/new"), 404);
  EXPECT_EQ(status("/g/s/p/-/runners/" + std::to_string(project_runner)), 200);
}

TEST_F(PagesTest, RunnersWhereTheyBelong) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("owner", kPassword).status, 200);
  const auto other = server.project("elsewhere");
  const auto foreign = server.make_runner("project_id", other).id;
  const auto status = [&](const std::string& place, std::int64_t id) {
    return browser.get(place + "/-/runners/" + std::to_string(id)).status;
  };
  EXPECT_EQ(status("/g/s/p", foreign), 404);
  EXPECT_EQ(status("/groups/g", foreign), 404);
  EXPECT_EQ(status("/groups/g", project_runner), 200); // of a project below
  EXPECT_EQ(status("/groups/g", group_runner), 200);   // of a group below
  EXPECT_EQ(status("/g/s/p", group_runner), 200);
  EXPECT_EQ(status("/groups/g/s", 999999), 404);
  EXPECT_EQ(browser.get("/root/elsewhere/-/runners/" + std::to_string(foreign)).status, 404);
}

TEST_F(PagesTest, RegisterPageIsForRunnersThatPeopleMade) {
  server.put("/application/settings", json::Value::object({{"allow_runner_registration_token", true}}));
  const auto token = server.get("/groups/" + std::to_string(group)).body["runners_token"].string_or("");
  const auto made = server.runner("POST", "/runners", json::Value::object({{"token", token}, {"run_untagged", true}}));
  ASSERT_EQ(made.status, 201) << made.text;
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("owner", kPassword).status, 200);
  const auto base = "/groups/g/-/runners/" + std::to_string(made.id());
  EXPECT_EQ(browser.get(base).status, 200);
  EXPECT_EQ(browser.get(base + "/register").status, 404);
}

TEST_F(PagesTest, AddressesThatGoOn) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("owner", kPassword).status, 200);
  const auto location = [&](const std::string& path) { return std::string(browser.get(path).headers.get("Location")); };
  EXPECT_EQ(location("/g/-/runners"), "/groups/g/-/runners");
  EXPECT_EQ(location("/g/s/p/-/runners"), "/g/s/p/-/settings/ci_cd#js-runners-settings");
  EXPECT_EQ(location("/g/s/p/-/jobs/" + std::to_string(job) + "/raw"),
            "/api/v4/projects/" + std::to_string(project) + "/jobs/" + std::to_string(job) + "/trace");
  EXPECT_EQ(browser.get("/g/s/p/-/jobs/999/raw").status, 404);
  EXPECT_EQ(browser.get("/G/S/P").status, 200); // any letter case, as GitLab
  EXPECT_EQ(browser.get("/outsider").status, 200);
  EXPECT_EQ(browser.get("/-/web/page?path=/outsider").body["page"].string_or(""), "user_page");
}

TEST_F(PagesTest, DocumentAndHeaders) {
  Browser browser(server);
  const auto page = browser.get("/users/sign_in");
  EXPECT_EQ(page.headers.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.get("Cache-Control"), "no-store");
  EXPECT_EQ(page.headers.get("X-Frame-Options"), "DENY");
  EXPECT_EQ(page.headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.headers.get("Referrer-Policy"), "same-origin");
  EXPECT_FALSE(page.headers.contains("Strict-Transport-Security"));
  const auto policy = std::string(page.headers.get("Content-Security-Policy"));
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_NE(page.text.find("content=\"" + csrf_token(browser.cookie) + "\""), std::string::npos);
  EXPECT_EQ(browser.send("HEAD", "/users/sign_in").status, 200);
  server.app().url = "https://ci.example";
  EXPECT_TRUE(browser.get("/users/sign_in").headers.contains("Strict-Transport-Security"));
}

TEST_F(PagesTest, FilesOfTheFrontEnd) {
  Browser browser(server);
  const auto script = browser.get("/-/assets/h/app-1.js");
  EXPECT_EQ(script.status, 200);
  EXPECT_EQ(script.headers.get("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(script.headers.get("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(browser.get("/favicon.svg").headers.get("Cache-Control"), "no-cache");
  for (const auto none : {"/-/assets/index.html", "/-/assets/%2e%2e/secret.key", "/-/assets/h/",
                          "/-/assets//etc/passwd", "/robots.txt", "/-/assets/h/app-1.js%00"}) {
    EXPECT_EQ(browser.get(none).status, 404) << none;
  }
  EXPECT_EQ(browser.get("/api/nothing").text, R"({"error":"404 Not Found"})");
}

TEST(Pages, ABuildWithoutThemSaysSo) {
  TestServer server;
  Browser browser(server);
  const auto page = browser.get("/users/sign_in");
  EXPECT_EQ(page.status, 503);
  EXPECT_NE(page.text.find("Node.js"), std::string::npos);
  EXPECT_EQ(server.get("/user").status, 200);
}

TEST(Pages, DamagedPack) {
  for (const auto pack : {"x", "5\n{", "2\n{}", "100\n{}", "-1\n", R"(30
{"index.html":{"plain":[0,99]}}x)"}) {
    const auto assets = Assets::open(pack);
    EXPECT_TRUE(!assets || assets->empty()) << pack;
  }
}

TEST(Pages, Encodings) {
  const auto pack = test_pack();
  const auto assets = Assets::open(pack);
  ASSERT_TRUE(assets);
  const auto* file = assets->find("h/app-1.js");
  ASSERT_TRUE(file);
  const auto encoding = [&](std::string_view accept) {
    net::Request request;
    request.headers.set("Accept-Encoding", accept);
    return std::string(asset_response(*file, "h/app-1.js", request).headers.get("Content-Encoding"));
  };
  EXPECT_EQ(encoding("gzip, deflate, br"), "br");
  EXPECT_EQ(encoding("gzip"), "gzip");
  EXPECT_EQ(encoding("br;q=0, gzip;q=0.5"), "gzip");
  EXPECT_EQ(encoding(""), "");
  EXPECT_EQ(encoding("identity"), "");
  net::Request request;
  request.headers.set("If-None-Match", "W/\"x\", \"a\"");
  EXPECT_EQ(asset_response(*file, "h/app-1.js", request).status, 304);
}

} // namespace
} // namespace coordinator::web
