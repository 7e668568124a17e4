#include "coordinator/objects/objects.hpp"

#include <set>

#include "base/strings.hpp"

namespace coordinator::objects {

Objects::Objects(Store& store, const base::Clock& clock, std::unique_ptr<Stores> stores_in,
                 std::unique_ptr<LiveLogs> live)
    : store_(store), stores_(std::move(stores_in)), logs(clock, std::move(live)), artifacts(*stores_) {}

base::Result<std::unique_ptr<Objects>> Objects::open(const Options& options, Store& store, const base::Clock& clock) {
  auto stores = FR_TRY(Stores::open(options.data_dir, options.object_store));
  bool shared = !options.object_store.empty();
  auto live = std::make_unique<FileLogs>(shared ? options.object_store : options.data_dir, shared);
  return std::unique_ptr<Objects>(new Objects(store, clock, std::move(stores), std::move(live)));
}

// Keys are traces/<id / 1000>/<id>.log and artifacts/<id / 1000>/<id>/…; those of a thousand jobs come together. They
// are listed before the jobs are looked up, so a job that comes meanwhile keeps its files.
base::Status Objects::sweep() {
  for (const char* kind : {"traces/", "artifacts/"}) {
    std::int64_t bucket = -1;
    std::vector<std::pair<std::int64_t, std::string>> keys; // job, key
    auto flush = [&]() -> base::Status {
      std::set<std::int64_t> alive;
      for (const Row& row : FR_TRY(store_.read([&](Transaction& tx) {
             return tx.query("SELECT id FROM jobs WHERE id >= ? AND id < ?", {bucket * 1000, (bucket + 1) * 1000});
           })))
        alive.insert(row.integer("id"));
      for (const auto& [job, key] : keys)
        if (!alive.contains(job)) FR_CHECK(stores_->primary().remove(key));
      keys.clear();
      return {};
    };
    FR_CHECK(stores_->primary().list(kind, [&](const storage::ObjectInfo& info) -> base::Status {
      auto segments = base::split(info.key, '/');
      auto number = base::parse_int(segments.size() > 2 ? segments[1] : "");
      auto job = base::parse_int(segments.size() > 2 ? segments[2].substr(0, segments[2].find('.')) : "");
      if (!number || !job) return {};
      if (*number != bucket && !keys.empty()) FR_CHECK(flush());
      bucket = *number;
      keys.emplace_back(*job, info.key);
      return {};
    }));
    if (!keys.empty()) FR_CHECK(flush());
  }
  return {};
}

} // namespace coordinator::objects
