#include "coordinator/model/stale_runners.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::model {
namespace {

constexpr std::int64_t kDay = 24LL * 3600 * 1000;
constexpr std::int64_t kMostAtOnce = 1000;

} // namespace

base::Result<StaleRule> stale_rule(Transaction& tx) {
  StaleRule rule;
  const auto types = FR_TRY(setting(tx, "stale_runner_cleanup_types"));
  for (const auto& item : types.is_array() ? types.as_array() : json::Array{}) {
    if (const auto type = parse_runner_type(item.string_or(""))) rule.types.push_back(*type);
  }
  rule.groups_that_opted_in = true;
  rule.age_days = std::max(kLeastStaleAgeDays, FR_TRY(setting_integer(tx, "stale_runner_cleanup_age_days")));
  return rule;
}

base::Result<std::vector<Runner>> stale_runners(Transaction& tx, const StaleRule& rule, std::int64_t now,
                                                std::int64_t limit) {
  std::vector<std::string> scopes;
  for (const auto type : rule.types) scopes.push_back(fmt::format("r.type = '{}'", to_string(type)));
  if (rule.groups_that_opted_in) {
    scopes.emplace_back("r.namespace_id IN (SELECT id FROM namespaces WHERE stale_runner_cleanup_enabled = 1)");
  }
  std::vector<Runner> out;
  if (scopes.empty()) return out;
  const auto before = now - rule.age_days * kDay;
  for (const auto& row :
       FR_TRY(tx.query(fmt::format("SELECT r.* FROM runners r WHERE ({}) AND r.created_at <= ? AND "
                                   "(r.contacted_at IS NULL OR r.contacted_at <= ?) AND NOT EXISTS (SELECT 1 FROM "
                                   "runner_managers m WHERE m.runner_id = r.id AND m.contacted_at > ?) AND NOT EXISTS "
                                   "(SELECT 1 FROM jobs j WHERE j.runner_id = r.id AND j.status IN ('running', "
                                   "'canceling')) ORDER BY coalesce(r.contacted_at, r.created_at), r.id LIMIT ?",
                                   base::join(scopes, " OR ")),
                       {before, before, now - kOnlineWindow, limit}))) {
    out.push_back(runner_from(row));
  }
  return out;
}

base::Result<std::int64_t> prune_stale_runners(Transaction& tx, App& app) {
  const auto rule = FR_TRY(stale_rule(tx));
  const auto gone = FR_TRY(stale_runners(tx, rule, app.now(), kMostAtOnce));
  for (const auto& runner : gone) {
    FR_CHECK(delete_runner(tx, runner.id));
    FR_CHECK(audit_system(tx, app, "ci_runner_pruned", subject_of(runner),
                          json::Value::object({{"runner_type", to_string(runner.type)},
                                               {"short_sha", runner.token_short},
                                               {"last_contact", time_json(runner.contacted_at)}})));
    tx.after_commit([&app, id = runner.id] { app.events.runner_deleted(id); });
  }
  return static_cast<std::int64_t>(gone.size());
}

} // namespace coordinator::model
