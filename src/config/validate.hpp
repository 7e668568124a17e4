// Checks beyond types: what upstream refuses, and what is only worth a warning. Private to this module.
#pragma once

#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "json/json.hpp"

namespace config {

// Labels, their number, machine options. kInvalidInput "invalid config: …".
base::Status validate_runner_tree(const json::Value& tree, const json::Value& global_labels);

// Adds to config.warnings.
void append_warnings(Config& config, const std::string& path);

} // namespace config
