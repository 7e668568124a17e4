// RateLimiter: fixed one-minute windows per (what, key). In memory; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace coordinator {

class RateLimiter {
 public:
  // Counts a call. 0: allowed; else the seconds after which to try again. `limit` 0: unlimited.
  int hit(std::string_view what, std::string_view key, std::int64_t limit, std::int64_t now_ms);

 private:
  struct Window {
    std::int64_t minute = 0;
    std::int64_t count = 0;
  };
  std::mutex mutex_;
  std::int64_t swept_ = 0;
  std::map<std::pair<std::string, std::string>, Window, std::less<>> windows_;
};

} // namespace coordinator
