#include "coordinator/web/sessions.hpp"

#include <gtest/gtest.h>

#include "coordinator/vault.hpp"
#include "coordinator/web/test_browser.hpp"

namespace coordinator::web {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() { ann = person(server, "ann"); }
  TestServer server;
  std::int64_t ann = 0;
};

TEST_F(SessionsTest, SignInAndOut) {
  Browser browser(server);
  EXPECT_FALSE(browser.signed_in());
  const auto before = browser.cookie;
  const auto csrf = browser.csrf;
  const auto in = browser.sign_in("ann", kPassword, {{"redirect_to", "/groups/a?x=1"}});
  ASSERT_EQ(in.status, 200) << in.text;
  EXPECT_EQ(in.body["user"]["username"].string_or(""), "ann");
  EXPECT_EQ(in.body["redirect"].string_or(""), "/groups/a?x=1");
  EXPECT_NE(browser.cookie, before); // no fixation
  EXPECT_NE(browser.csrf, csrf);
  EXPECT_TRUE(browser.signed_in());
  EXPECT_EQ(browser.get("/api/v4/user").body["username"].string_or(""), "ann");

  Browser copy(server);
  copy.cookie = browser.cookie;
  EXPECT_TRUE(copy.signed_in());
  const auto out = browser.send("DELETE", "/-/web/session");
  EXPECT_EQ(out.status, 200);
  EXPECT_FALSE(browser.signed_in());
  EXPECT_FALSE(copy.signed_in()); // ended on the server, not only forgotten by the browser
}

TEST_F(SessionsTest, ByEmailInAnyLetterCase) {
  Browser browser(server);
  EXPECT_EQ(browser.sign_in("Ann@Example.org", kPassword).status, 200);
  Browser other(server);
  EXPECT_EQ(other.sign_in("ANN", kPassword).status, 200);
}

TEST_F(SessionsTest, OneTextForEveryFailure) {
  const auto root_project = server.project("p");
  const auto bot = server.post("/projects/" + std::to_string(root_project) + "/access_tokens",
                               json::Value::object({{"name", "t"}, {"scopes", json::Array{"api"}}}));
  ASSERT_EQ(bot.status, 201) << bot.text;
  person(server, "blocked");
  server.user("nopassword");
  const auto id = server.get("/users?username=blocked").body.as_array()[0]["id"].as_integer();
  EXPECT_EQ(server.post("/users/" + std::to_string(id) + "/block", json::Value::object()).status, 201);
  for (const auto& [login, password] : std::vector<std::pair<std::string, std::string>>{{"ann", "wrong"},
                                                                                        {"nobody", "wrong"},
                                                                                        {"ann", ""},
                                                                                        {"", kPassword},
                                                                                        {"blocked", kPassword},
                                                                                        {"nopassword", ""},
                                                                                        {"nopassword", "x"},
                                                                                        {"project_1_bot", kPassword},
                                                                                        {std::string(5000, 'a'), "x"},
                                                                                        {"ann", std::string(5000, 'a')},
                                                                                        {"ann' OR '1'='1", "x"}}) {
    Browser browser(server);
    const auto in = browser.sign_in(login, password);
    EXPECT_EQ(in.status, 401) << login;
    EXPECT_EQ(in.text, R"({"message":"Invalid login or password."})") << login;
    EXPECT_FALSE(browser.signed_in());
  }
}

TEST_F(SessionsTest, SignInNeedsTheToken) {
  Browser browser(server);
  const auto body = json::Value::object({{"login", "ann"}, {"password", kPassword}});
  EXPECT_EQ(browser.post("/-/web/session", body).status, 403); // no cookie, no token
  browser.get("/-/web/context");
  const auto token = browser.csrf;
  browser.csrf = "";
  EXPECT_EQ(browser.post("/-/web/session", body).status, 403);
  browser.csrf = token + "x";
  EXPECT_EQ(browser.post("/-/web/session", body).status, 403);
  browser.csrf = token;
  for (const auto origin : {"http://evil.example", "null", "https://127.0.0.1"}) {
    EXPECT_EQ(browser.send("POST", "/-/web/session", body, {{"Origin", origin}}).status, 403) << origin;
  }
  EXPECT_EQ(browser.send("POST", "/-/web/session", body, {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  EXPECT_EQ(browser.send("POST", "/-/web/session", body, {{"Origin", server.server().address()}}).status, 200);
}

TEST_F(SessionsTest, ApiWithCookieNeedsTheToken) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("ann", kPassword).status, 200);
  const auto token = browser.csrf;
  const auto group = [&](const std::string& path) { return json::Value::object({{"name", path}, {"path", path}}); };
  browser.csrf = "";
  EXPECT_EQ(browser.get("/api/v4/user").status, 200); // reading needs none
  EXPECT_EQ(browser.post("/api/v4/groups", group("a")).status, 401);
  browser.csrf = "wrong";
  EXPECT_EQ(browser.post("/api/v4/groups", group("a")).status, 401);
  browser.csrf = token;
  EXPECT_EQ(browser.send("POST", "/api/v4/groups", group("a"), {{"Origin", "http://evil.example"}}).status, 401);
  EXPECT_EQ(browser.post("/api/v4/groups", group("a")).status, 201);
  // The form field of plain HTML forms counts as well.
  browser.csrf = "";
  auto form = group("b");
  form.set("authenticity_token", token);
  EXPECT_EQ(browser.post("/api/v4/groups", form).status, 201);
  EXPECT_EQ(browser.send("DELETE", "/api/v4/groups/a").status, 401);
}

TEST_F(SessionsTest, AnothersTokenDoesNotHelp) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("ann", kPassword).status, 200);
  Browser other(server);
  other.get("/-/web/context");
  browser.csrf = other.csrf;
  EXPECT_EQ(browser.send("PUT", "/-/web/profile", json::Value::object({{"name", "Eve"}})).status, 401);
}

TEST_F(SessionsTest, PlantedSessionEndsAtSignIn) {
  person(server, "eve");
  Browser eve(server);
  ASSERT_EQ(eve.sign_in("eve", kPassword).status, 200);
  Browser victim(server);
  victim.cookie = eve.cookie; // planted by an attacker
  const auto context = victim.get("/-/web/context");
  ASSERT_EQ(context.status, 200);
  ASSERT_EQ(victim.sign_in("ann", kPassword).status, 200);
  EXPECT_NE(victim.cookie, eve.cookie);
  EXPECT_FALSE(eve.signed_in());
}

TEST_F(SessionsTest, CookieFlags) {
  Browser browser(server);
  browser.get("/-/web/context");
  for (const auto flag : {"; Path=/", "; HttpOnly", "; SameSite=Lax"}) {
    EXPECT_NE(browser.set_cookie.find(flag), std::string::npos) << browser.set_cookie;
  }
  EXPECT_EQ(browser.set_cookie.find("Secure"), std::string::npos);
  EXPECT_EQ(browser.set_cookie.find("Max-Age"), std::string::npos);
  server.app().url = "https://ci.example";
  Browser secure(server);
  secure.get("/-/web/context");
  EXPECT_NE(secure.set_cookie.find("; Secure"), std::string::npos);
  secure.sign_in("ann", kPassword, {{"remember_me", true}});
  EXPECT_NE(secure.set_cookie.find("; Secure"), std::string::npos);
  EXPECT_NE(secure.set_cookie.find("; Max-Age=1209600"), std::string::npos);
}

TEST_F(SessionsTest, LivesOnWhileUsed) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("ann", kPassword).status, 200);
  for (int day = 0; day < 12; ++day) {
    server.clock.advance(minutes(24 * 60));
    EXPECT_TRUE(browser.signed_in()) << day;
  }
  server.clock.advance(minutes(10080 - 1));
  EXPECT_TRUE(browser.signed_in());
  server.clock.advance(minutes(10080));
  EXPECT_FALSE(browser.signed_in());
}

TEST_F(SessionsTest, TheSettingDecidesHowLong) {
  ASSERT_EQ(server.put("/application/settings", json::Value::object({{"session_expire_delay", 30}})).status, 200);
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("ann", kPassword).status, 200);
  server.clock.advance(minutes(31));
  EXPECT_FALSE(browser.signed_in());
}

TEST_F(SessionsTest, PasswordChangeEndsTheOthers) {
  Browser here(server);
  Browser there(server);
  ASSERT_EQ(here.sign_in("ann", kPassword).status, 200);
  ASSERT_EQ(there.sign_in("ann", kPassword).status, 200);
  const auto old = here.cookie;
  const auto change = [&](const std::string& current, const std::string& fresh) {
    return here.send("PUT", "/-/web/password", json::Value::object({{"current", current}, {"new", fresh}}));
  };
  EXPECT_EQ(change("wrong", "another password").text, R"({"message":{"current_password":["is invalid"]}})");
  EXPECT_EQ(change(kPassword, "short").status, 400);
  EXPECT_TRUE(there.signed_in());
  ASSERT_EQ(change(kPassword, "another password").status, 200);
  EXPECT_TRUE(here.signed_in());
  EXPECT_NE(here.cookie, old);
  EXPECT_FALSE(there.signed_in());
  Browser stale(server);
  stale.cookie = old;
  EXPECT_FALSE(stale.signed_in());
  EXPECT_EQ(Browser(server).sign_in("ann", kPassword).status, 401);
  EXPECT_EQ(Browser(server).sign_in("ann", "another password").status, 200);
}

TEST_F(SessionsTest, PasswordNeedsABrowser) {
  const auto token = server.user("ann").token;
  const auto body = json::Value::object({{"current", kPassword}, {"new", "another password"}});
  EXPECT_EQ(server.send("PUT", "/-/web/password", {.token = token, .json = body}).status, 403);
}

TEST_F(SessionsTest, BlockingEndsThem) {
  Browser browser(server);
  ASSERT_EQ(browser.sign_in("ann", kPassword).status, 200);
  server.post("/users/" + std::to_string(ann) + "/block", json::Value::object());
  EXPECT_FALSE(browser.signed_in());
  EXPECT_EQ(browser.get("/api/v4/user").status, 401);
}

TEST_F(SessionsTest, ListAndEndOwn) {
  Browser here(server);
  Browser there(server);
  ASSERT_EQ(here.sign_in("ann", kPassword).status, 200);
  ASSERT_EQ(there.sign_in("ann", kPassword).status, 200);
  person(server, "bob");
  Browser bob(server);
  ASSERT_EQ(bob.sign_in("bob", kPassword).status, 200);
  const auto list = here.get("/-/web/sessions").body;
  ASSERT_EQ(list.size(), 2u);
  for (const auto& session : list.as_array()) {
    if (session["current"].bool_or(false)) continue;
    const auto path = "/-/web/sessions/" + std::to_string(session["id"].as_integer());
    EXPECT_EQ(bob.send("DELETE", path).status, 404);
    EXPECT_EQ(here.send("DELETE", path).status, 204);
  }
  EXPECT_FALSE(there.signed_in());
  EXPECT_TRUE(here.signed_in());
}

TEST_F(SessionsTest, TenFailuresLockTheAccountForTenMinutes) {
  // The login of somebody who does not exist behaves alike.
  for (const std::string login : {"ann", "nobody@example.org"}) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Browser(server).sign_in(login, "wrong").status, 401) << i;
    const auto locked = Browser(server).sign_in(login, kPassword);
    EXPECT_EQ(locked.status, 429);
    EXPECT_EQ(locked.headers.get("Retry-After"), "600");
    server.clock.advance(seconds(599));
    EXPECT_EQ(Browser(server).sign_in(login, kPassword).status, 429);
    server.clock.advance(seconds(2));
    EXPECT_EQ(Browser(server).sign_in(login, kPassword).status, login == "ann" ? 200 : 401);
  }
}

TEST_F(SessionsTest, ARightPasswordForgetsTheWrongOnes) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 9; ++i) EXPECT_EQ(Browser(server).sign_in("ann", "wrong").status, 401);
    EXPECT_EQ(Browser(server).sign_in("ann", kPassword).status, 200) << round;
    server.clock.advance(minutes(2));
  }
}

TEST_F(SessionsTest, AttemptsPerAddress) {
  server.put("/application/settings", json::Value::object({{"sign_in_attempts_per_address", 5}}));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Browser(server).sign_in("user" + std::to_string(i), "wrong").status, 401);
  }
  EXPECT_EQ(Browser(server).sign_in("ann", kPassword).status, 429);
  server.clock.advance(minutes(1));
  EXPECT_EQ(Browser(server).sign_in("ann", kPassword).status, 200);
}

TEST(Vault, TheHashThatNobodyHasCostsAsMuchAsARealOne) {
  const auto real = hash_password("some password");
  ASSERT_TRUE(real);
  const auto parameters = [](std::string_view hash) { return std::string(hash.substr(0, hash.find("p=1$") + 4)); };
  EXPECT_EQ(parameters(*real), parameters(kNobodysPassword));
  EXPECT_EQ(real->size(), kNobodysPassword.size());
  EXPECT_FALSE(verify_password(kNobodysPassword, ""));
}

} // namespace
} // namespace coordinator::web
