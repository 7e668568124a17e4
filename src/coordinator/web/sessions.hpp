// Browser sessions: the cookie, its row in the store, and the token against forged requests (CSRF).
//
// The cookie holds a random secret; the store knows its digest only. The CSRF token is an HMAC under that secret, so it
// needs no place of its own and dies with it. A visitor who is not signed in has a secret as well (no row), which
// protects the sign-in form; signing in always makes a new one. Functions are thread-safe, those with a Transaction run
// inside one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/store.hpp"

namespace coordinator::web {

inline constexpr std::string_view kSessionCookie = "_forerunner_session";
// On https: a name that browsers take from this host only, so that no neighbour in the domain plants a session.
inline constexpr std::string_view kSecureSessionCookie = "__Host-forerunner_session";
inline constexpr std::int64_t kRememberedLife = 14LL * 24 * 3600 * 1000; // "remember me", since the last use

// The browser reached us by https, be it through a proxy.
bool reached_by_https(const App& app, const net::Request& request);
// The secret of the request's cookie; "" when there is none or it cannot be one of ours.
std::string session_secret(const App& app, const net::Request& request);
std::string new_session_secret();
std::string csrf_token(std::string_view secret); // of a secret

// From a page of ours, as far as the browser says (Origin, Sec-Fetch-Site): true for programs, which say nothing.
bool same_origin(const App& app, const net::Request& request);
// A secret in the cookie, its CSRF token in X-CSRF-Token or `authenticity_token`, and the same origin.
bool guarded_request(const App& app, const net::Request& request, const Params& params);

// The signed-in user of the cookie; anonymous without a living session, and for a request that would change something
// without the token.
Outcome<Identity> session_identity(App& app, const net::Request& request, const Params& params);

struct NewSession {
  std::string secret;                         // for the cookie
  std::optional<std::int64_t> cookie_seconds; // nullopt: until the browser ends
};
base::Result<NewSession> create_session(Transaction& tx, const App& app, std::int64_t user_id, std::string_view ip,
                                        bool remember);
base::Status end_session(Transaction& tx, std::int64_t session_id);
// All of the user's but the one; 0: all.
base::Status end_other_sessions(Transaction& tx, std::int64_t user_id, std::int64_t session_id);

// Value of a Set-Cookie header.
std::string session_cookie(const App& app, const net::Request& request, std::string_view secret,
                           std::optional<std::int64_t> seconds = std::nullopt);

} // namespace coordinator::web
