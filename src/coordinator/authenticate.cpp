// Credentials of a request → Identity (runner-tokens digest §2.3 and §2.4).
#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/api.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/web/sessions.hpp"

namespace coordinator {
namespace {

constexpr std::int64_t kLastUsedInterval = 60'000;

Reply invalid_token(std::string_view description) {
  return Reply(401, json::Value::object({{"error", "invalid_token"}, {"error_description", description}}));
}

Outcome<Identity> user_identity(const model::User& user) {
  if (user.state == "deactivated") {
    return std::unexpected(forbidden("Your account has been deactivated by your administrator."));
  }
  if (!user.active()) return std::unexpected(forbidden("Your account has been blocked."));
  Identity identity;
  identity.kind = Identity::Kind::kUser;
  identity.user_id = user.id;
  identity.username = user.username;
  identity.admin = user.admin;
  identity.bot = user.kind != "human";
  return identity;
}

// A token that was rotated away and still comes back has leaked, or its successor has: all of the family ends.
void revoke_family_if_rotated(App& app, const model::AccessToken& token) {
  (void)app.store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
    if (FR_TRY(tx.count("SELECT count(*) FROM access_tokens WHERE rotated_from = ?", {token.id})) == 0) return 0;
    return tx.execute("UPDATE access_tokens SET revoked = 1 WHERE family = ?", {token.family});
  });
}

void note_use(App& app, const model::AccessToken& token) {
  const auto now = app.now();
  if (token.last_used_at && now - *token.last_used_at < kLastUsedInterval) return;
  (void)app.store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
    FR_CHECK(tx.execute("UPDATE users SET last_activity_at = ? WHERE id = ?", {now, token.user_id}));
    return tx.execute("UPDATE access_tokens SET last_used_at = ? WHERE id = ?", {now, token.id});
  });
}

Outcome<Identity> job_identity(App& app, std::string_view token) {
  return app.store.read([&](Transaction& tx) -> Outcome<Identity> {
    const auto digest = token_digest(token);
    const auto row = API_TRY(tx.query_one(
        "SELECT id, project_id, user_id, token_digest FROM jobs WHERE token_digest = ? AND status IN ('running', "
        "'canceling')",
        {digest}));
    if (!row || !base::constant_time_equal(row->text("token_digest"), digest)) return std::unexpected(unauthorized());
    const auto user = API_TRY(model::find_user(tx, row->integer("user_id")));
    if (!user) return std::unexpected(unauthorized());
    auto identity = API_TRY(user_identity(*user));
    identity.kind = Identity::Kind::kJob;
    identity.job_id = row->integer("id");
    identity.project_id = row->integer("project_id");
    return identity;
  });
}

std::string_view bearer(std::string_view header) {
  if (header.size() > 7 && base::equals_ignore_case(header.substr(0, 7), "bearer ")) {
    return base::trim(header.substr(7));
  }
  return {};
}

// `sudo`: an administrator acts as another user, with a token made for that.
Outcome<Identity> act_as(App& app, const Identity& identity, const std::string& wanted) {
  if (identity.kind != Identity::Kind::kUser) return std::unexpected(unauthorized());
  if (!identity.has_scope("sudo")) return std::unexpected(insufficient_scope({"sudo"}));
  if (!identity.admin) return std::unexpected(forbidden("Must be admin to use sudo"));
  return app.store.read([&](Transaction& tx) -> Outcome<Identity> {
    const auto id = base::parse_int(wanted);
    const auto user = API_TRY(id ? model::find_user(tx, *id) : model::find_user_by_name(tx, wanted));
    if (!user) return std::unexpected(not_found("User with ID or username '" + wanted + "'"));
    auto other = API_TRY(user_identity(*user));
    other.token_id = identity.token_id;
    other.scopes = identity.scopes;
    other.sudo_by = identity.user_id;
    return other;
  });
}

std::string text_of(const Params& params, std::string_view name) { return params.raw(name).string_or(""); }

} // namespace

Outcome<Identity> authenticate_token(App& app, std::string_view token) {
  if (token.empty()) return std::unexpected(unauthorized());
  std::optional<model::AccessToken> found;
  auto identity = app.store.read([&](Transaction& tx) -> Outcome<Identity> {
    const auto digest = token_digest(token);
    const auto row = API_TRY(tx.query_one("SELECT * FROM access_tokens WHERE digest = ?", {digest}));
    if (!row || !base::constant_time_equal(row->text("digest"), digest)) return std::unexpected(unauthorized());
    found = model::access_token_from(*row);
    if (found->revoked) {
      return std::unexpected(invalid_token("Token was revoked. You have to re-authorize from the user."));
    }
    if (found->expired(app.now())) {
      return std::unexpected(invalid_token("Token is expired. You can either do re-authorization or token refresh."));
    }
    const auto user = API_TRY(model::find_user(tx, found->user_id));
    if (!user) return std::unexpected(unauthorized());
    auto known = API_TRY(user_identity(*user));
    known.token_id = found->id;
    known.scopes = found->scopes;
    if (known.admin && !known.has_scope("admin_mode") && API_TRY(model::setting_flag(tx, "admin_mode"))) {
      known.admin = false;
    }
    return known;
  });
  if (found && found->revoked) revoke_family_if_rotated(app, *found);
  if (identity) note_use(app, *found);
  return identity;
}

namespace {

Outcome<Identity> credentials_of(App& app, const net::Request& request, const Params& params) {
  std::string token(request.header("PRIVATE-TOKEN"));
  if (token.empty()) token = text_of(params, "private_token");
  if (token.empty()) token = bearer(request.header("Authorization"));
  if (token.empty()) token = text_of(params, "access_token");
  if (!token.empty()) return authenticate_token(app, token);
  token = request.header("JOB-TOKEN");
  if (token.empty()) token = text_of(params, "job_token");
  if (!token.empty()) return job_identity(app, token);
  return web::session_identity(app, request, params);
}

} // namespace

Outcome<Identity> authenticate(App& app, const net::Request& request, const Params& params) {
  auto identity = credentials_of(app, request, params);
  if (!identity) return identity;
  std::string wanted(request.header("Sudo"));
  if (wanted.empty()) wanted = text_of(params, "sudo");
  return wanted.empty() ? identity : act_as(app, *identity, wanted);
}

} // namespace coordinator
