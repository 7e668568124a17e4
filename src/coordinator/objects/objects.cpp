#include "coordinator/objects/objects.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/model/settings.hpp"

namespace coordinator::objects {
namespace {

constexpr auto kArchiveEvery = std::chrono::seconds(3);
constexpr auto kSweepEvery = std::chrono::hours(1);
constexpr const char* kOwner = "owner"; // the object that says whose store this is

// The job of traces/<id / 1000>/<id>… or artifacts/<id / 1000>/<id>/…; nullopt for anything else.
struct Place {
  std::int64_t bucket = 0;
  std::int64_t job = 0;
};
std::optional<Place> place_of(std::string_view key) {
  auto segments = base::split(key, '/');
  if (segments.size() < 3) return std::nullopt;
  auto bucket = base::parse_int(segments[1]);
  auto job = base::parse_int(segments[2].substr(0, segments[2].find_first_of(".-")));
  if (!bucket || !job || *job / 1000 != *bucket) return std::nullopt;
  return Place{.bucket = *bucket, .job = *job};
}

} // namespace

Objects::Objects(Store& store, const base::Clock& clock, std::unique_ptr<Stores> stores_in,
                 std::unique_ptr<LiveLogs> live)
    : store_(store),
      clock_(clock),
      stores_(std::move(stores_in)),
      logs(store, clock, *stores_, std::move(live)),
      artifacts(*stores_) {}

base::Result<std::unique_ptr<Objects>> Objects::open(const Options& options, Store& store, const base::Clock& clock) {
  auto stores = FR_TRY(Stores::open(options.data_dir, options.object_store));
  bool folder = stores->in_files();
  std::unique_ptr<LiveLogs> live = std::make_unique<FileLogs>(options.data_dir, store.shared());
  if (!folder && store.shared())
    live = std::make_unique<MovedLogs>(std::make_unique<TableLogs>(store), std::move(live));
  else if (folder && stores->configured())
    live =
        std::make_unique<MovedLogs>(std::make_unique<FileLogs>(options.object_store, store.shared()), std::move(live));
  auto objects = std::unique_ptr<Objects>(new Objects(store, clock, std::move(stores), std::move(live)));
  if (auto claimed = objects->claim(); !claimed) {
    if (claimed.error().kind() == base::ErrorKind::kConflict) return base::fail(std::move(claimed.error()));
    base::log::warning("the object store is not looked after until it answers", {{"error", claimed.error().message()}});
  }
  return objects;
}

// Two coordinators with different databases in one place would each remove what the other one keeps.
base::Status Objects::claim() {
  if (claimed_ || !stores_->configured()) return claimed_ = true, base::Status();
  auto id = FR_TRY(store_.write([&](Transaction& tx) -> base::Result<std::string> {
    auto known = FR_TRY(model::setting(tx, "object_store_owner"));
    if (known.is_string()) return known.as_string();
    std::string fresh = base::random_hex(32);
    FR_CHECK(model::set_setting(tx, "object_store_owner", fresh));
    return fresh;
  }));
  auto& store = stores_->primary();
  auto owner = store.read(kOwner, 0, 64);
  if (!owner && owner.error().kind() == base::ErrorKind::kNotFound) {
    FR_CHECK(storage::put(store, kOwner, id));
    owner = store.read(kOwner, 0, 64);
  }
  if (!owner) return base::fail(std::move(owner.error()));
  if (*owner != id)
    return base::fail(base::ErrorKind::kConflict,
                      fmt::format("{} belongs to a coordinator with another database; choose another prefix, or remove "
                                  "the object \"{}\" there when that one is gone for good",
                                  store.name(), kOwner));
  claimed_ = true;
  return {};
}

void Objects::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Objects::sweep_soon() {
  std::lock_guard lock(mutex_);
  sweep_wanted_ = true;
  changed_.notify_all();
}

void Objects::run(const std::stop_token& stop) {
  auto next_sweep = std::chrono::steady_clock::now();
  auto report = [](const char* what, const base::Status& done) {
    if (!done) base::log::error(what, {{"error", done.error().message()}});
  };
  while (!stop.stop_requested()) {
    bool wanted = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, kArchiveEvery, [&] { return sweep_wanted_; });
      wanted = std::exchange(sweep_wanted_, false);
    }
    if (stop.stop_requested()) return;
    auto now = std::chrono::steady_clock::now();
    if (!stores_->in_files() && store_.leads("archive logs"))
      report("cannot move logs to the object store", archive_ended());
    // A sweep that was asked for is this process's own matter: its folder may be its own, too.
    if (!wanted && (now < next_sweep || !store_.leads("sweep objects"))) continue;
    next_sweep = now + kSweepEvery;
    report("cannot remove what nothing names from the object store", sweep());
  }
}

base::Status Objects::sweep() {
  FR_CHECK(claim());
  for (storage::ObjectStore* store : stores_->all()) {
    for (const char* kind : {"traces/", "artifacts/"}) {
      FR_CHECK(sweep_kind(*store, kind));
      FR_CHECK(store->drop_abandoned(kind, std::chrono::seconds(kUnnamedSeconds)));
    }
  }
  return {};
}

base::Result<Objects::Named> Objects::named(const storage::ObjectStore& store, std::int64_t bucket) {
  Binds range = {bucket * 1000, (bucket + 1) * 1000};
  return store_.read([&](Transaction& tx) -> base::Result<Named> {
    Named result;
    for (const Row& row : FR_TRY(tx.query("SELECT id FROM jobs WHERE id >= ? AND id < ?", range)))
      result.jobs.insert(row.integer("id"));
    for (const char* table : {"artifacts", "job_logs"}) {
      auto rows = FR_TRY(tx.query(fmt::format("SELECT location FROM {} WHERE job_id >= ? AND job_id < ? AND "
                                              "location IS NOT NULL",
                                              table),
                                  range));
      for (const Row& row : rows)
        if (auto place = stores_->find(row.text("location")); place && place->store.get() == &store)
          result.keys.insert(place->key);
    }
    for (std::int64_t job : result.jobs) result.keys.insert(fmt::format("traces/{}/{}.log", bucket, job)); // FileLogs
    return result;
  });
}

// The keys of a thousand jobs come together, and are listed before the rows are looked up, so what comes meanwhile
// stays. Objects of jobs that are no more go at once (ids are never used again), others when they are old enough.
base::Status Objects::sweep_kind(storage::ObjectStore& store, const std::string& kind) {
  std::vector<std::pair<Place, storage::ObjectInfo>> listed;
  auto flush = [&]() -> base::Status {
    if (listed.empty()) return {};
    Named known = FR_TRY(named(store, listed.front().first.bucket));
    for (const auto& [place, info] : listed) {
      bool old = info.modified < clock_.unix_micros() / 1'000'000 - kUnnamedSeconds;
      if (known.keys.contains(info.key) || (known.jobs.contains(place.job) && !old)) continue;
      FR_CHECK(store.remove(info.key));
      base::log::debug("removed what nothing named", {{"store", store.name()}, {"key", info.key}});
    }
    listed.clear();
    return {};
  };
  FR_CHECK(store.list(kind, [&](const storage::ObjectInfo& info) -> base::Status {
    auto place = place_of(info.key);
    if (!place) return {};
    if (!listed.empty() && listed.front().first.bucket != place->bucket) FR_CHECK(flush());
    listed.emplace_back(*place, info);
    return {};
  }));
  return flush();
}

} // namespace coordinator::objects
