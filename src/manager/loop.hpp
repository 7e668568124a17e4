// Loop: descriptors, timers and posted calls on one thread. Everything of the manager lives there, without locks.
//
// post() is for any thread; all else, and every callback, is the loop's own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace manager {

using Clock = std::chrono::steady_clock;

class Loop {
 public:
  using TimerId = std::uint64_t;

  static base::Result<Loop> create();
  Loop(Loop&& other) noexcept;
  ~Loop() = default;

  void post(std::function<void()> call); // any thread
  void watch(int fd, std::function<void()> readable);
  void unwatch(int fd);
  TimerId at(Clock::time_point time, std::function<void()> call);
  TimerId after(std::chrono::milliseconds wait, std::function<void()> call) {
    return at(Clock::now() + wait, std::move(call));
  }
  void cancel(TimerId id); // nothing happens when it has run

  void run(); // until stop()
  void stop() { stopped_ = true; }

 private:
  explicit Loop(sys::Fd wake) : wake_(std::move(wake)) {}
  void run_posted();
  void run_timers();
  int timeout_ms() const;

  sys::Fd wake_; // eventfd
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::unordered_map<int, std::function<void()>> watched_;
  std::map<std::pair<Clock::time_point, TimerId>, std::function<void()>> timers_;
  std::unordered_map<TimerId, Clock::time_point> timer_times_;
  TimerId next_timer_ = 1;
  bool stopped_ = false;
};

} // namespace manager
