// GET /-/web/audit_events: the audit trail as administrators read it.
#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kMostRows = 100;

std::string actor_text(const Row& event) {
  const auto kind = event.text("actor_kind");
  const auto name = event.text("actor_name");
  if (kind == "user") return name.empty() ? "user " + std::to_string(event.integer("actor_id")) : name;
  return name.empty() ? kind : kind + " " + name;
}

// Who did it, as he is now; null for runners, jobs and users that are gone.
Outcome<json::Value> actor_json(Transaction& tx, const Call& call, const Row& event) {
  if (event.text("actor_kind") != "user" && event.text("actor_kind") != "job") return json::Value();
  return API_TRY(model::user_basic_json(tx, call.app, event.optional_integer("actor_id")));
}

// Where it happened, as far as the event says so.
std::string scope_text(const Row& event, const json::Value& details) {
  for (const auto name : {"project", "group"}) {
    if (details[name].is_string()) return details[name].as_string();
  }
  const auto kind = event.text("entity_kind");
  return kind == "group" || kind == "project" ? event.text("target") : "";
}

Outcome<json::Value> event_json(Transaction& tx, const Call& call, const Row& event) {
  auto parsed = json::parse(event.text("details"));
  const auto details = parsed ? std::move(*parsed) : json::Value::object();
  return json::Value::object({{"id", event.integer("id")},
                              {"created_at", model::utc_millis(event.integer("at"))},
                              {"actor", API_TRY(actor_json(tx, call, event))},
                              {"actor_text", actor_text(event)},
                              {"ip", text_or_null(event.text("ip"))},
                              {"action", event.text("action")},
                              {"target_type", event.text("entity_kind")},
                              {"target_id", optional_json(event.optional_integer("entity_id"))},
                              {"target_text", event.text("target")},
                              {"scope_text", text_or_null(scope_text(event, details))},
                              {"details", details}});
}

Outcome<json::Value> known_actions(Transaction& tx) {
  auto out = json::Value::array();
  for (const auto& row : API_TRY(tx.query("SELECT DISTINCT action FROM audit_events ORDER BY action"))) {
    out.push_back(row.text("action"));
  }
  return out;
}

Outcome<Reply> list_events(Call& call) {
  auto& params = call.params;
  const auto per_page = std::clamp<std::int64_t>(params.integer("per_page").value_or(50), 1, kMostRows);
  const auto before = params.integer("before");
  const auto action = params.text("action").value_or("");
  const auto actor = std::string(base::trim(params.text("actor").value_or("")));
  API_CHECK(params.finish());
  model::Condition condition;
  if (before) condition.add("id < ?", {*before});
  if (!action.empty()) condition.add("action = ?", {action});
  if (!actor.empty()) condition.add("lower(actor_name) LIKE ? ESCAPE '\\'", {model::like_pattern(actor)});
  condition.binds.emplace_back(per_page + 1);
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto rows = API_TRY(
        tx.query("SELECT * FROM audit_events WHERE " + condition.sql + " ORDER BY id DESC LIMIT ?", condition.binds));
    json::Value after;
    if (static_cast<std::int64_t>(rows.size()) > per_page) {
      rows.pop_back();
      after = std::to_string(rows.back().integer("id"));
    }
    auto events = json::Value::array();
    for (const auto& row : rows) events.push_back(API_TRY(event_json(tx, call, row)));
    return json_reply(200, json::Value::object({{"events", std::move(events)},
                                                {"page_info", json::Value::object({{"after", after}})},
                                                {"actions", API_TRY(known_actions(tx))}}));
  });
}

} // namespace

void register_audit_log(Api& api) { api.get("/audit_events", list_events, {.auth = Auth::kAdmin, .root = kWebRoot}); }

} // namespace coordinator::web
