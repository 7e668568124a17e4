// TestServer: a coordinator on a free port with its own data directory and a fake clock, and a client that speaks JSON.
// For tests only; everything is gone at the end of the scope.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "coordinator/openapi.hpp"
#include "coordinator/schema.hpp"
#include "coordinator/server.hpp"
#include "json/json.hpp"
#include "net/http_client.hpp"
#include "sys/files.hpp"

namespace coordinator {

struct TestAnswer {
  int status = 0;
  std::string text;
  json::Value body;
  net::Headers headers;

  std::string message() const { return body["message"].string_or(""); }
  std::string error() const { return body["error"].string_or(""); }
  std::int64_t id() const { return body["id"].integer_or(0); }
};

inline TestAnswer answer_to(net::HttpClient& client, const net::HttpRequest& request) {
  auto response = client.send(request);
  TestAnswer answer;
  if (!response) {
    ADD_FAILURE() << request.method << " " << request.url << ": " << response.error().message();
    return answer;
  }
  answer.status = response->status;
  answer.text = response->body;
  answer.headers = response->headers;
  if (auto parsed = json::parse(response->body)) answer.body = std::move(*parsed);
  return answer;
}

class TestServer {
 public:
  static constexpr const char* kRoot = "glpat-root-token-for-tests";

  // `pages`: a front end as web/assets.hpp wants it.
  explicit TestServer(std::string_view pages = {}) : dir_(*sys::TempDir::create("coordinator-test")), pages_(pages) {
    start();
  }
  // On a data directory and a database that `prepare` fills before.
  explicit TestServer(const std::function<void(const std::string& data_dir, const StoreOptions& database)>& prepare)
      : dir_(*sys::TempDir::create("coordinator-test")) {
    prepare(dir_.path("data"),
            {.path = sys::join_path(dir_.path("data"), kDatabaseFile), .url = database_, .migrations = migrations()});
    start();
  }
  ~TestServer() { stop(); }

  void start(std::string token = kRoot, std::string password = "root password") {
    Options options;
    options.listen = "127.0.0.1:0";
    options.data_dir = dir_.path("data");
    options.threads = 4;
    options.pages = pages_;
    options.object_store = object_store;
    options.root_token = base::Secret(std::move(token));
    options.root_password = base::Secret(std::move(password));
    options.database = database_;
    auto server = Server::create(std::move(options), &clock);
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
    // The OpenAPI document and the handlers agree, in every test that asks a server.
    server_->api().observe([](const Endpoint& endpoint, const Call& call, const Reply& reply) {
      for (const auto& broken : broken_promises(endpoint, call, reply)) ADD_FAILURE() << broken;
    });
    auto bound = server_->listen();
    ASSERT_TRUE(bound) << bound.error().message();
    thread_ = std::jthread([this] { server_->run(); });
  }
  void stop() {
    if (!server_) return;
    server_->stop();
    thread_.join();
    server_.reset();
  }

  struct Send {
    std::string token = kRoot; // empty: none
    std::optional<json::Value> json = std::nullopt;
    std::string form = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
  };
  TestAnswer send(const std::string& method, const std::string& path, const Send& what) {
    net::HttpRequest request;
    request.method = method;
    request.url = server_->address() + (path.starts_with("/-/") ? path : "/api/v4" + path);
    request.headers = what.headers;
    if (!what.token.empty()) request.headers.emplace_back("PRIVATE-TOKEN", what.token);
    if (what.json) {
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = what.json->dump();
    } else if (!what.form.empty()) {
      request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
      request.body = what.form;
    }
    return answer_to(client_, request);
  }
  TestAnswer get(const std::string& path, const std::string& token = kRoot) {
    return send("GET", path, {.token = token});
  }
  TestAnswer post(const std::string& path, const json::Value& body, const std::string& token = kRoot) {
    return send("POST", path, {.token = token, .json = body});
  }
  TestAnswer put(const std::string& path, const json::Value& body, const std::string& token = kRoot) {
    return send("PUT", path, {.token = token, .json = body});
  }
  TestAnswer remove(const std::string& path, const std::string& token = kRoot) {
    return send("DELETE", path, {.token = token});
  }
  // As runners call: the token in the body.
  TestAnswer runner(const std::string& method, const std::string& path, const json::Value& body) {
    return send(method, path, {.token = "", .json = body});
  }

  // A user with an access token of these scopes.
  struct User {
    std::int64_t id = 0;
    std::string token;
  };
  User user(const std::string& name, const json::Array& scopes = {"api"}) {
    auto found = get("/users?username=" + name);
    std::int64_t id = found.body.size() > 0 ? found.body.as_array()[0]["id"].as_integer() : 0;
    if (id == 0) {
      const auto made = post(
          "/users",
          json::Value::object(
              {{"username", name}, {"name", name}, {"email", name + "@example.org"}, {"force_random_password", true}}));
      EXPECT_EQ(made.status, 201) << made.text;
      id = made.id();
    }
    const auto token = post("/users/" + std::to_string(id) + "/personal_access_tokens",
                            json::Value::object({{"name", "t"}, {"scopes", scopes}}));
    EXPECT_EQ(token.status, 201) << token.text;
    return {id, token.body["token"].string_or("")};
  }
  std::int64_t group(const std::string& path, std::int64_t parent = 0, const std::string& token = kRoot) {
    auto body = json::Value::object({{"name", path}, {"path", path}});
    if (parent != 0) body.set("parent_id", parent);
    const auto made = post("/groups", body, token);
    EXPECT_EQ(made.status, 201) << made.text;
    return made.id();
  }
  std::int64_t project(const std::string& path, std::int64_t group = 0, const std::string& token = kRoot) {
    auto body = json::Value::object({{"name", path}});
    if (group != 0) body.set("namespace_id", group);
    const auto made = post("/projects", body, token);
    EXPECT_EQ(made.status, 201) << made.text;
    return made.id();
  }
  void member(const std::string& place, std::int64_t user_id, int level) {
    const auto made = post(place + "/members", json::Value::object({{"user_id", user_id}, {"access_level", level}}));
    EXPECT_EQ(made.status, 201) << made.text;
  }
  struct Runner {
    std::int64_t id = 0;
    std::string token;
  };
  // `owner` is "group_id" or "project_id" or empty.
  Runner make_runner(const std::string& owner = "", std::int64_t owner_id = 0, const json::Object& more = {},
                     const std::string& token = kRoot) {
    auto body = json::Value::object();
    body.set("runner_type", owner.empty() ? "instance_type" : owner == "group_id" ? "group_type" : "project_type");
    if (!owner.empty()) body.set(owner, owner_id);
    for (const auto& [name, value] : more) body.set(name, value);
    const auto made = post("/user/runners", body, token);
    EXPECT_EQ(made.status, 201) << made.text;
    return {made.id(), made.body["token"].string_or("")};
  }

  App& app() { return server_->app(); }
  Server& server() { return *server_; }
  const sys::TempDir& dir() const { return dir_; }
  base::FakeClock clock;
  std::string object_store; // for the next start()

 private:
  // A schema of its own in the server of FORERUNNER_TEST_DATABASE; without that, SQLite.
  static base::Secret test_database() {
    const char* url = std::getenv("FORERUNNER_TEST_DATABASE");
    if (url == nullptr || *url == '\0') return {};
    const bool more = std::string_view(url).find('?') != std::string_view::npos;
    return base::Secret(std::string(url) + (more ? "&" : "?") + "options=-csearch_path%3Dtest_" + base::random_hex(12));
  }

  sys::TempDir dir_;
  std::string_view pages_;
  base::Secret database_ = test_database();
  std::unique_ptr<Server> server_;
  std::jthread thread_;
  net::HttpClient client_{net::TlsOptions{}};
};

} // namespace coordinator
