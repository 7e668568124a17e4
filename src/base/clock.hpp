// The clock behind an interface, so that rules about time are tested without waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace base {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point now() const = 0; // for deadlines and intervals
  virtual std::int64_t unix_micros() const = 0;                  // for what users read
};

class SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return std::chrono::steady_clock::now(); }
  std::int64_t unix_micros() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

// Stands still until told; any thread.
class FakeClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point(std::chrono::microseconds(elapsed_));
  }
  std::int64_t unix_micros() const override { return micros_; }

  void advance(std::chrono::microseconds by) {
    elapsed_ += by.count();
    micros_ += by.count();
  }
  void set_unix_micros(std::int64_t micros) { micros_ = micros; }

 private:
  std::atomic<std::int64_t> elapsed_ = 0;
  std::atomic<std::int64_t> micros_ = 1'767'323'045'000'001;
};

} // namespace base
