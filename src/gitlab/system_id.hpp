// The system ID: which machine (or installation) a runner's process belongs to; `.runner_system_id` beside config.toml.
//
// Blocking file access, no shared state. An unreadable file is an error; an unwritable one only a warning in the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gitlab {

// ^[sr]_[0-9a-zA-Z]{12}$
bool is_valid_system_id(std::string_view text);
// "s_" and 12 hex digits of the HMAC of a machine id, "r_" and 12 random characters without one.
std::string generate_system_id(const std::optional<std::string>& machine_id);
// "<directory of the configuration file>/.runner_system_id"
std::string system_id_path(const std::string& config_path);
// The id in the file; generated and written when there is none or an invalid one.
base::Result<std::string> load_system_id(const std::string& config_path);

} // namespace gitlab
