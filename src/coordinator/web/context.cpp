// What every page needs to begin with: who, what is allowed, search, and the decision about an address.
#include "base/strings.hpp"
#include "base/version.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/web/headers.hpp"
#include "coordinator/web/pages.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/runner_rows.hpp"
#include "coordinator/web/sessions.hpp"
#include "coordinator/web/shapes.hpp"
#include "sys/host.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kSearchResults = 10;
constexpr std::int64_t kSearchCandidates = 200;

json::Value version_json() {
  return json::Value::object(
      {{"forerunner", base::version()}, {"revision", base::revision()}, {"emulated", kEmulatedVersion}});
}

Outcome<json::Value> settings_json(Transaction& tx) {
  auto out = json::Value::object({{"minimum_password_length", model::kShortestPassword}});
  for (const auto name : {"allow_runner_registration_token", "valid_runner_registrars", "shared_runners_text",
                          "default_project_visibility", "default_group_visibility", "default_branch_name",
                          "require_personal_access_token_expiry", "max_personal_access_token_lifetime",
                          "update_runner_versions_enabled"}) {
    out.set(name, API_TRY(model::setting(tx, name)));
  }
  return out;
}

Outcome<json::Value> features_json(Transaction& tx) {
  auto out = json::Value::object();
  for (const auto name : {model::kCreateRunnerForAdmin, model::kCreateRunnerForNamespace}) {
    out.set(name, API_TRY(model::feature_enabled(tx, name)));
  }
  return out;
}

// Sets the cookie again: the first visit gets one, a remembered session's lives on.
Outcome<Reply> context(Call& call) {
  auto secret = session_secret(call.app, call.request);
  std::optional<std::int64_t> remembered;
  const bool fresh = secret.empty();
  if (fresh) secret = new_session_secret();
  auto body = json::Value::object({{"user", nullptr},
                                   {"csrf_token", csrf_token(secret)},
                                   {"version", version_json()},
                                   {"external_url", call.app.url},
                                   {"downloads", json::Value::object({{"linux/" + sys::cpu_architecture(),
                                                                       std::string(kDownloadRoot) + program_name()}})},
                                   {"features", json::Value::object()},
                                   {"settings", json::Value::object()}});
  API_CHECK(call.app.store.read([&](Transaction& tx) -> Outcome<std::monostate> {
    body.set("abilities", API_TRY(instance_abilities(tx, call)));
    const auto user = API_TRY(model::find_user(tx, call.identity.user_id));
    if (!call.identity.signed_in() || !user) return {};
    auto shown = rest::user_json(call.app, *user, true);
    shown.set("admin", user->admin);
    body.set("user", std::move(shown));
    body.set("features", API_TRY(features_json(tx)));
    body.set("settings", API_TRY(settings_json(tx)));
    const auto row = API_TRY(tx.query_one("SELECT life FROM sessions WHERE id = ?", {call.identity.session_id}));
    if (row && row->integer("life") == kRememberedLife) remembered = kRememberedLife / 1000;
    return {};
  }));
  Reply reply = json_reply(200, body);
  if (fresh || remembered) reply.headers.set("Set-Cookie", session_cookie(call.app, call.request, secret, remembered));
  return reply;
}

Outcome<Reply> page(Call& call) {
  const auto path = call.params.text("path", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    return json_reply(200, API_TRY(decision_json(tx, call, API_TRY(decide(tx, call, path)))));
  });
}

Outcome<json::Value> found_groups(Transaction& tx, const Call& call, std::string_view word) {
  auto out = json::Value::array();
  for (const auto& row : API_TRY(tx.query("SELECT * FROM namespaces WHERE kind = 'group' AND (lower(full_path) LIKE ? "
                                          "ESCAPE '\\' OR lower(full_name) LIKE ? ESCAPE '\\') ORDER BY "
                                          "length(full_path), id LIMIT ?",
                                          {word, word, kSearchCandidates}))) {
    const auto found = model::visible_group(tx, call, row.text("id"));
    if (!found) {
      if (found.error().status != 404) return std::unexpected(found.error());
      continue;
    }
    const auto& group = found->group;
    out.push_back(json::Value::object({{"id", group.id},
                                       {"name", group.name},
                                       {"full_name", group.full_name},
                                       {"full_path", group.full_path},
                                       {"web_path", group_path(group)}}));
    if (out.size() == kSearchResults) break;
  }
  return out;
}

Outcome<json::Value> found_projects(Transaction& tx, const Call& call, std::string_view word) {
  auto condition = model::projects_visible_to(call.identity, call.now());
  condition.add("(lower(p.full_path) LIKE ? ESCAPE '\\' OR lower(p.name) LIKE ? ESCAPE '\\')", {word, word});
  condition.binds.emplace_back(kSearchResults);
  auto out = json::Value::array();
  for (const auto& row : API_TRY(tx.query(std::string(model::kProjectSelect) + " AND " + condition.sql +
                                              " ORDER BY p.last_activity_at DESC, p.id DESC LIMIT ?",
                                          condition.binds))) {
    const auto project = model::project_from_row(row);
    out.push_back(json::Value::object({{"id", project.id},
                                       {"name", project.name},
                                       {"name_with_namespace", project.namespace_full_name + " / " + project.name},
                                       {"path_with_namespace", project.full_path},
                                       {"web_path", project_path(project)}}));
  }
  return out;
}

Outcome<Reply> search(Call& call) {
  const auto word = model::like_pattern(base::trim(call.params.text("q").value_or("")));
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    return json_reply(200, json::Value::object({{"groups", API_TRY(found_groups(tx, call, word))},
                                                {"projects", API_TRY(found_projects(tx, call, word))}}));
  });
}

Outcome<json::Value> runner_counts(Transaction& tx, std::int64_t now) {
  auto out = json::Value::object();
  for (const auto status : {model::RunnerStatus::kOnline, model::RunnerStatus::kOffline, model::RunnerStatus::kStale,
                            model::RunnerStatus::kNeverContacted}) {
    out.set(model::to_string(status),
            API_TRY(tx.count("SELECT count(*) FROM runners r WHERE " + badge_condition(status, now))));
  }
  return out;
}

Outcome<Reply> overview(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto count = [&](std::string_view sql) { return tx.count(sql); };
    auto warnings = json::Value::array();
    if (call.app.url.starts_with("http://")) {
      warnings.push_back("The external URL is not https: passwords and tokens travel in the clear.");
    }
    if (API_TRY(model::setting_flag(tx, "allow_runner_registration_token"))) {
      warnings.push_back("Registration tokens are deprecated, and they are allowed.");
    }
    return json_reply(
        200, json::Value::object(
                 {{"users", API_TRY(count("SELECT count(*) FROM users WHERE kind = 'human'"))},
                  {"groups", API_TRY(count("SELECT count(*) FROM namespaces WHERE kind = 'group'"))},
                  {"projects", API_TRY(count("SELECT count(*) FROM projects WHERE deleted = 0"))},
                  {"runners", API_TRY(runner_counts(tx, call.now()))},
                  {"jobs", json::Value::object(
                               {{"pending", API_TRY(count("SELECT count(*) FROM jobs WHERE status = 'pending'"))},
                                {"running", API_TRY(count("SELECT count(*) FROM jobs WHERE status IN ('running', "
                                                          "'canceling')"))}})},
                  {"version", version_json()},
                  {"warnings", std::move(warnings)}}));
  });
}

} // namespace

void register_context(Api& api) {
  const Route open{.auth = Auth::kOptional, .root = kWebRoot};
  api.get("/context", context, open);
  api.get("/page", page, open);
  api.get("/search", search, {.root = kWebRoot});
  api.get("/overview", overview, {.auth = Auth::kAdmin, .root = kWebRoot});
}

} // namespace coordinator::web
