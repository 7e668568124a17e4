// CancelToken and CancelSource: how a wait is told to stop, by somebody or by a deadline.
//
// A token is one timerfd, so a single descriptor in a poll set serves both; it stays readable once raised. Deadlines
// are fixed when the source is made; a child is raised with its parent and takes over the parent's cause. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace sys {

using TimePoint = std::chrono::steady_clock::time_point;

enum class CancelReason {
  kNone,        // not raised
  kCanceled,    // somebody cancelled the work (the user in the web page)
  kTimeout,     // a deadline passed
  kAborted,     // the other side wants nothing of it any more
  kInterrupted, // the program was told to stop
};

struct CancelCause {
  CancelReason reason = CancelReason::kNone;
  std::string message;
};

class CancelToken {
 public:
  struct State;

  CancelToken() = default; // is never raised
  explicit CancelToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

  bool raised() const;
  // Readable from the moment of raising (poll it, never read it); -1 when the token can never be raised.
  int fd() const;
  CancelCause cause() const;
  // kTimeout or kCanceled with the cause's message.
  base::Error error() const;
  std::optional<TimePoint> deadline() const;
  // False for a token that is never raised.
  bool can_be_raised() const { return state_ != nullptr; }

  // The interruptible sleep: true when raised, false when the time came first.
  bool wait_until(TimePoint time) const;
  bool wait_for(std::chrono::nanoseconds time) const;

 private:
  std::shared_ptr<State> state_;
  friend class CancelSource;
};

class CancelSource {
 public:
  CancelSource();
  explicit CancelSource(const CancelToken& parent);
  // Raised with {kTimeout, message} at `deadline`, unless something raises it first.
  CancelSource(const CancelToken& parent, TimePoint deadline, std::string message);

  CancelToken token() const { return CancelToken(state_); }
  // The first cause stays. Raises every descendant.
  void raise(CancelReason reason, std::string message);

 private:
  std::shared_ptr<CancelToken::State> state_;
};

enum class Ready { kReady, kCanceled, kTimeout };
// Polls one descriptor for `events` (POLLIN, POLLOUT, …) until ready, raised, or the time.
base::Result<Ready> poll_fd(int fd, short events, const CancelToken& cancel, std::optional<TimePoint> until = {});

} // namespace sys
