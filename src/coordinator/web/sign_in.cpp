// Signing in and out, one's own password, name and sessions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/web/headers.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/sessions.hpp"
#include "coordinator/web/throttle.hpp"
#include "net/address.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kLongestLogin = 255;
constexpr std::size_t kLongestPassword = 1024;
constexpr std::size_t kBodyLimit = 16 << 10;
constexpr auto kHashPatience = std::chrono::seconds(10);
constexpr std::size_t kLanes = 64;

// One text for a wrong name, a wrong password, a blocked user and one without a password.
Reply wrong() { return message_reply(401, "Invalid login or password."); }

Reply throttled(std::int64_t seconds) {
  return message_reply(429, "Too many failed sign-ins. Try again later.")
      .header("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
}

// A hash takes 64 MiB and a processor: a few at a time, whoever asks, and one of an account, so that right passwords at
// the same time are not counted as guesses.
class Hashing {
 public:
  using Lane = std::unique_lock<std::timed_mutex>;
  Outcome<Lane> lane(std::string_view login) {
    Lane out(lanes_[std::hash<std::string>()(base::to_lower(login)) % kLanes], kHashPatience);
    if (!out.owns_lock()) return std::unexpected(unavailable("too many sign-ins at once"));
    return out;
  }
  Outcome<bool> verify(std::string_view hash, std::string_view password) {
    if (!places_.try_acquire_for(kHashPatience)) return std::unexpected(unavailable("too many sign-ins at once"));
    const bool right = verify_password(hash, password);
    places_.release();
    return right;
  }
  Outcome<std::string> hash(std::string_view password) {
    if (!places_.try_acquire_for(kHashPatience)) return std::unexpected(unavailable("too many sign-ins at once"));
    auto out = hash_password(password);
    places_.release();
    return API_TRY(std::move(out));
  }

 private:
  std::counting_semaphore<4> places_{std::clamp<std::ptrdiff_t>(std::thread::hardware_concurrency() / 2, 1, 4)};
  std::array<std::timed_mutex, kLanes> lanes_;
};
using Hasher = std::shared_ptr<Hashing>;

struct Account {
  std::optional<model::User> user;
  std::optional<std::string> hash;
};

Outcome<Account> find_account(Transaction& tx, std::string_view login) {
  const bool address = login.contains('@');
  const auto row = API_TRY(tx.query_one(std::string("SELECT * FROM users WHERE kind = 'human' AND ") +
                                            (address ? "lower(email)" : "lower(username)") + " = lower(?)",
                                        {login}));
  if (!row) return Account{};
  return Account{model::user_from(*row), row->optional_text("password_hash")};
}

json::Value signed_in_json(const App& app, const model::User& user, std::string_view secret) {
  return json::Value::object({{"user", rest::user_json(app, user, true)}, {"csrf_token", csrf_token(secret)}});
}

// The attempts of an address, right or wrong.
Outcome<std::monostate> check_address(Call& call) {
  const auto limit = API_TRY(
      call.app.store.read([&](Transaction& tx) { return model::setting_integer(tx, "sign_in_attempts_per_address"); }));
  const int wait = call.app.limiter.hit("sign-in", net::address_block(call.request.remote_address), limit, call.now());
  if (wait > 0) return std::unexpected(throttled(wait));
  return {};
}

// Books the attempt, then tries the password; the account when it is right.
Outcome<Account> check_password(Call& call, const Hasher& hasher, std::string_view login, std::string_view password) {
  const auto lane = API_TRY(hasher->lane(login));
  Attempt attempt;
  std::int64_t wait = 0;
  auto account = API_TRY(call.app.store.write([&](Transaction& tx) -> Outcome<Account> {
    auto found = API_TRY(find_account(tx, login));
    attempt =
        attempt_for(found.user ? std::optional(found.user->id) : std::nullopt, login, call.request.remote_address);
    wait = API_TRY(book_attempt(tx, attempt, call.now()));
    return found;
  }));
  if (wait > 0) return std::unexpected(throttled(wait));
  const bool usable = account.user && account.user->active() && account.hash;
  const bool right = API_TRY(hasher->verify(account.hash.value_or(std::string(kNobodysPassword)), password));
  if (!right || !usable) {
    base::log::info("sign-in refused", {{"address", call.request.remote_address}});
    return std::unexpected(wrong());
  }
  API_CHECK(call.app.store.write([&](Transaction& tx) { return forget_attempt(tx, attempt, call.now()); }));
  return account;
}

Outcome<Reply> sign_in(Call& call, const Hasher& hasher) {
  if (!guarded_request(call.app, call.request, call.params)) {
    return std::unexpected(forbidden("Reload the page and try again."));
  }
  const auto login = call.params.text("login", Presence::kRequired).value_or("");
  const auto password = call.params.text("password", Presence::kRequired).value_or("");
  const bool remember = call.params.boolean("remember_me").value_or(false);
  const auto target = call.params.text("redirect_to").value_or("/");
  API_CHECK(call.params.finish());
  API_CHECK(check_address(call));
  if (login.size() > kLongestLogin || password.size() > kLongestPassword) return std::unexpected(wrong());
  const auto account = API_TRY(check_password(call, hasher, login, password));
  const auto old = session_secret(call.app, call.request);
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    // Between the look and now the account may have been blocked or its password changed.
    const auto row = API_TRY(tx.query_one("SELECT * FROM users WHERE id = ?", {account.user->id}));
    if (!row || !model::user_from(*row).active() || row->optional_text("password_hash") != account.hash) {
      return std::unexpected(wrong());
    }
    // A session that came along ends: its id was known before the password.
    API_CHECK(tx.execute("DELETE FROM sessions WHERE digest = ?", {token_digest(old)}));
    const auto session = API_TRY(create_session(tx, call.app, account.user->id, call.request.remote_address, remember));
    API_CHECK(tx.execute("UPDATE users SET last_activity_at = ? WHERE id = ?", {call.now(), account.user->id}));
    call.identity.kind = Identity::Kind::kUser;
    call.identity.user_id = account.user->id;
    call.identity.username = account.user->username;
    API_CHECK(model::audit(tx, call, "user_signed_in", model::subject_of(*account.user)));
    auto body = signed_in_json(call.app, *account.user, session.secret);
    body.set("redirect", safe_redirect(target));
    return json_reply(200, body).header("Set-Cookie",
                                        session_cookie(call.app, call.request, session.secret, session.cookie_seconds));
  });
}

Outcome<Reply> sign_out(Call& call) {
  if (!guarded_request(call.app, call.request, call.params)) {
    return std::unexpected(forbidden("Reload the page and try again."));
  }
  const auto digest = token_digest(session_secret(call.app, call.request));
  API_CHECK(call.app.store.write([&](Transaction& tx) { //
    return tx.execute("DELETE FROM sessions WHERE digest = ?", {digest});
  }));
  const auto secret = new_session_secret();
  return json_reply(200, json::Value::object({{"csrf_token", csrf_token(secret)}, {"redirect", "/users/sign_in"}}))
      .header("Set-Cookie", session_cookie(call.app, call.request, secret));
}

Reply field_error(std::string_view field, std::string text) {
  Violations violations;
  violations.add(field, std::move(text));
  return violations.as_object();
}

// What follows needs a person at a browser: a token must not change the password that is above it.
Outcome<std::monostate> need_session(const Call& call) {
  if (call.identity.session_id == 0) return std::unexpected(forbidden("Sign in with a browser"));
  return {};
}

Outcome<Reply> change_password(Call& call, const Hasher& hasher) {
  API_CHECK(need_session(call));
  const auto current = call.params.text("current", Presence::kRequired).value_or("");
  const auto fresh = call.params.text("new", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  if (fresh.size() < model::kShortestPassword) {
    return std::unexpected(field_error("password", "is too short (minimum is 8 characters)"));
  }
  if (fresh.size() > kLongestPassword) {
    return std::unexpected(field_error("password", "is too long (maximum is 1024 characters)"));
  }
  API_CHECK(check_address(call));
  auto account = check_password(call, hasher, call.identity.username, current);
  if (!account) {
    if (account.error().status == 401) return std::unexpected(field_error("current_password", "is invalid"));
    return std::unexpected(std::move(account.error()));
  }
  const auto hash = API_TRY(hasher->hash(fresh));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto user_id = call.identity.user_id;
    const auto done =
        API_TRY(tx.execute("UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ? AND password_hash = ?",
                           {hash, call.now(), user_id, account->hash}));
    if (done == 0) return std::unexpected(field_error("current_password", "is invalid"));
    const auto life = API_TRY(tx.query_one("SELECT life FROM sessions WHERE id = ?", {call.identity.session_id}));
    API_CHECK(end_other_sessions(tx, user_id, 0));
    // The one that stays gets a new id, too: whoever had copied the old one is out.
    const bool remembered = life && life->integer("life") > 0 && life->integer("life") == kRememberedLife;
    const auto session = API_TRY(create_session(tx, call.app, user_id, call.request.remote_address, remembered));
    API_CHECK(model::audit(tx, call, "user_password_changed", model::subject_of(*account->user)));
    return json_reply(200, json::Value::object({{"csrf_token", csrf_token(session.secret)}}))
        .header("Set-Cookie", session_cookie(call.app, call.request, session.secret, session.cookie_seconds));
  });
}

Outcome<Reply> change_profile(Call& call) {
  const auto name = call.params.text("name", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  if (name.empty()) return std::unexpected(field_error("name", "can't be blank"));
  if (name.size() > 255) return std::unexpected(field_error("name", "is too long (maximum is 255 characters)"));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.execute("UPDATE users SET name = ?, updated_at = ? WHERE id = ?",
                         {name, call.now(), call.identity.user_id}));
    return json_reply(200, rest::user_json(call.app, *API_TRY(model::find_user(tx, call.identity.user_id)), true));
  });
}

Outcome<Reply> list_sessions(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto out = json::Value::array();
    for (const auto& row : API_TRY(
             tx.query("SELECT * FROM sessions WHERE user_id = ? AND expires_at > ? ORDER BY last_used_at DESC, id DESC",
                      {call.identity.user_id, call.now()}))) {
      out.push_back(json::Value::object({{"id", row.integer("id")},
                                         {"current", row.integer("id") == call.identity.session_id},
                                         {"created_at", model::utc_millis(row.integer("created_at"))},
                                         {"last_used_at", model::utc_millis(row.integer("last_used_at"))},
                                         {"ip_address", row.text("ip")}}));
    }
    return json_reply(200, out);
  });
}

Outcome<Reply> remove_session(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto gone = API_TRY(tx.execute("DELETE FROM sessions WHERE id = ? AND user_id = ?",
                                         {call.path_id("id").value_or(0), call.identity.user_id}));
    if (gone == 0) return std::unexpected(not_found("Session"));
    return empty_reply(204);
  });
}

} // namespace

void register_sign_in(Api& api) {
  const auto hasher = std::make_shared<Hashing>();
  const Route open{.auth = Auth::kNone, .max_body = kBodyLimit, .root = kWebRoot};
  const Route hashing{.auth = Auth::kNone, .max_body = kBodyLimit, .slow = true, .root = kWebRoot};
  const Route user_hashing{.max_body = kBodyLimit, .slow = true, .root = kWebRoot};
  const Route user{.max_body = kBodyLimit, .root = kWebRoot};
  api.post("/session", [hasher](Call& call) { return sign_in(call, hasher); }, hashing);
  api.remove("/session", sign_out, open);
  api.put("/password", [hasher](Call& call) { return change_password(call, hasher); }, user_hashing);
  api.put("/profile", change_profile, user);
  api.get("/sessions", list_sessions, user);
  api.remove("/sessions/:id", remove_session, user);
}

} // namespace coordinator::web
