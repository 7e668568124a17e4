// KillGroup: a cgroup v2 group below this process's own, made for nothing but cgroup.kill.
//
// Used by ProcessTree only. Making one fails wherever cgroups are absent, read-only or not ours; that is normal.
#pragma once

#include <string>

#include "base/result.hpp"
#include "sys/cancel.hpp"
#include "sys/fd.hpp"

namespace sys {

class KillGroup {
 public:
  static base::Result<KillGroup> create(const std::string& name);
  KillGroup(KillGroup&&) noexcept = default;
  KillGroup& operator=(KillGroup&&) noexcept = default;
  ~KillGroup(); // remove()

  int fd() const { return directory_.get(); }
  bool kill();
  bool populated() const;
  // Waits until no living process is in it, then removes it with the groups that members made below it.
  bool remove(TimePoint deadline);

 private:
  KillGroup(Fd parent, Fd directory, std::string name)
      : parent_(std::move(parent)), directory_(std::move(directory)), name_(std::move(name)) {}
  Fd parent_;
  Fd directory_;
  std::string name_;
  friend void kill_groups(const std::string& prefix);
};

// Kills and removes every group of our own cgroup whose name starts so.
void kill_groups(const std::string& prefix);

// Removes the empty groups of owners that died without a chance to do it. Those with processes in them stay: the owner
// may live in another pid namespace.
void remove_stale_groups();

// Where a process in cgroup `own` (as in /proc/self/cgroup) finds its directory, by the text of /proc/self/mountinfo.
// Empty when no cgroup2 mount shows it. For tests.
std::string cgroup_directory(std::string_view mountinfo, std::string_view proc_cgroup);

} // namespace sys
