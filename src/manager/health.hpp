// Health of a runner: after too many refusals it is asked less and less often. Pure but for the time passed in.
//
// Upstream switches a runner off for `unhealthy_interval` (1 h) after `unhealthy_requests_limit` refusals in a row and
// then tries once. Ours reaches that interval by doubling from 10 s, so that a mistake that was mended shows soon.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace manager {

class Health {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One refusal (403, bad configuration). True when this one switched the runner off.
  bool mark_unhealthy(Time now, std::int64_t limit, std::chrono::nanoseconds interval) {
    if (++failures_ < limit) return false;
    std::chrono::nanoseconds wait = std::min(interval, kFirst * (std::int64_t{1} << std::min(rounds_, 20)));
    off_for_ = wait;
    off_until_ = now + std::chrono::duration_cast<Time::duration>(wait);
    ++rounds_;
    failures_ = 0;
    return true;
  }
  void mark_healthy() {
    failures_ = 0;
    rounds_ = 0;
    off_until_ = Time();
  }
  bool may_ask(Time now) const { return now >= off_until_; }
  Time off_until() const { return off_until_; }
  std::chrono::nanoseconds off_for() const { return off_for_; }

 private:
  static constexpr std::chrono::nanoseconds kFirst = std::chrono::seconds(10);
  std::int64_t failures_ = 0;
  int rounds_ = 0;
  Time off_until_{};
  std::chrono::nanoseconds off_for_{0};
};

} // namespace manager
