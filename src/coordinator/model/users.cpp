#include "coordinator/model/users.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/strings.hpp"

namespace coordinator::model {
namespace {

std::vector<std::string> texts_of(const std::string& array) {
  std::vector<std::string> out;
  const auto value = json::parse(array);
  if (value && value->is_array()) {
    for (const auto& item : value->as_array()) out.push_back(item.string_or(""));
  }
  return out;
}

json::Value array_of(const std::vector<std::string>& items) {
  auto out = json::Value::array();
  for (const auto& item : items) out.push_back(item);
  return out;
}

} // namespace

std::string utc_millis(std::int64_t unix_millis) { return base::format_utc_millis(unix_millis); }
std::string utc_date(std::int64_t unix_millis) { return base::format_utc_millis(unix_millis).substr(0, 10); }

json::Value time_json(std::optional<std::int64_t> unix_millis) {
  return unix_millis ? json::Value(utc_millis(*unix_millis)) : json::Value();
}

User user_from(const Row& row) {
  return {.id = row.integer("id"),
          .username = row.text("username"),
          .name = row.text("name"),
          .email = row.text("email"),
          .state = row.text("state"),
          .kind = row.text("kind"),
          .admin = row.boolean("admin"),
          .created_at = row.integer("created_at"),
          .updated_at = row.integer("updated_at"),
          .last_activity_at = row.optional_integer("last_activity_at")};
}

base::Result<std::optional<User>> find_user(Transaction& tx, std::int64_t id) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM users WHERE id = ?", {id}));
  if (!row) return std::nullopt;
  return user_from(*row);
}

base::Result<std::optional<User>> find_user_by_name(Transaction& tx, std::string_view username) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM users WHERE lower(username) = lower(?)", {username}));
  if (!row) return std::nullopt;
  return user_from(*row);
}

base::Result<User> create_user(Transaction& tx, const NewUser& user, std::int64_t now) {
  const auto id =
      FR_TRY(tx.insert("INSERT INTO users (username, name, email, password_hash, kind, admin, created_at, updated_at) "
                       "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                       {user.username, user.name, user.email, user.password_hash, user.kind, user.admin, now, now}));
  if (user.kind == "human") {
    const auto space = FR_TRY(
        tx.insert("INSERT INTO namespaces (kind, owner_id, name, path, full_path, full_name, visibility, created_at) "
                  "VALUES ('user', ?, ?, ?, ?, ?, 'public', ?)",
                  {id, user.name, user.username, user.username, user.name, now}));
    FR_CHECK(tx.execute("UPDATE namespaces SET traversal = ? WHERE id = ?", {fmt::format("{}.", space), space}));
  }
  auto made = FR_TRY(find_user(tx, id));
  return *made;
}

json::Value user_basic_json(const App& app, const User& user) {
  return json::Value::object({{"id", user.id},
                              {"username", user.username},
                              {"public_email", nullptr},
                              {"name", user.name},
                              {"state", user.state},
                              {"locked", false},
                              {"avatar_url", nullptr},
                              {"web_url", app.url + "/" + user.username}});
}

base::Result<json::Value> user_basic_json(Transaction& tx, const App& app, std::optional<std::int64_t> id) {
  if (!id) return json::Value();
  const auto user = FR_TRY(find_user(tx, *id));
  return user ? user_basic_json(app, *user) : json::Value();
}

bool AccessToken::expired(std::int64_t now) const { return expires_at && *expires_at <= utc_date(now); }

AccessToken access_token_from(const Row& row) {
  return {.id = row.integer("id"),
          .user_id = row.integer("user_id"),
          .name = row.text("name"),
          .description = row.optional_text("description"),
          .scopes = texts_of(row.text("scopes")),
          .created_at = row.integer("created_at"),
          .expires_at = row.optional_text("expires_at"),
          .last_used_at = row.optional_integer("last_used_at"),
          .revoked = row.boolean("revoked"),
          .family = row.integer("family")};
}

base::Result<std::optional<AccessToken>> find_access_token(Transaction& tx, std::int64_t id) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM access_tokens WHERE id = ?", {id}));
  if (!row) return std::nullopt;
  return access_token_from(*row);
}

std::string make_access_token() { return "glpat-" + base::random_token(20); }

base::Result<AccessToken> create_access_token(Transaction& tx, const NewAccessToken& token, std::string_view plain,
                                              std::int64_t now) {
  const auto id = FR_TRY(tx.insert(
      "INSERT INTO access_tokens (user_id, name, description, digest, scopes, created_at, expires_at, rotated_from, "
      "family) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {token.user_id, token.name, token.description, token_digest(plain), array_of(token.scopes).dump(), now,
       token.expires_at, token.rotated_from, token.family}));
  if (!token.family) FR_CHECK(tx.execute("UPDATE access_tokens SET family = ? WHERE id = ?", {id, id}));
  auto made = FR_TRY(find_access_token(tx, id));
  return *made;
}

} // namespace coordinator::model
