// ProcessTree: everything that a stage starts dies with it, be it daemonised, in a session of its own, stopped, or
// deaf to SIGTERM.
//
// How: children are born in a cgroup v2 group of their own where one may be made, and cgroup.kill ends them at once;
// always, this process is a subreaper, so orphans become its children, and a sweep over /proc kills all descendants
// (through pidfds, checked against their start time) until there are none.
//
// For a process whose children are all the tree's: a worker. Children started with sys::spawn() outside of a tree are
// left alone together with what hangs below them, but what they orphan is not told apart. Trees one after another,
// from one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sys/process.hpp"

namespace sys {

struct ProcessId {
  pid_t pid = 0;
  std::string name; // comm
};

class ProcessTree {
 public:
  struct Options {
    bool use_cgroup = true; // false: the sweep alone
  };

  static base::Result<ProcessTree> create(const Options& options);
  static base::Result<ProcessTree> create() { return create(Options{}); }
  ProcessTree(ProcessTree&&) noexcept;
  ProcessTree& operator=(ProcessTree&&) noexcept;
  ~ProcessTree(); // does not kill; removes the group if it is empty

  // Always in a new process group (or session). Several at a time are fine.
  base::Result<Child> spawn(SpawnOptions options);

  // To every member that can be found, but not to the process group `except_group`, which has had it; stopped members
  // are continued so that they can act on it.
  void signal_all(int number, pid_t except_group = 0);
  // Reaps orphans that have ended. For the loop that waits for a stage: zombies would use up the process table.
  void reap();
  // True when nothing of the tree is left (cheap: one or two system calls).
  bool empty();
  // Kills all and reaps them. Returns what was still there at the deadline: processes in uninterruptible sleep, or
  // those of another user. A main process started by spawn() is killed too; its Child still learns its status.
  std::vector<ProcessId> kill_all(TimePoint deadline);

  bool has_cgroup() const;

 private:
  struct Impl;
  explicit ProcessTree(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// For the spawner, a subreaper too: kills and reaps its children that are not in `keep`, with all below them. One
// pass without waiting; true when nothing is left. Call it again when a child dies or after a moment.
bool sweep_orphans(const std::vector<pid_t>& keep);
// Kills and removes the cgroups that a worker left behind when it died.
void remove_groups_of(pid_t worker);

} // namespace sys
