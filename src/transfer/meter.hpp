// Meter: how far a transfer has come, on stdout, at most once in each interval; silent when the interval is zero.
//
// Used by the one thread that moves the bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace transfer {

std::string format_bytes(std::uint64_t bytes);                                  // "1.11 MB", thousands
std::string format_rate(std::uint64_t bytes, std::chrono::nanoseconds elapsed); // "1.5 MB/s"

class Meter {
 public:
  Meter(std::string label, std::optional<std::uint64_t> total, std::chrono::nanoseconds interval);
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter(); // the last line
  void add(std::uint64_t bytes);

 private:
  void print(bool last);

  std::string label_;
  std::optional<std::uint64_t> total_;
  std::chrono::nanoseconds interval_;
  std::chrono::steady_clock::time_point start_, next_;
  std::uint64_t done_ = 0;
};

} // namespace transfer
