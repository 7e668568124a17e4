#include "coordinator/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <stdexcept>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"

namespace coordinator {
namespace {

std::vector<std::string> names_of(std::string_view pattern) {
  std::vector<std::string> out;
  for (const auto& segment : base::split(pattern, '/')) {
    if (segment.starts_with(':')) out.push_back(segment.substr(1));
    if (segment == "*") out.emplace_back("*");
  }
  return out;
}

// Of a pattern's names those that stand for a number. Projects, groups, namespaces and whatever has a name of its own
// may be given by that.
std::vector<std::string> number_names_of(const Endpoint& endpoint) {
  static constexpr std::string_view before[] = {"runners",   "users",   "audit_events", "jobs",
                                                "pipelines", "members", "all"};
  std::vector<std::string> out;
  if (endpoint.route.root != kApiRoot || endpoint.pattern == "/users/:id/projects") return out;
  const auto segments = base::split(endpoint.pattern, '/');
  for (std::size_t i = 1; i < segments.size(); ++i) {
    if (segments[i].starts_with(':') && std::ranges::find(before, segments[i - 1]) != std::end(before)) {
      out.push_back(segments[i].substr(1));
    }
  }
  return out;
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Outcome<std::monostate> check_numbers(const Call& call, const std::vector<std::string>& names) {
  std::vector<std::string> complaints;
  for (const auto& name : names) {
    if (!is_number(call.path(name))) complaints.push_back(name + " is invalid");
  }
  if (!complaints.empty()) return std::unexpected(invalid_parameters(complaints));
  return {};
}

bool fits(std::string_view pattern, const std::vector<std::string>& path) {
  const auto wanted = base::split(pattern, '/');
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "*") return true;
    if (i >= path.size() || (wanted[i].starts_with(':') ? path[i].empty() : wanted[i] != path[i])) return false;
  }
  return wanted.size() == path.size();
}

bool plausible_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
}

Outcome<std::monostate> admit(Call& call, const Route& route, std::string_view method) {
  if (route.auth == Auth::kNone) return {};
  call.identity = API_TRY(authenticate(call.app, call.request, call.params));
  auto& identity = call.identity;
  if (identity.kind == Identity::Kind::kJob && !route.job_token) identity = {};
  if (!identity.signed_in()) {
    if (route.auth == Auth::kOptional) return {};
    return std::unexpected(unauthorized());
  }
  const bool reading = method == "GET";
  if (identity.kind == Identity::Kind::kUser && !scopes_allow(identity.scopes, route.scopes, reading)) {
    return std::unexpected(insufficient_scope(scopes_wanted(route.scopes, reading)));
  }
  if (route.auth == Auth::kAdmin && !allowed(Ability::kAdminInstance, identity.actor())) {
    return std::unexpected(forbidden());
  }
  return {};
}

Outcome<std::monostate> prepare(Call& call, const Route& route, std::string_view method) {
  if (route.spool || !route.parse_body) {
    net::Request query_only;
    query_only.query = call.request.query;
    call.params = API_TRY(Params::parse(query_only));
  } else {
    call.params = API_TRY(Params::parse(call.request));
  }
  return admit(call, route, method);
}

// Runs what may throw; an exception is a bug of ours and costs its request only.
template <class Body>
Reply guarded(const Call& call, Body&& body) {
  try {
    return body();
  } catch (const std::exception& e) {
    base::log::error("request handler failed", {{"path", call.request.path}, {"error", e.what()}});
    return message_reply(500, "500 Internal Server Error");
  }
}

// The query of a link to another page; credentials stay out of it.
std::string query_without_paging(const net::Request& request) {
  static constexpr std::string_view dropped[] = {"page",          "per_page",     "cursor",
                                                 "private_token", "access_token", "job_token"};
  std::string out;
  for (const auto& [key, value] : request.query) {
    if (std::ranges::find(dropped, key) != std::end(dropped)) continue;
    out += fmt::format("{}={}&", base::query_encode(key), base::query_encode(value));
  }
  return out;
}

void note_unread(const Call& call, std::string_view method, Reply& reply) {
  if (method == "GET" || method == "DELETE" || reply.status >= 300) return;
  auto unread = call.params.unread();
  if (unread.empty()) return;
  constexpr std::size_t kMostNamed = 20;
  constexpr std::size_t kLongestNamed = 60;
  if (unread.size() > kMostNamed) unread.resize(kMostNamed);
  for (auto& name : unread) {
    std::erase_if(name, [](unsigned char c) { return c < 0x20 || c > 0x7e || c == ','; });
    if (name.size() > kLongestNamed) name.resize(kLongestNamed);
  }
  reply.headers.set("X-Forerunner-Ignored-Parameters", base::join(unread, ", "));
}

} // namespace

bool Identity::has_scope(std::string_view scope) const { return std::ranges::find(scopes, scope) != scopes.end(); }

Call::Call(App& app_in, net::Request request_in) : app(app_in), request(std::move(request_in)) {
  const auto given = request.header("X-Request-Id");
  request_id = plausible_request_id(given) ? std::string(given) : base::random_request_id();
}

const std::string& Call::path(std::string_view name) const {
  for (std::size_t i = 0; i < path_names.size() && i < request.path_params.size(); ++i) {
    if (path_names[i] == name) return request.path_params[i];
  }
  throw std::logic_error(fmt::format("the route has no parameter {}", name));
}

std::optional<std::int64_t> Call::path_id(std::string_view name) const { return base::parse_int(path(name)); }

std::string_view Call::header(std::string_view name) const { return request.header(name); }

Reply Call::page_reply(json::Value array, const Page& page, std::optional<std::int64_t> total) const {
  const bool counted = total && *total <= 10'000;
  const auto pages = total ? std::max<std::int64_t>(1, (*total + page.per_page - 1) / page.per_page) : 0;
  const bool more = total ? page.page < pages : static_cast<std::int64_t>(array.size()) == page.per_page;
  const auto kept = query_without_paging(request);
  const auto link = [&](std::int64_t number, std::string_view rel) {
    return fmt::format("<{}{}?{}page={}&per_page={}>; rel=\"{}\"", app.url, request.path, kept, number, page.per_page,
                       rel);
  };
  Reply reply(200, array.is_null() ? json::Value::array() : array);
  auto& headers = reply.headers;
  headers.set("X-Page", std::to_string(page.page));
  headers.set("X-Per-Page", std::to_string(page.per_page));
  headers.set("X-Next-Page", more ? std::to_string(page.page + 1) : "");
  headers.set("X-Prev-Page", page.page > 1 ? std::to_string(page.page - 1) : "");
  std::vector<std::string> links;
  if (page.page > 1) links.push_back(link(page.page - 1, "prev"));
  if (more) links.push_back(link(page.page + 1, "next"));
  links.push_back(link(1, "first"));
  if (counted) {
    headers.set("X-Total", std::to_string(*total));
    headers.set("X-Total-Pages", std::to_string(pages));
    links.push_back(link(pages, "last"));
  }
  headers.set("Link", base::join(links, ", "));
  return reply;
}

Reply Call::keyset_reply(json::Value array, const Keyset& keyset, std::optional<std::int64_t> next_after) const {
  Reply reply(200, array.is_null() ? json::Value::array() : array);
  if (next_after) {
    reply.headers.set("Link", fmt::format("<{}{}?{}per_page={}&cursor={}>; rel=\"next\"", app.url, request.path,
                                          query_without_paging(request), keyset.per_page, make_cursor(*next_after)));
  }
  return reply;
}

Outcome<std::monostate> check_unmodified(const Call& call, std::int64_t changed_at) {
  const std::string given(call.header("If-Unmodified-Since"));
  if (given.empty()) return {};
  std::tm parts{};
  const char* end = ::strptime(given.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (!end || *end != '\0') return {}; // RFC 9110: a date that cannot be read counts for nothing
  // The header knows whole seconds only.
  if (changed_at / 1000 > static_cast<std::int64_t>(::timegm(&parts))) return std::unexpected(precondition_failed());
  return {};
}

namespace {

// What every answer of the API carries.
Reply finished(const Call& call, Reply reply) {
  reply.headers.set("X-Request-Id", call.request_id);
  reply.headers.set("Cache-Control", "no-store");
  // Logs, artifacts and names in JSON are other people's words: no browser is to run or show them as a page.
  reply.headers.set("X-Content-Type-Options", "nosniff");
  reply.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
  reply.headers.set("Cross-Origin-Resource-Policy", "same-origin");
  if (base::log::enabled(base::log::Level::kDebug)) {
    base::log::debug("request", {{"method", call.request.method},
                                 {"path", call.request.path},
                                 {"status", std::to_string(reply.status)},
                                 {"user", call.identity.username},
                                 {"request_id", call.request_id}});
  }
  return reply;
}

} // namespace

void respond(const Call& call, const net::Responder& responder, Reply reply) {
  responder.send(finished(call, std::move(reply)));
}

net::Admission admission(Outcome<std::optional<std::size_t>> decision) {
  net::Admission out;
  if (decision) {
    out.max_body = *decision;
  } else {
    out.refusal = std::move(decision.error());
  }
  return out;
}

void Api::add(std::string_view method, std::string_view pattern, ApiHandler handler, Route route) {
  add_async(
      method, pattern,
      [this, handler = std::move(handler), verb = std::string(method), index = endpoints_.size()](
          const std::shared_ptr<Call>& call, const net::Responder& responder) {
        auto reply = guarded(*call, [&]() -> Reply {
          auto outcome = handler(*call);
          return outcome ? std::move(*outcome) : std::move(outcome.error());
        });
        if (observer_ && endpoints_[index].route.root == kApiRoot) observer_(endpoints_[index], *call, reply);
        note_unread(*call, verb, reply);
        respond(*call, responder, std::move(reply));
      },
      std::move(route));
}

void Api::close() {
  const auto answer = [this](const net::Request& request, const net::Responder& responder) {
    const Call call(app_, request);
    std::string_view path = request.path;
    if (path.starts_with(kApiRoot)) path.remove_prefix(kApiRoot.size());
    while (path.ends_with('/')) path.remove_suffix(1);
    const auto segments = base::split(path, '/');
    std::vector<std::string> methods;
    for (const auto& endpoint : endpoints_) {
      if (endpoint.route.root != kApiRoot || !fits(endpoint.pattern, segments)) continue;
      for (const auto& method : {endpoint.method, std::string(endpoint.method == "GET" ? "HEAD" : "OPTIONS")}) {
        if (std::ranges::find(methods, method) == methods.end()) methods.push_back(method);
      }
    }
    if (methods.empty()) return respond(call, responder, Reply(404, json::Value::object({{"error", "404 Not Found"}})));
    if (std::ranges::find(methods, "OPTIONS") == methods.end()) methods.emplace_back("OPTIONS");
    std::ranges::sort(methods);
    auto reply = request.method == "OPTIONS" ? empty_reply(204)
                                             : Reply(405, json::Value::object({{"error", "405 Not Allowed"}}));
    reply.headers.set("Allow", base::join(methods, ", "));
    respond(call, responder, std::move(reply));
  };
  http_.route("*", "/api/*", {}, answer);
}

void Api::add_async(std::string_view method, std::string_view pattern, AsyncHandler handler, Route route) {
  endpoints_.push_back({.method = std::string(method), .pattern = std::string(pattern), .route = route});
  auto serve = [this, handler = std::move(handler), route, verb = std::string(method), names = names_of(pattern),
                numbers = number_names_of(endpoints_.back())](net::Request request, const net::Responder& responder) {
    auto call = std::make_shared<Call>(app_, std::move(request));
    call->path_names = names;
    bool admitted = false;
    auto refusal = guarded(*call, [&]() -> Reply {
      auto ready = prepare(*call, route, verb);
      if (ready && route.auth != Auth::kNone) ready = check_numbers(*call, numbers);
      admitted = ready.has_value();
      return admitted ? Reply() : std::move(ready.error());
    });
    if (!admitted) return respond(*call, responder, std::move(refusal));
    handler(call, responder);
  };
  net::RouteOptions options{.max_body = route.max_body, .spool = route.spool};
  if (route.slow) options.slow = [](const net::Request&) { return true; };
  if (route.admit) {
    options.admit = [this, route, names = names_of(pattern)](const net::Request& request) {
      Call call(app_, request);
      call.path_names = names;
      auto ready = prepare(call, route, request.method);
      auto decision = ready ? route.admit(call) : std::unexpected(std::move(ready.error()));
      if (!decision) return admission(std::unexpected(finished(call, std::move(decision.error()))));
      return admission(std::move(decision));
    };
  }
  const auto full = std::string(route.root) + std::string(pattern);
  // Clients end a path with a slash, or have two in a row after a collection's name (python-gitlab: /features//x).
  if (!full.ends_with('*')) http_.route(method, full + "/", options, serve);
  if (const auto last = full.rfind("/:"); last != std::string::npos && full.find('/', last + 1) == std::string::npos) {
    http_.route(method, full.substr(0, last) + "/" + full.substr(last), options, serve);
  }
  http_.route(method, full, options, serve);
}

} // namespace coordinator
