// Users, their access tokens and sessions' owners, as the store keeps them. Functions run inside a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "coordinator/app.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

struct User {
  std::int64_t id = 0;
  std::string username;
  std::string name;
  std::string email;
  std::string state; // active, blocked, deactivated
  std::string kind;  // human, project_bot, group_bot
  bool admin = false;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;
  std::optional<std::int64_t> last_activity_at;
  bool active() const { return state == "active"; }
};
User user_from(const Row& row);
inline constexpr std::size_t kShortestPassword = 8;

base::Result<std::optional<User>> find_user(Transaction& tx, std::int64_t id);
base::Result<std::optional<User>> find_user_by_name(Transaction& tx, std::string_view username);

struct NewUser {
  std::string username;
  std::string name;
  std::string email;
  std::optional<std::string> password_hash;
  std::string kind = "human";
  bool admin = false;
};
// With a personal namespace for humans. kConflict when the name or address is taken.
base::Result<User> create_user(Transaction& tx, const NewUser& user, std::int64_t now);

// {"id","username","name","state","avatar_url","web_url"}
json::Value user_basic_json(const App& app, const User& user);
// The same for an id; null when there is no such user.
base::Result<json::Value> user_basic_json(Transaction& tx, const App& app, std::optional<std::int64_t> id);

struct AccessToken {
  std::int64_t id = 0;
  std::int64_t user_id = 0;
  std::string name;
  std::optional<std::string> description;
  std::vector<std::string> scopes;
  std::int64_t created_at = 0;
  std::optional<std::string> expires_at; // YYYY-MM-DD
  std::optional<std::int64_t> last_used_at;
  bool revoked = false;
  std::int64_t family = 0;
  bool expired(std::int64_t now) const; // from 00:00 UTC of the date
};
AccessToken access_token_from(const Row& row);
base::Result<std::optional<AccessToken>> find_access_token(Transaction& tx, std::int64_t id);

struct NewAccessToken {
  std::int64_t user_id = 0;
  std::string name;
  std::optional<std::string> description;
  std::vector<std::string> scopes;
  std::optional<std::string> expires_at;
  std::optional<std::int64_t> rotated_from;
  std::optional<std::int64_t> family;
};
std::string make_access_token(); // glpat-…
base::Result<AccessToken> create_access_token(Transaction& tx, const NewAccessToken& token, std::string_view plain,
                                              std::int64_t now);

std::string utc_date(std::int64_t unix_millis); // YYYY-MM-DD
std::string utc_millis(std::int64_t unix_millis);
json::Value time_json(std::optional<std::int64_t> unix_millis); // null when absent

} // namespace coordinator::model
