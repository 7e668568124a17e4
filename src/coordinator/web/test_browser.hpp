// Browser: what a browser does with cookies and CSRF tokens, and a tiny front end for it. For tests only.
#pragma once

#include <fmt/format.h>

#include <string>

#include "coordinator/test_server.hpp"
#include "coordinator/web/sessions.hpp"

namespace coordinator::web {

// As cmake/pack_assets.mjs writes it.
inline std::string test_pack() {
  const std::string document = R"(<html><head><meta name="csrf-token" content=""></head><body></body></html>)";
  const std::string script = "console.log('x')";
  const std::string index = fmt::format(
      R"({{"index.html":{{"type":"text/html; charset=utf-8","etag":"\"i\"","plain":[0,{0}]}},)"
      R"("h/app-1.js":{{"type":"text/javascript; charset=utf-8","etag":"\"a\"","plain":[{0},{1}],"gzip":[{2},4],"brotli":[{3},2]}},)"
      R"("favicon.svg":{{"type":"image/svg+xml","etag":"\"f\"","plain":[0,4]}}}})",
      document.size(), script.size(), document.size() + script.size(), document.size() + script.size() + 4);
  return fmt::format("{}\n{}{}{}GZIPBR", index.size(), index, document, script);
}

class Browser {
 public:
  explicit Browser(TestServer& server) : server_(server) {}

  TestAnswer send(const std::string& method, const std::string& path,
                  const std::optional<json::Value>& body = std::nullopt,
                  std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::HttpRequest request;
    request.method = method;
    request.url = server_.server().address() + path;
    request.follow_redirects = false;
    request.headers = std::move(headers);
    if (!cookie.empty()) request.headers.emplace_back("Cookie", fmt::format("{}={}", cookie_name, cookie));
    if (!csrf.empty()) request.headers.emplace_back("X-CSRF-Token", csrf);
    if (body) {
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = body->dump();
    }
    auto answer = answer_to(client_, request);
    keep_cookie(answer);
    if (answer.body["csrf_token"].is_string()) csrf = answer.body["csrf_token"].as_string();
    return answer;
  }
  TestAnswer get(const std::string& path) { return send("GET", path); }
  TestAnswer post(const std::string& path, const json::Value& body) { return send("POST", path, body); }

  TestAnswer sign_in(const std::string& login, const std::string& password, const json::Object& more = {}) {
    if (csrf.empty()) get("/-/web/context");
    auto body = json::Value::object({{"login", login}, {"password", password}});
    for (const auto& [name, value] : more) body.set(name, value);
    return post("/-/web/session", body);
  }
  bool signed_in() { return get("/-/web/context").body["user"].is_object(); }

  std::string cookie_name{kSessionCookie};
  std::string cookie;
  std::string csrf;
  std::string set_cookie; // the last header

 private:
  void keep_cookie(const TestAnswer& answer) {
    const auto header = std::string(answer.headers.get("Set-Cookie"));
    if (header.empty()) return;
    set_cookie = header;
    const auto from = header.find('=') + 1;
    cookie_name = header.substr(0, from - 1);
    cookie = header.substr(from, header.find(';') - from);
  }

  TestServer& server_;
  net::HttpClient client_{net::TlsOptions{}};
};

inline constexpr const char* kPassword = "correct horse battery";

// A user who can sign in with kPassword.
inline std::int64_t person(TestServer& server, const std::string& name) {
  const auto user = server.user(name);
  const auto done = server.put("/users/" + std::to_string(user.id), json::Value::object({{"password", kPassword}}));
  EXPECT_EQ(done.status, 200) << done.text;
  return user.id;
}

} // namespace coordinator::web
