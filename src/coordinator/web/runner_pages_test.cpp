// The pages' calls about runners.
#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/web/test_browser.hpp"

namespace coordinator::web {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::vector<std::int64_t> ids_of(const TestAnswer& answer) {
  std::vector<std::int64_t> out;
  for (const auto& runner : answer.body["runners"].as_array()) out.push_back(runner["id"].as_integer());
  return out;
}

class RunnerPagesTest : public ::testing::Test {
 protected:
  RunnerPagesTest() {
    group = server.group("g");
    sub = server.group("s", group);
    project = server.project("p", sub);
    ann = server.user("ann");
    server.member("/groups/" + std::to_string(group), ann.id, kOwner);
    max = server.user("max");
    server.member("/groups/" + std::to_string(group), max.id, kMaintainer);
  }
  TestAnswer list(const std::string& query, const std::string& token = TestServer::kRoot) {
    const auto answer = server.get("/-/web/runners?" + query, token);
    EXPECT_EQ(answer.status, 200) << query << " " << answer.text;
    return answer;
  }
  // A runner's host reports, and with `polls` asks for a job.
  void contact(const std::string& token, const std::string& system_id, bool polls,
               const std::string& version = "18.1.0") {
    const auto body = json::Value::object(
        {{"token", token},
         {"system_id", system_id},
         {"info", json::Value::object({{"version", version}, {"platform", "linux"}, {"executor", "shell"}})}});
    server.runner("POST", polls ? "/jobs/request" : "/runners/verify", body);
  }

  TestServer server;
  std::int64_t group = 0, sub = 0, project = 0;
  TestServer::User ann, max;
};

TEST_F(RunnerPagesTest, PagesForwardsAndBack) {
  std::vector<std::int64_t> made;
  for (int i = 0; i < 7; ++i) {
    server.clock.advance(minutes(1));
    made.push_back(server.make_runner().id);
  }
  std::ranges::reverse(made);
  const auto slice = [&](std::size_t from, std::size_t to) {
    return std::vector<std::int64_t>(made.begin() + static_cast<std::ptrdiff_t>(from),
                                     made.begin() + static_cast<std::ptrdiff_t>(to));
  };
  const auto cursor = [](const TestAnswer& answer, const char* name) {
    return answer.body["page_info"][name].string_or("");
  };
  const auto first = list("scope=admin&per_page=3");
  EXPECT_EQ(ids_of(first), slice(0, 3));
  EXPECT_EQ(cursor(first, "before"), "");
  const auto second = list("scope=admin&per_page=3&after=" + cursor(first, "after"));
  EXPECT_EQ(ids_of(second), slice(3, 6));
  const auto third = list("scope=admin&per_page=3&after=" + cursor(second, "after"));
  EXPECT_EQ(ids_of(third), slice(6, 7));
  EXPECT_EQ(cursor(third, "after"), "");
  const auto back = list("scope=admin&per_page=3&before=" + cursor(third, "before"));
  EXPECT_EQ(ids_of(back), slice(3, 6));
  const auto start = list("scope=admin&per_page=3&before=" + cursor(back, "before"));
  EXPECT_EQ(ids_of(start), slice(0, 3));
  EXPECT_EQ(cursor(start, "before"), "");
  const auto oldest = list("scope=admin&sort=created_asc&per_page=1");
  EXPECT_EQ(ids_of(oldest), slice(6, 7));
  EXPECT_EQ(server.get("/-/web/runners?scope=admin&after=nonsense").status, 400);
}

TEST_F(RunnerPagesTest, FiltersAndCounts) {
  const auto online =
      server.make_runner("", 0, {{"description", "Linux 100%"}, {"tag_list", json::Array{"linux", "x,y"}}});
  const auto paused = server.make_runner("group_id", sub, {{"paused", true}, {"tag_list", json::Array{"Linux"}}});
  const auto never = server.make_runner("project_id", project, {}, ann.token);
  contact(online.token, "s_1", true, "18.1.3");
  contact(paused.token, "s_1", true, "18.10.0");
  server.clock.advance(hours(3));
  contact(online.token, "s_1", true, "18.1.3");
  const auto found = [&](const std::string& query) { return ids_of(list("scope=admin&" + query)); };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(found(""), (Ids{never.id, paused.id, online.id}));
  EXPECT_EQ(found("status[]=online"), (Ids{online.id}));
  EXPECT_EQ(found("status[]=offline"), (Ids{paused.id}));
  EXPECT_EQ(found("status[]=never_contacted"), (Ids{never.id}));
  EXPECT_EQ(found("status[]=stale"), (Ids{}));
  EXPECT_EQ(found("status[]=online&status[]=offline"), (Ids{paused.id, online.id}));
  EXPECT_EQ(found("paused[]=true"), (Ids{paused.id}));
  EXPECT_EQ(found("paused[]=false&runner_type[]=project_type"), (Ids{never.id}));
  EXPECT_EQ(found("tag[]=linux"), (Ids{online.id}));
  EXPECT_EQ(found("tag[]=linux&tag[]=y"), (Ids{online.id}));
  EXPECT_EQ(found("tag[]=linux&tag[]=z"), (Ids{}));
  EXPECT_EQ(found("version_prefix=18.1"), (Ids{online.id}));
  EXPECT_EQ(found("version_prefix=18"), (Ids{paused.id, online.id}));
  EXPECT_EQ(found("search=100%25"), (Ids{online.id}));
  EXPECT_EQ(found("search=LINUX"), (Ids{online.id}));
  EXPECT_EQ(found("search=%25"), (Ids{online.id}));
  EXPECT_EQ(found("search=%23" + std::to_string(never.id)), (Ids{never.id}));
  EXPECT_EQ(found("search=" + never.token), (Ids{never.id}));
  EXPECT_EQ(found("creator=ann"), (Ids{never.id}));
  EXPECT_EQ(found("creator=nobody"), (Ids{}));
  const auto counts = list("scope=admin&runner_type[]=group_type").body;
  EXPECT_EQ(counts["counts"]["all"].as_integer(), 3);
  EXPECT_EQ(counts["counts"]["group_type"].as_integer(), 1);
  EXPECT_EQ(counts["status_counts"]["offline"].as_integer(), 1);
  EXPECT_EQ(counts["status_counts"]["online"].as_integer(), 0);
  server.clock.advance(hours(24 * 8));
  EXPECT_EQ(found("status[]=stale").size(), 3u);
  for (const auto bad : {"status[]=x", "runner_type[]=x", "paused[]=x", "sort=x", "version_prefix=x", "list=x"}) {
    EXPECT_EQ(server.get(std::string("/-/web/runners?scope=admin&") + bad).status, 400) << bad;
  }
  EXPECT_EQ(server.get("/-/web/runners?scope=x").status, 400);
}

// The four badges part the runners: what the filters find adds up to all.
TEST_F(RunnerPagesTest, BadgesAreThoseOfTheRows) {
  for (int age = 0; age < 12; ++age) {
    const auto runner = server.make_runner();
    if (age % 2 == 0) contact(runner.token, "s_1", true);
    server.clock.advance(hours(age * 5));
  }
  std::size_t sum = 0;
  for (const std::string status : {"online", "offline", "stale", "never_contacted"}) {
    const auto answer = list("scope=admin&per_page=100&status[]=" + status);
    sum += answer.body["runners"].size();
    for (const auto& row : answer.body["runners"].as_array()) EXPECT_EQ(row["status"].string_or(""), status);
    EXPECT_EQ(answer.body["status_counts"][status].as_integer(),
              static_cast<std::int64_t>(answer.body["runners"].size()));
  }
  EXPECT_EQ(sum, 12u);
}

TEST_F(RunnerPagesTest, PlacesAndRights) {
  const auto instance = server.make_runner().id;
  const auto top = server.make_runner("group_id", group).id;
  const auto below = server.make_runner("group_id", sub).id;
  const auto own = server.make_runner("project_id", project).id;
  const auto elsewhere = server.make_runner("project_id", server.project("elsewhere")).id;
  using Ids = std::vector<std::int64_t>;
  const auto at = [&](const std::string& scope, const std::string& token) {
    return ids_of(list("scope=" + scope, token));
  };
  const auto g = "group:" + std::to_string(group);
  const auto s = "group:" + std::to_string(sub);
  const auto p = "project:" + std::to_string(project);
  EXPECT_EQ(at(g, max.token), (Ids{own, below, top}));
  EXPECT_EQ(at(s, max.token), (Ids{own, below}));
  EXPECT_EQ(at(s + "&inherited=true", max.token), (Ids{own, below, top, instance}));
  EXPECT_EQ(at(p, max.token), (Ids{own, below, top, instance}));
  EXPECT_EQ(at(p + "&list=assigned", max.token), (Ids{own}));
  EXPECT_EQ(at(p + "&list=group", max.token), (Ids{below, top}));
  EXPECT_EQ(at(p + "&list=instance", max.token), (Ids{instance}));
  EXPECT_EQ(at(p + "&list=available", max.token), (Ids{}));
  EXPECT_EQ(at(p + "&list=available", TestServer::kRoot), (Ids{elsewhere}));
  EXPECT_EQ(server.get("/-/web/runners?scope=admin", ann.token).status, 403);
  const auto stranger = server.user("stranger").token;
  EXPECT_EQ(server.get("/-/web/runners?scope=" + g, stranger).status, 404);
  const auto dev = server.user("dev");
  server.member("/groups/" + std::to_string(group), dev.id, kDeveloper);
  EXPECT_EQ(server.get("/-/web/runners?scope=" + g, dev.token).status, 403);
  EXPECT_EQ(server.get("/-/web/runners?scope=" + g, "").status, 401);
  const auto row = list("scope=" + g, max.token).body["runners"].as_array()[0];
  EXPECT_EQ(row["owner"]["kind"].string_or(""), "project");
  EXPECT_EQ(row["web_path"].string_or(""), "/groups/g/-/runners/" + std::to_string(own));
  EXPECT_TRUE(row["abilities"]["update"].bool_or(false));
  const auto group_row = list("scope=" + g + "&runner_type[]=group_type", max.token).body["runners"].as_array()[0];
  EXPECT_FALSE(group_row["abilities"]["update"].bool_or(true)); // a Maintainer reads
}

TEST_F(RunnerPagesTest, Bulk) {
  const auto a = server.make_runner("group_id", sub).id;
  const auto b = server.make_runner("group_id", sub).id;
  const auto foreign = server.make_runner().id;
  const auto act = [&](const std::string& action, const json::Array& ids, const std::string& token) {
    return server.send("POST", "/-/web/runners/bulk",
                       {.token = token, .json = json::Value::object({{"action", action}, {"ids", ids}})});
  };
  auto done = act("pause", {a, b, foreign, 9999}, ann.token);
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body["done"].size(), 2u);
  EXPECT_EQ(done.body["errors"].size(), 2u);
  EXPECT_TRUE(server.get("/runners/" + std::to_string(a)).body["paused"].bool_or(false));
  EXPECT_FALSE(server.get("/runners/" + std::to_string(foreign)).body["paused"].bool_or(true));
  EXPECT_EQ(act("resume", {a}, ann.token).body["done"].size(), 1u);
  EXPECT_EQ(act("delete", {a, b}, max.token).body["errors"].size(), 2u);
  EXPECT_EQ(act("delete", {a, b}, ann.token).body["done"].size(), 2u);
  EXPECT_EQ(server.get("/runners/" + std::to_string(a)).status, 404);
  EXPECT_EQ(act("explode", {a}, ann.token).status, 400);
  json::Array many;
  for (int i = 1; i <= 51; ++i) many.push_back(i);
  EXPECT_EQ(act("delete", many, ann.token).status, 400);
}

TEST_F(RunnerPagesTest, RegistrationIsSeenAsItHappens) {
  const auto runner = server.make_runner("group_id", group, {}, ann.token);
  const auto path = "/-/web/runners/" + std::to_string(runner.id);
  auto seen = server.get(path, ann.token).body;
  EXPECT_EQ(seen["ephemeral_token"].string_or(""), runner.token);
  EXPECT_EQ(seen["registration"]["state"].string_or(""), "waiting");
  EXPECT_TRUE(seen["registration"]["available"].bool_or(false));
  // Nobody else: not an administrator, not another Owner.
  EXPECT_TRUE(server.get(path).body["ephemeral_token"].is_null());
  EXPECT_TRUE(server.get(path, max.token).body["ephemeral_token"].is_null());
  contact(runner.token, "s_host", false);
  seen = server.get(path, ann.token).body;
  EXPECT_TRUE(seen["ephemeral_token"].is_null());
  EXPECT_EQ(seen["registration"]["state"].string_or(""), "registered");
  EXPECT_FALSE(seen["registration"]["polled"].bool_or(true));
  EXPECT_EQ(seen["registration"]["managers"].as_array()[0]["system_id"].string_or(""), "s_host");
  contact(runner.token, "s_host", true);
  EXPECT_TRUE(server.get(path, ann.token).body["registration"]["polled"].bool_or(false));
}

TEST_F(RunnerPagesTest, TheTokenIsShownForAnHour) {
  const auto runner = server.make_runner("group_id", group, {}, ann.token);
  const auto path = "/-/web/runners/" + std::to_string(runner.id);
  server.clock.advance(minutes(59));
  EXPECT_FALSE(server.get(path, ann.token).body["ephemeral_token"].is_null());
  server.clock.advance(minutes(2));
  const auto seen = server.get(path, ann.token).body;
  EXPECT_TRUE(seen["ephemeral_token"].is_null());
  EXPECT_FALSE(seen["registration"]["available"].bool_or(true));
}

TEST_F(RunnerPagesTest, RegistrationTokensAndReasons) {
  const auto ask = [&](const std::string& scope, const std::string& token) {
    return server.get("/-/web/registration_token?scope=" + scope, token).body;
  };
  const auto g = "group:" + std::to_string(group);
  const auto p = "project:" + std::to_string(project);
  EXPECT_EQ(ask("instance", TestServer::kRoot)["reason"].string_or(""), "instance_disabled");
  server.put("/application/settings", json::Value::object({{"allow_runner_registration_token", true}}));
  EXPECT_TRUE(ask("instance", TestServer::kRoot)["token"].string_or("").starts_with("GR1348941"));
  EXPECT_EQ(ask("instance", ann.token)["reason"].string_or(""), "role");
  EXPECT_TRUE(ask("instance", ann.token)["token"].is_null());
  EXPECT_TRUE(ask(g, ann.token)["allowed"].bool_or(false));
  EXPECT_EQ(ask(g, max.token)["reason"].string_or(""), "role");
  EXPECT_TRUE(ask(p, max.token)["allowed"].bool_or(false));
  server.put("/groups/" + std::to_string(group), json::Value::object({{"allow_runner_registration_token", false}}));
  EXPECT_EQ(ask(p, ann.token)["reason"].string_or(""), "group_disabled");
  EXPECT_EQ(ask(g, TestServer::kRoot)["reason"].string_or(""), "group_disabled"); // administrators, too
  server.put("/groups/" + std::to_string(group), json::Value::object({{"allow_runner_registration_token", true}}));
  server.put("/application/settings", json::Value::object({{"valid_runner_registrars", json::Array{"group"}}}));
  EXPECT_EQ(ask(p, ann.token)["reason"].string_or(""), "registrars");
}

TEST_F(RunnerPagesTest, SettingsOfAProjectAndAGroup) {
  const auto settings = [&](const std::string& place, const std::string& token) {
    return server.get("/-/web/" + place + "/runner_settings", token);
  };
  const auto p = "projects/" + std::to_string(project);
  const auto g = "groups/" + std::to_string(sub);
  auto seen = settings(p, max.token).body;
  EXPECT_TRUE(seen["create"]["allowed"].bool_or(false));
  EXPECT_TRUE(seen["has_group"].bool_or(false));
  EXPECT_TRUE(seen["shared_runners_locked_reason"].is_null());
  server.make_runner();
  server.make_runner("group_id", group);
  server.put("/groups/" + std::to_string(group),
             json::Value::object({{"shared_runners_setting", "disabled_and_unoverridable"}}));
  seen = settings(p, max.token).body;
  EXPECT_EQ(seen["shared_runners_locked_reason"]["group"]["full_path"].string_or(""), "g/s");
  EXPECT_EQ(seen["counts"]["instance"].as_integer(), 1);
  EXPECT_EQ(seen["counts"]["group"].as_integer(), 1);
  server.post("/features/create_runner_workflow_for_namespace", json::Value::object({{"value", false}}));
  EXPECT_EQ(settings(p, max.token).body["create"]["reason"].string_or(""), "flag");
  server.post("/features/create_runner_workflow_for_namespace", json::Value::object({{"value", true}}));
  const auto group_seen = settings(g, max.token).body;
  EXPECT_EQ(group_seen["create"]["reason"].string_or(""), "role");
  EXPECT_FALSE(group_seen["top_level"].bool_or(true));
  const auto dev = server.user("dev");
  server.member("/groups/" + std::to_string(group), dev.id, kDeveloper);
  EXPECT_EQ(settings(p, dev.token).status, 403);
  EXPECT_EQ(settings(g, dev.token).status, 403);
}

TEST_F(RunnerPagesTest, ContextAndSearch) {
  const auto context = server.get("/-/web/context", ann.token).body;
  EXPECT_EQ(context["user"]["username"].string_or(""), "ann");
  EXPECT_FALSE(context["abilities"]["admin"].bool_or(true));
  EXPECT_TRUE(server.get("/-/web/context").body["abilities"]["create_runner"].bool_or(false));
  const auto anonymous = server.get("/-/web/context", "").body;
  EXPECT_TRUE(anonymous["user"].is_null());
  EXPECT_EQ(anonymous["settings"].size(), 0u);
  server.project("hidden");
  const auto search = [&](const std::string& word, const std::string& token) {
    return server.get("/-/web/search?q=" + word, token).body;
  };
  EXPECT_EQ(search("hidden", ann.token)["projects"].size(), 0u);
  EXPECT_EQ(search("HIDDEN", TestServer::kRoot)["projects"].size(), 1u);
  EXPECT_EQ(search("p", ann.token)["projects"].as_array()[0]["web_path"].string_or(""), "/g/s/p");
  EXPECT_EQ(search("", ann.token)["groups"].size(), 2u);
  EXPECT_EQ(search("%25", ann.token)["projects"].size(), 0u);
  EXPECT_EQ(server.get("/-/web/overview", ann.token).status, 403);
  EXPECT_EQ(server.get("/-/web/overview").body["projects"].as_integer(), 2);
  EXPECT_EQ(server.get("/-/web/audit_events", ann.token).status, 403);
  EXPECT_GT(server.get("/-/web/audit_events?per_page=1").body["events"].size(), 0u);
}

} // namespace
} // namespace coordinator::web
