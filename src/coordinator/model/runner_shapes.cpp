#include "coordinator/model/runner_shapes.hpp"

#include "coordinator/model/users.hpp"

namespace coordinator::model {
namespace {

json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

} // namespace

json::Value runner_shape(const Runner& runner, std::int64_t now) {
  const auto status = runner_status(runner.created_at, runner.contacted_at, now);
  const bool settled = status == RunnerStatus::kStale || status == RunnerStatus::kNeverContacted;
  const bool online = status == RunnerStatus::kOnline;
  return json::Value::object({{"id", runner.id},
                              {"description", text_or_null(runner.description)},
                              {"ip_address", nullptr},
                              {"active", runner.active},
                              {"paused", !runner.active},
                              {"is_shared", runner.type == RunnerType::kInstance},
                              {"runner_type", coordinator::to_string(runner.type)},
                              {"name", runner.name ? json::Value(*runner.name) : json::Value()},
                              {"online", runner.contacted_at ? json::Value(online) : json::Value()},
                              {"status", settled || runner.active ? to_string(status) : "paused"}});
}

json::Value manager_shape(const Manager& manager, std::int64_t now) {
  return json::Value::object({{"id", manager.id},
                              {"system_id", manager.system_id},
                              {"version", text_or_null(manager.version)},
                              {"revision", text_or_null(manager.revision)},
                              {"platform", text_or_null(manager.platform)},
                              {"architecture", text_or_null(manager.architecture)},
                              {"created_at", utc_millis(manager.created_at)},
                              {"contacted_at", time_json(manager.contacted_at)},
                              {"ip_address", text_or_null(manager.ip_address)},
                              {"status", to_string(runner_status(manager.created_at, manager.contacted_at, now))}});
}

} // namespace coordinator::model
