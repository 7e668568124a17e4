// LogPump: the sink between job log and file. Brings what was appended into the file a tenth of a second later, on a
// thread of its own, which sleeps while nothing is printed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "trace/spool.hpp"

namespace job {

class LogPump final : public trace::Sink {
 public:
  static constexpr std::chrono::milliseconds kDelay{100};

  explicit LogPump(trace::FileSpool& spool)
      : spool_(spool), thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void append(std::string_view bytes) override {
    spool_.append(bytes);
    std::lock_guard guard(mutex_);
    if (std::exchange(pending_, true)) return;
    wake_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [this] { return pending_; })) {
      wake_.wait_for(lock, stop, kDelay, [] { return false; });
      pending_ = false;
      lock.unlock();
      spool_.flush();
      lock.lock();
    }
  }

  trace::FileSpool& spool_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool pending_ = false;
  std::jthread thread_; // last: uses all of the above
};

} // namespace job
