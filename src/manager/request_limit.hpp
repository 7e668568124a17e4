// How many job requests of one runner token may be open at a time (protocol digest §14, FF_USE_ADAPTIVE_REQUEST_
// CONCURRENCY). Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace manager {

class RequestLimit {
 public:
  std::int64_t limit(std::int64_t hard, bool adaptive) const {
    hard = std::max<std::int64_t>(hard, 1);
    if (!adaptive) return hard;
    return std::min<std::int64_t>(hard, std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(value_))));
  }
  void finished(bool got_job, bool was_retried, std::int64_t hard) {
    value_ *= was_retried ? 0.5 : got_job ? 1.1 : 0.95;
    value_ = std::clamp(value_, 1.0, static_cast<double>(std::max<std::int64_t>(hard, 1)));
  }

 private:
  double value_ = 0;
};

} // namespace manager
