// Version, settings, feature flags, and the health endpoints outside of /api.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "base/version.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/stale_runners.hpp"
#include "coordinator/model/users.hpp"
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
  return call.app.store.write(
      [&](Transaction& tx) -> Outcome<Reply> { return json_reply(200, API_TRY(settings_json(tx, call))); });
}

// The new value of a setting in the type of its default; complaints go to the parameters.
json::Value read_setting(Params& params, std::string_view name, const json::Value& present) {
  if (params.is_null(name)) {
    if (present.is_string()) return "";
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
    auto names = json::Value::array();
    for (const auto& [name, value] : changes) {
      API_CHECK(model::set_setting(tx, name, value));
      names.push_back(name);
    }
    API_CHECK(model::audit(tx, call, "application_settings_updated", "instance",
                           json::Value::object({{"settings", std::move(names)}})));
    tx.after_commit([&call] { call.app.events.eligibility_changed(); });
    return json_reply(200, API_TRY(settings_json(tx, call)));
  });
}

json::Value feature_json(std::string_view name, std::string_view value) {
  auto gates = json::Value::array();
  gates.push_back(json::Value::object({{"key", "boolean"}, {"value", value == "true"}}));
  return json::Value::object(
      {{"name", name}, {"state", value == "true" ? "on" : "off"}, {"gates", gates}, {"definition", nullptr}});
}

Outcome<Reply> get_features(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto out = json::Value::array();
    for (const auto& row : API_TRY(tx.query("SELECT name, value FROM features ORDER BY name"))) {
      out.push_back(feature_json(row.text("name"), row.text("value")));
    }
    return json_reply(200, out);
  });
}

Outcome<Reply> set_feature(Call& call) {
  const auto value = call.params.text("value", Presence::kRequired);
  API_CHECK(call.params.finish());
  const auto word = base::to_lower(*value);
  const bool on = word == "true" || word == "100";
  if (!on && word != "false" && word != "0") {
    return std::unexpected(bad_request("partial roll-outs are not supported: value must be true, false, 0 or 100"));
  }
  const auto name = call.path("name");
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.execute(
        "INSERT INTO features (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {name, on ? "true" : "false"}));
    return json_reply(201, feature_json(name, on ? "true" : "false"));
  });
}

Outcome<Reply> delete_feature(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.execute("DELETE FROM features WHERE name = ?", {call.path("name")}));
    return empty_reply(204);
  });
}

Outcome<Reply> list_audit_events(Call& call) {
  const auto page = API_TRY(read_page(call.params));
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto total = API_TRY(tx.count("SELECT count(*) FROM audit_events"));
    auto out = json::Value::array();
    for (const auto& row : API_TRY(tx.query("SELECT * FROM audit_events ORDER BY id DESC LIMIT ? OFFSET ?",
                                            {page.per_page, page.offset()}))) {
      auto details = API_TRY(json::parse(row.text("details")));
      details.set("ip_address", row.text("ip"));
      out.push_back(json::Value::object({{"id", row.integer("id")},
                                         {"author_type", row.text("actor_kind")},
                                         {"author_id", row.integer("actor_id")},
                                         {"event_name", row.text("action")},
                                         {"target", row.text("target")},
                                         {"details", std::move(details)},
                                         {"created_at", model::utc_millis(row.integer("at"))}}));
    }
    return call.page_reply(std::move(out), page, total);
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
  const Route anyone{.scopes = {"read_api", "read_user"}};
  api.get("/version", version, anyone);
  api.get("/metadata", metadata, anyone);
  api.get("/application/settings", get_settings, {.auth = Auth::kAdmin});
  api.put("/application/settings", put_settings, {.auth = Auth::kAdmin});
  api.get("/features", get_features, {.auth = Auth::kAdmin});
  api.post("/features/:name", set_feature, {.auth = Auth::kAdmin});
  api.remove("/features/:name", delete_feature, {.auth = Auth::kAdmin});
  api.get("/audit_events", list_audit_events, {.auth = Auth::kAdmin});
  register_health(api);
}

} // namespace coordinator::rest
