// Contacts: when runners, managers and jobs were last heard of, kept in memory and written every few seconds.
//
// Thousands of polls a minute say nothing new but that somebody is there; a write for each would be most of what the
// database does. A process that is killed loses the last seconds of it, which nobody notices. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "coordinator/app.hpp"

namespace coordinator::queue {

class Contacts {
 public:
  explicit Contacts(App& app) : app_(app) {}

  void runner(std::int64_t id, std::int64_t now);
  void manager(std::int64_t id, std::int64_t now);
  void job(std::int64_t id, std::int64_t now); // a running one: it is not silent
  // Writes what was noted. What could not be written is kept for the next time.
  base::Status flush();

 private:
  struct Noted {
    std::map<std::int64_t, std::int64_t> runners; // sorted: several processes lock rows in one order
    std::map<std::int64_t, std::int64_t> managers;
    std::map<std::int64_t, std::int64_t> jobs;
    bool empty() const { return runners.empty() && managers.empty() && jobs.empty(); }
  };
  App& app_;
  std::mutex mutex_;
  Noted noted_;
};

} // namespace coordinator::queue
