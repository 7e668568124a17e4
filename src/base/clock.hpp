// The clock behind an interface, so that rules about time are tested without waiting.
#pragma once

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

class FakeClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return now_; }
  std::int64_t unix_micros() const override { return micros_; }
  void advance(std::chrono::microseconds by) {
    now_ += by;
    micros_ += by.count();
  }
  void set_unix_micros(std::int64_t micros) { micros_ = micros; }

 private:
  std::chrono::steady_clock::time_point now_{};
  std::int64_t micros_ = 1'767'323'045'000'001;
};

} // namespace base
