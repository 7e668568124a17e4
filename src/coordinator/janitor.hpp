// Janitor: removes what time has made useless, at start and once an hour: managers that are stale, tokens shown for an
// hour, ended sessions, the grace of rotated runner tokens, runners where the clean-up is on. On a thread of its
// own; of several processes in one.
#pragma once

#include <thread>

#include "coordinator/app.hpp"
#include "sys/cancel.hpp"

namespace coordinator {

// One round. At most 1000 managers, as the rest can wait an hour.
base::Status tidy(App& app);

class Janitor {
 public:
  explicit Janitor(App& app);
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

 private:
  sys::CancelSource stop_;
  std::jthread thread_;
};

} // namespace coordinator
