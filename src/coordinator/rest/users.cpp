// /user and /users.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/names.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {

json::Value user_json(const App& app, const model::User& user, bool full) {
  auto out = model::user_basic_json(app, user);
  out.set("created_at", model::utc_millis(user.created_at));
  out.set("bio", "");
  out.set("bot", user.kind != "human");
  if (!full) return out;
  out.set("email", user.email);
  out.set("commit_email", user.email);
  out.set("is_admin", user.admin);
  out.set("can_create_group", user.kind == "human");
  out.set("can_create_project", user.kind == "human");
  out.set("external", false);
  out.set("private_profile", false);
  out.set("two_factor_enabled", false);
  out.set("projects_limit", 100000);
  out.set("identities", json::Value::array());
  out.set("confirmed_at", model::utc_millis(user.created_at));
  out.set("last_activity_on",
          user.last_activity_at ? json::Value(model::utc_date(*user.last_activity_at)) : json::Value());
  return out;
}

namespace {

Outcome<model::User> user_of_path(Transaction& tx, const Call& call) {
  const auto id = call.path_id("id");
  auto user = id ? API_TRY(model::find_user(tx, *id)) : std::optional<model::User>();
  if (!user) return std::unexpected(not_found("User"));
  return std::move(*user);
}

Outcome<Reply> current_user(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto user = API_TRY(model::find_user(tx, call.identity.user_id));
    if (!user) return std::unexpected(unauthorized());
    auto out = user_json(call.app, *user, true);
    const auto space = API_TRY(model::find_namespace_by_path(tx, user->username));
    out.set("namespace_id", space ? json::Value(space->id) : json::Value());
    return json_reply(200, out);
  });
}

Outcome<Reply> list_users(Call& call) {
  auto& params = call.params;
  const auto page = API_TRY(read_page(params));
  const auto username = params.text("username");
  const auto search = params.text("search");
  const bool active = params.boolean("active").value_or(false);
  const bool blocked = params.boolean("blocked").value_or(false);
  const bool humans = params.boolean("humans").value_or(false) ||
                      params.boolean("without_project_bots").value_or(false) ||
                      params.boolean("exclude_internal").value_or(false);
  const auto order = params.one_of("order_by", {"id", "name", "username", "created_at", "updated_at"}).value_or("id");
  const auto sort = params.one_of("sort", {"asc", "desc"}).value_or("desc");
  API_CHECK(params.finish());
  const bool text = order == "name" || order == "username";
  const auto order_sql = fmt::format(" ORDER BY {} {}, id {}", text ? "lower(" + order + ")" : order, sort, sort);
  const std::string where =
      " FROM users WHERE (? IS NULL OR lower(username) = lower(?)) AND (? IS NULL OR lower(username) LIKE ? ESCAPE "
      "'\\' "
      "OR lower(name) LIKE ? ESCAPE '\\' OR lower(email) = ?) AND (? = 0 OR state = 'active') AND (? = 0 OR state = "
      "'blocked') AND (? = 0 OR kind = 'human')";
  const auto word = base::to_lower(search.value_or(""));
  const auto like = model::like_pattern(word);
  const Binds binds = {username, username, search, like, like, word, active, blocked, humans};
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto total = API_TRY(tx.count("SELECT count(*)" + where, binds));
    auto paged = binds;
    paged.emplace_back(page.per_page);
    paged.emplace_back(page.offset());
    auto out = json::Value::array();
    const bool full(allowed(Ability::kAdminInstance, call.identity.actor()));
    for (const auto& row : API_TRY(tx.query("SELECT *" + where + order_sql + " LIMIT ? OFFSET ?", paged))) {
      out.push_back(user_json(call.app, model::user_from(row), full));
    }
    return call.page_reply(std::move(out), page, total);
  });
}

Outcome<Reply> show_user(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto user = API_TRY(user_of_path(tx, call));
    return json_reply(200, user_json(call.app, user, may_act_for(call.identity.actor(), user.id)));
  });
}

Outcome<std::optional<std::string>> password_hash(Params& params, bool required) {
  auto password = params.text("password");
  const bool reset = params.boolean("reset_password").value_or(false);
  const bool random = params.boolean("force_random_password").value_or(false) || reset;
  API_CHECK(params.finish());
  if (!password) {
    // A password that nobody is told is none: the account has no password login until an administrator sets one.
    if (random || !required) return std::optional<std::string>();
    return std::unexpected(invalid_parameters(
        {"password, reset_password, force_random_password are missing, at least one parameter must be provided"}));
  }
  if (password->size() < model::kShortestPassword) {
    Violations violations;
    violations.add("password", "is too short (minimum is 8 characters)");
    return std::unexpected(violations.as_object());
  }
  return API_TRY(hash_password(*password));
}

Outcome<Reply> create_user(Call& call) {
  auto& params = call.params;
  model::NewUser user;
  user.email = params.text("email", Presence::kRequired).value_or("");
  user.name = params.text("name", Presence::kRequired).value_or("");
  user.username = params.text("username", Presence::kRequired).value_or("");
  user.admin = params.boolean("admin").value_or(false);
  params.boolean("skip_confirmation");
  API_CHECK(params.finish());
  user.password_hash = API_TRY(password_hash(params, true));
  Violations violations;
  if (!is_valid_path(user.username) || is_reserved_path(user.username)) {
    violations.add("username", std::string(kPathRule));
  }
  if (user.email.find('@') == std::string::npos) violations.add("email", "is invalid");
  if (user.name.empty()) violations.add("name", "can't be blank");
  if (!violations.empty()) return std::unexpected(violations.as_object());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    if (API_TRY(tx.count("SELECT count(*) FROM users WHERE lower(email) = lower(?)", {user.email})) > 0) {
      return std::unexpected(message_reply(409, "Email has already been taken"));
    }
    if (API_TRY(model::find_user_by_name(tx, user.username)) ||
        API_TRY(model::find_namespace_by_path(tx, user.username))) {
      return std::unexpected(message_reply(409, "Username has already been taken"));
    }
    const auto made = API_TRY(model::create_user(tx, user, call.now()));
    API_CHECK(
        model::audit(tx, call, "user_created", model::subject_of(made), json::Value::object({{"admin", made.admin}})));
    return json_reply(201, user_json(call.app, made, true));
  });
}

json::Value audited_json(const model::User& user) {
  return json::Value::object({{"name", user.name}, {"email", user.email}, {"admin", user.admin}});
}

Outcome<Reply> update_user(Call& call) {
  auto& params = call.params;
  const auto name = params.text("name");
  const auto email = params.text("email");
  const auto admin = params.boolean("admin");
  const auto hash = API_TRY(password_hash(params, false));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto user = API_TRY(user_of_path(tx, call));
    if (admin == false && user.id == call.identity.user_id) {
      return std::unexpected(forbidden("You cannot take the administrator role from yourself"));
    }
    auto done = tx.execute(
        "UPDATE users SET name = coalesce(?, name), email = coalesce(?, email), admin = coalesce(?, admin), "
        "password_hash = coalesce(?, password_hash), updated_at = ? WHERE id = ?",
        {name, email, admin, hash, call.now(), user.id});
    if (!done && done.error().kind() == base::ErrorKind::kConflict) {
      return std::unexpected(message_reply(409, "Email has already been taken"));
    }
    API_CHECK(std::move(done));
    if (hash) API_CHECK(tx.execute("DELETE FROM sessions WHERE user_id = ?", {user.id}));
    const auto changed = API_TRY(model::find_user(tx, user.id));
    auto difference = model::changes(audited_json(user), audited_json(*changed));
    if (hash) difference.set("password", "changed");
    API_CHECK(model::audit(tx, call, "user_updated", model::subject_of(user),
                           json::Value::object({{"changes", difference}})));
    return json_reply(200, user_json(call.app, *changed, true));
  });
}

Outcome<Reply> delete_user(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto user = API_TRY(user_of_path(tx, call));
    if (user.id == call.identity.user_id) return std::unexpected(forbidden("You cannot delete yourself"));
    API_CHECK(check_unmodified(call, user.updated_at));
    if (const auto space = API_TRY(model::find_namespace_by_path(tx, user.username))) {
      API_CHECK(model::delete_namespace(tx, call.app, *space));
    }
    // Their runners live on without a creator.
    API_CHECK(tx.execute("UPDATE runners SET creator_id = NULL WHERE creator_id = ?", {user.id}));
    API_CHECK(tx.execute("DELETE FROM users WHERE id = ?", {user.id}));
    API_CHECK(model::audit(tx, call, "user_destroyed", model::subject_of(user)));
    return empty_reply(204);
  });
}

// {"block", "blocked", "user_blocked"}
struct StateChange {
  std::string_view verb, state, event;
};

ApiHandler set_state(const StateChange& change) {
  return [change](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto user = API_TRY(user_of_path(tx, call));
      if (user.id == call.identity.user_id) {
        return std::unexpected(forbidden(fmt::format("You cannot {} yourself", change.verb)));
      }
      // Blocking is the stronger word; only unblocking ends it.
      if (user.state == "blocked" && change.verb == "deactivate") {
        return std::unexpected(forbidden("A blocked user cannot be deactivated by the API"));
      }
      if (user.state == "blocked" && change.verb == "activate") {
        return std::unexpected(forbidden("A blocked user must be unblocked to be activated"));
      }
      API_CHECK(tx.execute("UPDATE users SET state = ? WHERE id = ?", {change.state, user.id}));
      API_CHECK(tx.execute("DELETE FROM sessions WHERE user_id = ?", {user.id}));
      API_CHECK(model::audit(tx, call, change.event, model::subject_of(user)));
      tx.after_commit([&call] { call.app.events.eligibility_changed(); });
      return json_reply(201, true);
    });
  };
}

} // namespace

void register_users(Api& api) {
  const std::vector<std::string> readers = {"read_api", "read_user"};
  api.get("/user", current_user, {.scopes = readers, .summary = "The caller", .answers = "200:User"});
  api.get("/users", list_users,
          {.scopes = readers,
           .summary = "Users",
           .params = "@page username:text search:text active:bool blocked:bool humans:bool without_project_bots:bool "
                     "exclude_internal:bool order_by:(id|name|username|created_at|updated_at) sort:(asc|desc)",
           .answers = "200:[User]"});
  api.get("/users/:id", show_user, {.scopes = readers, .summary = "One user", .answers = "200:User"});
  api.post("/users", create_user,
           {.auth = Auth::kAdmin,
            .summary = "Create a user",
            .params = "email!:text name!:text username!:text password:text reset_password:bool "
                      "force_random_password:bool admin:bool skip_confirmation:bool",
            .answers = "201:User 409"});
  api.put("/users/:id", update_user,
          {.auth = Auth::kAdmin,
           .summary = "Edit a user",
           .params = "name:text email:text admin:bool password:text reset_password:bool force_random_password:bool",
           .answers = "200:User 409"});
  api.remove("/users/:id", delete_user, {.auth = Auth::kAdmin, .summary = "Delete a user", .answers = "204 412"});
  static constexpr std::pair<StateChange, std::string_view> changes[] = {
      {{"block", "blocked", "user_blocked"}, "Block a user"},
      {{"unblock", "active", "user_unblocked"}, "Unblock a user"},
      {{"deactivate", "deactivated", "user_deactivated"}, "Deactivate a user"},
      {{"activate", "active", "user_activated"}, "Activate a user"}};
  for (const auto& [change, summary] : changes) {
    api.post(fmt::format("/users/:id/{}", change.verb), set_state(change),
             {.auth = Auth::kAdmin, .summary = summary, .answers = "201:bool"});
  }
}

} // namespace coordinator::rest
