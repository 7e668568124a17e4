// Runner management and the calls of runners themselves (runner-tokens digest §19), through HTTP.
#include <gtest/gtest.h>

#include "base/duration.hpp"
#include "coordinator/janitor.hpp"
#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

constexpr std::int64_t kHour = 3600LL * 1'000'000;

class RunnersTest : public testing::Test {
 protected:
  TestAnswer verify(const std::string& token, const std::string& system_id = "s_1", Value info = Value::object()) {
    auto body = Value::object({{"token", token}, {"info", std::move(info)}});
    if (!system_id.empty()) body.set("system_id", system_id);
    return server.runner("POST", "/runners/verify", body);
  }
  TestAnswer show(std::int64_t id) { return server.get("/runners/" + std::to_string(id)); }
  void allow_tokens() {
    ASSERT_EQ(server.put("/application/settings", Value::object({{"allow_runner_registration_token", true}})).status,
              200);
  }
  void forward(std::int64_t micros) { server.clock.set_unix_micros(server.clock.unix_micros() + micros); }
  TestServer server;
};

TEST_F(RunnersTest, WhoMayCreateWhat) {
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  const auto with_role = [&](const std::string& name, int level) {
    const auto user = server.user(name);
    server.member("/groups/g", user.id, level);
    return user.token;
  };
  const auto developer = with_role("dev", 30);
  const auto maintainer = with_role("maint", 40);
  const auto owner = with_role("own", 50);
  struct Case {
    std::string token, type;
    int status;
  };
  const Case cases[] = {{developer, "project_type", 403}, {maintainer, "project_type", 201},
                        {maintainer, "group_type", 403},  {owner, "group_type", 201},
                        {owner, "instance_type", 403},    {TestServer::kRoot, "instance_type", 201}};
  for (const auto& c : cases) {
    const auto made = server.post(
        "/user/runners",
        Value::object({{"runner_type", c.type}, {"group_id", std::to_string(group)}, {"project_id", project}}),
        c.token);
    EXPECT_EQ(made.status, c.status) << c.type << made.text;
    if (c.status == 403) EXPECT_EQ(made.message(), "403 Forbidden - Insufficient permissions");
  }
}

TEST_F(RunnersTest, CreationScopesAndForms) {
  const auto group = server.group("g");
  const auto body = Value::object({{"runner_type", "group_type"}, {"group_id", group}});
  const auto token_with = [&](const char* scope) {
    return server.post("/users/1/personal_access_tokens", Value::object({{"name", "x"}, {"scopes", Array{scope}}}))
        .body["token"]
        .string_or("");
  };
  EXPECT_EQ(server.post("/user/runners", body, token_with("create_runner")).status, 201);
  EXPECT_EQ(server.post("/user/runners", body, token_with("api")).status, 201);
  const auto refused = server.post("/user/runners", body, token_with("read_api"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.error(), "insufficient_scope");
  EXPECT_EQ(server.post("/user/runners", body, "").status, 401);
  EXPECT_EQ(server.get("/runners", token_with("create_runner")).status, 403);
  const auto form = server.send("POST", std::string("/user/runners?private_token=") + TestServer::kRoot,
                                Send{.token = "", .form = "runner_type=instance_type&tag_list=a,b&run_untagged=false"});
  EXPECT_EQ(form.status, 201) << form.text;
  EXPECT_EQ(show(form.id()).body["tag_list"].size(), 2u);
}

TEST_F(RunnersTest, CreationErrorsByteForByte) {
  const auto create = [&](Value body) { return server.post("/user/runners", body).text; };
  EXPECT_EQ(create(Value::object()), R"({"error":"runner_type is missing, runner_type does not have a valid value"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "x"}})), R"({"error":"runner_type does not have a valid value"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "group_type"}})), R"({"error":"group_id is missing"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "project_type"}})), R"({"error":"project_id is missing"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "group_type"}, {"group_id", 99}})),
            R"({"message":"400 Bad request - Missing/invalid scope"})");
  EXPECT_EQ(
      create(Value::object({{"runner_type", "instance_type"}, {"run_untagged", false}})),
      R"({"message":"400 Bad request - Tags list can not be empty when runner is not allowed to pick untagged jobs"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "instance_type"}, {"maximum_timeout", 599}})),
            R"({"message":"400 Bad request - Maximum timeout needs to be at least 10 minutes"})");
  std::string tags;
  for (int i = 0; i < 51; ++i) tags += "t" + std::to_string(i) + ",";
  EXPECT_EQ(
      create(Value::object({{"runner_type", "instance_type"}, {"tag_list", tags}})),
      R"({"message":"400 Bad request - Tags list Too many tags specified. Please limit the number of tags to 50"})");
  EXPECT_EQ(create(Value::object({{"runner_type", "instance_type"}, {"description", std::string(1025, 'x')}})),
            R"x({"message":"400 Bad request - Description is too long (maximum is 1024 characters)"})x");
}

TEST_F(RunnersTest, TokensAreShownOnce) {
  const auto made = server.post("/user/runners", Value::object({{"runner_type", "instance_type"}, {"tag-list", "a"}}));
  EXPECT_TRUE(made.body["id"].is_integer());
  const auto token = made.body["token"].string_or("");
  EXPECT_TRUE(token.starts_with("glrt-t1_")) << token;
  EXPECT_TRUE(made.body["token_expires_at"].is_null());
  for (const auto& path : {"/runners/" + std::to_string(made.id()), std::string("/runners/all")}) {
    EXPECT_EQ(server.get(path).text.find(token), std::string::npos);
  }
  EXPECT_EQ(show(made.id()).body["tag_list"].as_array()[0].as_string(), "a");
  const auto verified = verify(token);
  EXPECT_EQ(verified.status, 200);
  EXPECT_EQ(verified.body["token"].string_or(""), token);
}

TEST_F(RunnersTest, FlagsTurnTheWorkflowOff) {
  const auto group = server.group("g");
  const auto status = [&](Value body) { return server.post("/user/runners", body).status; };
  const auto instance = Value::object({{"runner_type", "instance_type"}});
  const auto grouped = Value::object({{"runner_type", "group_type"}, {"group_id", group}});
  server.post("/features/create_runner_workflow_for_admin", Value::object({{"value", "false"}}));
  EXPECT_EQ(status(instance), 403);
  EXPECT_EQ(status(grouped), 201);
  server.remove("/features/create_runner_workflow_for_admin");
  server.post("/features/create_runner_workflow_for_namespace", Value::object({{"value", false}}));
  EXPECT_EQ(status(instance), 201);
  EXPECT_EQ(status(grouped), 403);
}

TEST_F(RunnersTest, RegistrationTokensAreOffByDefault) {
  const auto wrong = server.runner("POST", "/runners", Value::object({{"token", "wrong"}}));
  EXPECT_EQ(wrong.status, 410);
  EXPECT_EQ(wrong.message(), "410 Gone - runner registration disallowed");
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", ""}})).message(),
            "403 Forbidden - invalid token supplied");
  EXPECT_EQ(server.runner("POST", "/runners", Value::object()).text, R"({"error":"token is missing"})");
  EXPECT_EQ(server.post("/runners/reset_registration_token", Value::object()).status, 403);
  const auto known = server.get("/application/settings").body["runners_registration_token"].string_or("");
  EXPECT_TRUE(known.starts_with("GR1348941"));
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", known}})).status, 410);
}

TEST_F(RunnersTest, RegistrationAtEachLevel) {
  allow_tokens();
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  const auto instance_token = server.get("/application/settings").body["runners_registration_token"].string_or("");
  const auto group_token = server.get("/groups/g").body["runners_token"].string_or("");
  const auto project_token = server.get("/projects/" + std::to_string(project)).body["runners_token"].string_or("");
  const std::pair<std::string, std::string> cases[] = {
      {instance_token, "instance_type"}, {group_token, "group_type"}, {project_token, "project_type"}};
  for (const auto& [token, type] : cases) {
    const auto made = server.runner("POST", "/runners",
                                    Value::object({{"token", token},
                                                   {"description", "d"},
                                                   {"info", Value::object({{"name", "gitlab-runner"}})},
                                                   {"tag_list", "a, b,a"},
                                                   {"run_untagged", false},
                                                   {"locked", true},
                                                   {"paused", false}}));
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_TRUE(made.body["token"].string_or("").starts_with("glrtr-"));
    const auto shown = show(made.id()).body;
    EXPECT_EQ(shown["runner_type"].string_or(""), type);
    EXPECT_EQ(shown["name"].string_or(""), "gitlab-runner");
    EXPECT_EQ(shown["tag_list"].size(), 2u);
    EXPECT_TRUE(shown["created_by"].is_null());
    EXPECT_EQ(verify(made.body["token"].string_or("")).status, 200);
  }
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", "wrong"}})).message(),
            "403 Forbidden - invalid token supplied");
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", group_token}, {"run_untagged", false}})).text,
            R"({"message":{"tags_list":["can not be empty when runner is not allowed to pick untagged jobs"]}})");

  // The top-level group's own switch, and the registrars.
  server.put("/groups/g", Value::object({{"allow_runner_registration_token", false}}));
  for (const auto& token : {group_token, project_token}) {
    EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", token}})).status, 410);
  }
  server.put("/groups/g", Value::object({{"allow_runner_registration_token", true}}));
  server.put("/application/settings", Value::object({{"valid_runner_registrars", Array{"project"}}}));
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", group_token}})).status, 403);
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", project_token}})).status, 201);
}

TEST_F(RunnersTest, ResettingARegistrationTokenKeepsRunners) {
  allow_tokens();
  server.group("g");
  const auto old = server.get("/groups/g").body["runners_token"].string_or("");
  const auto runner = server.runner("POST", "/runners", Value::object({{"token", old}}));
  const auto reset = server.post("/groups/g/runners/reset_registration_token", Value::object());
  EXPECT_EQ(reset.status, 201);
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", old}})).status, 403);
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", reset.body["token"]}})).status, 201);
  EXPECT_EQ(verify(runner.body["token"].string_or("")).status, 200);
}

TEST_F(RunnersTest, LimitsInBothWorkflows) {
  allow_tokens();
  server.put("/application/settings",
             Value::object({{"ci_registered_group_runners", 1}, {"ci_registered_project_runners", 1}}));
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  server.make_runner("group_id", group);
  server.make_runner("project_id", project);
  const auto created =
      server.post("/user/runners", Value::object({{"runner_type", "group_type"}, {"group_id", group}}));
  EXPECT_EQ(created.status, 400);
  EXPECT_NE(created.text.find("Maximum number of ci registered group runners (1) exceeded"), std::string::npos);
  const auto token = server.get("/projects/" + std::to_string(project)).body["runners_token"];
  EXPECT_EQ(server.runner("POST", "/runners", Value::object({{"token", token}})).text,
            R"({"message":{"runner_projects.base":["Maximum number of ci registered project runners (1) exceeded"]}})");
}

TEST_F(RunnersTest, ManagersAreFoundOrMade) {
  const auto runner = server.make_runner();
  EXPECT_EQ(show(runner.id).body["status"].string_or(""), "never_contacted");
  EXPECT_TRUE(show(runner.id).body["online"].is_null());
  verify(runner.token, "s_1", Value::object({{"version", "18.1.0"}, {"executor", "shell"}, {"platform", "linux"}}));
  verify(runner.token, "s_1", Value::object({{"version", "18.2.0"}, {"executor", "martian"}}));
  verify(runner.token, "r_2");
  verify(runner.token, "");
  const auto managers = server.get("/runners/" + std::to_string(runner.id) + "/managers").body;
  ASSERT_EQ(managers.size(), 3u);
  EXPECT_EQ(managers.as_array()[0]["system_id"].string_or(""), "<legacy>");
  EXPECT_EQ(managers.as_array()[2]["version"].string_or(""), "18.2.0");
  EXPECT_EQ(managers.as_array()[2]["executor"].string_or(""), "unknown");
  EXPECT_EQ(managers.as_array()[2]["status"].string_or(""), "online");
  EXPECT_EQ(verify(runner.token, std::string(65, 's')).status, 400);
  // Too long a version is dropped, the call goes on.
  EXPECT_EQ(verify(runner.token, "s_1", Value::object({{"version", std::string(3000, '1')}})).status, 200);

  const auto remove_manager = [&](Value body) { return server.runner("DELETE", "/runners/managers", body); };
  EXPECT_EQ(remove_manager(Value::object({{"token", runner.token}})).text, R"({"error":"system_id is missing"})");
  EXPECT_EQ(remove_manager(Value::object({{"token", runner.token}, {"system_id", "none"}})).message(),
            "404 Runner manager not found Not Found");
  EXPECT_EQ(remove_manager(Value::object({{"token", runner.token}, {"system_id", "s_1"}})).status, 204);
  EXPECT_EQ(verify(runner.token, "r_2").status, 200);
  EXPECT_EQ(server.runner("DELETE", "/runners", Value::object({{"token", runner.token}})).status, 204);
  EXPECT_EQ(verify(runner.token).text, R"({"message":"403 Forbidden"})");
  EXPECT_EQ(show(runner.id).message(), "404 Runner Not Found");
}

TEST_F(RunnersTest, TokenInBodyAndHeader) {
  const auto runner = server.make_runner();
  const auto with = [&](Value body, const std::string& header) {
    return server
        .send("POST", "/runners/verify",
              Send{.token = "", .json = std::move(body), .headers = {{"RUNNER-TOKEN", header}}})
        .status;
  };
  EXPECT_EQ(with(Value::object({{"token", runner.token}}), runner.token), 200);
  EXPECT_EQ(with(Value::object(), runner.token), 200);
  EXPECT_EQ(with(Value::object({{"token", runner.token}}), "glrt-other"), 403);
  EXPECT_EQ(server.runner("POST", "/runners/verify", Value::object()).text, R"({"error":"token is missing"})");
  EXPECT_EQ(server.runner("POST", "/runners/verify?token=" + runner.token, Value()).status, 200);
}

TEST_F(RunnersTest, StatusesAndTheirBoundaries) {
  const auto runner = server.make_runner();
  verify(runner.token);
  const auto status = [&] { return show(runner.id).body["status"].string_or(""); };
  forward(2 * kHour - 1000);
  EXPECT_EQ(status(), "online");
  forward(1000);
  EXPECT_EQ(status(), "offline");
  EXPECT_EQ(show(runner.id).body["online"].bool_or(true), false);
  server.put("/runners/" + std::to_string(runner.id), Value::object({{"paused", true}}));
  EXPECT_EQ(status(), "paused");
  forward(7 * 24 * kHour - 2 * kHour - 1000);
  EXPECT_EQ(status(), "paused");
  forward(1000);
  EXPECT_EQ(status(), "stale");
  EXPECT_EQ(server.get("/runners/all?status=offline").body.size(), 1u);
  EXPECT_EQ(server.get("/runners/all?status=stale").body.size(), 1u);
  EXPECT_EQ(server.get("/runners/all?status=never_contacted").body.size(), 0u);
}

TEST_F(RunnersTest, UserResetIsFinal) {
  const auto runner = server.make_runner();
  const auto path = "/runners/" + std::to_string(runner.id) + "/reset_authentication_token";
  const auto reset = server.send("POST", path, Send{.json = Value()}); // the stock runner's body: null
  EXPECT_EQ(reset.status, 201) << reset.text;
  EXPECT_EQ(verify(runner.token).status, 403);
  EXPECT_EQ(verify(reset.body["token"].string_or("")).status, 200);
}

TEST_F(RunnersTest, RotationByOneManagerKeepsTheOther) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  verify(runner.token, "s_2");
  const auto rotate = [&](const std::string& token) {
    return server.runner("POST", "/runners/reset_authentication_token", Value::object({{"token", token}}));
  };
  const auto first = rotate(runner.token);
  ASSERT_EQ(first.status, 201) << first.text;
  const auto next = first.body["token"].string_or("");
  EXPECT_EQ(verify(next, "s_1").status, 200);
  EXPECT_EQ(verify(runner.token, "s_2").status, 200); // still good
  EXPECT_EQ(rotate(runner.token).body["token"].string_or(""), next);
  EXPECT_EQ(verify(next, "s_2").status, 200);
  EXPECT_EQ(verify(runner.token, "s_2").status, 403); // everybody has the new one
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id) + "/managers").body.size(), 2u);
}

TEST_F(RunnersTest, TheGraceOfARotatedTokenEnds) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  verify(runner.token, "s_2");
  server.runner("POST", "/runners/reset_authentication_token", Value::object({{"token", runner.token}}));
  forward(24 * kHour);
  EXPECT_EQ(verify(runner.token, "s_2").status, 403);
}

TEST_F(RunnersTest, ExpiredTokensAreForbidden) {
  server.put("/application/settings", Value::object({{"runner_token_expiration_interval", 7200}}));
  const auto runner = server.make_runner();
  EXPECT_EQ(verify(runner.token).status, 200);
  EXPECT_EQ(show(runner.id).body["token_expires_at"].string_or("").size(), 24u);
  forward(2 * kHour);
  EXPECT_EQ(verify(runner.token).status, 403);
  EXPECT_EQ(
      server.post("/runners/" + std::to_string(runner.id) + "/reset_authentication_token", Value::object()).status,
      201);
}

TEST_F(RunnersTest, GroupTokenLifeIsTheShortestOfAllLevels) {
  const auto top = server.group("top");
  const auto sub = server.group("sub", top);
  server.put("/application/settings", Value::object({{"group_runner_token_expiration_interval", 30000}}));
  server.put("/groups/top", Value::object({{"subgroup_runner_token_expiration_interval", 20000},
                                           {"runner_token_expiration_interval", 10000}}));
  const auto expiry = [&](std::int64_t group) {
    return show(server.make_runner("group_id", group).id).body["token_expires_at"].string_or("");
  };
  EXPECT_EQ(expiry(top), base::format_utc_millis(server.clock.unix_micros() / 1000 + 10'000'000));
  EXPECT_EQ(expiry(sub), base::format_utc_millis(server.clock.unix_micros() / 1000 + 20'000'000));
}

TEST_F(RunnersTest, Updates) {
  const auto runner = server.make_runner("", 0, {{"tag_list", "a"}, {"maintenance_note", "note"}});
  const auto path = "/runners/" + std::to_string(runner.id);
  const auto put = [&](Value body) { return server.put(path, body); };
  EXPECT_NE(put(Value::object()).error().find("at least one parameter must be provided"), std::string::npos);
  EXPECT_EQ(put(Value::object({{"active", true}, {"paused", true}})).error(), "active, paused are mutually exclusive");
  EXPECT_EQ(put(Value::object({{"maximum_timeout", 599}})).text,
            R"({"message":{"maximum_timeout":["needs to be at least 10 minutes"]}})");
  EXPECT_EQ(put(Value::object({{"maximum_timeout", 600}})).body["maximum_timeout"].integer_or(0), 600);
  EXPECT_TRUE(put(Value::object({{"maximum_timeout", nullptr}})).body["maximum_timeout"].is_null());
  EXPECT_EQ(put(Value::object({{"run_untagged", false}})).status, 200);
  EXPECT_EQ(put(Value::object({{"tag_list", Array{}}})).status, 400);
  EXPECT_EQ(put(Value::object({{"tag_list", Array{"x", "y"}}})).body["tag_list"].size(), 2u);
  EXPECT_EQ(put(Value::object({{"access_level", "ref_protected"}})).body["access_level"].string_or(""),
            "ref_protected");
  EXPECT_EQ(put(Value::object({{"access_level", "x"}})).error(), "access_level does not have a valid value");
  const auto paused = put(Value::object({{"active", false}})).body;
  EXPECT_TRUE(paused["paused"].bool_or(false));
  EXPECT_EQ(paused["maintenance_note"].string_or(""), "note");
  EXPECT_TRUE(server.get(path, server.user("ann").token).body["maintenance_note"].is_null());
  EXPECT_EQ(server.put(path, Value::object({{"paused", false}}), server.user("ann").token).message(),
            "403 Forbidden - No access granted");
}

TEST_F(RunnersTest, AssignmentAndDeletion) {
  const auto group = server.group("g");
  const auto one = server.project("one", group);
  const auto two = server.project("two", group);
  const auto ann = server.user("ann");
  server.member("/groups/g", ann.id, 40);
  const auto runner = server.make_runner("project_id", one);
  const auto group_runner = server.make_runner("group_id", group);
  const auto instance_runner = server.make_runner();
  const auto path = "/projects/" + std::to_string(two) + "/runners";
  const auto assign = [&](std::int64_t id, const std::string& token) {
    return server.post(path, Value::object({{"runner_id", id}}), token);
  };
  EXPECT_EQ(assign(group_runner.id, ann.token).message(), "403 Forbidden - Runner is a group runner");
  EXPECT_EQ(assign(instance_runner.id, TestServer::kRoot).message(), "403 Forbidden - Runner is an instance runner");
  EXPECT_EQ(assign(999, ann.token).status, 404);
  server.put("/runners/" + std::to_string(runner.id), Value::object({{"locked", true}}));
  EXPECT_EQ(assign(runner.id, ann.token).message(), "403 Forbidden - Runner is locked");
  EXPECT_EQ(assign(runner.id, TestServer::kRoot).status, 201);
  EXPECT_EQ(assign(runner.id, TestServer::kRoot).status, 400);
  const auto id = std::to_string(runner.id);
  EXPECT_EQ(server.remove("/runners/" + id, ann.token).message(),
            "403 Forbidden - Runner associated with more than one project");
  EXPECT_EQ(server.remove("/projects/" + std::to_string(one) + "/runners/" + id).message(),
            "403 Forbidden - You cannot unassign a runner from the owner project. Delete the runner instead");
  EXPECT_EQ(server.remove(path + "/" + id, ann.token).message(), "403 Forbidden - Runner is locked");
  EXPECT_EQ(server.remove(path + "/" + id).status, 204);
  EXPECT_EQ(server.remove(path + "/" + id).status, 404);
  EXPECT_EQ(server.remove("/runners/" + id, ann.token).status, 204);
}

TEST_F(RunnersTest, OwnershipPassesOnWithTheProject) {
  const auto one = server.project("one");
  const auto two = server.project("two");
  const auto runner = server.make_runner("project_id", one);
  server.post("/projects/" + std::to_string(two) + "/runners", Value::object({{"runner_id", runner.id}}));
  EXPECT_EQ(server.remove("/projects/" + std::to_string(one)).status, 202);
  EXPECT_EQ(show(runner.id).body["projects"].as_array()[0]["id"].integer_or(0), two);
  EXPECT_EQ(server.remove("/projects/" + std::to_string(two)).status, 202);
  EXPECT_EQ(show(runner.id).status, 404);
}

TEST_F(RunnersTest, Lists) {
  const auto top = server.group("top");
  const auto sub = server.group("sub", top);
  const auto project = server.project("p", sub);
  const auto other = server.group("other");
  const auto instance = server.make_runner("", 0, {{"tag_list", "a,b"}});
  server.make_runner("group_id", top);
  server.make_runner("group_id", other);
  server.make_runner("project_id", project);
  verify(instance.token, "s_1", Value::object({{"version", "15.10.2"}}));
  const auto count = [&](const std::string& path, const std::string& token = TestServer::kRoot) {
    const auto answer = server.get(path, token);
    EXPECT_EQ(answer.status, 200) << path << answer.text;
    return answer.body.size();
  };
  EXPECT_EQ(count("/runners/all"), 4u);
  EXPECT_EQ(count("/runners/all?type=group_type"), 2u);
  EXPECT_EQ(count("/runners/all?scope=shared"), 1u);
  EXPECT_EQ(count("/runners/all?scope=specific"), 3u);
  EXPECT_EQ(count("/runners/all?tag_list=a"), 1u);
  EXPECT_EQ(count("/runners/all?tag_list=a,c"), 0u);
  EXPECT_EQ(count("/runners/all?version_prefix=15"), 1u);
  EXPECT_EQ(count("/runners/all?version_prefix=15.1"), 0u);
  EXPECT_EQ(count("/runners/all?version_prefix=15.10.2"), 1u);
  EXPECT_EQ(count("/runners/all?paused=true"), 0u);
  EXPECT_EQ(count("/runners"), 3u);
  EXPECT_EQ(count("/projects/" + std::to_string(project) + "/runners"), 3u);
  EXPECT_EQ(count("/groups/" + std::to_string(sub) + "/runners"), 2u);
  EXPECT_EQ(count("/groups/" + std::to_string(top) + "/runners?type=group_type"), 1u);
  EXPECT_EQ(server.get("/runners?scope=nonsense").message(), "400 Bad request - Scope contains invalid value");
  EXPECT_EQ(server.get("/runners?type=nonsense").error(), "type does not have a valid value");

  const auto ann = server.user("ann");
  EXPECT_EQ(count("/runners", ann.token), 0u);
  EXPECT_EQ(server.get("/runners/all", ann.token).status, 403);
  server.member("/groups/top", ann.id, 40);
  EXPECT_EQ(count("/runners", ann.token), 1u); // the project's; the group's takes an Owner
  server.put("/projects/" + std::to_string(project),
             Value::object({{"shared_runners_enabled", false}, {"group_runners_enabled", false}}));
  EXPECT_EQ(count("/projects/" + std::to_string(project) + "/runners"), 1u);
}

TEST_F(RunnersTest, ManageRunnerScope) {
  const auto runner = server.make_runner();
  const auto token = server.user("root", {"manage_runner"}).token;
  const auto path = "/runners/" + std::to_string(runner.id);
  EXPECT_EQ(server.get(path, token).status, 200);
  EXPECT_EQ(server.put(path, Value::object({{"paused", true}}), token).status, 200);
  EXPECT_EQ(server.get("/projects", token).status, 403);
}

TEST_F(RunnersTest, OrphansAreUnprocessable) {
  const auto group = server.group("g");
  const auto runner = server.make_runner("group_id", group);
  ASSERT_TRUE(server.app().store.write(
      [&](Transaction& tx) { return tx.execute("UPDATE runners SET namespace_id = 4711 WHERE id = ?", {runner.id}); }));
  EXPECT_EQ(verify(runner.token).text, R"({"message":"Runner is orphaned"})");
  EXPECT_EQ(verify(runner.token).status, 422);
}

TEST_F(RunnersTest, StaleManagersAreRemovedAndComeBack) {
  const auto runner = server.make_runner();
  verify(runner.token, "s_1");
  const auto managers = [&] { return server.get("/runners/" + std::to_string(runner.id) + "/managers").body.size(); };
  forward(7 * 24 * kHour - 1000);
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(managers(), 1u);
  forward(1000);
  ASSERT_TRUE(tidy(server.app()));
  EXPECT_EQ(managers(), 0u);
  verify(runner.token, "s_1");
  EXPECT_EQ(managers(), 1u);
}

TEST_F(RunnersTest, JobRouterIsNotThere) {
  const auto runner = server.make_runner();
  const auto with = [&](const std::string& token) {
    return server.send("GET", "/runners/router/discovery", Send{.token = "", .headers = {{"Runner-Token", token}}})
        .status;
  };
  EXPECT_EQ(with(runner.token), 501);
  EXPECT_EQ(with("glrt-wrong"), 403);
}

TEST_F(RunnersTest, JobsOfARunner) {
  const auto runner = server.make_runner();
  const auto answer = server.get("/runners/" + std::to_string(runner.id) + "/jobs?order_by=id&sort=asc&system_id=s_1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.text, "[]");
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id) + "/jobs", server.user("ann").token).status, 403);
}

} // namespace
} // namespace coordinator::rest
