// Delivery: what to send next for one job, and what an answer means (protocol digest §11). Pure: time, the log's size
// and the answers come in, actions go out; whoever owns it does the I/O.
//
// One request at a time: after an action that sends, exactly one of on_patch/on_update follows before next() is asked
// again. Owned by ActiveJob, on the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "gitlab/wire.hpp"

namespace manager {

class Delivery {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::uint64_t kMaxPatch = 1u << 20;
  static constexpr std::chrono::seconds kFirstTick{1};
  static constexpr std::chrono::seconds kInterval{3};
  static constexpr std::chrono::seconds kTouchAfter{30};
  static constexpr std::chrono::seconds kFirstBackoff{1};
  static constexpr std::chrono::minutes kMaxBackoff{60};
  static constexpr std::chrono::minutes kParkedRetry{10};  // after the quick tries are used up
  static constexpr std::chrono::seconds kLook{1};          // how often a silent log is looked at
  static constexpr std::chrono::seconds kMaxPatchWait{30}; // while the server does not take patches
  // A server that keeps saying "send it again" or "not yet" counts as one that fails.
  static constexpr int kMaxResends = 10;
  static constexpr std::chrono::minutes kMaxAccepted{10};

  struct Action {
    enum class Kind {
      kWait,  // until `until`
      kPatch, // `size` bytes from `offset`
      kTouch, // PUT state=running
      kFinal, // PUT the final state
      kDone,  // delivered, or the server does not want it: nothing more to do
    };
    Kind kind = Kind::kWait;
    Time until{};
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  // `final_tries`: quick tries of the final update.
  Delivery(Time now, std::int64_t final_tries, bool dynamic_touch)
      : next_tick_(now + kFirstTick), acknowledged_(now), quick_tries_(final_tries), dynamic_touch_(dynamic_touch) {}

  // A job taken over: an earlier manager has delivered some of it. One byte at offset 0 makes the server say how much
  // it has; from there it goes on.
  void resume(Time now) {
    probing_ = true;
    next_tick_ = now;
  }

  // The job ended with a log of exactly `size` bytes; from now on everything is flushed at once.
  void finish(Time now, std::uint64_t size);
  // The next patch is only a question.
  bool probing() const { return probing_; }
  bool finishing() const { return final_size_.has_value(); }

  Action next(Time now, std::uint64_t log_size) const;

  void on_patch(Time now, const gitlab::PatchResult& result);
  void on_update(Time now, const gitlab::UpdateResult& result);
  // The server answers again after a time without: what waits for a better moment need not wait longer.
  void server_is_back(Time now);

  // The server does not know this job as ours any more; the worker must stop.
  bool aborted() const { return aborted_; }
  bool cancel_requested() const { return cancel_requested_; }
  std::uint64_t offset() const { return sent_; }
  // The first try of the final update has been answered, or is known to fail: the job's slot may go to the next.
  bool final_tried() const { return final_tried_; }
  std::int64_t failed_tries() const { return tries_; }
  // The quick tries of the final update are used up: from now on it is offered now and then.
  bool postponed() const { return tries_ >= quick_tries_; }

 private:
  void set_interval(Time now, std::optional<std::chrono::seconds> interval);
  void fail_round(Time now);
  void resend_from(Time now, std::uint64_t offset);
  std::chrono::seconds touch_after() const;

  std::uint64_t sent_ = 0;
  bool probing_ = false;
  Time next_tick_;
  Time acknowledged_; // when the server last took bytes or a touch
  Time not_before_{}; // while finishing
  std::int64_t quick_tries_;
  bool dynamic_touch_;
  std::chrono::seconds interval_ = kInterval;
  std::optional<std::uint64_t> final_size_;
  bool skip_flush_ = false; // abort or 404 while flushing: straight to the final update
  bool last_patch_ok_ = true;
  int failed_patches_ = 0; // in a row, while the job runs
  bool aborted_ = false;
  bool cancel_requested_ = false;
  bool final_tried_ = false;
  bool done_ = false;
  int resends_ = 0;                    // while finishing
  std::optional<Time> accepted_since_; // the first of the answers "accepted, not completed"
  std::int64_t tries_ = 0;
};

} // namespace manager
