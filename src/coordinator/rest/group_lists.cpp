// Lists of groups and namespaces.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {

std::int64_t read_least_role(Params& params) {
  const auto level = params.integer("min_access_level").value_or(kNoAccess);
  const bool unused = level == 5 || level == 15 || level == 25; // roles of GitLab that nobody has here
  if (level != kNoAccess && !unused && !is_access_level(level)) {
    params.complain("min_access_level does not have a valid value");
  }
  return level;
}

namespace {

struct Wish {
  Listing listing;
  int level = kNoAccess; // the caller's least role
  std::optional<bool> all;
  model::Condition where;
};

Outcome<Wish> read_wish(Params& params, bool everywhere) {
  Wish wish;
  wish.listing = API_TRY(read_listing(params, {"name", "path", "id", "similarity"}, "asc"));
  wish.level = static_cast<int>(read_least_role(params));
  if (params.boolean("owned").value_or(false)) wish.level = std::max(wish.level, kOwner);
  wish.all = params.boolean("all_available");
  if (const auto search = params.text("search").value_or(""); !search.empty()) {
    const auto like = model::like_pattern(search);
    const std::string_view path = search.find('/') == std::string::npos ? "n.path" : "n.full_path";
    wish.where.add(fmt::format("(lower({}) LIKE ? ESCAPE '\\' OR lower(n.name) LIKE ? ESCAPE '\\')", path),
                   {like, like});
  }
  if (const auto word = params.one_of("visibility", {"private", "internal", "public"})) {
    wish.where.add("n.visibility = ?", {*word});
  }
  if (everywhere && params.boolean("top_level_only").value_or(false)) wish.where.add("n.parent_id IS NULL");
  for (const auto& id : params.list("skip_groups").value_or(std::vector<std::string>{})) {
    const auto number = base::parse_int(id);
    if (!number) params.complain("skip_groups is invalid");
    wish.where.add("n.id <> ?", {number.value_or(0)});
  }
  params.boolean("statistics");
  API_CHECK(params.finish());
  return wish;
}

Outcome<Reply> list(Transaction& tx, const Call& call, const Wish& wish, model::Condition where) {
  where.add("n.kind = 'group'");
  where.add("(" + wish.where.sql + ")", wish.where.binds);
  if (wish.level > kNoAccess) {
    const auto own = model::groups_of_user(call.identity.user_id, wish.level, call.now());
    where.add("(" + own.sql + ")", own.binds);
  }
  const auto& word = wish.listing.order_by;
  const bool text = word == "name" || word == "path";
  const Source source{
      .table = "namespaces n",
      .id = "n.id",
      .order = text ? fmt::format("lower(n.{}) {}", word, wish.listing.ascending ? "ASC" : "DESC") : ""};
  return list_rows(tx, call, wish.listing, source, std::move(where), [&](const Row& row) -> Outcome<json::Value> {
    return group_json(call.app, model::namespace_from_row(row));
  });
}

// As GitLab: those that one has to do with, unless one asks for all that one sees. To administrators, and to who has
// not said who he is, all.
Outcome<Reply> list_groups(Call& call) {
  const auto wish = API_TRY(read_wish(call.params, true));
  const auto& identity = call.identity;
  const bool all = wish.all.value_or(identity.admin) || !identity.signed_in();
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    return list(
        tx, call, wish,
        all ? model::groups_visible_to(identity, call.now()) : model::groups_around_user(identity.user_id, call.now()));
  });
}

ApiHandler list_below(bool all_descendants) {
  return [all_descendants](Call& call) -> Outcome<Reply> {
    const auto wish = API_TRY(read_wish(call.params, false));
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::visible_group(tx, call, call.path("id")));
      auto where = model::groups_visible_to(call.identity, call.now());
      if (all_descendants) {
        where.add("n.traversal LIKE ? AND n.id <> ?", {model::subtree_pattern(found.group), found.group.id});
      } else {
        where.add("n.parent_id = ?", {found.group.id});
      }
      return list(tx, call, wish, std::move(where));
    });
  };
}

// --- namespaces ---

Outcome<Reply> list_namespaces(Call& call) {
  const auto page = API_TRY(read_page(call.params));
  const auto search = call.params.text("search").value_or("");
  API_CHECK(call.params.finish());
  const auto& identity = call.identity;
  model::Condition where;
  where.add("NOT EXISTS (SELECT 1 FROM namespaces a WHERE a.archived = 1 AND n.traversal LIKE a.traversal || '%')");
  if (!search.empty()) where.add("lower(n.full_path) LIKE ? ESCAPE '\\'", {model::like_pattern(search)});
  if (!identity.admin) {
    auto own = model::groups_of_user(identity.user_id, kDeveloper, call.now());
    own.binds.emplace_back(identity.user_id);
    where.add("((n.kind = 'group' AND " + own.sql + ") OR (n.kind = 'user' AND n.owner_id = ?))", own.binds);
  }
  const Listing listing{.keyset = {}, .page = page, .order_by = "full_path", .ascending = true};
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    return list_rows(tx, call, listing, {.table = "namespaces n", .id = "n.id", .order = "lower(n.full_path) ASC"},
                     where, [&](const Row& row) -> Outcome<json::Value> {
                       return model::namespace_json(call.app, model::namespace_from_row(row));
                     });
  });
}

Outcome<Reply> show_namespace(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto space = API_TRY(model::find_namespace(tx, call.path("id")));
    if (!space || !allowed(Ability::kRead, API_TRY(model::access_to(tx, call.identity, *space, call.now())))) {
      return std::unexpected(not_found("Namespace"));
    }
    return json_reply(200, model::namespace_json(call.app, *space));
  });
}

} // namespace

void register_group_lists(Api& api) {
  static const std::string below =
      "@page search:text owned:bool min_access_level:(0|5|10|15|20|25|30|40|50) all_available:bool "
      "visibility:(private|internal|public) "
      "skip_groups:list statistics:bool pagination:(keyset|legacy) cursor:text order_by:(name|path|id|similarity) "
      "sort:(asc|desc)";
  static const std::string list = below + " top_level_only:bool";
  api.get("/groups", list_groups,
          {.auth = Auth::kOptional, .summary = "Groups", .params = list, .answers = "200:[Group]"});
  api.get("/groups/:id/subgroups", list_below(false),
          {.auth = Auth::kOptional, .summary = "Groups right below", .params = below, .answers = "200:[Group]"});
  api.get("/groups/:id/descendant_groups", list_below(true),
          {.auth = Auth::kOptional, .summary = "All groups below", .params = below, .answers = "200:[Group]"});
  api.get("/namespaces", list_namespaces,
          {.summary = "Groups and personal namespaces in which the caller may create projects",
           .params = "@page search:text",
           .answers = "200:[Namespace]"});
  api.get("/namespaces/:id", show_namespace, {.summary = "One namespace", .answers = "200:Namespace"});
}

} // namespace coordinator::rest
