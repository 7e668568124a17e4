#include "coordinator/runner_api/limits.hpp"

#include "coordinator/model/settings.hpp"

namespace coordinator {
namespace {

// Also bounds what a transaction that began before a change may have put here after it.
constexpr auto kKept = std::chrono::seconds(5);

} // namespace

base::Result<std::int64_t> Limits::get(Transaction& tx, std::string_view setting) {
  const auto now = std::chrono::steady_clock::now();
  std::uint64_t before = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = known_.find(setting);
    if (found != known_.end() && found->second.until > now) return found->second.value;
    before = forgotten_;
  }
  const auto value = FR_TRY(model::setting_integer(tx, setting));
  std::lock_guard lock(mutex_);
  if (forgotten_ == before) known_[std::string(setting)] = {.value = value, .until = now + kKept};
  return value;
}

void Limits::forget() {
  std::lock_guard lock(mutex_);
  ++forgotten_;
  known_.clear();
}

} // namespace coordinator
