#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.hpp"
#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

struct ReasonEntry {
  FailureReason reason;
  std::string_view name;
  bool always_accepted;
  FailureReason instead; // for a server that does not list it; kNone: there is no substitute
};

constexpr std::array kReasons = std::to_array<ReasonEntry>({
    {FailureReason::kScriptFailure, "script_failure", true, FailureReason::kNone},
    {FailureReason::kRunnerSystemFailure, "runner_system_failure", true, FailureReason::kNone},
    {FailureReason::kJobExecutionTimeout, "job_execution_timeout", true, FailureReason::kNone},
    {FailureReason::kImagePullFailure, "image_pull_failure", false, FailureReason::kRunnerSystemFailure},
    {FailureReason::kRunnerConfigurationError, "runner_configuration_error", false, FailureReason::kScriptFailure},
    {FailureReason::kRunnerExternalDependencyFailure, "runner_external_dependency_failure", false,
     FailureReason::kRunnerSystemFailure},
    {FailureReason::kRunnerInterrupted, "runner_interrupted", false, FailureReason::kUnknownFailure},
    {FailureReason::kUnknownFailure, "unknown_failure", false, FailureReason::kNone},
    {FailureReason::kJobCanceled, "job_canceled", false, FailureReason::kUnknownFailure},
});

const ReasonEntry* find(FailureReason reason) {
  const auto it = std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& e) { return e.reason == reason; });
  return it == kReasons.end() ? nullptr : &*it;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view p) { return text.contains(p); });
}

} // namespace

std::string_view to_string(FailureReason reason) {
  const ReasonEntry* entry = find(reason);
  return entry == nullptr ? std::string_view() : entry->name;
}

std::optional<FailureReason> parse_failure_reason(std::string_view name) {
  if (name.empty()) return FailureReason::kNone;
  const auto it = std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& e) { return e.name == name; });
  if (it == kReasons.end()) return std::nullopt;
  return it->reason;
}

std::string map_failure_reason(FailureReason reason, const std::vector<std::string>& supported) {
  // No reason means that the script failed, or that nobody found out what else it was.
  if (reason == FailureReason::kNone) reason = FailureReason::kScriptFailure;
  for (const ReasonEntry* entry = find(reason); entry != nullptr; entry = find(entry->instead)) {
    if (entry->always_accepted || std::find(supported.begin(), supported.end(), entry->name) != supported.end()) {
      return std::string(entry->name);
    }
  }
  return "unknown_failure";
}

FailureReason classify_image_pull_failure(std::string_view text) {
  const std::string lower = base::to_lower(text);
  if (contains_any(lower, {"dial tcp", "connection refused", "no such host", "i/o timeout", "tls handshake",
                           "client.timeout exceeded", "request canceled", "connection reset"})) {
    return FailureReason::kRunnerExternalDependencyFailure;
  }
  if (contains_any(lower, {"not found", "manifest unknown", "pull access denied", "access to the resource is denied",
                           "no basic auth credentials", "repository does not exist or may require", "unauthorized",
                           "authentication required"})) {
    return FailureReason::kRunnerConfigurationError;
  }
  return FailureReason::kImagePullFailure;
}

} // namespace gitlab
