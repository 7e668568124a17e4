#include "job/outcome.hpp"

namespace job {

using gitlab::FailureReason;

Failure system_failure(std::string message) { return {std::move(message), FailureReason::kRunnerSystemFailure, 0}; }
Failure configuration_failure(std::string message) {
  return {std::move(message), FailureReason::kRunnerConfigurationError, 0};
}
Failure timeout_failure(std::string message) { return {std::move(message), FailureReason::kJobExecutionTimeout, 0}; }
Failure canceled_failure() { return {"canceled", FailureReason::kJobCanceled, 0}; }

std::string failure_line(const Failure& failure) {
  const bool system = failure.reason == FailureReason::kRunnerSystemFailure;
  return (system ? "Job failed (system failure): " : "Job failed: ") + failure.message;
}

std::string_view job_status(const std::optional<Failure>& failure) {
  if (!failure) return "success";
  switch (failure->reason) {
    case FailureReason::kJobCanceled:
      return "canceled";
    case FailureReason::kJobExecutionTimeout:
      return "timedout";
    default:
      return "failed";
  }
}

} // namespace job
