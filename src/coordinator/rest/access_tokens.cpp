// Personal access tokens, and those of projects and groups (bot users).
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

constexpr std::int64_t kDay = 24LL * 3600 * 1000;
constexpr std::int64_t kLongestLife = 365;
constexpr std::int64_t kRotatedLife = 7;

const std::vector<std::string>& known_scopes() {
  static const auto& scopes = *new std::vector<std::string>{"api",
                                                            "read_api",
                                                            "read_user",
                                                            "create_runner",
                                                            "manage_runner",
                                                            "read_repository",
                                                            "write_repository",
                                                            "sudo",
                                                            "admin_mode",
                                                            "self_rotate",
                                                            "k8s_proxy",
                                                            "read_registry",
                                                            "write_registry",
                                                            "ai_features",
                                                            "read_virtual_registry",
                                                            "write_virtual_registry",
                                                            "read_service_ping"};
  return scopes;
}

json::Value token_json(const model::AccessToken& token, std::int64_t now) {
  auto scopes = json::Value::array();
  for (const auto& scope : token.scopes) scopes.push_back(scope);
  return json::Value::object({{"id", token.id},
                              {"name", token.name},
                              {"revoked", token.revoked},
                              {"created_at", model::utc_millis(token.created_at)},
                              {"description", token.description ? json::Value(*token.description) : json::Value()},
                              {"scopes", scopes},
                              {"user_id", token.user_id},
                              {"last_used_at", model::time_json(token.last_used_at)},
                              {"active", !token.revoked && !token.expired(now)},
                              {"expires_at", token.expires_at ? json::Value(*token.expires_at) : json::Value()}});
}

// The wished date, checked; the longest life when none is given.
Outcome<std::optional<std::string>> expiry(Transaction& tx, const Call& call, const std::optional<std::string>& wished,
                                           std::int64_t default_days) {
  const auto limit = API_TRY(model::setting(tx, "max_personal_access_token_lifetime")).integer_or(kLongestLife);
  const auto latest = model::utc_date(call.now() + limit * kDay);
  if (!wished) {
    if (!API_TRY(model::setting_flag(tx, "require_personal_access_token_expiry")) && default_days > kRotatedLife) {
      return std::optional<std::string>(); // never
    }
    return std::optional(model::utc_date(call.now() + std::min(limit, default_days) * kDay));
  }
  if (*wished <= model::utc_date(call.now())) {
    return std::unexpected(bad_request("Expiration date must be in the future"));
  }
  if (*wished > latest) {
    return std::unexpected(bad_request(fmt::format("Expiration date must be before {}", latest)));
  }
  return wished;
}

model::AuditSubject subject_of(const model::AccessToken& token) {
  return {.kind = "access_token", .id = token.id, .name = token.name};
}

// Never the token itself.
Outcome<std::monostate> audit_token(Transaction& tx, const Call& call, std::string_view action,
                                    const model::AccessToken& token) {
  const auto user = API_TRY(model::find_user(tx, token.user_id));
  auto scopes = json::Value::array();
  for (const auto& scope : token.scopes) scopes.push_back(scope);
  API_CHECK(model::audit(tx, call, action, subject_of(token),
                         json::Value::object({{"user_id", token.user_id},
                                              {"user", user ? user->username : std::string()},
                                              {"scopes", std::move(scopes)},
                                              {"expires_at", token.expires_at.value_or("")}})));
  return {};
}

struct Wish {
  model::NewAccessToken token;
  std::optional<std::string> expires_at;
};

Outcome<Wish> read_wish(Params& params) {
  Wish wish;
  wish.token.name = params.text("name", Presence::kRequired).value_or("");
  wish.token.description = params.text("description");
  wish.token.scopes = params.list("scopes", Presence::kRequired).value_or(std::vector<std::string>{});
  wish.expires_at = params.date("expires_at");
  const auto& known = known_scopes();
  const bool valid = std::ranges::all_of(
      wish.token.scopes, [&](const auto& scope) { return std::ranges::find(known, scope) != known.end(); });
  if (!valid || (wish.token.scopes.empty() && params.has("scopes"))) {
    params.complain("scopes does not have a valid value");
  }
  if (wish.token.name.empty() && params.has("name")) params.complain("name is empty");
  API_CHECK(params.finish());
  return wish;
}

Outcome<json::Value> issue(Transaction& tx, const Call& call, Wish wish) {
  wish.token.expires_at = API_TRY(expiry(tx, call, wish.expires_at, kLongestLife));
  const auto plain = model::make_access_token();
  const auto token = API_TRY(model::create_access_token(tx, wish.token, plain, call.now()));
  API_CHECK(audit_token(tx, call, "access_token_created", token));
  auto out = token_json(token, call.now());
  out.set("token", plain);
  return out;
}

Outcome<Reply> create_for_user(Call& call) {
  auto wish = API_TRY(read_wish(call.params));
  const auto id = call.path_id("id");
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    if (!id || !API_TRY(model::find_user(tx, *id))) return std::unexpected(not_found("User"));
    wish.token.user_id = *id;
    return json_reply(201, API_TRY(issue(tx, call, wish)));
  });
}

Outcome<Reply> create_own(Call& call, Wish wish) {
  wish.token.user_id = call.identity.user_id;
  return call.app.store.write(
      [&](Transaction& tx) -> Outcome<Reply> { return json_reply(201, API_TRY(issue(tx, call, wish))); });
}

Outcome<Reply> create_for_oneself(Call& call) {
  auto wish = API_TRY(read_wish(call.params));
  for (const auto& scope : wish.token.scopes) {
    if (scope != "k8s_proxy" && scope != "self_rotate") {
      return std::unexpected(invalid_parameters({"scopes does not have a valid value"}));
    }
  }
  return create_own(call, std::move(wish));
}

// With any scope, for a person at a browser: a token must not make one that can do more than itself.
Outcome<Reply> create_in_browser(Call& call) {
  if (call.identity.session_id == 0) return std::unexpected(forbidden("Sign in with a browser"));
  return create_own(call, API_TRY(read_wish(call.params)));
}

Outcome<Reply> list_tokens(Call& call) {
  auto& params = call.params;
  const auto page = API_TRY(read_page(params));
  auto user_id = params.integer("user_id");
  const auto revoked = params.boolean("revoked");
  const auto state = params.one_of("state", {"active", "inactive"});
  const auto search = params.text("search");
  API_CHECK(params.finish());
  const auto actor = call.identity.actor();
  if (!user_id && !allowed(Ability::kAdminInstance, actor)) user_id = actor.user_id;
  if (user_id && !may_act_for(actor, *user_id)) return std::unexpected(unauthorized());
  const std::string where =
      " FROM access_tokens WHERE (? IS NULL OR user_id = ?) AND (? IS NULL OR revoked = ?) AND (? IS NULL OR "
      "lower(name) "
      "LIKE ? ESCAPE '\\') AND (? IS NULL OR CASE WHEN revoked = 0 AND (expires_at IS NULL OR expires_at > ?) THEN 1 "
      "ELSE 0 END = ?)";
  const Binds binds = {user_id,
                       user_id,
                       revoked,
                       revoked,
                       search,
                       model::like_pattern(search.value_or("")),
                       state,
                       model::utc_date(call.now()),
                       state == "active"};
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto total = API_TRY(tx.count("SELECT count(*)" + where, binds));
    auto paged = binds;
    paged.emplace_back(page.per_page);
    paged.emplace_back(page.offset());
    auto out = json::Value::array();
    for (const auto& row : API_TRY(tx.query("SELECT *" + where + " ORDER BY id DESC LIMIT ? OFFSET ?", paged))) {
      out.push_back(token_json(model::access_token_from(row), call.now()));
    }
    return call.page_reply(std::move(out), page, total);
  });
}

// `self`, or an id: another user's is 401 for all but administrators, who get 404 for an unknown one.
Outcome<model::AccessToken> token_of_path(Transaction& tx, const Call& call, bool self) {
  const auto id = self ? std::optional(call.identity.token_id) : call.path_id("id");
  auto token = id ? API_TRY(model::find_access_token(tx, *id)) : std::optional<model::AccessToken>();
  const auto actor = call.identity.actor();
  if (token && may_act_for(actor, token->user_id)) return std::move(*token);
  return std::unexpected(allowed(Ability::kAdminInstance, actor) ? not_found("Personal Access Token") : unauthorized());
}

ApiHandler show_token(bool self) {
  return [self](Call& call) -> Outcome<Reply> {
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      return json_reply(200, token_json(API_TRY(token_of_path(tx, call, self)), call.now()));
    });
  };
}

ApiHandler revoke_token(bool self) {
  return [self](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto token = API_TRY(token_of_path(tx, call, self));
      API_CHECK(check_unmodified(call, token.created_at));
      API_CHECK(tx.execute("UPDATE access_tokens SET revoked = 1 WHERE id = ?", {token.id}));
      API_CHECK(audit_token(tx, call, "access_token_revoked", token));
      return empty_reply(204);
    });
  };
}

Outcome<Reply> rotate(Transaction& tx, const Call& call, const model::AccessToken& token,
                      const std::optional<std::string>& wished) {
  if (token.revoked) return std::unexpected(bad_request("token already revoked"));
  model::NewAccessToken next{.user_id = token.user_id,
                             .name = token.name,
                             .description = token.description,
                             .scopes = token.scopes,
                             .expires_at = API_TRY(expiry(tx, call, wished, kRotatedLife)),
                             .rotated_from = token.id,
                             .family = token.family};
  API_CHECK(tx.execute("UPDATE access_tokens SET revoked = 1 WHERE id = ?", {token.id}));
  const auto plain = model::make_access_token();
  const auto made = API_TRY(model::create_access_token(tx, next, plain, call.now()));
  API_CHECK(audit_token(tx, call, "access_token_rotated", made));
  auto out = token_json(made, call.now());
  out.set("token", plain);
  return json_reply(200, out);
}

ApiHandler rotate_token(bool self) {
  return [self](Call& call) -> Outcome<Reply> {
    const auto wished = call.params.date("expires_at");
    API_CHECK(call.params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      return rotate(tx, call, API_TRY(token_of_path(tx, call, self)), wished);
    });
  };
}

// --- tokens of projects and groups: a bot user with a membership ---

struct Owner {
  std::optional<std::int64_t> project_id;
  std::optional<std::int64_t> namespace_id;
  Access access;
  std::string_view kind() const { return project_id ? "project_bot" : "group_bot"; }
};

// Maintainer of the project, Owner of the group.
Outcome<Owner> owner_of_path(Transaction& tx, const Call& call, bool project) {
  if (project) {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kManageAccessTokens));
    return Owner{.project_id = found.project.id, .namespace_id = {}, .access = found.access};
  }
  const auto found = API_TRY(model::group_for(tx, call, Ability::kManageAccessTokens));
  return Owner{.project_id = {}, .namespace_id = found.group.id, .access = found.access};
}

constexpr std::string_view kResourceTokens =
    "SELECT t.*, m.access_level FROM access_tokens t JOIN users u ON u.id = t.user_id JOIN members m ON m.user_id = "
    "u.id WHERE u.kind = ? AND coalesce(m.project_id, 0) = ? AND coalesce(m.namespace_id, 0) = ?";

Binds owner_binds(const Owner& owner) {
  return {owner.kind(), owner.project_id.value_or(0), owner.namespace_id.value_or(0)};
}

json::Value resource_token_json(const Row& row, std::int64_t now) {
  auto out = token_json(model::access_token_from(row), now);
  out.set("access_level", row.integer("access_level"));
  return out;
}

ApiHandler list_resource_tokens(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    const auto page = API_TRY(read_page(call.params));
    const auto state = call.params.one_of("state", {"active", "inactive"}).value_or("active");
    API_CHECK(call.params.finish());
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto owner = API_TRY(owner_of_path(tx, call, project));
      auto binds = owner_binds(owner);
      binds.emplace_back(model::utc_date(call.now()));
      binds.emplace_back(state == "active");
      const auto rows = API_TRY(tx.query(
          std::string(kResourceTokens) +
              " AND CASE WHEN t.revoked = 0 AND (t.expires_at IS NULL OR t.expires_at > ?) THEN 1 ELSE 0 END = ? "
              "ORDER BY t.id DESC",
          binds));
      auto out = json::Value::array();
      for (auto i = page.offset(); i < static_cast<std::int64_t>(rows.size()) && i < page.offset() + page.per_page;
           ++i) {
        out.push_back(resource_token_json(rows[static_cast<std::size_t>(i)], call.now()));
      }
      return call.page_reply(std::move(out), page, static_cast<std::int64_t>(rows.size()));
    });
  };
}

// No bot is an administrator, so none gets a scope that only these have a use for.
bool is_for_bots(const std::string& scope) {
  return scope != "sudo" && scope != "admin_mode" && scope != "read_service_ping";
}

ApiHandler create_resource_token(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    const auto level = call.params.integer("access_level").value_or(kMaintainer);
    if (!is_access_level(level)) call.params.complain("access_level does not have a valid value");
    auto wish = API_TRY(read_wish(call.params));
    if (!std::ranges::all_of(wish.token.scopes, is_for_bots)) {
      return std::unexpected(invalid_parameters({"scopes does not have a valid value"}));
    }
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto owner = API_TRY(owner_of_path(tx, call, project));
      // Else a token could outlive itself by making another.
      if (call.identity.bot) return std::unexpected(forbidden());
      if (!can_grant(owner.access, level)) {
        return std::unexpected(bad_request("Access level of the token can't be greater than your own"));
      }
      const auto owner_id = project ? *owner.project_id : *owner.namespace_id;
      const auto name = fmt::format("{}_{}_bot_{}", project ? "project" : "group", owner_id, base::random_hex(32));
      const auto bot = API_TRY(model::create_user(tx,
                                                  {.username = name,
                                                   .name = wish.token.name,
                                                   .email = name + "@noreply.localhost",
                                                   .kind = std::string(owner.kind())},
                                                  call.now()));
      API_CHECK(
          tx.execute("INSERT INTO members (namespace_id, project_id, user_id, access_level, created_at, "
                     "created_by) VALUES (?, ?, ?, ?, ?, ?)",
                     {owner.namespace_id, owner.project_id, bot.id, level, call.now(), call.identity.user_id}));
      wish.token.user_id = bot.id;
      auto out = API_TRY(issue(tx, call, wish));
      out.set("access_level", level);
      return json_reply(201, out);
    });
  };
}

// A token finds itself, as `self`, whatever its role.
Outcome<Owner> owner_for_token(Transaction& tx, const Call& call, bool project) {
  if (call.path("token_id") != "self") return owner_of_path(tx, call, project);
  if (!project) {
    const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    return Owner{.project_id = {}, .namespace_id = found.group.id, .access = found.access};
  }
  const auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
  return Owner{.project_id = found.project.id, .namespace_id = {}, .access = found.access};
}

Outcome<Row> resource_token(Transaction& tx, const Call& call, bool project) {
  const auto owner = API_TRY(owner_for_token(tx, call, project));
  auto binds = owner_binds(owner);
  const bool self = call.path("token_id") == "self";
  binds.emplace_back(self ? call.identity.token_id : call.path_id("token_id").value_or(0));
  auto row = API_TRY(tx.query_one(std::string(kResourceTokens) + " AND t.id = ?", binds));
  if (!row) return std::unexpected(not_found("Access Token"));
  return std::move(*row);
}

ApiHandler show_resource_token(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      return json_reply(200, resource_token_json(API_TRY(resource_token(tx, call, project)), call.now()));
    });
  };
}

ApiHandler revoke_resource_token(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto row = API_TRY(resource_token(tx, call, project));
      API_CHECK(check_unmodified(call, row.integer("created_at")));
      API_CHECK(tx.execute("UPDATE access_tokens SET revoked = 1 WHERE id = ?", {row.integer("id")}));
      API_CHECK(audit_token(tx, call, "access_token_revoked", model::access_token_from(row)));
      return empty_reply(204);
    });
  };
}

ApiHandler rotate_resource_token(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    // The scope self_rotate is for the token itself only.
    if (call.path("token_id") != "self" && !scopes_allow(call.identity.scopes, {}, false)) {
      return std::unexpected(insufficient_scope(scopes_wanted({}, false)));
    }
    const auto wished = call.params.date("expires_at");
    API_CHECK(call.params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto row = API_TRY(resource_token(tx, call, project));
      return rotate(tx, call, model::access_token_from(row), wished);
    });
  };
}

} // namespace

void register_access_tokens(Api& api) {
  api.get("/personal_access_tokens", list_tokens,
          {.summary = "Access tokens of the caller; for administrators of everybody",
           .params = "@page user_id:int revoked:bool state:(active|inactive) search:text",
           .answers = "200:[AccessToken]"});
  // Whatever its scopes, a token may look at and end itself.
  const auto& any = known_scopes();
  api.get("/personal_access_tokens/self", show_token(true),
          {.scopes = any, .summary = "The token that the request is made with", .answers = "200:AccessToken"});
  api.remove("/personal_access_tokens/self", revoke_token(true),
             {.scopes = any, .summary = "Revoke the token that the request is made with", .answers = "204"});
  api.post("/personal_access_tokens/self/rotate", rotate_token(true),
           {.scopes = {"self_rotate"},
            .summary = "Replace the token that the request is made with",
            .params = "expires_at:date",
            .answers = "200:NewAccessToken"});
  api.get("/personal_access_tokens/:id", show_token(false), {.summary = "One token", .answers = "200:AccessToken"});
  api.remove("/personal_access_tokens/:id", revoke_token(false), {.summary = "Revoke a token", .answers = "204 412"});
  api.post("/personal_access_tokens/:id/rotate", rotate_token(false),
           {.summary = "Replace a token", .params = "expires_at:date", .answers = "200:NewAccessToken"});
  constexpr std::string_view kNewToken = "name!:text description:text scopes!:list expires_at:date";
  api.post("/users/:id/personal_access_tokens", create_for_user,
           {.auth = Auth::kAdmin,
            .summary = "Create a token for a user",
            .params = kNewToken,
            .answers = "201:NewAccessToken"});
  api.post("/personal_access_tokens", create_in_browser, {.root = kWebRoot});
  api.post("/user/personal_access_tokens", create_for_oneself,
           {.summary = "Create a token of the scopes k8s_proxy and self_rotate for oneself",
            .params = kNewToken,
            .answers = "201:NewAccessToken"});
  for (const bool project : {true, false}) {
    const std::string root = project ? "/projects/:id/access_tokens" : "/groups/:id/access_tokens";
    api.get(root, list_resource_tokens(project),
            {.summary = "Access tokens", .params = "@page state:(active|inactive)", .answers = "200:[ResourceToken]"});
    api.post(root, create_resource_token(project),
             {.summary = "Create an access token with a bot user",
              .params = "name!:text description:text scopes!:list expires_at:date access_level:int",
              .answers = "201:NewAccessToken"});
    api.get(root + "/:token_id", show_resource_token(project),
            {.summary = "One access token", .answers = "200:ResourceToken"});
    api.remove(root + "/:token_id", revoke_resource_token(project),
               {.summary = "Revoke an access token", .answers = "204 412"});
    api.post(root + "/:token_id/rotate", rotate_resource_token(project),
             {.scopes = {"self_rotate"},
              .summary = "Replace an access token; `self`: the one of the request",
              .params = "expires_at:date",
              .answers = "200:NewAccessToken"});
  }
}

} // namespace coordinator::rest
