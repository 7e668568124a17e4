// Lists of projects: GET /projects, /groups/:id/projects, /users/:id/projects.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

struct Wish {
  Listing listing;
  int level = kNoAccess; // the caller's least role
  bool simple = false;
  model::Condition where;
};

// "created_at" is the order of the ids, and quicker so.
std::string order_sql(const Listing& listing) {
  const auto& word = listing.order_by;
  if (word != "name" && word != "path" && word != "updated_at" && word != "last_activity_at") return "";
  const bool text = word == "name" || word == "path";
  return fmt::format("{} {}", text ? "lower(p." + word + ")" : "p." + word, listing.ascending ? "ASC" : "DESC");
}

Outcome<Wish> read_wish(Params& params) {
  Wish wish;
  wish.listing = API_TRY(read_listing(
      params, {"created_at", "id", "name", "path", "updated_at", "last_activity_at", "similarity", "star_count"}));
  wish.level = static_cast<int>(read_least_role(params));
  if (params.boolean("membership").value_or(false)) wish.level = std::max(wish.level, kGuest);
  if (params.boolean("owned").value_or(false)) wish.level = kOwner;
  wish.simple = params.boolean("simple").value_or(false);
  // A word with a slash, or asked for so, is looked for in the groups' names as well.
  const auto search = params.text("search").value_or("");
  const bool in_paths = params.boolean("search_namespaces").value_or(false) || search.find('/') != std::string::npos;
  if (!search.empty()) {
    const auto like = model::like_pattern(search);
    wish.where.add(fmt::format("(lower(p.name) LIKE ? ESCAPE '\\' OR lower({}) LIKE ? ESCAPE '\\')",
                               in_paths ? "p.full_path" : "p.path"),
                   {like, like});
  }
  if (const auto archived = params.boolean("archived")) wish.where.add("p.archived = ?", {*archived});
  if (const auto word = params.one_of("visibility", {"private", "internal", "public"})) {
    wish.where.add("p.visibility = ?", {*word});
  }
  if (const auto id = params.integer("id_after")) wish.where.add("p.id > ?", {*id});
  if (const auto id = params.integer("id_before")) wish.where.add("p.id < ?", {*id});
  for (const auto& topic : params.list("topic").value_or(std::vector<std::string>{})) {
    wish.where.add("replace(p.topics, ?, '') <> p.topics", {json::Value(topic).dump()});
  }
  API_CHECK(params.finish());
  return wish;
}

Outcome<Reply> list(Transaction& tx, const Call& call, const Wish& wish, const model::Condition& place) {
  auto where = model::projects_visible_to(call.identity, call.now());
  where.add("(" + place.sql + ")", place.binds);
  where.add("(" + wish.where.sql + ")", wish.where.binds);
  if (wish.level > kNoAccess) {
    const auto own = model::projects_of_user(call.identity.user_id, wish.level, call.now());
    where.add("(" + own.sql + ")", own.binds);
  }
  const Source source{.table = {}, .id = "p.id", .query = model::kProjectSelect, .order = order_sql(wish.listing)};
  return list_rows(tx, call, wish.listing, source, std::move(where), [&](const Row& row) -> Outcome<json::Value> {
    const auto project = model::project_from_row(row);
    auto entry = model::project_basic_json(call.app, project);
    if (wish.simple) return entry;
    const auto settings = project_settings_json(project);
    for (const auto& [name, value] : settings.as_object()) entry.set(name, value);
    return entry;
  });
}

Outcome<Reply> list_projects(Call& call) {
  const auto wish = API_TRY(read_wish(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> { return list(tx, call, wish, {}); });
}

Outcome<Reply> list_group_projects(Call& call) {
  const bool below = call.params.boolean("include_subgroups").value_or(false);
  const auto wish = API_TRY(read_wish(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
    model::Condition place;
    if (below) {
      place.add("n.traversal LIKE ?", {model::subtree_pattern(found.group)});
    } else {
      place.add("p.namespace_id = ?", {found.group.id});
    }
    return list(tx, call, wish, place);
  });
}

Outcome<Reply> list_user_projects(Call& call) {
  const auto wish = API_TRY(read_wish(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto& given = call.path("id");
    const auto id = base::parse_int(given);
    const auto user = API_TRY(id ? model::find_user(tx, *id) : model::find_user_by_name(tx, given));
    if (!user) return std::unexpected(not_found("User"));
    model::Condition place;
    place.add("n.kind = 'user' AND n.owner_id = ?", {user->id});
    return list(tx, call, wish, place);
  });
}

} // namespace

void register_project_lists(Api& api) {
  static const std::string list =
      "@page min_access_level:(0|5|10|15|20|25|30|40|50) membership:bool owned:bool simple:bool search:text "
      "search_namespaces:bool "
      "archived:bool visibility:(private|internal|public) topic:list id_after:int id_before:int "
      "pagination:(keyset|legacy) cursor:text "
      "order_by:(id|name|path|created_at|updated_at|last_activity_at|similarity|star_count) sort:(asc|desc)";
  static const std::string list_below = list + " include_subgroups:bool";
  api.get("/projects", list_projects,
          {.auth = Auth::kOptional, .summary = "Projects", .params = list, .answers = "200:[Project]"});
  api.get("/groups/:id/projects", list_group_projects,
          {.auth = Auth::kOptional, .summary = "A group's projects", .params = list_below, .answers = "200:[Project]"});
  api.get("/users/:id/projects", list_user_projects,
          {.auth = Auth::kOptional, .summary = "A user's own projects", .params = list, .answers = "200:[Project]"});
}

} // namespace coordinator::rest
