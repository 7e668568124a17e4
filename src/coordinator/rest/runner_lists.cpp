// Lists of runners and their filters (runner-tokens digest §11.2).
#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

enum class Place { kOwn, kAll, kProject, kGroup };

bool is_status_word(std::string_view word) {
  return word == "online" || word == "offline" || word == "active" || word == "paused" || word == "stale" ||
         word == "never_contacted";
}

// The deprecated `scope`: status words everywhere, types and their older names elsewhere.
Outcome<std::monostate> read_scope(const std::optional<std::string>& scope, Place place, model::RunnerFilter& filter) {
  if (!scope || scope->empty()) return {};
  if (is_status_word(*scope)) {
    filter.statuses = {*scope};
  } else if (place != Place::kOwn && *scope == "shared") {
    filter.types = {RunnerType::kInstance};
  } else if (place != Place::kOwn && *scope == "specific") {
    filter.types = {RunnerType::kGroup, RunnerType::kProject};
  } else if (place != Place::kOwn && parse_runner_type(*scope)) {
    filter.types = {*parse_runner_type(*scope)};
  } else {
    return std::unexpected(bad_request("Scope contains invalid value"));
  }
  return {};
}

Outcome<model::RunnerFilter> read_filter(Params& params, Place place) {
  model::RunnerFilter filter;
  if (const auto type = params.one_of("type", {"instance_type", "group_type", "project_type"})) {
    filter.types = {*parse_runner_type(*type)};
  }
  if (const auto status =
          params.one_of("status", {"online", "offline", "stale", "never_contacted", "active", "paused"})) {
    filter.statuses = {*status};
  }
  filter.paused = params.boolean("paused");
  filter.tags = params.list("tag_list").value_or(std::vector<std::string>{});
  filter.version_prefix = params.text("version_prefix").value_or("");
  if (!filter.version_prefix.empty() &&
      std::string_view("0123456789+.").find(filter.version_prefix.front()) == std::string_view::npos) {
    params.complain("version_prefix is invalid");
  }
  const auto scope = place == Place::kGroup ? std::nullopt : params.text("scope");
  API_CHECK(params.finish());
  API_CHECK(read_scope(scope, place, filter));
  return filter;
}

Outcome<model::Condition> place_condition(Transaction& tx, const Call& call, Place place) {
  switch (place) {
    case Place::kOwn:
      return model::runners_of_user(call.identity.user_id, call.now());
    case Place::kAll:
      if (!allowed(Ability::kReadAllRunners, call.identity.actor())) return std::unexpected(forbidden());
      return model::Condition{};
    case Place::kProject: {
      const auto found = API_TRY(model::project_for(tx, call, Ability::kReadRunners));
      return model::runners_of_project(found.project, API_TRY(model::find_namespace(tx, found.project.namespace_id)));
    }
    case Place::kGroup:
      return model::runners_of_group(API_TRY(model::group_for(tx, call, Ability::kReadRunners)).group);
  }
  return model::Condition{};
}

ApiHandler list_runners(Place place) {
  return [place](Call& call) -> Outcome<Reply> {
    const auto listing = API_TRY(read_listing(call.params));
    const auto filter = API_TRY(read_filter(call.params, place));
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      auto where = API_TRY(place_condition(tx, call, place));
      const auto matching = model::runners_matching(filter, call.now());
      where.add(matching.sql, matching.binds);
      return list_rows(tx, call, listing, {.table = "runners r", .id = "r.id"}, std::move(where),
                       [&](const Row& row) { return runner_json(tx, call, model::runner_from(row)); });
    });
  };
}

constexpr std::string_view kFilters =
    "@keyset type:(instance_type|group_type|project_type) "
    "status:(online|offline|stale|never_contacted|active|paused) paused:bool tag_list:list version_prefix:text";

} // namespace

void register_runner_lists(Api& api) {
  const std::vector<std::string> scopes = {"read_api", "manage_runner"};
  static const std::string own = std::string(kFilters) + " scope:(active|paused|online|offline|stale|never_contacted)";
  static const std::string all =
      std::string(kFilters) +
      " scope:(specific|shared|instance_type|group_type|project_type|active|paused|online|offline|stale|"
      "never_contacted)";
  api.get("/runners", list_runners(Place::kOwn),
          {.scopes = scopes, .summary = "Runners that the caller manages", .params = own, .answers = "200:[Runner]"});
  api.get("/runners/all", list_runners(Place::kAll),
          {.scopes = scopes, .summary = "All runners of the instance", .params = all, .answers = "200:[Runner]"});
  api.get("/projects/:id/runners", list_runners(Place::kProject),
          {.scopes = scopes, .summary = "Runners that a project uses", .params = all, .answers = "200:[Runner]"});
  api.get("/groups/:id/runners", list_runners(Place::kGroup),
          {.scopes = scopes, .summary = "Runners that a group uses", .params = kFilters, .answers = "200:[Runner]"});
}

} // namespace coordinator::rest
