// Members of projects and groups.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.hpp"
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
};

Outcome<Place> place_of_path(Transaction& tx, const Call& call, bool project, int level) {
  Place place;
  if (project) {
    const auto found = API_TRY(model::visible_project(tx, call, call.path("id")));
    place.project_id = found.project.id;
    place.access = found.access;
    const auto space = API_TRY(model::find_namespace(tx, found.project.namespace_id));
    if (space && space->is_group()) place.chain = space->chain;
  } else {
    const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    place.namespace_id = found.group.id;
    place.access = found.access;
    place.chain = found.group.chain;
  }
  if (!place.access.at_least(level)) return std::unexpected(forbidden());
  return place;
}

// Managing takes Maintainer on projects and Owner on groups.
int manage_level(bool project) { return project ? kMaintainer : kOwner; }

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

Outcome<std::vector<Row>> direct_rows(Transaction& tx, const Place& place) {
  return API_TRY(place.project_id
                     ? tx.query("SELECT * FROM members WHERE project_id = ? ORDER BY id", {*place.project_id})
                     : tx.query("SELECT * FROM members WHERE namespace_id = ? ORDER BY id", {*place.namespace_id}));
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
  for (const auto id : place.chain) merge(API_TRY(tx.query("SELECT * FROM members WHERE namespace_id = ?", {id})));
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
    API_CHECK(params.finish());
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, kNoAccess));
      auto out = json::Value::array();
      std::int64_t total = 0;
      for (const auto& row : API_TRY(rows_of(tx, place, inherited))) {
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
      const auto place = API_TRY(place_of_path(tx, call, project, kNoAccess));
      return json_reply(200, API_TRY(member_json(tx, call, API_TRY(member_row(tx, call, place, inherited)))));
    });
  };
}

std::int64_t read_level(Params& params) {
  const auto level = params.integer("access_level", Presence::kRequired);
  if (level && !is_access_level(*level)) params.complain("access_level does not have a valid value");
  return level.value_or(0);
}

// Nobody gives a role above his own.
Outcome<std::monostate> check_grant(const Place& place, std::int64_t level) {
  if (!place.access.at_least(static_cast<int>(level))) return std::unexpected(forbidden());
  return {};
}

Outcome<model::User> wished_user(Transaction& tx, const std::optional<std::int64_t>& id,
                                 const std::optional<std::string>& username) {
  auto user = API_TRY(id ? model::find_user(tx, *id) : model::find_user_by_name(tx, username.value_or("")));
  if (!user) return std::unexpected(not_found("User"));
  return std::move(*user);
}

ApiHandler add_member(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    auto& params = call.params;
    const auto id = params.integer("user_id");
    const auto username = params.text("username");
    if (!id && !username) params.complain("user_id, username are missing, at least one parameter must be provided");
    const auto level = read_level(params);
    const auto expires = params.date("expires_at");
    API_CHECK(params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(place_of_path(tx, call, project, manage_level(project)));
      API_CHECK(check_grant(place, level));
      const auto user = API_TRY(wished_user(tx, id, username));
      for (const auto& row : API_TRY(rows_of(tx, place, false))) {
        if (row.integer("user_id") == user.id) return std::unexpected(message_reply(409, "Member already exists"));
      }
      const auto row = API_TRY(tx.query_one(
          "INSERT INTO members (namespace_id, project_id, user_id, access_level, expires_at, created_at, created_by) "
          "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
          {place.namespace_id, place.project_id, user.id, level, expires, call.now(), call.identity.user_id}));
      return json_reply(201, API_TRY(member_json(tx, call, *row)));
    });
  };
}

// A group keeps an Owner.
Outcome<std::monostate> check_last_owner(Transaction& tx, const Place& place, const Row& row) {
  if (!place.namespace_id || place.chain.size() > 1 || row.integer("access_level") != kOwner) return {};
  const auto owners = API_TRY(tx.count("SELECT count(*) FROM members WHERE namespace_id = ? AND access_level = ?",
                                       {*place.namespace_id, kOwner}));
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
      const auto place = API_TRY(place_of_path(tx, call, project, manage_level(project)));
      const auto row = API_TRY(member_row(tx, call, place, false));
      API_CHECK(check_grant(place, std::max(level, row.integer("access_level"))));
      if (level != kOwner) API_CHECK(check_last_owner(tx, place, row));
      const auto changed = API_TRY(tx.query_one(
          "UPDATE members SET access_level = ?, expires_at = CASE WHEN ? THEN ? ELSE expires_at END WHERE id = ? "
          "RETURNING *",
          {level, new_expiry, expires, row.integer("id")}));
      return json_reply(200, API_TRY(member_json(tx, call, *changed)));
    });
  };
}

ApiHandler remove_member(bool project) {
  return [project](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      // Everybody may leave.
      const bool oneself = call.path_id("user_id") == call.identity.user_id;
      const auto place = API_TRY(place_of_path(tx, call, project, oneself ? kNoAccess : manage_level(project)));
      const auto row = API_TRY(member_row(tx, call, place, false));
      if (!oneself) API_CHECK(check_grant(place, row.integer("access_level")));
      API_CHECK(check_last_owner(tx, place, row));
      API_CHECK(tx.execute("DELETE FROM members WHERE id = ?", {row.integer("id")}));
      return empty_reply(204);
    });
  };
}

} // namespace

void register_members(Api& api) {
  for (const bool project : {true, false}) {
    const std::string root = project ? "/projects/:id/members" : "/groups/:id/members";
    api.get(root, list_members(project, false));
    api.get(root + "/all", list_members(project, true));
    api.get(root + "/all/:user_id", show_member(project, true));
    api.get(root + "/:user_id", show_member(project, false));
    api.post(root, add_member(project));
    api.put(root + "/:user_id", update_member(project));
    api.remove(root + "/:user_id", remove_member(project));
  }
}

} // namespace coordinator::rest
