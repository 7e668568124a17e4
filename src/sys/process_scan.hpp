// The processes below one, read from /proc. Used by the process tree and the spawner's sweep.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace sys {

struct ProcessStat {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  char state = '?';
  int threads = 0;
  std::string name;

  // Its first thread is gone; with other threads it still runs.
  bool zombie() const { return (state == 'Z' || state == 'X') && threads <= 1; }
  bool stopped() const { return state == 'T'; }
};

// The text of /proc/<pid>/stat. The name may hold blanks and parentheses.
std::optional<ProcessStat> parse_process_stat(std::string_view text);

class ProcessScan {
 public:
  static base::Result<ProcessScan> open();

  // Calls `visit` for every descendant of `ancestor` as soon as it is met, in the order of pids: between the look and
  // what the visitor does lies as little time as can be. What is in `skip` is left out with all below it. A process
  // whose parent has the higher pid (pids wrapped around) may be missed: repeat until nothing is found.
  void descendants(pid_t ancestor, const std::unordered_set<pid_t>& skip,
                   const std::function<void(const ProcessStat&)>& visit);

  std::optional<ProcessStat> stat(pid_t pid) const;
  // The pid given out last, 0 when unknown.
  pid_t last_pid() const;
  // A pidfd of this very process: its parent is still the same after the pid was pinned. Invalid when it has gone.
  Fd pin(const ProcessStat& process) const;

 private:
  explicit ProcessScan(Fd proc) : proc_(std::move(proc)) {}
  Fd proc_;
};

} // namespace sys
