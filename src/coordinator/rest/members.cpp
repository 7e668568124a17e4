// Members of projects and groups.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

// Where memberships hang: a project or a group, and the groups above it.
struct Place {
  std::optional<std::int64_t> project_id;
  std::optional<std::int64_t> namespace_id;
  std::vector<std::int64_t> chain;
  Access access;
  model::AuditSubject subject;
  std::string today;
};

constexpr std::string_view kListParams = "@page query:text user_ids:list";

Outcome<Place> place_of_path(Transaction& tx, const Call& call, bool project, Ability ability) {
  Place place;
  place.today = model::utc_date(call.now());
  if (project) {
    const auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
    place.project_id = found.project.id;
    place.subject = model::subject_of(found.project);
    place.access = found.access;
    const auto space = API_TRY(model::find_namespace(tx, found.project.namespace_id));
    if (space && space->is_group()) place.chain = space->chain;
  } else {
    const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    place.namespace_id = found.group.id;
    place.subject = model::subject_of(found.group);
    place.access = found.access;
    place.chain = found.group.chain;
  }
  if (!allowed(ability, place.access)) return std::unexpected(forbidden());
  return place;
}

Outcome<json::Value> member_json(Transaction& tx, const Call& call, const Row& row) {
  auto out = API_TRY(model::user_basic_json(tx, call.app, row.integer("user_id")));
  out.set("access_level", row.integer("access_level"));
  out.set("created_at", model::utc_millis(row.integer("created_at")));
  const auto expires = row.optional_text("expires_at");
  out.set("expires_at", expires ? json::Value(*expires) : json::Value());
  out.set("created_by", API_TRY(model::user_basic_json(tx, call.app, row.optional_integer("created_by"))));
  out.set("membership_state", "active");
  return out;
}

// A membership that has expired is none, though its row stays until somebody is made a member anew.
Outcome<std::vector<Row>> rows_at(Transaction& tx, std::string_view column, std::int64_t id, std::string_view today) {
  return API_TRY(tx.query(fmt::format("SELECT * FROM members WHERE {} = ? AND (expires_at IS NULL OR expires_at > ?) "
                                      "ORDER BY id",
                                      column),
                          {id, today}));
}

Outcome<std::vector<Row>> direct_rows(Transaction& tx, const Place& place) {
  return place.project_id ? rows_at(tx, "project_id", *place.project_id, place.today)
                          : rows_at(tx, "namespace_id", *place.namespace_id, place.today);
}

// With the inherited ones: for each user the highest role.
Outcome<std::vector<Row>> all_rows(Transaction& tx, const Place& place) {
  std::map<std::int64_t, Row> best;
  const auto merge = [&](std::vector<Row> rows) {
    for (auto& row : rows) {
      const auto user = row.integer("user_id");
      const auto it = best.find(user);
      if (it == best.end()) {
        best.emplace(user, std::move(row));
      } else if (it->second.integer("access_level") < row.integer("access_level")) {
        it->second = std::move(row);
      }
    }
  };
  for (const auto id : place.chain) merge(API_TRY(rows_at(tx, "namespace_id", id, place.today)));
  merge(API_TRY(direct_rows(tx, place)));
  std::vector<Row> out;
  for (auto& [user, row] : best) out.push_back(std::move(row));
  return out;
}

Outcome<std::vector<Row>> rows_of(Transaction& tx, const Place& place, bool inherited) {
  return inherited ? all_rows(tx, place) : direct_rows(tx, place);
}

ApiHandler list_members(bool project, bool inherited) {
  return [project, inherited](Call& call) -> Outcome<Reply> {
    auto& params = call.params;
    const auto page = API_TRY(read_page(params));
    const auto query = base::to_lower(params.text("query").value_or(""));
    const auto user_ids = params.list("user_ids").value_or(std::vector<std::string>{});
    API_CHECK(params.finish());
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, Ability::kReadMembers));
      auto out = json::Value::array();
      std::int64_t total = 0;
      for (const auto& row : API_TRY(rows_of(tx, place, inherited))) {
        const auto user_id = std::to_string(row.integer("user_id"));
        if (!user_ids.empty() && std::ranges::find(user_ids, user_id) == user_ids.end()) continue;
        auto entry = API_TRY(member_json(tx, call, row));
        if (!query.empty() && base::to_lower(entry["username"].string_or("")).find(query) == std::string::npos &&
            base::to_lower(entry["name"].string_or("")).find(query) == std::string::npos) {
          continue;
        }
        if (total >= page.offset() && total < page.offset() + page.per_page) out.push_back(std::move(entry));
        ++total;
      }
      return call.page_reply(std::move(out), page, total);
    });
  };
}

Outcome<Row> member_row(Transaction& tx, const Call& call, const Place& place, bool inherited) {
  const auto user_id = call.path_id("user_id");
  for (auto& row : API_TRY(rows_of(tx, place, inherited))) {
    if (row.integer("user_id") == user_id) return row;
  }
  return std::unexpected(message_reply(404, "404 Not found"));
}

ApiHandler show_member(bool project, bool inherited) {
  return [project, inherited](Call& call) -> Outcome<Reply> {
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, Ability::kReadMembers));
      return json_reply(200, API_TRY(member_json(tx, call, API_TRY(member_row(tx, call, place, inherited)))));
    });
  };
}

std::int64_t read_level(Params& params) {
  const auto level = params.integer("access_level", Presence::kRequired);
  if (level && !is_access_level(*level)) params.complain("access_level does not have a valid value");
  return level.value_or(0);
}

// For the audit trail.
json::Value membership_json(const std::string& username, const Row& row) {
  const auto expires = row.optional_text("expires_at");
  return json::Value::object({{"user", username},
                              {"access_level", row.integer("access_level")},
                              {"expires_at", expires ? json::Value(*expires) : json::Value()}});
}

Outcome<std::string> username_of(Transaction& tx, const Row& row) {
  const auto user = API_TRY(model::find_user(tx, row.integer("user_id")));
  return user ? user->username : std::string();
}

// Nobody gives a role above his own.
Outcome<std::monostate> check_grant(const Place& place, std::int64_t level) {
  if (!can_grant(place.access, level)) return std::unexpected(forbidden());
  return {};
}

Outcome<model::User> wished_user(Transaction& tx, const std::optional<std::int64_t>& id,
                                 const std::optional<std::string>& username) {
  auto user = API_TRY(id ? model::find_user(tx, *id) : model::find_user_by_name(tx, username.value_or("")));
  if (!user) return std::unexpected(not_found("User"));
  return std::move(*user);
}

struct NewMember {
  std::int64_t level = 0;
  std::optional<std::string> expires_at;
};

Outcome<Row> insert_member(Transaction& tx, const Call& call, const Place& place, const model::User& user,
                           const NewMember& wish) {
  for (const auto& row : API_TRY(rows_of(tx, place, false))) {
    if (row.integer("user_id") == user.id) return std::unexpected(message_reply(409, "Member already exists"));
  }
  API_CHECK(
      tx.execute("DELETE FROM members WHERE coalesce(namespace_id, 0) = ? AND coalesce(project_id, 0) = ? AND "
                 "user_id = ?",
                 {place.namespace_id.value_or(0), place.project_id.value_or(0), user.id}));
  const auto row = API_TRY(tx.query_one(
      "INSERT INTO members (namespace_id, project_id, user_id, access_level, expires_at, created_at, created_by) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
      {place.namespace_id, place.project_id, user.id, wish.level, wish.expires_at, call.now(), call.identity.user_id}));
  API_CHECK(model::audit(tx, call, "member_created", place.subject, membership_json(user.username, *row)));
  return *row;
}

// Several users at once: as GitLab, 201 whatever becomes of each, and in the body what went wrong.
Outcome<Reply> add_several(Transaction& tx, const Call& call, const Place& place, const std::vector<std::int64_t>& ids,
                           const NewMember& wish) {
  auto failed = json::Value::object();
  for (const auto id : ids) {
    const auto user = API_TRY(model::find_user(tx, id));
    if (!user) {
      failed.set(std::to_string(id), "404 User Not Found");
    } else if (const auto row = insert_member(tx, call, place, *user, wish); !row) {
      if (row.error().status != 409) return std::unexpected(row.error());
      failed.set(user->username, "Member already exists");
    }
  }
  if (failed.size() == 0) return json_reply(201, json::Value::object({{"status", "success"}}));
  return json_reply(201, json::Value::object({{"status", "error"}, {"message", std::move(failed)}}));
}

// "4,5" or [4, 5]; nullopt when it is one id.
std::optional<std::vector<std::int64_t>> several_ids(Params& params) {
  const auto& given = params.raw("user_id");
  const bool several = given.is_array() || (given.is_string() && given.as_string().find(',') != std::string::npos);
  if (!several) return std::nullopt;
  std::vector<std::int64_t> ids;
  for (const auto& text : params.list("user_id").value_or(std::vector<std::string>{})) {
    const auto id = base::parse_int(text);
    if (!id) params.complain("user_id is invalid");
    ids.push_back(id.value_or(0));
  }
  return ids;
}

ApiHandler add_member(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    auto& params = call.params;
    const auto several = several_ids(params);
    const auto id = several ? std::nullopt : params.integer("user_id");
    const auto username = params.text("username");
    if (!params.has("user_id") && !username) {
      params.complain("user_id, username are missing, at least one parameter must be provided");
    }
    const NewMember wish{.level = read_level(params), .expires_at = params.date("expires_at")};
    API_CHECK(params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, Ability::kAdminMembers));
      API_CHECK(check_grant(place, wish.level));
      if (several) return add_several(tx, call, place, *several, wish);
      const auto user = API_TRY(wished_user(tx, id, username));
      const auto row = API_TRY(insert_member(tx, call, place, user, wish));
      return json_reply(201, API_TRY(member_json(tx, call, row)));
    });
  };
}

// A group keeps an Owner.
Outcome<std::monostate> check_last_owner(Transaction& tx, const Place& place, const Row& row) {
  if (!place.namespace_id || place.chain.size() > 1 || row.integer("access_level") != kOwner) return {};
  const auto owners =
      API_TRY(tx.count("SELECT count(*) FROM members m JOIN users u ON u.id = m.user_id WHERE m.namespace_id = ? AND "
                       "m.access_level = ? AND (m.expires_at IS NULL OR m.expires_at > ?) AND u.kind = 'human'",
                       {*place.namespace_id, kOwner, place.today}));
  if (owners <= 1) return std::unexpected(forbidden("The last owner of a group cannot leave it"));
  return {};
}

ApiHandler update_member(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    auto& params = call.params;
    const auto level = read_level(params);
    const bool new_expiry = params.has("expires_at");
    const auto expires = params.date("expires_at");
    API_CHECK(params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, Ability::kAdminMembers));
      const auto row = API_TRY(member_row(tx, call, place, false));
      API_CHECK(check_grant(place, std::max(level, row.integer("access_level"))));
      if (level != kOwner) API_CHECK(check_last_owner(tx, place, row));
      const auto changed = API_TRY(tx.query_one(
          "UPDATE members SET access_level = ?, expires_at = CASE WHEN ? THEN ? ELSE expires_at END WHERE id = ? "
          "RETURNING *",
          {level, new_expiry, expires, row.integer("id")}));
      const auto name = API_TRY(username_of(tx, row));
      API_CHECK(model::audit(tx, call, "member_updated", place.subject,
                             json::Value::object({{"user", name},
                                                  {"changes", model::changes(membership_json(name, row),
                                                                             membership_json(name, *changed))}})));
      return json_reply(200, API_TRY(member_json(tx, call, *changed)));
    });
  };
}

ApiHandler remove_member(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      // Everybody may leave.
      const bool oneself = call.path_id("user_id") == call.identity.user_id;
      const auto place =
          API_TRY(place_of_path(tx, call, project, oneself ? Ability::kReadMembers : Ability::kAdminMembers));
      const auto row = API_TRY(member_row(tx, call, place, false));
      if (!oneself) API_CHECK(check_grant(place, row.integer("access_level")));
      API_CHECK(check_last_owner(tx, place, row));
      API_CHECK(check_unmodified(call, row.integer("created_at")));
      API_CHECK(tx.execute("DELETE FROM members WHERE id = ?", {row.integer("id")}));
      API_CHECK(model::audit(tx, call, "member_destroyed", place.subject,
                             membership_json(API_TRY(username_of(tx, row)), row)));
      return empty_reply(204);
    });
  };
}

} // namespace

void register_members(Api& api) {
  for (const bool project : {true, false}) {
    const std::string root = project ? "/projects/:id/members" : "/groups/:id/members";
    api.get(root, list_members(project, false),
            {.summary = "Direct members", .params = kListParams, .answers = "200:[Member]"});
    api.get(root + "/all", list_members(project, true),
            {.summary = "Members, inherited ones included", .params = kListParams, .answers = "200:[Member]"});
    api.get(root + "/all/:user_id", show_member(project, true),
            {.summary = "One member, be it by inheritance", .answers = "200:Member"});
    api.get(root + "/:user_id", show_member(project, false), {.summary = "One direct member", .answers = "200:Member"});
    api.post(root, add_member(project),
             {.summary = "Add a member",
              .params = "user_id:any username:text access_level!:int expires_at:date",
              .answers = "201:NewMember 409"});
    api.put(root + "/:user_id", update_member(project),
            {.summary = "Change a member's role or expiry",
             .params = "access_level!:int expires_at:date?",
             .answers = "200:Member"});
    api.remove(root + "/:user_id", remove_member(project),
               {.summary = "Remove a member, or leave", .answers = "204 412"});
  }
}

} // namespace coordinator::rest
