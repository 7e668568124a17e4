// Instance settings and feature flags: name → JSON value, with defaults. Functions run inside a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

// The stored value, else the default; null for an unknown name.
base::Result<json::Value> setting(Transaction& tx, std::string_view name);
base::Result<bool> setting_flag(Transaction& tx, std::string_view name);
base::Result<std::int64_t> setting_integer(Transaction& tx, std::string_view name);
base::Status set_setting(Transaction& tx, std::string_view name, const json::Value& value);
// All settings with their present values, in a fixed order.
base::Result<json::Value> all_settings(Transaction& tx);
bool is_setting(std::string_view name);
json::Value setting_default(std::string_view name);
// All of them as fields in the notation of openapi.hpp, each name followed by `mark`.
std::string settings_fields(std::string_view mark);

// Flags that we know have a default; unknown ones are off.
base::Result<bool> feature_enabled(Transaction& tx, std::string_view name);
inline constexpr std::string_view kCreateRunnerForAdmin = "create_runner_workflow_for_admin";
inline constexpr std::string_view kCreateRunnerForNamespace = "create_runner_workflow_for_namespace";

} // namespace coordinator::model
