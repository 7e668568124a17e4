// App: what every handler can reach. Made by Server, outlives all requests; each member is thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "coordinator/rate_limit.hpp"
#include "coordinator/store.hpp"
#include "coordinator/vault.hpp"

namespace coordinator::objects {
class Artifacts;
class JobLogs;
} // namespace coordinator::objects

namespace coordinator {

struct Options {
  std::string listen = "127.0.0.1:8929";
  std::string data_dir;
  base::Secret database;       // postgresql://…; empty: SQLite in the data directory
  std::string object_store;    // artifacts and logs: a folder or s3://…; empty: below the data directory
  std::string external_url;    // empty: http://<listen address>
  std::string trusted_proxies; // networks whose X-Forwarded-For and -Proto are believed, see net/address.hpp
  std::size_t threads = 0;     // 0: chosen by the number of processors
  // First credentials of `root`; empty: generated on the first start. coordinator::run() reads them from
  // FORERUNNER_ROOT_TOKEN and FORERUNNER_ROOT_PASSWORD when they are empty.
  base::Secret root_token;
  base::Secret root_password;
  std::string_view pages; // the built front end, see web/assets.hpp; empty: a server without pages
};

// Calls across parts of the coordinator: whoever knows that something happened calls the function, whoever cares adds
// one while the server is assembled. Called after the commit, on a pool thread. Events that matter to every process on
// the database are carried to all of them (events.cpp); their handlers must not block for long.
template <class... Args>
class Event {
 public:
  void add(std::function<void(Args...)> handler) { handlers_.push_back(std::move(handler)); }
  void operator()(Args... args) const {
    if (carrier_) return carrier_(args...);
    deliver(args...);
  }

  // Whoever carries the event calls deliver() in each process.
  void carry(std::function<void(Args...)> carrier) { carrier_ = std::move(carrier); }
  void deliver(Args... args) const {
    for (const auto& handler : handlers_) handler(args...);
  }

 private:
  std::vector<std::function<void(Args...)>> handlers_;
  std::function<void(Args...)> carrier_;
};

struct Events {
  // In every process.
  Event<std::int64_t> runner_changed; // edited, assigned, resumed, created: its waiting polls look again
  Event<std::int64_t> runner_deleted;
  Event<> eligibility_changed; // settings of projects or groups that decide who gets which job
  // In the process where it happened only, as all share the data directory.
  Event<std::int64_t> project_created;              // makes its repository
  Event<std::int64_t, std::string> project_deleted; // id, full path: removes its files
};

struct App {
  Options options;
  std::string url; // external URL without trailing slash
  Store& store;
  Vault& vault;
  base::Clock& clock;
  RateLimiter& limiter;
  objects::JobLogs& logs;
  objects::Artifacts& artifacts;
  Events events;

  std::int64_t now() const { return clock.unix_micros() / 1000; }
  std::string path(std::string_view name) const; // below the data directory
};

// The embedded database's name in the data directory.
inline constexpr std::string_view kDatabaseFile = "coordinator.sqlite";

// What one process at a time does for all on the database (Store::leads).
inline constexpr std::string_view kHousekeepingDuty = "housekeeping";

// GitLab's version that we answer as; clients choose their behaviour by it.
inline constexpr std::string_view kEmulatedVersion = "18.1.0";

} // namespace coordinator
