// Timestamper: FF_TIMESTAMPS. Puts a header of 32 bytes before every line of one stream:
// "2026-01-02T03:04:05.000001Z 01O " — time (UTC) at which the line began, stream id in hex, O or E, then a blank for a
// new line or '+' for the continuation of this stream's previous one.
//
// One per stream, one thread at a time. Never fails. Line rules as upstream's timestamper (19.x): a write without '\n'
// waits, one with '\r' goes out at once, more than 8 KiB go out as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace trace {

class Timestamper {
 public:
  static constexpr std::size_t kHeaderSize = 32;
  static constexpr std::size_t kBufferSize = 8 * 1024; // headers count

  Timestamper(const base::Clock& clock, std::uint8_t stream, char type);

  void write(std::string_view in, std::string& out);
  // What waits goes out with a line break; the next line is a new one.
  void finish(std::string& out);

  // A header for a new line of this stream, now.
  std::string header();

 private:
  void append_header(std::string& out);

  const base::Clock& clock_;
  std::string header_;
  std::string line_; // the waiting line, header included
  std::int64_t second_ = -1;
};

} // namespace trace
