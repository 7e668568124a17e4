#include "coordinator/queue/contacts.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "base/strings.hpp"

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

namespace {

constexpr std::size_t kBatch = 64; // rows of one statement

// Many rows of one table at once. `sql` has %s for the list of (id, time), which are column1 and column2 of `v`; a list
// that is short is filled up with the id 0, which no row has, so that there is one statement to prepare.
base::Status write_times(Transaction& tx, std::string_view sql, const std::map<std::int64_t, std::int64_t>& times) {
  static const std::string list = [] {
    std::string out = "(CAST(? AS BIGINT), CAST(? AS BIGINT))";
    for (std::size_t i = 1; i < kBatch; ++i) out += ", (CAST(? AS BIGINT), CAST(? AS BIGINT))";
    return out;
  }();
  const auto statement = base::replace_all(sql, "%s", list);
  for (auto next = times.begin(); next != times.end();) {
    Binds binds;
    for (std::size_t i = 0; i < kBatch; ++i) {
      const bool any = next != times.end();
      binds.emplace_back(any ? next->first : 0);
      binds.emplace_back(any ? next->second : 0);
      if (any) ++next;
    }
    FR_CHECK(tx.execute(statement, binds));
  }
  return {};
}

} // namespace

base::Status Contacts::flush() {
  Noted noted;
  {
    std::lock_guard lock(mutex_);
    std::swap(noted, noted_);
  }
  if (noted.empty()) return {};
  auto written = app_.store.write_shared([&](Transaction& tx) -> base::Status {
    FR_CHECK(tx.relax());
    // Another process, or a write of its own, may know of a later contact.
    for (const auto& [id, at] : noted.runners)
      FR_CHECK(
          tx.execute("UPDATE runners SET contacted_at = ? WHERE id = ? AND (contacted_at IS NULL OR contacted_at < ?)",
                     {at, id, at}));
    FR_CHECK(write_times(
        tx,
        "UPDATE runner_managers SET contacted_at = v.column2 FROM (VALUES %s) AS v WHERE id = v.column1 AND "
        "(contacted_at IS NULL OR contacted_at < v.column2)",
        noted.managers));
    FR_CHECK(write_times(tx,
                         "UPDATE jobs SET contacted_at = v.column2 FROM (VALUES %s) AS v WHERE id = v.column1 AND "
                         "contacted_at < v.column2 AND status IN ('running', 'canceling')",
                         noted.jobs));
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
