// Users, tokens, groups, projects, members, variables, settings: through HTTP against a server in this process.
#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

constexpr std::int64_t kDay = 24LL * 3600 * 1'000'000;

class ManagementTest : public testing::Test {
 protected:
  TestServer server;
};

TEST_F(ManagementTest, HealthNeedsNoCredentials) {
  EXPECT_EQ(server.get("/-/health", "").status, 200);
  EXPECT_EQ(server.get("/-/liveness", "").status, 200);
  EXPECT_EQ(server.get("/-/readiness", "").body["status"].string_or(""), "ok");
}

TEST_F(ManagementTest, CredentialsInEveryForm) {
  const std::string token = TestServer::kRoot;
  EXPECT_EQ(server.get("/user").body["username"].string_or(""), "root");
  EXPECT_EQ(server.send("GET", "/user", Send{.token = "", .headers = {{"private-token", token}}}).status, 200);
  EXPECT_EQ(server.send("GET", "/user", Send{.token = "", .headers = {{"Authorization", "Bearer " + token}}}).status,
            200);
  EXPECT_EQ(server.get("/user?private_token=" + token, "").status, 200);
  EXPECT_EQ(server.get("/user", "").text, R"({"message":"401 Unauthorized"})");
  EXPECT_EQ(server.get("/user", "glpat-wrong").text, R"({"message":"401 Unauthorized"})");
  EXPECT_EQ(server.get("/nothing").text, R"({"error":"404 Not Found"})");
}

// What means something to LIKE is looked for as it is, on every database.
TEST_F(ManagementTest, SearchesTakeTheirWordsLiterally) {
  for (const char* name : {"one_two", "onextwo"}) {
    server.group(name);
    server.project(std::string("p-") + name);
    EXPECT_EQ(server
                  .post("/users", Value::object({{"username", std::string("u.") + name},
                                                 {"name", "U"},
                                                 {"email", std::string(name) + "@example.com"},
                                                 {"password", "a long password"}}))
                  .status,
              201);
    EXPECT_EQ(
        server.post("/users/1/personal_access_tokens", Value::object({{"name", name}, {"scopes", Array{"read_api"}}}))
            .status,
        201);
  }
  for (const char* list : {"/users", "/projects", "/groups", "/namespaces", "/personal_access_tokens"}) {
    const auto found = [&](const std::string& word) {
      const auto answer = server.get(std::string(list) + "?search=" + word);
      EXPECT_EQ(answer.status, 200) << list << answer.text;
      return answer.body.size();
    };
    EXPECT_GE(found("two"), 2u) << list;
    EXPECT_EQ(found("e_t"), found("ONE_T")) << list;
    EXPECT_LT(found("e_t"), found("two")) << list;
    EXPECT_EQ(found("e%25t"), 0u) << list;
    EXPECT_EQ(found("two%5C"), 0u) << list;
  }
}

TEST_F(ManagementTest, EveryAnswerCarriesARequestId) {
  const auto echoed = server.send("GET", "/version", Send{.headers = {{"X-Request-Id", "abc-1"}}});
  EXPECT_EQ(echoed.headers.get("X-Request-Id"), "abc-1");
  EXPECT_EQ(server.get("/user", "").headers.get("X-Request-Id").size(), 32u);
}

TEST_F(ManagementTest, RootsTokenIsReestablishedOnALaterStart) {
  server.stop();
  server.start("glpat-another-root-token");
  EXPECT_EQ(server.get("/user", "glpat-another-root-token").status, 200);
  EXPECT_EQ(server.get("/user").status, 200);
}

TEST_F(ManagementTest, ScopesLimitATokenToReading) {
  const auto reader = server.user("ann", {"read_api"});
  EXPECT_EQ(server.get("/user", reader.token).status, 200);
  const auto refused = server.post("/groups", Value::object({{"name", "x"}, {"path", "x"}}), reader.token);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.error(), "insufficient_scope");
  const auto user_only = server.user("ann", {"read_user"});
  EXPECT_EQ(server.get("/user", user_only.token).status, 200);
  EXPECT_EQ(server.get("/projects", user_only.token).status, 403);
}

TEST_F(ManagementTest, TokensExpireRevokeAndRotate) {
  const auto ann = server.user("ann");
  const auto self = server.get("/personal_access_tokens/self", ann.token);
  EXPECT_EQ(self.body["active"].bool_or(false), true);
  EXPECT_TRUE(self.body["token"].is_null());
  // A year later to the day it is over.
  server.clock.set_unix_micros(server.clock.unix_micros() + 365 * kDay);
  EXPECT_EQ(server.get("/user", ann.token).error(), "invalid_token");

  const auto fresh = server.user("ann");
  const auto rotated = server.post("/personal_access_tokens/self/rotate", Value::object(), fresh.token);
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  const auto next = rotated.body["token"].string_or("");
  EXPECT_EQ(server.get("/user", next).status, 200);
  // The old one comes back: somebody has stolen one of the two, so both are dead.
  EXPECT_EQ(server.get("/user", fresh.token).body["error_description"].string_or(""),
            "Token was revoked. You have to re-authorize from the user.");
  EXPECT_EQ(server.get("/user", next).status, 401);
}

TEST_F(ManagementTest, TokensOfOthersAreHidden) {
  const auto ann = server.user("ann");
  const auto bob = server.user("bob");
  const auto id = server.get("/personal_access_tokens/self", bob.token).id();
  EXPECT_EQ(server.get("/personal_access_tokens/" + std::to_string(id), ann.token).status, 401);
  EXPECT_EQ(server.get("/personal_access_tokens/999", ann.token).status, 401);
  EXPECT_EQ(server.get("/personal_access_tokens/999").status, 404);
  EXPECT_EQ(server.remove("/personal_access_tokens/" + std::to_string(id)).status, 204);
  EXPECT_EQ(server.get("/user", bob.token).status, 401);
  EXPECT_EQ(server
                .post("/users/" + std::to_string(bob.id) + "/personal_access_tokens",
                      Value::object({{"name", "x"}, {"scopes", Array{"api"}}}), ann.token)
                .status,
            403);
  EXPECT_EQ(
      server.post("/users/1/personal_access_tokens", Value::object({{"name", "x"}, {"scopes", Array{"nope"}}})).error(),
      "scopes does not have a valid value");
}

TEST_F(ManagementTest, BlockedUsersTokensStopWorking) {
  const auto ann = server.user("ann");
  EXPECT_EQ(server.post("/users/" + std::to_string(ann.id) + "/block", Value::object()).status, 201);
  EXPECT_EQ(server.get("/user", ann.token).message(), "403 Forbidden - Your account has been blocked.");
}

TEST_F(ManagementTest, UsersAreUnique) {
  server.user("ann");
  const auto again = server.post(
      "/users",
      Value::object({{"username", "ANN"}, {"name", "x"}, {"email", "other@example.org"}, {"password", "long enough"}}));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.message(), "Username has already been taken");
  EXPECT_EQ(
      server.post("/users", Value::object({{"username", "b"}, {"name", "b"}, {"email", "b@b"}, {"password", "x"}}))
          .body["message"]["password"]
          .as_array()[0]
          .as_string(),
      "is too short (minimum is 8 characters)");
  EXPECT_EQ(server.get("/users?username=Ann").body.size(), 1u);
}

TEST_F(ManagementTest, GroupsNestAndPathsAddressThem) {
  const auto top = server.group("top");
  const auto sub = server.group("sub", top);
  EXPECT_EQ(server.get("/groups/top%2Fsub").id(), sub);
  EXPECT_EQ(server.get("/groups/TOP%2fSUB").id(), sub);
  const auto project = server.project("Some Project", sub);
  const auto shown = server.get("/projects/top%2Fsub%2Fsome-project");
  EXPECT_EQ(shown.id(), project);
  EXPECT_EQ(shown.body["path_with_namespace"].string_or(""), "top/sub/some-project");
  EXPECT_EQ(shown.body["name_with_namespace"].string_or(""), "top / sub / Some Project");
  EXPECT_EQ(shown.body["http_url_to_repo"].string_or(""), server.server().url() + "/top/sub/some-project.git");
  EXPECT_EQ(shown.body["namespace"]["full_path"].string_or(""), "top/sub");
  EXPECT_EQ(server.get("/groups/top/subgroups").body.size(), 1u);
  EXPECT_EQ(server.get("/groups/top/projects").body.size(), 0u);
  EXPECT_EQ(server.get("/groups/top/projects?include_subgroups=true").body.size(), 1u);

  // A new path moves everything below.
  EXPECT_EQ(server.put("/groups/top", Value::object({{"path", "peak"}, {"name", "Peak"}})).status, 200);
  EXPECT_EQ(server.get("/projects/peak%2Fsub%2Fsome-project").id(), project);
  EXPECT_EQ(server.get("/projects/" + std::to_string(project)).body["name_with_namespace"].string_or(""),
            "Peak / sub / Some Project");
  EXPECT_EQ(server.get("/groups/top").message(), "404 Group Not Found");
}

TEST_F(ManagementTest, BadAndTakenPaths) {
  server.group("top");
  const auto taken = server.post("/groups", Value::object({{"name", "x"}, {"path", "Top"}}));
  EXPECT_EQ(taken.status, 400);
  EXPECT_EQ(taken.message(), "Failed to save group {:path=>[\"has already been taken\"]}");
  for (const auto path : {"-x", "a b", "x.git", "../up", "api", "12"}) {
    EXPECT_EQ(server.post("/groups", Value::object({{"name", "x"}, {"path", path}})).status, 400) << path;
  }
  server.project("p");
  EXPECT_EQ(server.post("/projects", Value::object({{"name", "P"}, {"path", "p"}}))
                .body["message"]["path"]
                .as_array()[0]
                .as_string(),
            "has already been taken");
  EXPECT_EQ(server.post("/projects", Value::object()).status, 400);
}

TEST_F(ManagementTest, StrangersDoNotLearnWhatExists) {
  const auto ann = server.user("ann");
  const auto group = server.group("secret");
  const auto project = server.project("p", group);
  const std::string path = "/projects/" + std::to_string(project);
  EXPECT_EQ(server.get(path, ann.token).message(), "404 Project Not Found");
  EXPECT_EQ(server.get(path, "").status, 404);
  EXPECT_EQ(server.put(path, Value::object({{"visibility", "public"}})).status, 200);
  EXPECT_EQ(server.get(path, "").status, 200);
  EXPECT_TRUE(server.get(path, ann.token).body.find("runners_token") == nullptr);
  EXPECT_EQ(server.put(path, Value::object({{"name", "x"}}), ann.token).status, 403);
}

TEST_F(ManagementTest, RolesAreInheritedAndExpire) {
  const auto ann = server.user("ann");
  const auto top = server.group("top");
  const auto project = server.project("p", server.group("sub", top));
  const std::string path = "/projects/" + std::to_string(project);
  server.post("/groups/" + std::to_string(top) + "/members",
              Value::object({{"user_id", ann.id}, {"access_level", 40}, {"expires_at", "2026-01-05"}}));
  EXPECT_EQ(server.put(path, Value::object({{"description", "x"}}), ann.token).status, 200);
  EXPECT_EQ(server.remove(path, ann.token).status, 403);
  const auto all = server.get(path + "/members/all/" + std::to_string(ann.id));
  EXPECT_EQ(all.body["access_level"].integer_or(0), 40);
  EXPECT_EQ(server.get(path + "/members/" + std::to_string(ann.id)).status, 404);
  server.clock.set_unix_micros(server.clock.unix_micros() + 10 * kDay);
  EXPECT_EQ(server.get(path, ann.token).status, 404);
}

TEST_F(ManagementTest, MembersAreManagedWithinOnesOwnRole) {
  const auto ann = server.user("ann");
  const auto bob = server.user("bob");
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  const std::string path = "/projects/" + std::to_string(project);
  server.member(path, ann.id, 40);
  const auto add = [&](std::int64_t level) {
    return server.post(path + "/members", Value::object({{"user_id", bob.id}, {"access_level", level}}), ann.token);
  };
  EXPECT_EQ(add(50).status, 403);
  EXPECT_EQ(add(7).error(), "access_level does not have a valid value");
  EXPECT_EQ(add(30).status, 201);
  EXPECT_EQ(add(30).message(), "Member already exists");
  EXPECT_EQ(server.remove(path + "/members/" + std::to_string(bob.id), bob.token).status, 204);
  EXPECT_EQ(server.remove("/groups/g/members/1").status, 403); // the last owner
}

TEST_F(ManagementTest, VariablesKeepTheRules) {
  const auto project = server.project("p");
  const std::string path = "/projects/" + std::to_string(project) + "/variables";
  const auto make = [&](Value body) { return server.post(path, body); };
  auto made = make(Value::object({{"key", "A"}, {"value", "x"}}));
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.text, R"({"variable_type":"env_var","key":"A","value":"x","hidden":false,"protected":false,"masked":)"
                       R"(false,"raw":false,"environment_scope":"*","description":null})");
  EXPECT_EQ(make(Value::object({{"key", "A"}, {"value", "y"}})).text,
            R"({"message":{"key":["(A) has already been taken"]}})");
  EXPECT_EQ(make(Value::object({{"key", "A"}, {"value", "y"}, {"environment_scope", "prod"}})).status, 201);
  EXPECT_EQ(server.get(path + "/A").status, 409);
  EXPECT_EQ(server.get(path + "/A?filter[environment_scope]=prod").body["value"].string_or(""), "y");
  EXPECT_EQ(server.put(path + "/A?filter%5Benvironment_scope%5D=prod", Value::object({{"value", "z"}})).status, 200);
  EXPECT_EQ(make(Value::object({{"key", "B-C"}, {"value", "x"}})).status, 400);
  EXPECT_EQ(make(Value::object({{"key", "B"}})).error(), "value is missing");
  EXPECT_EQ(make(Value::object({{"key", "M"}, {"value", "short"}, {"masked", true}})).text,
            R"({"message":{"value":["is invalid"]}})");
  EXPECT_EQ(make(Value::object({{"key", "M"}, {"value", "longenough"}, {"masked", "true"}, {"variable_type", "file"}}))
                .status,
            201);
  EXPECT_EQ(make(Value::object({{"key", "H"}, {"value", "longenough"}, {"masked_and_hidden", true}})).status, 201);
  EXPECT_TRUE(server.get(path + "/H").body["value"].is_null());
  EXPECT_EQ(server.remove(path + "/M").status, 204);
  EXPECT_EQ(server.remove(path + "/M").message(), "404 Variable Not Found");
  EXPECT_EQ(server.get(path).body.size(), 3u);
}

TEST_F(ManagementTest, VariablesAreForMaintainers) {
  const auto ann = server.user("ann");
  const auto group = server.group("g");
  const auto project = server.project("p", group);
  server.member("/projects/" + std::to_string(project), ann.id, 30);
  EXPECT_EQ(server.get("/projects/" + std::to_string(project) + "/variables", ann.token).status, 403);
  EXPECT_EQ(server.post("/groups/g/variables", Value::object({{"key", "A"}, {"value", "1"}})).status, 201);
  EXPECT_EQ(server.get("/groups/g/variables", ann.token).status, 403);
}

TEST_F(ManagementTest, TheDefaultBranchIsProtected) {
  const auto project = server.project("p");
  const std::string path = "/projects/" + std::to_string(project);
  const auto list = server.get(path + "/protected_branches");
  ASSERT_EQ(list.body.size(), 1u);
  EXPECT_EQ(list.body.as_array()[0]["name"].string_or(""), "main");
  EXPECT_EQ(server.post(path + "/protected_branches", Value::object({{"name", "main"}})).status, 409);
  EXPECT_EQ(
      server.post(path + "/protected_branches", Value::object({{"name", "rel/*"}, {"push_access_level", 30}})).status,
      201);
  EXPECT_EQ(server.get(path + "/protected_branches/rel%2F*").status, 200);
  EXPECT_EQ(server.remove(path + "/protected_branches/rel%2F*").status, 204);
  EXPECT_EQ(server.post(path + "/protected_tags", Value::object({{"name", "v*"}})).status, 201);
  EXPECT_EQ(server.get(path + "/protected_tags").body.size(), 1u);
}

TEST_F(ManagementTest, PagesSayWhereTheyAre) {
  for (int i = 0; i < 5; ++i) server.group("g" + std::to_string(i));
  const auto second = server.get("/groups?per_page=2&page=2");
  EXPECT_EQ(second.body.size(), 2u);
  const std::pair<const char*, const char*> expected[] = {{"X-Page", "2"},      {"X-Per-Page", "2"},
                                                          {"X-Next-Page", "3"}, {"X-Prev-Page", "1"},
                                                          {"X-Total", "5"},     {"X-Total-Pages", "3"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(second.headers.get(name), value) << name;
  const auto link = std::string(second.headers.get("Link"));
  for (const auto rel : {"prev", "next", "first", "last"}) {
    EXPECT_NE(link.find(std::string("rel=\"") + rel + "\""), std::string::npos) << link;
  }
  const auto last = server.get("/groups?per_page=2&page=3");
  EXPECT_TRUE(last.headers.contains("X-Next-Page"));
  EXPECT_EQ(last.headers.get("X-Next-Page"), "");
  EXPECT_EQ(server.get("/groups?per_page=1000").headers.get("X-Per-Page"), "100");
  EXPECT_EQ(server.get("/groups?per_page=0").status, 400);
}

TEST_F(ManagementTest, SettingsAndFlags) {
  EXPECT_EQ(server.get("/application/settings", server.user("ann").token).status, 403);
  EXPECT_EQ(server.get("/application/settings").body["allow_runner_registration_token"].bool_or(true), false);
  const auto changed =
      server.put("/application/settings", Value::object({{"allow_runner_registration_token", "true"},
                                                         {"valid_runner_registrars", Array{"project"}},
                                                         {"runner_token_expiration_interval", "7200"}}));
  EXPECT_EQ(changed.body["allow_runner_registration_token"].bool_or(false), true);
  EXPECT_EQ(changed.body["runner_token_expiration_interval"].integer_or(0), 7200);
  EXPECT_EQ(server.put("/application/settings", Value::object({{"runner_token_expiration_interval", 60}})).status, 400);
  EXPECT_EQ(server.put("/application/settings", Value::object({{"valid_runner_registrars", Array{"x"}}})).status, 400);
  EXPECT_EQ(server.put("/application/settings", Value::object({{"runner_token_expiration_interval", nullptr}}))
                .body["runner_token_expiration_interval"]
                .is_null(),
            true);
  EXPECT_EQ(server.post("/features/some_flag", Value::object({{"value", true}})).body["state"].string_or(""), "on");
  EXPECT_EQ(server.get("/features").body.size(), 3u); // with the two that we know
  EXPECT_EQ(server.remove("/features/some_flag").status, 204);
}

TEST_F(ManagementTest, SlashesTooManyAreForgiven) {
  EXPECT_EQ(server.post("/features//x", Value::object({{"value", true}})).status, 201);
  EXPECT_EQ(server.get("/features/").body.size(), 3u);
  EXPECT_EQ(server.get("/user/").status, 200);
}

TEST_F(ManagementTest, UnknownParametersAreNamed) {
  const auto made = server.post("/groups", Value::object({{"name", "a"}, {"path", "a"}, {"colour", "red"}}));
  EXPECT_EQ(made.headers.get("X-Forerunner-Ignored-Parameters"), "colour");
}

TEST_F(ManagementTest, DeletingAGroupDeletesWhatIsInIt) {
  const auto top = server.group("top");
  const auto sub = server.group("sub", top);
  const auto project = server.project("p", sub);
  const auto runner = server.make_runner("project_id", project);
  const auto group_runner = server.make_runner("group_id", sub);
  EXPECT_EQ(server.remove("/groups/top").status, 202);
  EXPECT_EQ(server.get("/projects/" + std::to_string(project)).status, 404);
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id)).status, 404);
  EXPECT_EQ(server.get("/runners/" + std::to_string(group_runner.id)).status, 404);
}

TEST_F(ManagementTest, GroupTokensActAsBots) {
  server.group("g");
  const auto made =
      server.post("/groups/g/access_tokens",
                  Value::object({{"name", "ci"}, {"scopes", Array{"create_runner"}}, {"access_level", 50}}));
  ASSERT_EQ(made.status, 201) << made.text;
  const auto token = made.body["token"].string_or("");
  const auto group_id = server.get("/groups/g").id();
  server.make_runner("group_id", group_id, {}, token);
  EXPECT_EQ(server.get("/groups/g/access_tokens").body.size(), 1u);
  EXPECT_EQ(server.remove("/groups/g/access_tokens/" + std::to_string(made.id())).status, 204);
  EXPECT_EQ(server.get("/personal_access_tokens/self", token).status, 401);
}

TEST(FirstStart, GeneratesCredentialsIntoAPrivateFile) {
  auto dir = sys::TempDir::create("coordinator-first");
  ASSERT_TRUE(dir);
  auto server = Server::create({.listen = "127.0.0.1:0", .data_dir = dir->path("d")});
  ASSERT_TRUE(server) << server.error().message();
  const auto text = sys::read_file(dir->path("d/root-credentials"));
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("token: glpat-"), std::string::npos);
  EXPECT_NE(text->find("password: "), std::string::npos);
  // One coordinator per data directory.
  auto second = Server::create({.listen = "127.0.0.1:0", .data_dir = dir->path("d")});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), base::ErrorKind::kConflict);
}

TEST(FirstStart, RefusesShortTokens) {
  auto dir = sys::TempDir::create("coordinator-first");
  ASSERT_TRUE(dir);
  auto server = Server::create({.data_dir = dir->path(), .root_token = base::Secret("short")});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().message(), "FORERUNNER_ROOT_TOKEN has 5 characters: give at least 20");
}

} // namespace
} // namespace coordinator::rest
