// Lists of runners and their filters (runner-tokens digest §11.2).
#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

enum class Place { kOwn, kAll, kProject, kGroup };

struct Filter {
  std::optional<std::string> type;
  std::optional<std::string> status;
  std::optional<bool> paused;
  std::vector<std::string> tags;
  std::vector<std::string> version; // components of the prefix
  bool project_or_group = false;    // the deprecated scope "specific"
  bool ascending = false;
};

bool is_status_word(std::string_view word) {
  return word == "online" || word == "offline" || word == "active" || word == "paused" || word == "stale" ||
         word == "never_contacted";
}

// The deprecated `scope`: status words everywhere, types and their older names elsewhere.
Outcome<std::monostate> read_scope(Params& params, Place place, Filter& filter) {
  const auto scope = place == Place::kGroup ? std::nullopt : params.text("scope");
  if (!scope || scope->empty()) return {};
  if (is_status_word(*scope)) {
    filter.status = scope;
  } else if (place != Place::kOwn && (*scope == "shared" || *scope == "instance_type")) {
    filter.type = "instance_type";
  } else if (place != Place::kOwn && *scope == "specific") {
    filter.project_or_group = true;
  } else if (place != Place::kOwn && parse_runner_type(*scope)) {
    filter.type = scope;
  } else {
    return std::unexpected(bad_request("Scope contains invalid value"));
  }
  return {};
}

Outcome<Filter> read_filter(Params& params, Place place) {
  Filter filter;
  filter.type = params.one_of("type", {"instance_type", "group_type", "project_type"});
  filter.status = params.one_of("status", {"online", "offline", "stale", "never_contacted", "active", "paused"});
  filter.paused = params.boolean("paused");
  filter.tags = params.list("tag_list").value_or(std::vector<std::string>{});
  if (const auto prefix = params.text("version_prefix"); prefix && !prefix->empty()) {
    if (!std::ranges::all_of(*prefix, [](char c) { return (c >= '0' && c <= '9') || c == '.'; })) {
      params.complain("version_prefix is invalid");
    }
    for (auto& part : base::split(*prefix, '.')) {
      if (!part.empty() && filter.version.size() < 3) filter.version.push_back(std::move(part));
    }
  }
  filter.ascending = params.one_of("sort", {"asc", "desc"}) == "asc";
  API_CHECK(params.finish());
  API_CHECK(read_scope(params, place, filter));
  return filter;
}

// List filters do not follow the order of the statuses: offline includes stale ones that once had contact.
bool status_matches(const model::Runner& runner, std::string_view status, std::int64_t now) {
  const auto contact = runner.contacted_at;
  if (status == "online") return contact && *contact > now - model::kOnlineWindow;
  if (status == "offline") return contact && *contact <= now - model::kOnlineWindow;
  if (status == "never_contacted") return !contact;
  if (status == "stale") {
    return runner.created_at <= now - model::kStaleAfter && (!contact || *contact <= now - model::kStaleAfter);
  }
  return status == "active" ? runner.active : !runner.active;
}

// Component by component, so that 15.1 does not match 15.10.
bool version_matches(std::string_view version, const std::vector<std::string>& prefix) {
  const auto parts = base::split(version.substr(0, version.find_first_not_of("0123456789.")), '.');
  if (parts.size() < prefix.size()) return false;
  return std::equal(prefix.begin(), prefix.end(), parts.begin());
}

Outcome<bool> matches(Transaction& tx, const model::Runner& runner, const Filter& filter, std::int64_t now) {
  if (filter.type && *filter.type != to_string(runner.type)) return false;
  if (filter.project_or_group && runner.type == RunnerType::kInstance) return false;
  if (filter.paused && *filter.paused == runner.active) return false;
  if (filter.status && !status_matches(runner, *filter.status, now)) return false;
  for (const auto& tag : filter.tags) {
    if (std::ranges::find(runner.tag_list, tag) == runner.tag_list.end()) return false;
  }
  if (filter.version.empty()) return true;
  for (const auto& manager : API_TRY(model::managers_of(tx, runner.id))) {
    if (version_matches(manager.version, filter.version)) return true;
  }
  return false;
}

Outcome<Reply> page_of_runners(Transaction& tx, const Call& call, std::vector<Row> rows, const Filter& filter,
                               const Page& page) {
  if (filter.ascending) std::ranges::reverse(rows);
  auto out = json::Value::array();
  std::int64_t total = 0;
  for (const auto& row : rows) {
    const auto runner = model::runner_from(row);
    if (!API_TRY(matches(tx, runner, filter, call.now()))) continue;
    if (total >= page.offset() && total < page.offset() + page.per_page) {
      out.push_back(API_TRY(runner_json(tx, call, runner)));
    }
    ++total;
  }
  return call.page_reply(std::move(out), page, total);
}

// Runners of groups where the caller is Owner and of projects where he is Maintainer, by membership.
Outcome<std::vector<Row>> own_runners(Transaction& tx, const Call& call) {
  auto caller = call.identity;
  caller.admin = false; // an administrator's own runners are those of a normal member, too
  std::vector<Row> out;
  for (auto& row : API_TRY(tx.query("SELECT * FROM runners WHERE type <> 'instance_type' ORDER BY id DESC"))) {
    const auto access = API_TRY(model::runner_access(tx, caller, model::runner_from(row), call.now()));
    const bool own =
        access.type == RunnerType::kGroup ? access.group_level >= kOwner : access.best_project_level >= kMaintainer;
    if (own) out.push_back(std::move(row));
  }
  return out;
}

// Placeholders and values for `IN (…)` over ids; the chain is never empty.
std::string id_list(const std::vector<std::int64_t>& ids) {
  std::string out;
  for (const auto id : ids) out += (out.empty() ? "" : ",") + std::to_string(id);
  return out.empty() ? "0" : out;
}

Outcome<std::vector<Row>> project_runners(Transaction& tx, const Call& call) {
  const auto found = API_TRY(model::project_for(tx, call, kMaintainer));
  const auto& project = found.project;
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  const auto chain = space && space->is_group() ? space->chain : std::vector<std::int64_t>{};
  return API_TRY(tx.query(
      "SELECT * FROM runners WHERE id IN (SELECT runner_id FROM runner_projects WHERE project_id = ?) OR (? AND type = "
      "'group_type' AND namespace_id IN (" +
          id_list(chain) + ")) OR (? AND type = 'instance_type') ORDER BY id DESC",
      {project.id, project.group_runners_enabled, project.shared_runners_enabled}));
}

Outcome<std::vector<Row>> group_runners(Transaction& tx, const Call& call) {
  const auto found = API_TRY(model::group_for(tx, call, kMaintainer));
  return API_TRY(tx.query("SELECT * FROM runners WHERE (type = 'group_type' AND namespace_id IN (" +
                              id_list(found.group.chain) + ")) OR (? AND type = 'instance_type') ORDER BY id DESC",
                          {found.group.shared_runners_setting == "enabled"}));
}

Outcome<std::vector<Row>> rows_of(Transaction& tx, const Call& call, Place place) {
  switch (place) {
    case Place::kOwn:
      return own_runners(tx, call);
    case Place::kAll:
      return API_TRY(tx.query("SELECT * FROM runners ORDER BY id DESC"));
    case Place::kProject:
      return project_runners(tx, call);
    case Place::kGroup:
      return group_runners(tx, call);
  }
  return std::vector<Row>{};
}

ApiHandler list_runners(Place place) {
  return [place](Call& call) -> Outcome<Reply> {
    const auto page = API_TRY(read_page(call.params));
    const auto filter = API_TRY(read_filter(call.params, place));
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      return page_of_runners(tx, call, API_TRY(rows_of(tx, call, place)), filter, page);
    });
  };
}

} // namespace

void register_runner_lists(Api& api) {
  const std::vector<std::string> scopes = {"read_api", "manage_runner"};
  api.get("/runners", list_runners(Place::kOwn), {.scopes = scopes});
  api.get("/runners/all", list_runners(Place::kAll), {.auth = Auth::kAdmin, .scopes = scopes});
  api.get("/projects/:id/runners", list_runners(Place::kProject), {.scopes = scopes});
  api.get("/groups/:id/runners", list_runners(Place::kGroup), {.scopes = scopes});
}

} // namespace coordinator::rest
