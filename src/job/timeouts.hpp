// How long the parts of a job may take. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "job/variables.hpp"

namespace job {

inline constexpr std::chrono::minutes kAfterScriptTimeout{5};
// For removing credentials, whatever happened before.
inline constexpr std::chrono::seconds kCleanupTimeout{60};

// prepare_timeout or get_sources_timeout of config.toml; the job's when it is absent, not positive or longer, the
// latter two with a warning for the runner's own log.
base::Nanoseconds configured_timeout(std::string_view name, base::Nanoseconds configured, base::Nanoseconds job,
                                     std::vector<std::string>& warnings);

struct ScriptTimeouts {
  std::optional<base::Nanoseconds> script; // none: only the job's
  base::Nanoseconds after_script = kAfterScriptTimeout;
  std::vector<std::string> warnings; // for the job log
};
ScriptTimeouts script_timeouts(const Variables& variables, base::Nanoseconds remaining);

// Before try number `attempt` + 1 (the first is 1).
std::chrono::seconds stage_backoff(int attempt, bool exponential);

} // namespace job
