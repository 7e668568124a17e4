// Outcome: how a job or a part of it failed, and what is said and reported about it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "gitlab/wire.hpp"

namespace job {

struct Failure {
  std::string message;
  gitlab::FailureReason reason = gitlab::FailureReason::kScriptFailure;
  std::int64_t exit_code = 0;

  bool operator==(const Failure&) const = default;
};

// What the agent itself could not do.
Failure system_failure(std::string message);
// What is wrong in the job's or the runner's configuration.
Failure configuration_failure(std::string message);
Failure timeout_failure(std::string message);
Failure canceled_failure();

// "Job failed: <message>", or "Job failed (system failure): <message>".
std::string failure_line(const Failure& failure);
// CI_JOB_STATUS as after_script and the stages behind it see it: success, failed, canceled, timedout.
std::string_view job_status(const std::optional<Failure>& failure);

} // namespace job
