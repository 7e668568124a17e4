// Corners of the REST contract, through HTTP: unknown paths and methods, ids, several members at once, states of users,
// tokens of bots, flags in part, what a runner's own calls check.
#include <gtest/gtest.h>

#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

class ContractTest : public testing::Test {
 protected:
  TestAnswer runner(const std::string& method, const std::string& path, const Value& body,
                    std::vector<std::pair<std::string, std::string>> headers = {}) {
    return server.send(method, path, Send{.token = "", .json = body, .headers = std::move(headers)});
  }
  TestAnswer bot(const std::string& place, int level, const Array& scopes,
                 const std::string& token = TestServer::kRoot) {
    return server.post(place + "/access_tokens",
                       Value::object({{"name", "bot"}, {"scopes", scopes}, {"access_level", level}}), token);
  }
  void allow_tokens() {
    server.put("/application/settings", Value::object({{"allow_runner_registration_token", true}}));
  }
  TestServer server;
};

TEST_F(ContractTest, UnknownPathsAre404WhateverTheMethod) {
  for (const auto method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}) {
    for (const auto path : {"/nothing", "/runners/1/nothing", "/projects/1/issues"}) {
      const auto answer = server.send(method, path, {});
      EXPECT_EQ(answer.status, 404) << method << path;
      EXPECT_EQ(answer.text, R"({"error":"404 Not Found"})");
      EXPECT_EQ(answer.headers.get("X-Request-Id").size(), 32u);
    }
  }
}

TEST_F(ContractTest, KnownPathsSayWhichMethodsTheyHave) {
  const auto answer = server.send("PATCH", "/runners/1", {});
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.text, R"({"error":"405 Not Allowed"})");
  EXPECT_EQ(answer.headers.get("Allow"), "DELETE, GET, HEAD, OPTIONS, PUT");
  EXPECT_EQ(server.send("POST", "/version/", {}).headers.get("Allow"), "GET, HEAD, OPTIONS");
  const auto options = server.send("OPTIONS", "/user/runners", Send{.token = ""});
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.get("Allow"), "OPTIONS, POST");
}

TEST_F(ContractTest, IdsAreNumbersWherePathsAreNone) {
  server.project("p");
  EXPECT_EQ(server.get("/runners/abc").text, R"({"error":"id is invalid"})");
  EXPECT_EQ(server.get("/runners/1.5").status, 400);
  EXPECT_EQ(server.get("/users/root").error(), "id is invalid");
  EXPECT_EQ(server.get("/projects/1/jobs/x").error(), "job_id is invalid");
  EXPECT_EQ(server.get("/projects/1/members/x").error(), "user_id is invalid");
  EXPECT_EQ(server.remove("/projects/1/runners/x").error(), "runner_id is invalid");
  EXPECT_EQ(server.get("/runners/abc", "").status, 401); // first things first
  for (const auto id : {"-1", "0", "999", "99999999999999999999"}) {
    EXPECT_EQ(server.get(std::string("/runners/") + id).message(), "404 Runner Not Found") << id;
  }
  EXPECT_EQ(server.get("/users/root/projects").status, 200);
  EXPECT_EQ(server.get("/projects/root%2FP").status, 200);
}

TEST_F(ContractTest, SeveralMembersAtOnce) {
  const auto ann = server.user("ann").id;
  const auto bob = server.user("bob").id;
  server.group("g");
  const auto both = std::to_string(ann) + "," + std::to_string(bob);
  EXPECT_EQ(server.post("/groups/g/members", Value::object({{"user_id", both}, {"access_level", 30}})).text,
            R"({"status":"success"})");
  EXPECT_EQ(server.get("/groups/g/members").body.size(), 3u);
  const auto again =
      server.post("/groups/g/members", Value::object({{"user_id", Array{ann, 999}}, {"access_level", 30}}));
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body["status"].string_or(""), "error");
  EXPECT_EQ(again.body["message"]["ann"].string_or(""), "Member already exists");
  EXPECT_EQ(again.body["message"]["999"].string_or(""), "404 User Not Found");
  EXPECT_EQ(server.post("/groups/g/members", Value::object({{"user_id", "1,x"}, {"access_level", 30}})).error(),
            "user_id is invalid");
}

TEST_F(ContractTest, TheLastOwnerIsAPerson) {
  const auto ann = server.user("ann");
  server.group("g", 0, ann.token);
  ASSERT_EQ(bot("/groups/g", 50, {"api"}, ann.token).status, 201);
  EXPECT_EQ(server.remove("/groups/g/members/" + std::to_string(ann.id), ann.token).message(),
            "403 Forbidden - The last owner of a group cannot leave it");
}

TEST_F(ContractTest, DeactivatedUsersTokensStopWorking) {
  const auto ann = server.user("ann");
  const auto path = "/users/" + std::to_string(ann.id);
  EXPECT_EQ(server.post(path + "/deactivate", Value::object()).status, 201);
  EXPECT_EQ(server.get("/user", ann.token).message(),
            "403 Forbidden - Your account has been deactivated by your administrator.");
  EXPECT_EQ(server.get(path).body["state"].string_or(""), "deactivated");
  EXPECT_EQ(server.post(path + "/activate", Value::object()).status, 201);
  EXPECT_EQ(server.get("/user", ann.token).status, 200);
  server.post(path + "/block", Value::object());
  EXPECT_EQ(server.post(path + "/activate", Value::object()).status, 403);
  EXPECT_EQ(server.post(path + "/deactivate", Value::object()).status, 403);
  EXPECT_EQ(server.get("/user", ann.token).message(), "403 Forbidden - Your account has been blocked.");
}

TEST_F(ContractTest, ABotMakesNoOtherAndGetsNoAdministratorsScope) {
  const auto project = server.project("p");
  const auto place = "/projects/" + std::to_string(project);
  const auto made = bot(place, 40, {"api"});
  ASSERT_EQ(made.status, 201);
  const auto token = made.body["token"].string_or("");
  EXPECT_EQ(bot(place, 10, {"read_api"}, token).message(), "403 Forbidden");
  for (const auto scope : {"sudo", "admin_mode"}) {
    EXPECT_EQ(bot(place, 10, {scope}).error(), "scopes does not have a valid value");
  }
}

TEST_F(ContractTest, AResourceTokenRotatesItself) {
  const auto project = server.project("p");
  const auto place = "/projects/" + std::to_string(project) + "/access_tokens/self";
  const auto token =
      bot("/projects/" + std::to_string(project), 10, {"read_api", "self_rotate"}).body["token"].string_or("");
  EXPECT_EQ(server.get(place, token).body["access_level"].integer_or(0), 10);
  const auto rotated = server.post(place + "/rotate", Value::object(), token);
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  EXPECT_EQ(server.get("/user", rotated.body["token"].string_or("")).status, 200);
  EXPECT_EQ(server.get("/user", token).status, 401);
  const auto of_user = server.post(place + "/rotate", Value::object());
  EXPECT_EQ(of_user.status, 404) << "the caller's own token is none of the project's";
}

TEST_F(ContractTest, AFlagMayBeOnForAShare) {
  const auto flag = "/features/create_runner_workflow_for_admin";
  const auto half = server.post(flag, Value::object({{"value", 50}}));
  EXPECT_EQ(half.status, 201);
  EXPECT_EQ(half.body["state"].string_or(""), "conditional");
  EXPECT_EQ(half.body["gates"].as_array()[1]["value"].integer_or(0), 50);
  EXPECT_EQ(server.get("/features").body.size(), 2u);
  int granted = 0;
  for (int i = 0; i < 64; ++i) {
    granted += server.post("/user/runners", Value::object({{"runner_type", "instance_type"}})).status == 201 ? 1 : 0;
  }
  EXPECT_GT(granted, 0); // either is missed once in 2^64 runs
  EXPECT_LT(granted, 64);
  EXPECT_EQ(server.post(flag, Value::object({{"value", "100"}})).body["state"].string_or(""), "on");
  EXPECT_EQ(server.post(flag, Value::object({{"value", "0"}})).body["state"].string_or(""), "off");
  EXPECT_EQ(server.post(flag, Value::object({{"value", 101}})).error(), "value does not have a valid value");
  EXPECT_EQ(server.post(flag, Value::object({{"value", true}, {"user", "root"}})).error(),
            "user is not supported: a feature is on or off for all");
}

TEST_F(ContractTest, AListSettingIsNeverNull) {
  server.put("/application/settings", Value::object({{"valid_runner_registrars", ""}}));
  EXPECT_EQ(server.get("/application/settings").body["valid_runner_registrars"].dump(), "[]");
  server.put("/application/settings", Value::object({{"valid_runner_registrars", nullptr}}));
  EXPECT_EQ(server.get("/application/settings").body["valid_runner_registrars"].dump(), "[]");
  EXPECT_EQ(server.put("/application/settings", Value::object({{"admin_mode", nullptr}})).error(),
            "admin_mode is invalid");
}

TEST_F(ContractTest, RegisteringTakesTheHeaderAlone) {
  allow_tokens();
  const auto secret = server.post("/runners/reset_registration_token", Value::object()).body["token"].string_or("");
  EXPECT_EQ(runner("POST", "/runners", Value::object(), {{"RUNNER-TOKEN", secret}}).status, 201);
  EXPECT_EQ(runner("POST", "/runners", Value::object({{"token", secret}}), {{"RUNNER-TOKEN", secret}}).status, 201);
  EXPECT_EQ(runner("POST", "/runners", Value::object({{"token", secret}}), {{"RUNNER-TOKEN", "other"}}).message(),
            "403 Forbidden - invalid token supplied");
  const auto named = Value::object({{"token", secret}, {"info", Value::object({{"name", std::string(257, 'x')}})}});
  EXPECT_EQ(runner("POST", "/runners", named).body["message"].dump(),
            R"-({"name":["is too long (maximum is 256 characters)"]})-");
}

TEST_F(ContractTest, ARunnersOwnDeletionsMindWhatChanged) {
  const auto made = server.make_runner();
  const auto body = Value::object({{"token", made.token}, {"system_id", 7}});
  ASSERT_EQ(runner("POST", "/runners/verify", body).status, 200);
  const std::vector<std::pair<std::string, std::string>> old = {
      {"If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}};
  EXPECT_EQ(runner("DELETE", "/runners", body, old).status, 412);
  EXPECT_EQ(runner("DELETE", "/runners/managers", body, old).status, 412);
  EXPECT_EQ(
      server.get("/runners/" + std::to_string(made.id) + "/managers").body.as_array()[0]["system_id"].string_or(""),
      "7");
  EXPECT_EQ(runner("DELETE", "/runners/managers", body).status, 204);
  EXPECT_EQ(runner("DELETE", "/runners", body).status, 204);
}

TEST_F(ContractTest, UpgradesAreShownToEverybody) {
  const auto made = server.make_runner();
  const auto path = "/runners/" + std::to_string(made.id);
  const auto user = server.user("ann").token;
  const auto host = [&](const std::string& system_id, const std::string& version) {
    runner("POST", "/runners/verify",
           Value::object(
               {{"token", made.token}, {"system_id", system_id}, {"info", Value::object({{"version", version}})}}));
  };
  EXPECT_TRUE(server.get(path, user).body["upgrade_status"].is_null());
  host("s_1", "19.4.0");
  EXPECT_EQ(server.get(path, user).body["upgrade_status"].string_or(""), "not_available");
  host("s_2", "18.1.0");
  EXPECT_EQ(server.get(path, user).body["upgrade_status"].string_or(""), "available");
  host("s_3", "16.0.0");
  EXPECT_EQ(server.get(path, user).body["upgrade_status"].string_or(""), "recommended");
  EXPECT_EQ(server.get("/runners/all").body.as_array()[0]["upgrade_status"].string_or(""), "recommended");
  const auto managers = server.get(path + "/managers?order_by=id&sort=asc").body;
  EXPECT_EQ(managers.as_array()[1]["upgrade_status"].string_or(""), "available");
  server.put("/application/settings", Value::object({{"update_runner_versions_enabled", false}}));
  EXPECT_TRUE(server.get(path, user).body["upgrade_status"].is_null());
}

TEST_F(ContractTest, ManagersAndProjectsComeByKeysetToo) {
  const auto made = server.make_runner("project_id", server.project("p"));
  const auto other = server.project("q");
  server.post("/projects/" + std::to_string(other) + "/runners", Value::object({{"runner_id", made.id}}));
  for (const auto id : {"s_1", "s_2", "s_3"}) {
    runner("POST", "/runners/verify", Value::object({{"token", made.token}, {"system_id", id}}));
  }
  const auto path = "/runners/" + std::to_string(made.id);
  const auto managers = server.get(path + "/managers?pagination=keyset&order_by=id&sort=asc&per_page=2");
  EXPECT_EQ(managers.body.as_array()[0]["system_id"].string_or(""), "s_1");
  EXPECT_NE(managers.headers.get("Link").find("rel=\"next\""), std::string::npos);
  const auto projects = server.get(path + "/projects?pagination=keyset&per_page=1&sort=asc");
  EXPECT_EQ(projects.body.as_array()[0]["path"].string_or(""), "p");
  EXPECT_NE(projects.headers.get("Link").find("cursor="), std::string::npos);
  EXPECT_EQ(server.get(path + "/projects?per_page=1").headers.get("X-Total"), "2");
}

} // namespace
} // namespace coordinator::rest
