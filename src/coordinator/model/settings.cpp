#include "coordinator/model/settings.hpp"

#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "base/strings.hpp"

namespace coordinator::model {
namespace {

// Names and defaults (runner-tokens digest §4.2). Registration tokens are off for a new installation.
const std::vector<std::pair<std::string_view, json::Value>>& defaults() {
  static const auto& table = *new std::vector<std::pair<std::string_view, json::Value>>{
      {"allow_runner_registration_token", false},
      {"valid_runner_registrars", json::Array{"project", "group"}},
      {"runner_token_expiration_interval", nullptr},
      {"group_runner_token_expiration_interval", nullptr},
      {"project_runner_token_expiration_interval", nullptr},
      {"stale_runner_cleanup_types", json::Array{}},
      {"stale_runner_cleanup_age_days", 90},
      {"shared_runners_enabled", true},
      {"shared_runners_text", ""},
      {"update_runner_versions_enabled", true},
      {"runner_jobs_request_api_limit", 2000},
      {"runner_jobs_patch_trace_api_limit", 200},
      {"runner_jobs_endpoints_api_limit", 200},
      {"ci_registered_group_runners", 1000},
      {"ci_registered_project_runners", 1000},
      {"ci_queueing_disaster_recovery_disable_fair_scheduling", false},
      {"default_branch_name", "main"},
      {"default_project_visibility", "private"},
      {"default_group_visibility", "private"},
      {"default_ci_config_path", nullptr},
      {"default_artifacts_expire_in", "30 days"},
      {"max_artifacts_size", 100},
      {"ci_max_trace_size", 100},
      {"keep_latest_artifact", true},
      {"max_personal_access_token_lifetime", nullptr},
      {"require_personal_access_token_expiry", true},
      {"signup_enabled", false},
      {"admin_mode", false},
      {"long_poll_seconds", 50},
      {"session_expire_delay", 10080},      // minutes
      {"sign_in_attempts_per_address", 60}, // a minute; 0: unlimited
  };
  return table;
}

const json::Value* default_of(std::string_view name) {
  for (const auto& [key, value] : defaults()) {
    if (key == name) return &value;
  }
  return nullptr;
}

} // namespace

bool is_setting(std::string_view name) { return default_of(name) != nullptr; }

json::Value setting_default(std::string_view name) {
  const auto* value = default_of(name);
  return value ? *value : json::Value();
}

std::string settings_fields(std::string_view mark) {
  std::string out;
  for (const auto& [name, value] : defaults()) {
    const bool text = value.is_string() || name == "default_ci_config_path";
    const std::string_view type = value.is_bool() ? "bool" : value.is_array() ? "list" : text ? "text?" : "int?";
    if (!out.empty()) out += ' ';
    out += std::string(name) + std::string(mark) + ":" + std::string(type);
  }
  return out;
}

base::Result<json::Value> setting(Transaction& tx, std::string_view name) {
  const auto row = FR_TRY(tx.query_one("SELECT value FROM settings WHERE name = ?", {name}));
  if (row) return json::parse(row->text("value"));
  const auto* value = default_of(name);
  return value ? *value : json::Value();
}

base::Result<bool> setting_flag(Transaction& tx, std::string_view name) {
  return FR_TRY(setting(tx, name)).bool_or(false);
}

base::Result<std::int64_t> setting_integer(Transaction& tx, std::string_view name) {
  return FR_TRY(setting(tx, name)).integer_or(0);
}

base::Status set_setting(Transaction& tx, std::string_view name, const json::Value& value) {
  FR_CHECK(tx.execute(
      "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      {name, value.dump()}));
  return {};
}

base::Result<json::Value> all_settings(Transaction& tx) {
  auto out = json::Value::object();
  for (const auto& [name, value] : defaults()) out.set(name, value);
  for (const auto& row : FR_TRY(tx.query("SELECT name, value FROM settings"))) {
    const auto name = row.text("name");
    if (is_setting(name)) out.set(name, FR_TRY(json::parse(row.text("value"))));
  }
  return out;
}

base::Result<bool> feature_enabled(Transaction& tx, std::string_view name) {
  const auto row = FR_TRY(tx.query_one("SELECT value FROM features WHERE name = ?", {name}));
  if (row) {
    // "30": that percentage of the times that somebody asks.
    const auto share = base::parse_int(row->text("value"));
    if (share)
      return static_cast<std::int64_t>(static_cast<unsigned char>(base::random_bytes(1)[0])) * 100 < *share * 256;
    return row->text("value") == "true";
  }
  return name == kCreateRunnerForAdmin || name == kCreateRunnerForNamespace;
}

} // namespace coordinator::model
