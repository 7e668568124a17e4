#include "coordinator/rate_limit.hpp"

namespace coordinator {

int RateLimiter::hit(std::string_view what, std::string_view key, std::int64_t limit, std::int64_t now_ms) {
  if (limit <= 0) return 0;
  const std::int64_t minute = now_ms / 60'000;
  const std::lock_guard lock(mutex_);
  if (swept_ != minute) {
    std::erase_if(windows_, [&](const auto& entry) { return entry.second.minute != minute; });
    swept_ = minute;
  }
  auto& window = windows_[{std::string(what), std::string(key)}];
  window.minute = minute;
  if (++window.count <= limit) return 0;
  return static_cast<int>(60 - (now_ms / 1000) % 60);
}

} // namespace coordinator
