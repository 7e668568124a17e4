// Rights beyond roles, through HTTP: sudo, admin mode, archived places, switches, preconditions, keyset paging.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/duration.hpp"
#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

class PolicyTest : public testing::Test {
 protected:
  TestAnswer as(const std::string& method, const std::string& path, const std::string& token,
                std::vector<std::pair<std::string, std::string>> headers) {
    return server.send(method, path, Send{.token = token, .headers = std::move(headers)});
  }
  TestServer server;
};

TEST_F(PolicyTest, SudoTakesAScopeAndAnAdministrator) {
  const auto ann = server.user("ann");
  const auto sudo = server.user("root", {"api", "sudo"}).token;
  EXPECT_EQ(as("GET", "/user", sudo, {{"Sudo", "ann"}}).id(), ann.id);
  EXPECT_EQ(server.get("/user?sudo=" + std::to_string(ann.id), sudo).id(), ann.id);
  EXPECT_EQ(as("GET", "/user", sudo, {{"Sudo", "nobody"}}).message(),
            "404 User with ID or username 'nobody' Not Found");
  EXPECT_EQ(as("GET", "/user", server.user("root").token, {{"Sudo", "ann"}}).error(), "insufficient_scope");
  EXPECT_EQ(as("GET", "/user", server.user("ann", {"api", "sudo"}).token, {{"Sudo", "root"}}).message(),
            "403 Forbidden - Must be admin to use sudo");
  EXPECT_EQ(as("GET", "/application/settings", sudo, {{"Sudo", "ann"}}).status, 403);
  server.post("/users/" + std::to_string(ann.id) + "/block", Value::object());
  EXPECT_EQ(as("GET", "/user", sudo, {{"Sudo", "ann"}}).status, 403);
}

TEST_F(PolicyTest, AdminModeTakesAScope) {
  const auto mode = server.user("root", {"api", "admin_mode"}).token;
  const auto plain = server.user("root").token;
  server.put("/application/settings", Value::object({{"admin_mode", true}}));
  EXPECT_EQ(server.get("/application/settings", plain).status, 403);
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "instance_type"}}), plain).message(),
            "403 Forbidden - Insufficient permissions");
  EXPECT_EQ(server.get("/application/settings", mode).status, 200);
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "instance_type"}}), mode).status, 201);
}

TEST_F(PolicyTest, ArchivedPlacesTakeNoRunners) {
  const auto top = server.group("top");
  const auto sub = server.group("sub", top);
  const auto project = server.project("p", sub);
  EXPECT_EQ(server.post("/groups/top/archive", Value::object()).body["archived"].bool_or(false), true);
  const auto create = [&](const std::string& type, const std::string& owner, std::int64_t id) {
    return server.post("/user/runners", Value::object({{"runner_type", type}, {owner, id}})).message();
  };
  EXPECT_EQ(create("group_type", "group_id", sub), "403 Forbidden - Insufficient permissions");
  EXPECT_EQ(create("project_type", "project_id", project), "403 Forbidden - Insufficient permissions");
  EXPECT_EQ(server.post("/projects", Value::object({{"name", "q"}, {"namespace_id", sub}})).status, 403);
  EXPECT_EQ(server.post("/groups/top/unarchive", Value::object()).status, 201);
  server.make_runner("group_id", sub);
  server.post("/projects/" + std::to_string(project) + "/archive", Value::object());
  EXPECT_EQ(create("project_type", "project_id", project), "403 Forbidden - Insufficient permissions");
}

TEST_F(PolicyTest, FlagsHideOneKindEach) {
  const auto group = server.group("g");
  const auto instance = Value::object({{"runner_type", "instance_type"}});
  const auto of_group = Value::object({{"runner_type", "group_type"}, {"group_id", group}});
  EXPECT_EQ(server.get("/features").body.size(), 2u);
  server.post("/features/create_runner_workflow_for_admin", Value::object({{"value", "false"}}));
  EXPECT_EQ(server.post("/user/runners", instance).message(), "403 Forbidden - Insufficient permissions");
  EXPECT_EQ(server.post("/user/runners", of_group).status, 201);
  server.post("/features/create_runner_workflow_for_namespace", Value::object({{"value", 0}}));
  server.remove("/features/create_runner_workflow_for_admin");
  EXPECT_EQ(server.post("/user/runners", instance).status, 201);
  EXPECT_EQ(server.post("/user/runners", of_group).message(), "403 Forbidden - Insufficient permissions");
}

TEST_F(PolicyTest, RegistrarsBindMembersNotAdministrators) {
  const auto group = server.group("g");
  const auto one = server.project("one", group);
  const auto two = server.project("two", group);
  const auto ann = server.user("ann");
  server.member("/groups/g", ann.id, 50);
  const auto runner = server.make_runner("project_id", one);
  server.put("/application/settings", Value::object({{"valid_runner_registrars", Array{"group"}}}));
  const auto body = Value::object({{"runner_type", "project_type"}, {"project_id", one}});
  EXPECT_EQ(server.post("/user/runners", body, ann.token).status, 403);
  EXPECT_EQ(server.post("/user/runners", body).status, 201);
  const auto assign = "/projects/" + std::to_string(two) + "/runners";
  EXPECT_EQ(server.post(assign, Value::object({{"runner_id", runner.id}}), ann.token).status, 403);
  EXPECT_EQ(server.post(assign, Value::object({{"runner_id", runner.id}})).status, 201);
  // A group's own switch, which only administrators turn.
  server.put("/application/settings", Value::object({{"valid_runner_registrars", Array{"group", "project"}}}));
  EXPECT_EQ(server.put("/groups/g", Value::object({{"runner_registration_enabled", false}}), ann.token).status, 403);
  EXPECT_EQ(server.put("/groups/g", Value::object({{"runner_registration_enabled", false}})).status, 200);
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "group_type"}, {"group_id", group}}), ann.token)
                .message(),
            "403 Forbidden - Insufficient permissions");
}

TEST_F(PolicyTest, DeletionsHeedPreconditions) {
  const auto runner = server.make_runner();
  const auto path = "/runners/" + std::to_string(runner.id);
  EXPECT_EQ(as("DELETE", path, TestServer::kRoot, {{"If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}}).text,
            R"({"message":"412 Precondition Failed"})");
  EXPECT_EQ(as("DELETE", path, TestServer::kRoot, {{"If-Unmodified-Since", "Fri, 01 Jan 2999 00:00:00 GMT"}}).status,
            204);
  const auto project = server.project("p");
  EXPECT_EQ(as("DELETE", "/projects/" + std::to_string(project), TestServer::kRoot,
               {{"If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}})
                .status,
            412);
}

TEST_F(PolicyTest, KeysetPagesOfRunners) {
  for (int i = 0; i < 5; ++i) server.make_runner();
  std::vector<std::int64_t> ids;
  std::string path = "/runners/all?pagination=keyset&order_by=id&sort=asc&per_page=2&type=instance_type";
  while (!path.empty()) {
    const auto answer = server.get(path);
    ASSERT_EQ(answer.status, 200) << answer.text;
    EXPECT_FALSE(answer.headers.contains("X-Total"));
    for (const auto& item : answer.body.as_array()) ids.push_back(item["id"].integer_or(0));
    const std::string link(answer.headers.get("Link"));
    path.clear();
    if (link.empty()) break;
    EXPECT_NE(link.find("rel=\"next\""), std::string::npos);
    EXPECT_NE(link.find("type=instance_type"), std::string::npos);
    path = link.substr(link.find("/runners"), link.find('>') - link.find("/runners"));
  }
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(server.get("/runners/all?pagination=keyset&cursor=!!").error(), "cursor is invalid");
  EXPECT_EQ(server.get("/runners/all?pagination=keyset&order_by=name").error(), "order_by does not have a valid value");
  EXPECT_EQ(server.get("/runners?pagination=keyset&per_page=0").error(), "per_page does not have a valid value");
}

TEST_F(PolicyTest, OffsetPages) {
  for (int i = 0; i < 3; ++i) server.make_runner();
  const auto last = server.get("/runners/all?per_page=2&page=2");
  EXPECT_EQ(last.body.size(), 1u);
  EXPECT_EQ(last.headers.get("X-Next-Page"), "");
  EXPECT_EQ(last.headers.get("X-Prev-Page"), "1");
  EXPECT_EQ(last.headers.get("X-Total"), "3");
  EXPECT_EQ(server.get("/runners/all?per_page=1000").headers.get("X-Per-Page"), "100");
  EXPECT_EQ(server.get("/runners/all?per_page=0").error(), "per_page does not have a valid value");
}

TEST_F(PolicyTest, TagsOfFiltersAreExact) {
  server.make_runner("", 0, {{"tag_list", Array{"Linux", "x\"y"}}});
  const auto count = [&](const std::string& tags) { return server.get("/runners/all?tag_list=" + tags).body.size(); };
  EXPECT_EQ(count("Linux"), 1u);
  EXPECT_EQ(count("linux"), 0u);
  EXPECT_EQ(count("Lin"), 0u);
  EXPECT_EQ(count("y"), 0u);
  EXPECT_EQ(count("x%22y"), 1u);
  EXPECT_EQ(count("Linux,x%22y"), 1u);
  EXPECT_EQ(count("%25"), 0u);
  EXPECT_EQ(server.get("/runners/all?version_prefix=a").error(), "version_prefix is invalid");
}

TEST_F(PolicyTest, MembershipsExpire) {
  const auto group = server.group("g");
  const auto ann = server.user("ann");
  const auto day = [&](int from_now) {
    return base::format_utc_millis(server.clock.unix_micros() / 1000 + from_now * 24LL * 3600 * 1000).substr(0, 10);
  };
  const auto body = Value::object({{"user_id", ann.id}, {"access_level", 50}, {"expires_at", day(2)}});
  EXPECT_EQ(server.post("/groups/g/members", body).body["expires_at"].string_or(""), day(2));
  const auto create = Value::object({{"runner_type", "group_type"}, {"group_id", group}});
  EXPECT_EQ(server.post("/user/runners", create, ann.token).status, 201);
  server.clock.set_unix_micros(server.clock.unix_micros() + 2 * 24LL * 3600 * 1'000'000);
  // Who may not see the group is answered as if there were none.
  EXPECT_EQ(server.post("/user/runners", create, ann.token).message(), "400 Bad request - Missing/invalid scope");
  EXPECT_EQ(server.get("/groups/g/members").body.size(), 1u);
  EXPECT_EQ(server.post("/groups/g/members", Value::object({{"user_id", ann.id}, {"access_level", 20}})).status, 201);
}

TEST_F(PolicyTest, CreatorsLeaveAndTheirRunnersStay) {
  const auto ann = server.user("ann");
  server.put("/users/" + std::to_string(ann.id), Value::object({{"admin", true}}));
  const auto runner = server.make_runner("", 0, {}, ann.token);
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id)).body["created_by"]["username"].string_or(""), "ann");
  EXPECT_EQ(server.remove("/users/" + std::to_string(ann.id)).status, 204);
  EXPECT_TRUE(server.get("/runners/" + std::to_string(runner.id)).body["created_by"].is_null());
  EXPECT_EQ(
      server.runner("POST", "/runners/verify", Value::object({{"token", runner.token}, {"system_id", "s"}})).status,
      200);
}

TEST_F(PolicyTest, SharedRunnersSettingCascades) {
  const auto top = server.group("top");
  server.group("sub", top);
  const auto project = server.project("p", top);
  server.put("/groups/top", Value::object({{"shared_runners_setting", "disabled_and_unoverridable"}}));
  EXPECT_EQ(server.get("/groups/top%2Fsub").body["shared_runners_setting"].string_or(""), "disabled_and_unoverridable");
  const auto path = "/projects/" + std::to_string(project);
  EXPECT_FALSE(server.get(path).body["shared_runners_enabled"].bool_or(true));
  EXPECT_EQ(server.put(path, Value::object({{"shared_runners_enabled", true}})).status, 400);
  for (const auto setting : {"enabled", "disabled_and_overridable", "disabled_with_override"}) {
    EXPECT_EQ(server.put("/groups/top%2Fsub", Value::object({{"shared_runners_setting", setting}})).status, 400);
  }
  server.put("/groups/top", Value::object({{"shared_runners_setting", "disabled_with_override"}}));
  EXPECT_EQ(server.put(path, Value::object({{"shared_runners_enabled", true}})).status, 200);
}

TEST_F(PolicyTest, WrongBodies) {
  const auto send = [&](const std::string& type, const std::string& form) {
    return server.send("POST", "/user/runners", Send{.form = form, .headers = {{"X-Unused", type}}});
  };
  EXPECT_EQ(send("", "runner_type=instance_type&description=%00").status, 400);
  EXPECT_EQ(send("", "runner_type=instance_type&description=%ff%fe").status, 400);
  EXPECT_EQ(server.post("/user/runners", Value::object()).error(),
            "runner_type is missing, runner_type does not have a valid value");
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "x"}})).error(),
            "runner_type does not have a valid value");
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "group_type"}})).error(),
            "group_id is missing");
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "project_type"}})).error(),
            "project_id is missing");
  EXPECT_EQ(server.post("/user/runners", Value::object({{"runner_type", "group_type"}, {"group_id", 4711}})).message(),
            "400 Bad request - Missing/invalid scope");
  const auto instance = [&](const json::Object& more) {
    auto body = Value::object({{"runner_type", "instance_type"}});
    for (const auto& [name, value] : more) body.set(name, value);
    return server.post("/user/runners", body).message();
  };
  EXPECT_EQ(instance({{"run_untagged", false}}),
            "400 Bad request - Tags list can not be empty when runner is not allowed to pick untagged jobs");
  EXPECT_EQ(instance({{"maximum_timeout", 599}}), "400 Bad request - Maximum timeout needs to be at least 10 minutes");
  EXPECT_EQ(instance({{"description", std::string(1025, 'x')}}),
            "400 Bad request - Description is too long (maximum is 1024 characters)");
  std::string tags;
  for (int i = 0; i < 51; ++i) tags += "t" + std::to_string(i) + ",";
  EXPECT_EQ(instance({{"tag_list", tags}}),
            "400 Bad request - Tags list Too many tags specified. Please limit the number of tags to 50");
}

TEST_F(PolicyTest, LintOfARef) {
  const auto project = server.project("p");
  EXPECT_EQ(server.get("/projects/" + std::to_string(project) + "/ci/lint").status, 404);
}

TEST_F(PolicyTest, ListsOfManyRunnersAreQuick) {
  ASSERT_TRUE(server.app().store.write([&](Transaction& tx) -> base::Result<bool> {
    for (int i = 0; i < 10'500; ++i) {
      FR_CHECK(
          tx.execute("INSERT INTO runners (type, token_digest, token_short, registration_type, created_at) VALUES "
                     "('instance_type', ?, 'x', 'registration_token', 1)",
                     {"digest " + std::to_string(i)}));
    }
    return true;
  }));
  const auto page = server.get("/runners/all?page=500&tag_list=none");
  EXPECT_EQ(page.headers.get("X-Total"), "0");
  const auto all = server.get("/runners/all?page=100");
  EXPECT_EQ(all.body.size(), 20u);
  EXPECT_FALSE(all.headers.contains("X-Total")); // beyond 10,000 nobody counts
  EXPECT_EQ(std::string(all.headers.get("Link")).find("rel=\"last\""), std::string::npos);
}

} // namespace
} // namespace coordinator::rest
