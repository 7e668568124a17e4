// One runner, many hosts: managers, rotation with several of them alive, clones, clean-up (runner-tokens digest §5.5,
// §8, §16), and what switching registration tokens off leaves alone.
#include <gtest/gtest.h>

#include "coordinator/janitor.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;

class FleetTest : public testing::Test {
 protected:
  TestAnswer verify(const std::string& token, const std::string& system_id, const std::string& version = "18.1.0") {
    auto body = Value::object({{"token", token}, {"info", Value::object({{"version", version}})}});
    if (!system_id.empty()) body.set("system_id", system_id);
    return server.runner("POST", "/runners/verify", body);
  }
  TestAnswer poll(const std::string& token, const std::string& system_id) {
    return server.runner("POST", "/jobs/request", Value::object({{"token", token}, {"system_id", system_id}}));
  }
  TestAnswer rotate(const std::string& token) {
    return server.runner("POST", "/runners/reset_authentication_token", Value::object({{"token", token}}));
  }
  std::string rotated(const std::string& token) {
    const auto answer = rotate(token);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return answer.body["token"].string_or("");
  }
  Array managers(std::int64_t runner) {
    return server.get("/runners/" + std::to_string(runner) + "/managers").body.as_array();
  }
  TestAnswer set(const Value& settings) { return server.put("/application/settings", settings); }
  TestServer::Runner runner_that_expires(std::int64_t seconds) {
    EXPECT_EQ(set(Value::object({{"runner_token_expiration_interval", seconds}})).status, 200);
    return server.make_runner();
  }
  void forward(std::int64_t seconds) { server.clock.set_unix_micros(server.clock.unix_micros() + seconds * 1'000'000); }
  TestServer server;
};

TEST_F(FleetTest, HostsThatKeepTheOldTokenAreNotLockedOutBeforeItsOwnExpiry) {
  const auto runner = runner_that_expires(30 * kDay);
  verify(runner.token, "s_1");
  verify(runner.token, "s_2");
  forward(22 * kDay);
  poll(runner.token, "s_1");
  poll(runner.token, "s_2");
  const auto next = rotated(runner.token);
  EXPECT_EQ(poll(next, "s_1").status, 204);
  forward(6 * kDay); // long after a day: the second host still waits for three quarters of its own time
  EXPECT_EQ(poll(runner.token, "s_2").status, 204);
  EXPECT_EQ(verify(runner.token, "s_2").status, 200);
  EXPECT_EQ(rotated(runner.token), next);
  forward(2 * kDay); // its own expiry
  EXPECT_EQ(poll(runner.token, "s_2").status, 403);
  EXPECT_EQ(rotate(runner.token).status, 403);
  EXPECT_EQ(poll(next, "s_2").status, 204);
}

TEST_F(FleetTest, EveryEarlierTokenOfTheGraceLeadsToTheLatest) {
  const auto runner = server.make_runner();
  for (const char* host : {"s_1", "s_2", "s_3"}) verify(runner.token, host);
  const auto second = rotated(runner.token);
  verify(second, "s_1");
  forward(60);
  const auto third = rotated(second);
  verify(third, "s_1");
  EXPECT_EQ(rotated(runner.token), third);
  EXPECT_EQ(rotated(second), third);
  EXPECT_EQ(verify(runner.token, "s_2").status, 200);
  verify(third, "s_2");
  EXPECT_EQ(verify(runner.token, "s_3").status, 200);
  verify(third, "s_3"); // the last one
  EXPECT_EQ(verify(runner.token, "s_3").status, 403);
  EXPECT_EQ(verify(second, "s_2").status, 403);
  EXPECT_EQ(verify(third, "s_2").status, 200);
}

TEST_F(FleetTest, ManagersNotSeenForAWeekDoNotProlongTheGrace) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_gone");
  forward(8 * kDay);
  verify(runner.token, "s_1");
  const auto next = rotated(runner.token);
  verify(next, "s_1");
  EXPECT_EQ(verify(runner.token, "s_1").status, 403);
}

TEST_F(FleetTest, AStolenOldTokenDoesNotRenewItself) {
  const auto runner = server.make_runner();
  const auto next = rotated(runner.token); // nobody was ever seen
  EXPECT_EQ(rotate(runner.token).status, 403);
  // Showing up with the old token makes nobody known.
  forward(1);
  EXPECT_EQ(verify(runner.token, "s_thief").status, 200);
  EXPECT_EQ(rotate(runner.token).status, 403);
  EXPECT_EQ(server
                .runner("POST", "/runners/reset_authentication_token",
                        Value::object({{"token", runner.token}, {"system_id", "s_thief"}}))
                .status,
            403);
  EXPECT_EQ(server.runner("DELETE", "/runners", Value::object({{"token", runner.token}})).status, 403);
  EXPECT_EQ(verify(next, "s_1").status, 200);
  EXPECT_EQ(server.runner("DELETE", "/runners", Value::object({{"token", next}})).status, 204);
}

TEST_F(FleetTest, AfterADayAnOldTokenServesOnlyHostsThatWereKnown) {
  const auto runner = runner_that_expires(30 * kDay);
  const auto next = rotated(runner.token);
  forward(kDay - 1);
  EXPECT_EQ(verify(runner.token, "s_new").status, 200);
  forward(1);
  EXPECT_EQ(verify(runner.token, "s_new").status, 403);
  EXPECT_EQ(poll(runner.token, "s_new").status, 403);
  EXPECT_EQ(verify(next, "s_new").status, 200);
}

TEST_F(FleetTest, AResetByAUserEndsTheGraceToo) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  verify(runner.token, "s_2");
  const auto next = rotated(runner.token);
  const auto reset =
      server.post("/runners/" + std::to_string(runner.id) + "/reset_authentication_token", Value::object());
  ASSERT_EQ(reset.status, 201);
  for (const auto& dead : {runner.token, next}) {
    EXPECT_EQ(verify(dead, "s_1").status, 403);
    EXPECT_EQ(rotate(dead).status, 403);
  }
  EXPECT_EQ(verify(reset.body["token"].string_or(""), "s_2").status, 200);
}

TEST_F(FleetTest, TheResetCallBooksNoManager) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  forward(600);
  rotated(runner.token);
  ASSERT_EQ(managers(runner.id).size(), 1u);
  const auto details = server.get("/runners/" + std::to_string(runner.id));
  EXPECT_NE(details.body["contacted_at"].string_or(""), managers(runner.id)[0]["contacted_at"].string_or(""));
}

TEST_F(FleetTest, HoldersOfAReplacedTokenAreTold) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  verify(runner.token, "s_2");
  EXPECT_EQ(poll(runner.token, "s_2").headers.get("X-Forerunner-Token-Replaced"), "");
  const auto next = rotated(runner.token);
  const auto told = poll(runner.token, "s_2");
  EXPECT_EQ(told.status, 204);
  EXPECT_EQ(told.headers.get("X-Forerunner-Token-Replaced"), "1");
  // And at once, whatever it knows of the queue.
  const auto again =
      server.runner("POST", "/jobs/request",
                    Value::object({{"token", runner.token},
                                   {"system_id", "s_2"},
                                   {"last_update", std::string(told.headers.get("X-GitLab-Last-Update"))}}));
  EXPECT_EQ(again.headers.get("X-Forerunner-Token-Replaced"), "1");
  EXPECT_EQ(poll(next, "s_2").headers.get("X-Forerunner-Token-Replaced"), "");
}

TEST_F(FleetTest, HostsThatTakeTurnsUnderOneSystemIdLookLikeClones) {
  const auto runner = server.make_runner();
  for (int turn = 0; turn < 3; ++turn) {
    verify(runner.token, "s_image", turn % 2 == 0 ? "18.1.0" : "18.2.0");
    EXPECT_FALSE(managers(runner.id)[0]["possible_clone"].bool_or(true)) << turn;
    forward(60);
  }
  verify(runner.token, "s_image", "18.2.0");
  ASSERT_EQ(managers(runner.id).size(), 1u);
  EXPECT_TRUE(managers(runner.id)[0]["possible_clone"].bool_or(false));
  forward(25 * kHour);
  EXPECT_FALSE(managers(runner.id)[0]["possible_clone"].bool_or(true));
}

TEST_F(FleetTest, TheTokenIsReadableByItsCreatorForAnHourAndUntilTheFirstHost) {
  const auto visible = [&](std::int64_t runner_id, std::int64_t user) {
    return server.app()
        .store
        .read([&](Transaction& tx) -> base::Result<std::string> {
          const auto runner = FR_TRY(model::find_runner(tx, runner_id));
          return FR_TRY(model::ephemeral_token(tx, server.app(), *runner, user)).value_or("");
        })
        .value();
  };
  const auto first = server.make_runner();
  EXPECT_EQ(visible(first.id, 1), first.token);
  EXPECT_EQ(visible(first.id, 2), "");
  verify(first.token, "s_1");
  EXPECT_EQ(visible(first.id, 1), "");
  const auto second = server.make_runner();
  forward(kHour - 1);
  EXPECT_EQ(visible(second.id, 1), second.token);
  forward(1);
  EXPECT_EQ(visible(second.id, 1), "");
}

TEST_F(FleetTest, RunnersOutliveTheirCreator) {
  const auto ann = server.user("ann");
  const auto group = server.group("g");
  server.member("/groups/g", ann.id, 50);
  const auto runner = server.make_runner("group_id", group, {}, ann.token);
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id)).body["created_by"]["username"].string_or(""), "ann");
  EXPECT_EQ(server.remove("/users/" + std::to_string(ann.id)).status, 204);
  EXPECT_TRUE(server.get("/runners/" + std::to_string(runner.id)).body["created_by"].is_null());
  EXPECT_EQ(verify(runner.token, "s_1").status, 200);
  EXPECT_EQ(rotated(runner.token).substr(0, 8), "glrt-t2_"); // still one that a user created
}

TEST_F(FleetTest, ExistingRunnersGoOnWhenRegistrationTokensAreDisallowedEverywhere) {
  set(Value::object({{"allow_runner_registration_token", true}}));
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  const auto token_of = [&](const std::string& path, const char* field) {
    return server.get(path).body[field].string_or("");
  };
  const std::vector<std::string> secrets = {token_of("/application/settings", "runners_registration_token"),
                                            token_of("/groups/" + std::to_string(group), "runners_token"),
                                            token_of("/projects/" + std::to_string(project), "runners_token")};
  std::vector<std::string> tokens;
  const auto enroll = [&](const std::string& secret) {
    return server.runner("POST", "/runners", Value::object({{"token", secret}}));
  };
  for (const auto& secret : secrets) {
    const auto made = enroll(secret);
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(made.headers.get("Deprecation"), "@1669075200");
    tokens.push_back(made.body["token"].string_or(""));
    EXPECT_TRUE(server.get("/runners/" + std::to_string(made.id())).body["created_by"].is_null());
  }
  set(Value::object({{"allow_runner_registration_token", false}}));
  for (const auto& secret : secrets) {
    const auto refused = enroll(secret);
    EXPECT_EQ(refused.status, 410);
    EXPECT_EQ(refused.message(), "410 Gone - runner registration disallowed");
  }
  EXPECT_EQ(enroll("GR1348941nobody").status, 410);
  EXPECT_EQ(server.post("/runners/reset_registration_token", Value::object()).status, 403);
  EXPECT_EQ(server.post("/groups/g/runners/reset_registration_token", Value::object()).status, 403);
  EXPECT_TRUE(server.get("/groups/g").body["runners_token"].is_null());
  for (const auto& token : tokens) {
    EXPECT_EQ(verify(token, "s_1").status, 200);
    EXPECT_EQ(poll(token, "s_1").status, 204);
    const auto next = rotated(token);
    EXPECT_EQ(next.substr(0, 6), "glrtr-");
    EXPECT_EQ(poll(next, "s_1").status, 204);
    EXPECT_EQ(server.runner("DELETE", "/runners", Value::object({{"token", next}})).status, 204);
  }
  EXPECT_EQ(verify(server.make_runner("group_id", group).token, "s_1").status, 200);
}

class CleanUpTest : public FleetTest {
 protected:
  void SetUp() override {
    group = server.group("g");
    project = server.project("p", group);
    instance_runner = server.make_runner();
    group_runner = server.make_runner("group_id", group);
    project_runner = server.make_runner("project_id", project);
  }
  std::vector<std::int64_t> listed(const std::string& query = "") {
    const auto answer = server.get("/admin/ci/stale_runners" + query);
    EXPECT_EQ(answer.status, 200) << answer.text;
    std::vector<std::int64_t> ids;
    for (const auto& runner : answer.body.as_array()) ids.push_back(runner["id"].integer_or(0));
    return ids;
  }
  std::size_t runners_left() { return server.get("/runners/all").body.size(); }
  using Ids = std::vector<std::int64_t>;

  std::int64_t group = 0;
  std::int64_t project = 0;
  TestServer::Runner instance_runner, group_runner, project_runner;
};

TEST_F(CleanUpTest, NothingHappensUnlessAskedFor) {
  forward(400 * kDay);
  EXPECT_EQ(listed(), Ids());
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(runners_left(), 3u);
}

TEST_F(CleanUpTest, ADryRunShowsWhatWouldGo) {
  forward(90 * kDay - 1);
  EXPECT_EQ(listed("?types=instance_type,group_type,project_type"), Ids());
  EXPECT_EQ(listed("?types=group_type&age_days=30"), Ids{group_runner.id});
  forward(1);
  EXPECT_EQ(listed("?types=instance_type,group_type,project_type"),
            (Ids{instance_runner.id, group_runner.id, project_runner.id}));
  EXPECT_EQ(runners_left(), 3u);
  EXPECT_EQ(server.get("/admin/ci/stale_runners?age_days=6").status, 400);
  EXPECT_EQ(server.get("/admin/ci/stale_runners?types=none").status, 400);
  EXPECT_EQ(server.get("/admin/ci/stale_runners", server.user("ann").token).status, 403);
}

TEST_F(CleanUpTest, EachTypeIsSwitchedOnByItself) {
  EXPECT_EQ(set(Value::object({{"stale_runner_cleanup_age_days", 6}})).status, 400);
  EXPECT_EQ(set(Value::object({{"stale_runner_cleanup_types", Array{"anything"}}})).status, 400);
  ASSERT_EQ(
      set(Value::object({{"stale_runner_cleanup_types", Array{"project_type"}}, {"stale_runner_cleanup_age_days", 30}}))
          .status,
      200);
  forward(30 * kDay);
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(server.get("/runners/" + std::to_string(project_runner.id)).status, 404);
  EXPECT_EQ(runners_left(), 2u);
  const auto trail = server.get("/audit_events").body.as_array();
  EXPECT_EQ(trail[0]["event_name"].string_or(""), "ci_runner_pruned");
  EXPECT_EQ(trail[0]["author_type"].string_or(""), "system");
}

TEST_F(CleanUpTest, AGroupCleansUpItsOwnRunnersOnly) {
  const auto below = server.make_runner("group_id", server.group("sub", group));
  ASSERT_EQ(server.put("/groups/g", Value::object({{"stale_runner_cleanup_enabled", true}})).status, 200);
  EXPECT_TRUE(server.get("/groups/g").body["stale_runner_cleanup_enabled"].bool_or(false));
  forward(90 * kDay);
  EXPECT_EQ(server.remove("/admin/ci/stale_runners").body["removed"].integer_or(0), 1);
  EXPECT_EQ(server.get("/runners/" + std::to_string(group_runner.id)).status, 404);
  EXPECT_EQ(server.get("/runners/" + std::to_string(below.id)).status, 200);
  EXPECT_EQ(runners_left(), 3u);
}

TEST_F(CleanUpTest, WhoeverCalledLatelyStays) {
  set(Value::object(
      {{"stale_runner_cleanup_types", Array{"instance_type", "group_type"}}, {"stale_runner_cleanup_age_days", 7}}));
  forward(10 * kDay);
  poll(group_runner.token, "s_1");
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(server.get("/runners/" + std::to_string(group_runner.id)).status, 200);
  EXPECT_EQ(server.get("/runners/" + std::to_string(instance_runner.id)).status, 404);
}

TEST_F(CleanUpTest, StaleManagersGoInBatchesAndComeBackAnew) {
  ASSERT_TRUE(server.app().store.write([&](Transaction& tx) -> base::Status {
    for (int i = 0; i < 1234; ++i) {
      FR_CHECK(tx.execute("INSERT INTO runner_managers (runner_id, system_id, created_at) VALUES (?, ?, ?)",
                          {group_runner.id, "s_" + std::to_string(i), server.app().now()}));
    }
    return {};
  }));
  const auto count = [&] {
    return server.app()
        .store.read([](Transaction& tx) { return tx.count("SELECT count(*) FROM runner_managers"); })
        .value();
  };
  forward(7 * kDay - 1);
  poll(group_runner.token, "s_7");
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(count(), 1234);
  forward(1);
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(count(), 234); // a thousand at a time
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(managers(group_runner.id)[0]["system_id"].string_or(""), "s_7");
  poll(group_runner.token, "s_8");
  EXPECT_EQ(count(), 2);
}

} // namespace
} // namespace coordinator::rest
