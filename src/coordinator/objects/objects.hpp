// Objects: the coordinator's logs and artifacts with the stores beneath. One in the App; made when the server is
// assembled, outlives all requests.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/objects/job_logs.hpp"
#include "coordinator/objects/stores.hpp"
#include "coordinator/store.hpp"

namespace coordinator::objects {

class Objects {
 public:
  static base::Result<std::unique_ptr<Objects>> open(const Options& options, Store& store, const base::Clock& clock);

  // Removes logs and artifacts of jobs that are no more (their project was deleted).
  base::Status sweep();

 private:
  Objects(Store& store, const base::Clock& clock, std::unique_ptr<Stores> stores_in, std::unique_ptr<LiveLogs> live);
  Store& store_;
  std::unique_ptr<Stores> stores_;

 public:
  JobLogs logs;
  Artifacts artifacts;
};

} // namespace coordinator::objects
