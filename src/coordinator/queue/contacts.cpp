#include "coordinator/queue/contacts.hpp"

#include <utility>

namespace coordinator::queue {

void Contacts::runner(std::int64_t id, std::int64_t now) {
  std::lock_guard lock(mutex_);
  noted_.runners[id] = now;
}

void Contacts::manager(std::int64_t id, std::int64_t now) {
  std::lock_guard lock(mutex_);
  noted_.managers[id] = now;
}

void Contacts::job(std::int64_t id, std::int64_t now) {
  std::lock_guard lock(mutex_);
  noted_.jobs[id] = now;
}

base::Status Contacts::flush() {
  Noted noted;
  {
    std::lock_guard lock(mutex_);
    std::swap(noted, noted_);
  }
  if (noted.empty()) return {};
  auto written = app_.store.write_shared([&](Transaction& tx) -> base::Status {
    // Another process, or a write of its own, may know of a later contact.
    for (const auto& [id, at] : noted.runners)
      FR_CHECK(
          tx.execute("UPDATE runners SET contacted_at = ? WHERE id = ? AND (contacted_at IS NULL OR contacted_at < ?)",
                     {at, id, at}));
    for (const auto& [id, at] : noted.managers)
      FR_CHECK(tx.execute(
          "UPDATE runner_managers SET contacted_at = ? WHERE id = ? AND (contacted_at IS NULL OR contacted_at "
          "< ?)",
          {at, id, at}));
    for (const auto& [id, at] : noted.jobs)
      FR_CHECK(
          tx.execute("UPDATE jobs SET contacted_at = ? WHERE id = ? AND contacted_at < ? AND status IN ('running', "
                     "'canceling')",
                     {at, id, at}));
    return {};
  });
  if (written) return {};
  std::lock_guard lock(mutex_);
  noted_.runners.insert(noted.runners.begin(), noted.runners.end()); // later ones win
  noted_.managers.insert(noted.managers.begin(), noted.managers.end());
  noted_.jobs.insert(noted.jobs.begin(), noted.jobs.end());
  return written;
}

} // namespace coordinator::queue
