// The REST framework: a resource file registers its routes here; each handler gets a Call with the caller's identity
// and parameters and returns a Reply.
//
// Handlers run on the server's pool threads and may block. What they throw becomes a 500. Routes are given without
// "/api/v4"; `:name` matches one segment, decoded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/app.hpp"
#include "coordinator/params.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/reply.hpp"
#include "net/http_server.hpp"

namespace coordinator {

struct Identity {
  enum class Kind { kAnonymous, kUser, kJob };
  Kind kind = Kind::kAnonymous;
  std::int64_t user_id = 0; // kUser; for kJob the job's user
  std::string username;
  bool admin = false;          // with admin mode on: only through a token of that scope
  bool bot = false;            // the user of a project's or group's access token
  std::int64_t token_id = 0;   // access_tokens.id
  std::int64_t session_id = 0; // sessions.id, when a browser's cookie brought the user
  std::vector<std::string> scopes;
  std::int64_t sudo_by = 0;    // the administrator who acts as this user
  std::int64_t job_id = 0;     // kJob
  std::int64_t project_id = 0; // kJob: the job's project

  bool signed_in() const { return kind != Kind::kAnonymous; }
  bool has_scope(std::string_view scope) const;
  Actor actor() const { return {.known = signed_in(), .admin = admin, .user_id = user_id, .bot = bot}; }
};

class Call {
 public:
  Call(App& app_in, net::Request request_in);

  App& app;
  net::Request request;
  Identity identity;
  Params params;                       // empty for spooled routes but for the query
  std::vector<std::string> path_names; // of the pattern
  std::string request_id;              // the client's X-Request-Id, else our own; comes back in every answer

  const std::string& path(std::string_view name) const; // a `:name` of the pattern
  // The same as a number; nullopt when it is none.
  std::optional<std::int64_t> path_id(std::string_view name) const;
  std::string_view header(std::string_view name) const; // "" when absent
  std::int64_t now() const { return app.now(); }

  // X-Page … and Link for a page out of `total` rows; without totals when it is nullopt.
  Reply page_reply(json::Value array, const Page& page, std::optional<std::int64_t> total) const;
  // Keyset paging: Link rel="next" only, with the cursor after the last of these rows when there are more.
  Reply keyset_reply(json::Value array, const Keyset& keyset, std::optional<std::int64_t> next_after) const;
};

// 412 when the record changed after the request's If-Unmodified-Since.
Outcome<std::monostate> check_unmodified(const Call& call, std::int64_t changed_at);

enum class Auth {
  kNone,     // the handler knows its own tokens (runner endpoints)
  kOptional, // anonymous allowed; wrong credentials are 401
  kUser,     // 401 without a user
  kAdmin,    // and 403 without being administrator
};

inline constexpr std::string_view kApiRoot = "/api/v4";
inline constexpr std::string_view kWebRoot = "/-/web"; // what the pages ask for beside the API

struct Route {
  Auth auth = Auth::kUser;
  // Scopes that suffice; empty: api, and read_api for GET.
  std::vector<std::string> scopes = {};
  bool job_token = false; // a CI job token is accepted as well
  std::size_t max_body = 1 << 20;
  bool spool = false;
  bool parse_body = true; // false: the handler reads request.body itself
  // Asked before the body is taken in, with the parameters of the query: an answer that ends the request, or how many
  // bytes the body may have (nullopt: max_body).
  std::function<Outcome<std::optional<std::size_t>>(Call&)> admit = {};
  bool slow = false; // runs among the slow handlers, see net::RouteOptions
  // For the OpenAPI document, in the notation of openapi.hpp: what the route does, the parameters that its handler
  // reads (query or body; path parameters go without saying), and what it answers beyond the errors of the framework.
  std::string_view summary = {};
  std::string_view params = {};
  std::string_view answers = {};
  std::string_view root = kApiRoot;
};

// A registered route.
struct Endpoint {
  std::string method;
  std::string pattern; // without the route's root
  Route route;
};

using ApiHandler = std::function<Outcome<Reply>(Call&)>;
// Keeps the responder as long as it wants: long polling, streams. Answers through respond().
using AsyncHandler = std::function<void(std::shared_ptr<Call>, net::Responder)>;

void respond(const Call& call, const net::Responder& responder, Reply reply);
// For handlers outside the framework: what RouteOptions::admit answers.
net::Admission admission(Outcome<std::optional<std::size_t>> decision);

class Api {
 public:
  Api(App& app, net::HttpServer& http) : app_(app), http_(http) {}

  void get(std::string_view pattern, ApiHandler handler, Route route = {}) { add("GET", pattern, handler, route); }
  void post(std::string_view pattern, ApiHandler handler, Route route = {}) { add("POST", pattern, handler, route); }
  void put(std::string_view pattern, ApiHandler handler, Route route = {}) { add("PUT", pattern, handler, route); }
  void patch(std::string_view pattern, ApiHandler handler, Route route = {}) { add("PATCH", pattern, handler, route); }
  void remove(std::string_view pattern, ApiHandler handler, Route route = {}) {
    add("DELETE", pattern, handler, route);
  }
  void add(std::string_view method, std::string_view pattern, ApiHandler handler, Route route);
  void add_async(std::string_view method, std::string_view pattern, AsyncHandler handler, Route route);

  // Answers every other path and method below /api: 404, 405 with what is allowed, 204 for OPTIONS. Called last.
  void close();

  App& app() { return app_; }
  net::HttpServer& http() { return http_; } // for routes outside /api/v4 (git, pages)
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  // Tests look at every answer together with what its route promises; set before the server listens.
  using Observer = std::function<void(const Endpoint&, const Call&, const Reply&)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

 private:
  App& app_;
  net::HttpServer& http_;
  std::vector<Endpoint> endpoints_;
  Observer observer_;
};

// Who the request's credentials belong to (runner-tokens digest §2.3); also for routes outside the API. An unknown or
// expired credential is a 401 Reply, none at all is kAnonymous. With `sudo` (parameter or header) an administrator's
// token of that scope acts as another user.
Outcome<Identity> authenticate(App& app, const net::Request& request, const Params& params);
// The user of an access token given as such (git's basic authentication); 401 when it is not valid.
Outcome<Identity> authenticate_token(App& app, std::string_view token);

} // namespace coordinator
