// LimitWriter: the size limit of a job log. The head is kept to the byte as upstream keeps it, then comes upstream's
// notice; what upstream drops goes through a small ring, so that close() can add how much was left out and the last
// whole lines: the verdict of a job is at the end of its log.
//
// One per job, one thread at a time. Input is valid UTF-8. Never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "trace/sink.hpp"

namespace trace {

class LimitWriter {
 public:
  static constexpr std::uint64_t kDefaultLimit = 4u << 20;
  static constexpr std::size_t kMaxTail = 64u << 10;

  LimitWriter(Sink& sink, std::uint64_t limit);

  void write(std::string_view bytes);
  // Appends the kept end, if anything was dropped. `line_header` goes before the line of ours (a time stamp, or
  // nothing).
  void close(std::string_view line_header = {});

  bool exceeded() const { return exceeded_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void drop(std::string_view bytes);

  Sink& sink_;
  std::uint64_t limit_;
  std::uint64_t written_ = 0;
  bool exceeded_ = false;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
  std::size_t capacity_;
  std::string ring_; // the last dropped bytes; grows to capacity_, then ring_at_ is the oldest
  std::size_t ring_at_ = 0;
  char before_ring_ = '\n'; // the byte before the oldest one
};

} // namespace trace
