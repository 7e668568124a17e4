#include "manager/loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace manager {

base::Result<Loop> Loop::create() {
  sys::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::fail_errno("make an eventfd", errno);
  return Loop(std::move(wake));
}

Loop::Loop(Loop&& other) noexcept : wake_(std::move(other.wake_)) {}

void Loop::post(std::function<void()> call) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(call));
  }
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof one); // full counter: it will wake anyway
}

void Loop::watch(int fd, std::function<void()> readable) { watched_[fd] = std::move(readable); }
void Loop::unwatch(int fd) { watched_.erase(fd); }

Loop::TimerId Loop::at(Clock::time_point time, std::function<void()> call) {
  TimerId id = next_timer_++;
  timers_.emplace(std::pair(time, id), std::move(call));
  timer_times_.emplace(id, time);
  return id;
}

void Loop::cancel(TimerId id) {
  auto found = timer_times_.find(id);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, id});
  timer_times_.erase(found);
}

int Loop::timeout_ms() const {
  if (timers_.empty()) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Loop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t got = ::read(wake_.get(), &count, sizeof count);
  std::vector<std::function<void()>> calls;
  {
    std::lock_guard lock(mutex_);
    calls.swap(posted_);
  }
  for (auto& call : calls) call();
}

void Loop::run_timers() {
  // Only those due now: a timer that sets a timer for now must not starve the descriptors.
  Clock::time_point now = Clock::now();
  std::vector<TimerId> due;
  for (const auto& [key, call] : timers_) {
    if (key.first > now) break;
    due.push_back(key.second);
  }
  for (TimerId id : due) {
    auto time = timer_times_.find(id);
    if (time == timer_times_.end()) continue; // canceled by an earlier one
    auto timer = timers_.extract({time->second, id});
    timer_times_.erase(time);
    timer.mapped()();
  }
}

void Loop::run() {
  while (!stopped_) {
    std::vector<pollfd> fds = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    for (const auto& [fd, callback] : watched_) fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    int ready = ::poll(fds.data(), fds.size(), timeout_ms());
    if (ready < 0 && errno != EINTR) return;
    if (ready > 0) {
      if (fds.front().revents != 0) run_posted();
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        auto found = watched_.find(fds[i].fd);
        if (found == watched_.end()) continue; // unwatched meanwhile
        auto callback = found->second;         // it may unwatch itself
        callback();
      }
    }
    run_timers();
  }
}

} // namespace manager
