// GET /-/web/runners: the runners of a place, filtered, counted and cut into pages in the database; and what is done to
// many of them at once.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/runner_rows.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

using model::Condition;

constexpr std::int64_t kMostRows = 100;
constexpr std::size_t kMostAtOnce = 50;

constexpr model::RunnerStatus kBadges[] = {model::RunnerStatus::kOnline, model::RunnerStatus::kOffline,
                                           model::RunnerStatus::kStale, model::RunnerStatus::kNeverContacted};

// --- what was asked for ---

struct Order {
  std::string column; // an expression that is never NULL
  bool ascending = false;
};

struct Wish {
  model::RunnerFilter filter; // without the status: badges are exclusive, REST's words are not
  std::vector<model::RunnerStatus> badges;
  std::string search;
  Order order;
  std::string after, before;
  std::int64_t per_page = 20;
};

Order order_of(std::string_view sort) {
  // Runners without a contact or an expiry come last when the latest, or the first to expire, come first.
  Order order{.column = "r.created_at", .ascending = sort.ends_with("_asc")};
  if (sort.starts_with("contacted")) order.column = "coalesce(r.contacted_at, 0)";
  if (sort.starts_with("token")) order.column = "coalesce(r.token_expires_at, 9000000000000000)";
  return order;
}

Outcome<Wish> read_wish(Params& params) {
  Wish wish;
  for (const auto& word : params.list("runner_type").value_or(std::vector<std::string>{})) {
    const auto type = parse_runner_type(word);
    if (type)
      wish.filter.types.push_back(*type);
    else
      params.complain("runner_type does not have a valid value");
  }
  for (const auto& word : params.list("status").value_or(std::vector<std::string>{})) {
    const auto* badge = std::ranges::find_if(kBadges, [&](auto status) { return model::to_string(status) == word; });
    if (badge != std::end(kBadges))
      wish.badges.push_back(*badge);
    else
      params.complain("status does not have a valid value");
  }
  const auto paused = params.list("paused").value_or(std::vector<std::string>{});
  if (paused.size() == 1) wish.filter.paused = paused[0] == "true";
  for (const auto& word : paused) {
    if (word != "true" && word != "false") params.complain("paused does not have a valid value");
  }
  wish.filter.tags = params.list("tag").value_or(std::vector<std::string>{});
  wish.filter.version_prefix = params.text("version_prefix").value_or("");
  if (wish.filter.version_prefix.find_first_not_of("0123456789.") != std::string::npos) {
    params.complain("version_prefix is invalid");
  }
  wish.search = base::trim(params.text("search").value_or(""));
  wish.order = order_of(params
                            .one_of("sort", {"created_desc", "created_asc", "contacted_desc", "contacted_asc",
                                             "token_expires_at_desc", "token_expires_at_asc"})
                            .value_or("created_desc"));
  wish.after = params.text("after").value_or("");
  wish.before = params.text("before").value_or("");
  wish.per_page = std::clamp<std::int64_t>(params.integer("per_page").value_or(20), 1, kMostRows);
  params.exclusive("after", "before");
  return wish;
}

// A word in the description, a whole token, the number with or without '#', or the short form of the token.
Condition searched(const std::string& text, std::int64_t now) {
  Condition out;
  if (text.empty()) return out;
  const auto plain = model::runners_matching({.search = text}, now);
  const auto number = base::parse_int(text.starts_with('#') ? std::string_view(text).substr(1) : text);
  auto binds = plain.binds;
  binds.emplace_back(number.value_or(0));
  binds.emplace_back(text);
  out.add("((" + plain.sql + ") OR r.id = ? OR r.token_short = ?)", binds);
  return out;
}

void add(Condition& out, const Condition& more) { out.add("(" + more.sql + ")", more.binds); }

// --- where ---

struct Place {
  Condition condition;
  std::string base; // of the rows' web_path
};

// With everything that belongs to the group and what lies below it.
Condition below_group(const model::Namespace& group) {
  const auto pattern = model::subtree_pattern(group);
  Condition out;
  out.add(
      "((r.type = 'group_type' AND r.namespace_id IN (SELECT id FROM namespaces WHERE traversal LIKE ?)) OR (r.type "
      "= 'project_type' AND r.id IN (SELECT rp.runner_id FROM runner_projects rp JOIN projects p ON p.id = "
      "rp.project_id JOIN namespaces n ON n.id = p.namespace_id WHERE p.deleted = 0 AND n.traversal LIKE ?)))",
      {pattern, pattern});
  return out;
}

Condition either(const Condition& a, const Condition& b) {
  Condition out;
  auto binds = a.binds;
  binds.insert(binds.end(), b.binds.begin(), b.binds.end());
  out.add("((" + a.sql + ") OR (" + b.sql + "))", binds);
  return out;
}

Outcome<Place> group_place(Transaction& tx, const Call& call, std::string_view id, bool inherited) {
  const auto found = API_TRY(model::visible_group(tx, call, id));
  if (!allowed(Ability::kReadRunners, found.access)) return std::unexpected(forbidden());
  const auto own = below_group(found.group);
  return Place{inherited ? either(own, model::runners_of_group(found.group)) : own,
               group_path(found.group) + "/-/runners"};
}

Outcome<Place> project_place(Transaction& tx, const Call& call, std::string_view id, std::string_view list) {
  const auto found = API_TRY(model::visible_project(tx, call, id));
  if (!allowed(Ability::kReadRunners, found.access)) return std::unexpected(forbidden());
  const auto& project = found.project;
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  Place place{.condition = {}, .base = project_path(project) + "/-/runners"};
  if (list.empty()) place.condition = model::runners_of_project(project, space);
  if (list == "assigned") {
    place.condition.add("r.id IN (SELECT runner_id FROM runner_projects WHERE project_id = ?)", {project.id});
  } else if (list == "available") {
    place.condition = available_runners(call, project);
    place.base.clear(); // they are not here yet
  } else if (list == "instance") {
    place.condition.add("r.type = 'instance_type'");
  } else if (list == "group") {
    place.condition = inherited_group_runners(space);
  }
  return place;
}

Outcome<Place> place_of(Transaction& tx, const Call& call, std::string_view scope, bool inherited,
                        std::string_view list) {
  if (scope.starts_with("group:")) return group_place(tx, call, scope.substr(6), inherited);
  if (scope.starts_with("project:")) return project_place(tx, call, scope.substr(8), list);
  if (scope != "admin") return std::unexpected(invalid_parameters({"scope does not have a valid value"}));
  if (!allowed(Ability::kReadAllRunners, call.identity.actor())) return std::unexpected(forbidden());
  return Place{{}, "/admin/runners"};
}

// --- pages ---

std::string cursor_of(const Row& row) {
  return base::base64url_encode(fmt::format("{}:{}", row.integer("sort_value"), row.integer("id")));
}

struct Cursor {
  std::int64_t value = 0;
  std::int64_t id = 0;
};
Outcome<Cursor> parse_cursor(std::string_view text) {
  const auto plain = base::base64_decode(text);
  const auto colon = plain ? plain->find(':') : std::string::npos;
  if (colon != std::string::npos) {
    const auto value = base::parse_int(std::string_view(*plain).substr(0, colon));
    const auto id = base::parse_int(std::string_view(*plain).substr(colon + 1));
    if (value && id) return Cursor{*value, *id};
  }
  return std::unexpected(invalid_parameters({"cursor is invalid"}));
}

struct Slice {
  std::vector<Row> rows; // in the order asked for
  bool more_before = false;
  bool more_after = false;
};

Outcome<Slice> slice_of(Transaction& tx, const Wish& wish, Condition condition) {
  const bool backwards = !wish.before.empty();
  const bool ascending = wish.order.ascending != backwards;
  const auto& column = wish.order.column;
  if (backwards || !wish.after.empty()) {
    const auto cursor = API_TRY(parse_cursor(backwards ? wish.before : wish.after));
    const auto sign = ascending ? '>' : '<';
    condition.add(fmt::format("({0} {1} ? OR ({0} = ? AND r.id {1} ?))", column, sign),
                  {cursor.value, cursor.value, cursor.id});
  }
  const auto direction = ascending ? "ASC" : "DESC";
  condition.binds.emplace_back(wish.per_page + 1);
  Slice out;
  out.rows = API_TRY(tx.query(fmt::format("SELECT r.*, {0} AS sort_value FROM runners r WHERE {1} ORDER BY {0} {2}, "
                                          "r.id {2} LIMIT ?",
                                          column, condition.sql, direction),
                              condition.binds));
  const bool more = static_cast<std::int64_t>(out.rows.size()) > wish.per_page;
  if (more) out.rows.pop_back();
  if (backwards) std::ranges::reverse(out.rows);
  out.more_after = backwards || more;
  out.more_before = backwards ? more : !wish.after.empty();
  return out;
}

Outcome<json::Value> type_counts(Transaction& tx, const Condition& condition) {
  auto out = json::Value::object({{"all", 0}, {"instance_type", 0}, {"group_type", 0}, {"project_type", 0}});
  std::int64_t all = 0;
  for (const auto& row : API_TRY(tx.query(
           "SELECT r.type AS type, count(*) AS number FROM runners r WHERE " + condition.sql + " GROUP BY r.type",
           condition.binds))) {
    out.set(row.text("type"), row.integer("number"));
    all += row.integer("number");
  }
  out.set("all", all);
  return out;
}

Outcome<json::Value> badge_counts(Transaction& tx, const Condition& condition, std::int64_t now) {
  std::string columns;
  for (const auto badge : kBadges) {
    columns += fmt::format("{}coalesce(sum(CASE WHEN {} THEN 1 ELSE 0 END), 0) AS {}", columns.empty() ? "" : ", ",
                           badge_condition(badge, now), model::to_string(badge));
  }
  const auto row =
      API_TRY(tx.query_one("SELECT " + columns + " FROM runners r WHERE " + condition.sql, condition.binds));
  auto out = json::Value::object();
  for (const auto badge : kBadges) out.set(model::to_string(badge), row ? row->integer(model::to_string(badge)) : 0);
  return out;
}

Condition with_badges(Condition condition, const Wish& wish, std::int64_t now) {
  std::vector<std::string> any;
  for (const auto badge : wish.badges) any.push_back(badge_condition(badge, now));
  if (!any.empty()) condition.add("(" + base::join(any, " OR ") + ")");
  return condition;
}

Outcome<Reply> list_runners(Call& call) {
  auto& params = call.params;
  auto wish = API_TRY(read_wish(params));
  const auto scope = params.text("scope", Presence::kRequired).value_or("");
  const bool inherited = params.boolean("inherited").value_or(false);
  const auto list = params.one_of("list", {"assigned", "available", "group", "instance"}).value_or("");
  const auto creator = params.text("creator");
  API_CHECK(params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto place = API_TRY(place_of(tx, call, scope, inherited, list));
    if (creator && !creator->empty()) {
      const auto user = API_TRY(model::find_user_by_name(tx, *creator));
      wish.filter.creator_id = user ? user->id : 0;
    }
    auto any_type = wish.filter;
    any_type.types.clear();
    auto base = place.condition;
    add(base, searched(wish.search, call.now()));
    auto typed = base;
    add(typed, model::runners_matching(wish.filter, call.now()));
    auto untyped = base;
    add(untyped, model::runners_matching(any_type, call.now()));
    const auto slice = API_TRY(slice_of(tx, wish, with_badges(typed, wish, call.now())));
    auto rows = json::Value::array();
    for (const auto& row : slice.rows) {
      rows.push_back(API_TRY(runner_row(tx, call, model::runner_from(row), place.base)));
    }
    const auto cursor = [&](bool there, const Row* row) {
      return there && row ? json::Value(cursor_of(*row)) : nullptr;
    };
    const Row* first = slice.rows.empty() ? nullptr : &slice.rows.front();
    const Row* last = slice.rows.empty() ? nullptr : &slice.rows.back();
    return json_reply(
        200, json::Value::object({{"runners", std::move(rows)},
                                  {"counts", API_TRY(type_counts(tx, with_badges(untyped, wish, call.now())))},
                                  {"status_counts", API_TRY(badge_counts(tx, typed, call.now()))},
                                  {"page_info", json::Value::object({{"after", cursor(slice.more_after, last)},
                                                                     {"before", cursor(slice.more_before, first)}})}}));
  });
}

// --- many at once ---

Outcome<std::monostate> act(Transaction& tx, Call& call, std::int64_t id, std::string_view action) {
  const bool remove = action == "delete";
  const auto found = API_TRY(rest::runner_for(tx, call, id, remove ? Ability::kDeleteRunner : Ability::kUpdateRunner));
  if (remove) return rest::remove_runner(tx, call, found.runner);
  auto attributes = rest::attributes_of(found.runner);
  attributes.active = action == "resume";
  if (attributes.active == found.runner.active) return {};
  return rest::edit_runner(tx, call, found.runner, std::move(attributes));
}

// What GitLab's API would have said about this one.
std::string message_of(const Reply& reply) {
  const auto body = json::parse(reply.body);
  if (!body) return {};
  const auto& message = (*body)["message"];
  return message.is_string() ? message.as_string() : message.dump();
}

Outcome<std::vector<std::int64_t>> ids_of(Params& params) {
  std::vector<std::int64_t> ids;
  for (const auto& item : params.list("ids", Presence::kRequired).value_or(std::vector<std::string>{})) {
    const auto id = base::parse_int(item);
    if (!id) params.complain("ids is invalid");
    ids.push_back(id.value_or(0));
  }
  if (ids.size() > kMostAtOnce) params.complain(fmt::format("ids: at most {} at once", kMostAtOnce));
  API_CHECK(params.finish());
  return ids;
}

Outcome<Reply> bulk(Call& call) {
  const auto action = call.params.one_of("action", {"delete", "pause", "resume"}, Presence::kRequired).value_or("");
  const auto ids = API_TRY(ids_of(call.params));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto done = json::Value::array();
    auto errors = json::Value::array();
    for (const auto id : ids) {
      auto outcome = act(tx, call, id, action);
      if (outcome) {
        done.push_back(id);
      } else if (outcome.error().status == 403 || outcome.error().status == 404) {
        errors.push_back(json::Value::object({{"id", id}, {"message", message_of(outcome.error())}}));
      } else {
        return std::unexpected(std::move(outcome.error()));
      }
    }
    return json_reply(200, json::Value::object({{"done", std::move(done)}, {"errors", std::move(errors)}}));
  });
}

} // namespace

void register_runner_list(Api& api) {
  api.get("/runners", list_runners, {.root = kWebRoot});
  api.post("/runners/bulk", bulk, {.root = kWebRoot});
}

} // namespace coordinator::web
