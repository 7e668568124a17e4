// Objects: the coordinator's logs and artifacts with the stores beneath, and the thread that keeps order among them:
// logs of ended jobs move to the store, objects that nothing names any more go.
//
// Made when the server is assembled; outlives all requests.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/objects/job_logs.hpp"
#include "coordinator/objects/stores.hpp"
#include "coordinator/store.hpp"

namespace coordinator::objects {

inline constexpr std::int64_t kUnnamedSeconds = 24 * 3600; // an object without a row: an upload that goes on, or waste

class Objects {
 public:
  static base::Result<std::unique_ptr<Objects>> open(const Options& options, Store& store, const base::Clock& clock);

  void start();      // the thread
  void sweep_soon(); // rows went that took no care of their objects (a deleted project)

  // What the thread does, for tests: one round each.
  base::Status archive_ended() { return logs.archive_ended(); }
  base::Status sweep();

 private:
  Objects(Store& store, const base::Clock& clock, std::unique_ptr<Stores> stores_in, std::unique_ptr<LiveLogs> live);
  void run(const std::stop_token& stop);
  base::Status claim();
  base::Status sweep_kind(storage::ObjectStore& store, const std::string& kind);
  struct Named {
    std::set<std::int64_t> jobs;
    std::set<std::string> keys;
  };
  base::Result<Named> named(const storage::ObjectStore& store, std::int64_t bucket);

  Store& store_;
  const base::Clock& clock_;
  std::unique_ptr<Stores> stores_;

 public:
  JobLogs logs;
  Artifacts artifacts;

 private:
  bool claimed_ = false; // by the thread, and before it starts
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool sweep_wanted_ = false;
  std::jthread thread_; // last: it uses all of the above
};

} // namespace coordinator::objects
