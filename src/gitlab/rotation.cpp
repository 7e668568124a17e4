// When authentication tokens are rotated (protocol digest §5.5).
#include <algorithm>

#include "gitlab/wire.hpp"

namespace gitlab {
namespace {

constexpr double kShareOfLife = 0.75; // upstream's TokenResetIntervalFactor
constexpr std::int64_t kFirstRetry = 5'000;
constexpr std::int64_t kLongestRetry = 3'600'000;
constexpr std::int64_t kShortestRetry = 1'000;
constexpr std::int64_t kTriesLeft = 8;

} // namespace

std::optional<std::int64_t> token_rotation_due(std::int64_t obtained_at, std::optional<std::int64_t> expires_at) {
  if (!expires_at) return std::nullopt;
  const auto life = static_cast<double>(*expires_at - obtained_at);
  return obtained_at + static_cast<std::int64_t>(life * kShareOfLife);
}

std::chrono::milliseconds token_rotation_retry(int failures, std::optional<std::int64_t> expires_at, std::int64_t now,
                                               double random) {
  std::int64_t wait = std::min(kLongestRetry, kFirstRetry << std::clamp(failures - 1, 0, 20));
  if (expires_at && *expires_at > now) wait = std::min(wait, (*expires_at - now) * 1000 / kTriesLeft);
  wait = std::max(wait, kShortestRetry);
  return std::chrono::milliseconds(wait / 2 + static_cast<std::int64_t>(static_cast<double>(wait) / 2 * random));
}

} // namespace gitlab
