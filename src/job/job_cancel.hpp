// JobCancel: who may end a job from outside, and what that ends. Thread-safe: the control channel raises, the job's
// thread asks.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "job/outcome.hpp"
#include "sys/cancel.hpp"

namespace job {

class JobCancel {
 public:
  // `timeout_message`: what the job fails with when its time is over.
  JobCancel(sys::TimePoint deadline, std::string timeout_message);

  // The user asks to stop. Before the user's first step that ends the job; from then on only the steps, and what
  // follows them runs. Later it changes nothing.
  void cancel();
  // The server wants nothing of the job any more: everything ends.
  void abort();
  // The runner was told to stop.
  void interrupt(const std::string& signal);

  sys::CancelToken job() const { return job_.token(); }
  // From here on cancel() ends the steps alone.
  sys::CancelToken begin_steps(std::optional<sys::TimePoint> deadline);

  // Why the whole job ended, if it did.
  std::optional<Failure> job_failure() const;
  bool aborted() const;

 private:
  sys::CancelSource job_;
  std::mutex mutex_;
  std::optional<sys::CancelSource> steps_;
};

} // namespace job
