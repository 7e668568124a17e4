#include "coordinator/web/sessions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "net/url.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kSecretSize = 43; // 32 random bytes in base64url

constexpr std::int64_t kTouchInterval = 5LL * 60 * 1000;
constexpr std::int64_t kSessionsPerUser = 100; // the oldest go

bool changes_something(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS" && method != "TRACE";
}

bool is_secret(std::string_view text) {
  return text.size() == kSecretSize && std::ranges::all_of(text, [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

// A session lives on while it is used; writing that down once in a while is enough.
base::Status touch(App& app, const Row& session, std::string_view ip) {
  const auto now = app.now();
  if (now - session.integer("last_used_at") < kTouchInterval) return {};
  return app.store.write([&](Transaction& tx) -> base::Status {
    FR_CHECK(tx.execute("UPDATE sessions SET last_used_at = ?, expires_at = ? + life, ip = ? WHERE id = ?",
                        {now, now, ip, session.integer("id")}));
    FR_CHECK(tx.execute("UPDATE users SET last_activity_at = ? WHERE id = ?", {now, session.integer("user_id")}));
    return {};
  });
}

} // namespace

bool reached_by_https(const App& app, const net::Request& request) {
  return request.https || app.url.starts_with("https://");
}

std::string session_secret(const App& app, const net::Request& request) {
  const auto wanted = reached_by_https(app, request) ? kSecureSessionCookie : kSessionCookie;
  for (const auto& [name, value] : request.headers) {
    if (!base::equals_ignore_case(name, "Cookie")) continue;
    for (const auto& pair : base::split(value, ';')) {
      const auto text = base::trim(pair);
      const auto equals = text.find('=');
      if (equals == std::string_view::npos || text.substr(0, equals) != wanted) continue;
      if (is_secret(text.substr(equals + 1))) return std::string(text.substr(equals + 1));
    }
  }
  return {};
}

std::string new_session_secret() { return base::base64url_encode(base::random_bytes(32)); }

std::string csrf_token(std::string_view secret) {
  return base::base64url_encode(base::hmac_sha256(secret, "csrf token"));
}

bool same_origin(const App& app, const net::Request& request) {
  const auto site = request.header("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none") return false;
  const auto origin = request.header("Origin");
  if (origin.empty()) return true;
  const auto given = net::parse_url(origin); // "null" does not parse
  if (!given) return false;
  const auto own = net::parse_url(app.url);
  if (own && net::same_origin(*given, *own)) return true;
  // Reached under another name than the external URL's: the browser's own word for where it sent the request.
  const auto host = request.header("Host");
  const auto asked = net::parse_url(fmt::format("{}://{}", given->scheme, host));
  return !host.empty() && asked && net::same_origin(*given, *asked);
}

bool guarded_request(const App& app, const net::Request& request, const Params& params) {
  const auto secret = session_secret(app, request);
  if (secret.empty() || !same_origin(app, request)) return false;
  std::string given(request.header("X-CSRF-Token"));
  if (given.empty()) given = params.raw("authenticity_token").string_or("");
  return base::constant_time_equal(csrf_token(secret), given);
}

Outcome<Identity> session_identity(App& app, const net::Request& request, const Params& params) {
  const auto secret = session_secret(app, request);
  if (secret.empty()) return Identity{};
  if (changes_something(request.method) && !guarded_request(app, request, params)) return Identity{};
  const auto digest = token_digest(secret);
  std::optional<Row> session;
  auto identity = API_TRY(app.store.read([&](Transaction& tx) -> Outcome<Identity> {
    session = API_TRY(tx.query_one("SELECT * FROM sessions WHERE digest = ? AND expires_at > ?", {digest, app.now()}));
    if (!session || !base::constant_time_equal(session->text("digest"), digest)) return Identity{};
    const auto user = API_TRY(model::find_user(tx, session->integer("user_id")));
    if (!user || !user->active()) return Identity{};
    Identity known;
    known.kind = Identity::Kind::kUser;
    known.user_id = user->id;
    known.username = user->username;
    known.admin = user->admin;
    known.scopes = {"api"};
    known.session_id = session->integer("id");
    return known;
  }));
  if (identity.signed_in()) API_CHECK(touch(app, *session, request.remote_address));
  return identity;
}

base::Result<NewSession> create_session(Transaction& tx, const App& app, std::int64_t user_id, std::string_view ip,
                                        bool remember) {
  const auto now = app.now();
  const auto minutes = FR_TRY(model::setting_integer(tx, "session_expire_delay"));
  const auto life = remember ? kRememberedLife : minutes * 60'000;
  NewSession out{.secret = new_session_secret(), .cookie_seconds = {}};
  if (remember) out.cookie_seconds = life / 1000;
  FR_CHECK(
      tx.execute("INSERT INTO sessions (user_id, digest, created_at, expires_at, ip, last_used_at, life) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?)",
                 {user_id, token_digest(out.secret), now, now + life, ip, now, life}));
  FR_CHECK(
      tx.execute("DELETE FROM sessions WHERE user_id = ? AND id NOT IN (SELECT id FROM sessions WHERE user_id = ? "
                 "ORDER BY id DESC LIMIT ?)",
                 {user_id, user_id, kSessionsPerUser}));
  return out;
}

base::Status end_session(Transaction& tx, std::int64_t session_id) {
  FR_CHECK(tx.execute("DELETE FROM sessions WHERE id = ?", {session_id}));
  return {};
}

base::Status end_other_sessions(Transaction& tx, std::int64_t user_id, std::int64_t session_id) {
  FR_CHECK(tx.execute("DELETE FROM sessions WHERE user_id = ? AND id <> ?", {user_id, session_id}));
  return {};
}

std::string session_cookie(const App& app, const net::Request& request, std::string_view secret,
                           std::optional<std::int64_t> seconds) {
  const bool https = reached_by_https(app, request);
  auto cookie =
      fmt::format("{}={}; Path=/; HttpOnly; SameSite=Lax", https ? kSecureSessionCookie : kSessionCookie, secret);
  if (seconds) cookie += fmt::format("; Max-Age={}", *seconds);
  if (https) cookie += "; Secure";
  return cookie;
}

} // namespace coordinator::web
