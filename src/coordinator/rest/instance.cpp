// Version, settings, feature flags, and the health endpoints outside of /api.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/stale_runners.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/listing.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

constexpr std::int64_t kShortestTokenLife = 7200;

Outcome<Reply> version(Call& call) {
  (void)call;
  return json_reply(200, json::Value::object({{"version", kEmulatedVersion}, {"revision", base::revision()}}));
}

Outcome<Reply> metadata(Call& call) {
  (void)call;
  return json_reply(200, json::Value::object({{"version", kEmulatedVersion},
                                              {"revision", base::revision()},
                                              {"kas", json::Value::object({{"enabled", false},
                                                                           {"externalUrl", nullptr},
                                                                           {"externalK8sProxyUrl", nullptr},
                                                                           {"version", nullptr}})},
                                              {"enterprise", false},
                                              {"forerunner", json::Value::object({{"version", base::version()}})}}));
}

Outcome<json::Value> settings_json(Transaction& tx, const Call& call) {
  auto settings = API_TRY(model::all_settings(tx));
  settings.set("id", 1);
  settings.set("runners_registration_token", API_TRY(model::registration_token(tx, call.app.vault, "instance", 0)));
  return settings;
}

Outcome<Reply> get_settings(Call& call) {
  return read_else_write(
      call.app, [&](Transaction& tx) -> Outcome<Reply> { return json_reply(200, API_TRY(settings_json(tx, call))); });
}

// The new value of a setting in the type of its default; complaints go to the parameters.
json::Value read_setting(Params& params, std::string_view name, const json::Value& present) {
  if (params.is_null(name)) {
    if (present.is_string()) return "";
    if (present.is_array()) return json::Value::array();
    if (present.is_bool()) params.complain(fmt::format("{} is invalid", name));
    return nullptr;
  }
  if (present.is_array()) {
    const auto is_allowed = [&](std::string_view word) {
      if (name == "valid_runner_registrars") return word == "project" || word == "group";
      return parse_runner_type(word).has_value(); // stale_runner_cleanup_types
    };
    auto out = json::Value::array();
    for (const auto& word : params.list(name).value_or(std::vector<std::string>{})) {
      if (!is_allowed(word)) params.complain(fmt::format("{} does not have a valid value", name));
      out.push_back(word);
    }
    return out;
  }
  if (present.is_bool()) return params.boolean(name).value_or(false);
  if (present.is_string() || name == "default_ci_config_path") return params.text(name).value_or("");
  const auto number = params.integer(name);
  if (number && (*number < 0 || (name.ends_with("token_expiration_interval") && *number < kShortestTokenLife) ||
                 (name == "stale_runner_cleanup_age_days" && *number < model::kLeastStaleAgeDays))) {
    params.complain(fmt::format("{} does not have a valid value", name));
  }
  return number ? json::Value(*number) : json::Value();
}

Outcome<Reply> put_settings(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto present = API_TRY(model::all_settings(tx));
    std::vector<std::pair<std::string, json::Value>> changes;
    for (const auto& [name, value] : present.as_object()) {
      if (call.params.has(name)) {
        // The default decides about the type: a stored null must not turn a number into something else.
        changes.emplace_back(name, read_setting(call.params, name, model::setting_default(name)));
      }
    }
    API_CHECK(call.params.finish());
    for (const auto& [name, value] : changes) API_CHECK(model::set_setting(tx, name, value));
    API_CHECK(
        model::audit(tx, call, "application_settings_updated", {.kind = "instance"},
                     json::Value::object({{"changes", model::changes(present, API_TRY(model::all_settings(tx)))}})));
    tx.after_commit([&call] { call.app.events.eligibility_changed(); });
    return json_reply(200, API_TRY(settings_json(tx, call)));
  });
}

// `value`: "true", "false" or a percentage.
json::Value feature_json(std::string_view name, std::string_view value) {
  const auto share = base::parse_int(value);
  auto gates = json::Value::array();
  gates.push_back(json::Value::object({{"key", "boolean"}, {"value", value == "true"}}));
  if (share) gates.push_back(json::Value::object({{"key", "percentage_of_time"}, {"value", *share}}));
  return json::Value::object({{"name", name},
                              {"state", share             ? "conditional"
                                        : value == "true" ? "on"
                                                          : "off"},
                              {"gates", gates},
                              {"definition", nullptr}});
}

Outcome<Reply> get_features(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    std::map<std::string, std::string> values = {{std::string(model::kCreateRunnerForAdmin), "true"},
                                                 {std::string(model::kCreateRunnerForNamespace), "true"}};
    for (const auto& row : API_TRY(tx.query("SELECT name, value FROM features"))) {
      values[row.text("name")] = row.text("value");
    }
    auto out = json::Value::array();
    for (const auto& [name, value] : values) out.push_back(feature_json(name, value));
    return json_reply(200, out);
  });
}

// "true", "false" or the percentage; nullopt when it is none of them.
std::optional<std::string> feature_value(std::string_view text) {
  const auto word = base::to_lower(base::trim(text));
  if (word == "true" || word == "100") return "true";
  if (word == "false" || word == "0") return "false";
  const auto share = base::parse_int(word);
  if (share && *share > 0 && *share < 100) return word;
  return std::nullopt;
}

Outcome<Reply> set_feature(Call& call) {
  auto& params = call.params;
  const auto text = params.text("value", Presence::kRequired);
  const auto value = feature_value(text.value_or("true"));
  if (!value) params.complain("value does not have a valid value");
  params.one_of("key", {"percentage_of_time"});
  params.boolean("force");
  // For some of them only it would be on for all.
  for (const auto name : {"feature_group", "user", "group", "namespace", "project", "repository"}) {
    if (params.text(name)) params.complain(fmt::format("{} is not supported: a feature is on or off for all", name));
  }
  API_CHECK(params.finish());
  const auto name = call.path("name");
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.execute(
        "INSERT INTO features (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {name, *value}));
    API_CHECK(model::audit(tx, call, "feature_flag_updated", {.kind = "feature_flag", .name = name},
                           json::Value::object({{"value", *value}})));
    tx.after_commit([&call] { call.app.events.eligibility_changed(); });
    return json_reply(201, feature_json(name, *value));
  });
}

Outcome<Reply> delete_feature(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.execute("DELETE FROM features WHERE name = ?", {call.path("name")}));
    API_CHECK(model::audit(tx, call, "feature_flag_deleted", {.kind = "feature_flag", .name = call.path("name")}));
    return empty_reply(204);
  });
}

constexpr std::string_view kAuditParams =
    "@keyset created_after:text created_before:text entity_type:text entity_id:int author_id:int event_name:text";

// A date or a time of RFC 3339, in milliseconds.
std::optional<std::int64_t> read_time(Params& params, std::string_view name) {
  const auto text = params.text(name);
  if (!text || text->empty()) return std::nullopt;
  auto seconds = base::parse_rfc3339(text->size() == 10 ? *text + "T00:00:00Z" : *text);
  if (!seconds) params.complain(fmt::format("{} is invalid", name));
  return seconds ? std::optional(*seconds * 1000) : std::nullopt;
}

model::Condition read_audit_filter(Params& params) {
  model::Condition where;
  if (const auto from = read_time(params, "created_after")) where.add("at >= ?", {*from});
  if (const auto until = read_time(params, "created_before")) where.add("at <= ?", {*until});
  if (const auto kind = params.text("entity_type")) where.add("entity_kind = ?", {base::to_lower(*kind)});
  if (const auto id = params.integer("entity_id")) where.add("entity_id = ?", {*id});
  if (const auto id = params.integer("author_id")) where.add("actor_id = ? AND actor_kind = 'user'", {*id});
  if (const auto name = params.text("event_name")) where.add("action = ?", {*name});
  return where;
}

Outcome<json::Value> audit_event_json(const Row& row) {
  auto details = API_TRY(json::parse(row.text("details")));
  const auto entity = row.optional_integer("entity_id");
  return json::Value::object({{"id", row.integer("id")},
                              {"author_id", row.integer("actor_id")},
                              {"author_type", row.text("actor_kind")},
                              {"author_name", row.text("actor_name")},
                              {"entity_id", entity ? json::Value(*entity) : json::Value()},
                              {"entity_type", row.text("entity_kind")},
                              {"event_name", row.text("action")},
                              {"target", row.text("target")},
                              {"details", std::move(details)},
                              {"ip_address", row.text("ip")},
                              {"created_at", model::utc_millis(row.integer("at"))}});
}

Outcome<Reply> list_audit_events(Call& call) {
  const auto listing = API_TRY(read_listing(call.params));
  const auto where = read_audit_filter(call.params);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    return list_rows(tx, call, listing, {.table = "audit_events", .id = "id"}, where, audit_event_json);
  });
}

Outcome<Reply> show_audit_event(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto row = API_TRY(tx.query_one("SELECT * FROM audit_events WHERE id = ?", {call.path_id("id").value_or(0)}));
    if (!row) return std::unexpected(not_found("Audit Event"));
    return json_reply(200, API_TRY(audit_event_json(*row)));
  });
}

void register_health(Api& api) {
  auto& store = api.app().store;
  api.http().route("GET", "/-/health", {},
                   [](net::Request, const net::Responder& responder) { responder.send(text_reply(200, "GitLab OK")); });
  api.http().route("GET", "/-/liveness", {}, [](net::Request, const net::Responder& responder) {
    responder.send(json_reply(200, json::Value::object({{"status", "ok"}})));
  });
  api.http().route("GET", "/-/readiness", {}, [&store](net::Request, const net::Responder& responder) {
    const auto alive = store.read([](Transaction& tx) { return tx.count("SELECT count(*) FROM schema_version"); });
    auto check = json::Value::array();
    check.push_back(json::Value::object({{"status", alive ? "ok" : "failed"}}));
    responder.send(json_reply(
        alive ? 200 : 503, json::Value::object({{"status", alive ? "ok" : "failed"}, {"db_check", std::move(check)}})));
  });
}

} // namespace

void register_instance(Api& api) {
  const std::vector<std::string> anyone = {"read_api", "read_user"};
  api.get("/version", version, {.scopes = anyone, .summary = "The version", .answers = "200:Version"});
  api.get("/metadata", metadata, {.scopes = anyone, .summary = "The version and more", .answers = "200:Metadata"});
  static const std::string settings = model::settings_fields("");
  api.get("/application/settings", get_settings,
          {.auth = Auth::kAdmin, .summary = "Settings of the instance", .answers = "200:ApplicationSettings"});
  api.put("/application/settings", put_settings,
          {.auth = Auth::kAdmin,
           .summary = "Change settings of the instance",
           .params = settings,
           .answers = "200:ApplicationSettings"});
  api.get("/features", get_features,
          {.auth = Auth::kAdmin, .summary = "Feature flags that are set", .answers = "200:[Feature]"});
  api.post("/features/:name", set_feature,
           {.auth = Auth::kAdmin,
            .summary = "Set a feature flag",
            .params = "value!:text key:(percentage_of_time) force:bool feature_group:text user:text group:text "
                      "namespace:text project:text repository:text",
            .answers = "201:Feature"});
  api.remove("/features/:name", delete_feature,
             {.auth = Auth::kAdmin, .summary = "Return a feature flag to its default", .answers = "204"});
  api.get("/audit_events", list_audit_events,
          {.auth = Auth::kAdmin, .summary = "The audit trail", .params = kAuditParams, .answers = "200:[AuditEvent]"});
  api.get("/audit_events/:id", show_audit_event,
          {.auth = Auth::kAdmin, .summary = "One audit event", .answers = "200:AuditEvent"});
  register_health(api);
}

} // namespace coordinator::rest
