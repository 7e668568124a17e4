#include "trace/limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.hpp"

namespace trace {

LimitWriter::LimitWriter(Sink& sink, std::uint64_t limit)
    : sink_(sink), limit_(limit), capacity_(std::min<std::uint64_t>(limit / 4, kMaxTail)) {}

void LimitWriter::write(std::string_view bytes) {
  if (closed_ || bytes.empty()) return;
  if (exceeded_) {
    drop(bytes);
    return;
  }
  std::uint64_t room = limit_ - written_;
  if (bytes.size() < room) {
    sink_.append(bytes);
    written_ += bytes.size();
    before_ring_ = bytes.back();
    return;
  }
  // Upstream (helpers/trace/buffer.go) already gives up when the limit is reached, not only when it is passed.
  exceeded_ = true;
  std::string_view head = bytes.substr(0, base::utf8_prefix(bytes, room));
  sink_.append(head);
  if (!head.empty()) before_ring_ = head.back();
  sink_.append(
      fmt::format("\n\x1b[33;1mJob's log exceeded limit of {} bytes.\n"
                  "Job execution will continue but no more output will be collected.\x1b[0;m\n",
                  limit_));
  drop(bytes.substr(head.size()));
}

void LimitWriter::drop(std::string_view bytes) {
  if (bytes.empty()) return;
  dropped_ += bytes.size();
  if (capacity_ == 0) return;
  if (bytes.size() > capacity_) {
    before_ring_ = bytes[bytes.size() - capacity_ - 1];
    ring_.clear();
    ring_at_ = 0;
    bytes.remove_prefix(bytes.size() - capacity_);
  }
  std::size_t room = std::min(capacity_ - ring_.size(), bytes.size());
  ring_.append(bytes.substr(0, room));
  bytes.remove_prefix(room);
  while (!bytes.empty()) {
    std::size_t count = std::min(capacity_ - ring_at_, bytes.size());
    before_ring_ = ring_[ring_at_ + count - 1];
    ring_.replace(ring_at_, count, bytes.substr(0, count));
    ring_at_ = (ring_at_ + count) % capacity_;
    bytes.remove_prefix(count);
  }
}

void LimitWriter::close(std::string_view line_header) {
  if (std::exchange(closed_, true)) return;
  std::string tail = ring_.substr(ring_at_) + ring_.substr(0, ring_at_);
  ring_ = {};
  if (before_ring_ != '\n') tail.erase(0, std::min(tail.find('\n'), tail.size() - 1) + 1);
  if (tail.find('\n') == std::string::npos) return;
  sink_.append(fmt::format("{}\x1b[33;1m{} bytes of the log were left out here. Its end:\x1b[0;m\n", line_header,
                           dropped_ - tail.size()));
  sink_.append(tail);
}

} // namespace trace
