#include "job/job_cancel.hpp"

namespace job {

using sys::CancelReason;

JobCancel::JobCancel(sys::TimePoint deadline, std::string timeout_message)
    : job_({}, deadline, std::move(timeout_message)) {}

void JobCancel::cancel() {
  std::lock_guard guard(mutex_);
  (steps_ ? *steps_ : job_).raise(CancelReason::kCanceled, "canceled");
}

void JobCancel::abort() { job_.raise(CancelReason::kAborted, "canceled"); }

void JobCancel::interrupt(const std::string& signal) { job_.raise(CancelReason::kInterrupted, "aborted: " + signal); }

sys::CancelToken JobCancel::begin_steps(std::optional<sys::TimePoint> deadline) {
  std::lock_guard guard(mutex_);
  if (deadline)
    steps_.emplace(job_.token(), *deadline, "script timeout: context deadline exceeded");
  else
    steps_.emplace(job_.token());
  return steps_->token();
}

std::optional<Failure> JobCancel::job_failure() const {
  if (!job_.token().raised()) return std::nullopt;
  const auto cause = job_.token().cause();
  switch (cause.reason) {
    case CancelReason::kTimeout:
      return timeout_failure(cause.message);
    case CancelReason::kInterrupted:
      return Failure{cause.message, gitlab::FailureReason::kRunnerInterrupted, 0};
    default:
      return canceled_failure();
  }
}

bool JobCancel::aborted() const {
  return job_.token().raised() && job_.token().cause().reason == CancelReason::kAborted;
}

} // namespace job
