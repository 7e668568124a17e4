#include "job/timeouts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"

namespace job {
namespace {

// nullopt: the variable says nothing that counts.
std::optional<base::Nanoseconds> read(const Variables& variables, std::string_view name, base::Nanoseconds remaining,
                                      std::vector<std::string>& warnings) {
  const std::string raw = value_of(variables, name);
  if (base::trim(raw).empty()) return std::nullopt;
  const auto duration = base::parse_go_duration(raw);
  if (!duration) {
    warnings.push_back(fmt::format("Ignoring malformed {} timeout: {}", name, raw));
  } else if (*duration < base::Nanoseconds::zero()) {
    warnings.push_back(fmt::format("Ignoring relative {} timeout: {}", name, raw));
  } else if (*duration > remaining) {
    warnings.push_back(fmt::format("{} timeout: {} is longer than job timeout. Setting to job timeout", name, raw));
  } else if (*duration != base::Nanoseconds::zero()) {
    return duration;
  }
  return std::nullopt;
}

} // namespace

base::Nanoseconds configured_timeout(std::string_view name, base::Nanoseconds configured, base::Nanoseconds job,
                                     std::vector<std::string>& warnings) {
  if (configured == base::Nanoseconds::zero()) return job;
  if (configured < base::Nanoseconds::zero()) {
    warnings.push_back(fmt::format("{} ({}) must be greater than 0; using job timeout ({})", name,
                                   base::format_go_duration(configured), base::format_go_duration(job)));
    return job;
  }
  if (configured > job) {
    warnings.push_back(fmt::format("{} ({}) exceeds job timeout ({}); using job timeout", name,
                                   base::format_go_duration(configured), base::format_go_duration(job)));
    return job;
  }
  return configured;
}

ScriptTimeouts script_timeouts(const Variables& variables, base::Nanoseconds remaining) {
  ScriptTimeouts out;
  out.script = read(variables, "RUNNER_SCRIPT_TIMEOUT", remaining, out.warnings);
  if (const auto after = read(variables, "RUNNER_AFTER_SCRIPT_TIMEOUT", remaining, out.warnings))
    out.after_script = *after;
  return out;
}

std::chrono::seconds stage_backoff(int attempt, bool exponential) {
  const int doubled = 1 << std::min(attempt - 1, 10);
  return exponential ? std::min(std::chrono::seconds(5 * doubled), std::chrono::seconds(300))
                     : std::min(std::chrono::seconds(doubled), std::chrono::seconds(5));
}

} // namespace job
