#include "manager/delivery.hpp"

#include <algorithm>
#include <utility>

namespace manager {

using gitlab::PatchOutcome;
using gitlab::UpdateOutcome;

std::chrono::seconds Delivery::touch_after() const {
  if (!dynamic_touch_) return kTouchAfter;
  return std::clamp<std::chrono::seconds>(interval_ * 4, kTouchAfter, std::chrono::minutes(30));
}

void Delivery::finish(Time now, std::uint64_t size) {
  if (final_size_) return;
  final_size_ = size;
  interval_ = kInterval;
  not_before_ = now;
  skip_flush_ = false;
}

Delivery::Action Delivery::next(Time now, std::uint64_t log_size) const {
  using Kind = Action::Kind;
  if (done_) return {.kind = Kind::kDone};
  if (final_size_) {
    if (now < not_before_) return {.kind = Kind::kWait, .until = not_before_};
    if (!skip_flush_ && sent_ < *final_size_)
      return {.kind = Kind::kPatch, .offset = sent_, .size = probing_ ? 1 : std::min(kMaxPatch, *final_size_ - sent_)};
    return {.kind = Kind::kFinal};
  }
  // An aborted job only waits for its worker to end.
  if (aborted_) return {.kind = Kind::kWait, .until = now + std::chrono::hours(1)};
  // More than fits into one patch goes out in several, at once: a busy log must not lag behind.
  std::uint64_t unsent = log_size > sent_ ? log_size - sent_ : 0;
  if ((unsent > 0 && now >= next_tick_) || (unsent >= kMaxPatch && last_patch_ok_))
    return {.kind = Kind::kPatch, .offset = sent_, .size = probing_ ? 1 : std::min(kMaxPatch, unsent)};
  Time touch = acknowledged_ + touch_after();
  if (now >= touch) return {.kind = Kind::kTouch};
  return {.kind = Kind::kWait, .until = std::min<Time>(touch, std::max<Time>(next_tick_, now + kLook))};
}

void Delivery::set_interval(Time now, std::optional<std::chrono::seconds> interval) {
  if (interval) interval_ = *interval;
  next_tick_ = now + interval_;
}

void Delivery::fail_round(Time now) {
  final_tried_ = true;
  ++tries_;
  std::chrono::seconds backoff = kFirstBackoff;
  for (std::int64_t i = 1; i < tries_ && backoff < kMaxBackoff; ++i) backoff *= 2;
  backoff = std::min<std::chrono::seconds>(backoff, kMaxBackoff);
  // Nothing is thrown away: after the quick tries the update stays on the disk and is offered again now and then.
  if (tries_ >= quick_tries_) backoff = std::max<std::chrono::seconds>(backoff, kParkedRetry);
  not_before_ = now + interval_ + backoff;
  interval_ = kInterval;
  skip_flush_ = false;
  resends_ = 0;
  accepted_since_.reset();
}

// While finishing. Upstream goes round for ever with a server that never gets what it wants.
void Delivery::resend_from(Time now, std::uint64_t offset) {
  sent_ = offset;
  skip_flush_ = false;
  if (++resends_ > kMaxResends) return fail_round(now);
  not_before_ = resends_ == 1 ? now : now + interval_; // the first time it is just where the server stands
}

void Delivery::on_patch(Time now, const gitlab::PatchResult& result) {
  cancel_requested_ = cancel_requested_ || result.cancel_requested;
  set_interval(now, result.trace_interval);
  last_patch_ok_ = result.outcome == PatchOutcome::kSucceeded;
  failed_patches_ = result.outcome == PatchOutcome::kFailed ? failed_patches_ + 1 : 0;
  switch (result.outcome) {
    case PatchOutcome::kSucceeded:
      sent_ = result.new_offset;
      acknowledged_ = now;
      if (std::exchange(probing_, false)) next_tick_ = now;
      if (final_size_) not_before_ = now;
      return;
    case PatchOutcome::kRangeMismatch:
      acknowledged_ = now;
      if (std::exchange(probing_, false)) {
        sent_ = result.new_offset;
        next_tick_ = now;
      } else if (!final_size_) {
        sent_ = result.new_offset;
      } else if (result.new_offset <= *final_size_) {
        resend_from(now, result.new_offset);
      } else if (resends_ == 0) {
        // The server has more than was ever written, so it is not this log: once more from the beginning.
        resend_from(now, 0);
      } else {
        skip_flush_ = true;
      }
      return;
    case PatchOutcome::kAbort:
      if (final_size_) skip_flush_ = true;
      aborted_ = true;
      return;
    case PatchOutcome::kNotFound:
      if (final_size_) skip_flush_ = true;
      return;
    case PatchOutcome::kFailed:
      if (!final_size_) {
        std::chrono::seconds wait = interval_ * (1 << std::min(failed_patches_ - 1, 5));
        next_tick_ = now + std::max(interval_, std::min(wait, kMaxPatchWait));
        return;
      }
      if (aborted_) {
        skip_flush_ = true;
      } else {
        fail_round(now);
      }
      return;
  }
}

void Delivery::server_is_back(Time now) {
  if (final_size_ && tries_ > 0) not_before_ = std::min(not_before_, now);
  if (!final_size_ && failed_patches_ > 0) next_tick_ = std::min(next_tick_, now);
}

void Delivery::on_update(Time now, const gitlab::UpdateResult& result) {
  cancel_requested_ = cancel_requested_ || result.cancel_requested;
  if (!final_size_) { // a touch
    if (result.trace_interval) interval_ = *result.trace_interval;
    if (result.outcome == UpdateOutcome::kAbort) {
      aborted_ = true;
    } else {
      // Also when it failed: the next try belongs to the next round of touch_after, not to the next millisecond.
      acknowledged_ = now;
    }
    return;
  }
  if (result.trace_interval) interval_ = *result.trace_interval;
  final_tried_ = true;
  switch (result.outcome) {
    case UpdateOutcome::kSucceeded:
    case UpdateOutcome::kAbort:
      done_ = true;
      return;
    case UpdateOutcome::kAccepted:
      skip_flush_ = false;
      if (!accepted_since_) accepted_since_ = now;
      if (now - *accepted_since_ > kMaxAccepted) return fail_round(now);
      not_before_ = now + interval_;
      return;
    case UpdateOutcome::kTraceInvalid:
      return resend_from(now, 0);
    case UpdateOutcome::kFailed:
      if (aborted_) {
        done_ = true;
      } else {
        fail_round(now);
      }
      return;
  }
}

} // namespace manager
