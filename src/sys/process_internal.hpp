// What process.cpp and process_tree.cpp share: who the unreaped children of this process are, so that a sweep neither
// steals a Child's status nor kills what belongs to somebody else. Thread-safe.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <expected>
#include <vector>

#include "sys/process.hpp"

namespace sys::internal {

// Not the functions of glibc: the header of 2.36 declares them without C linkage.
inline int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
inline int pidfd_send_signal(int pidfd, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0));
}

// As spawn(), and known as a member of a tree.
base::Result<Child> spawn_in_tree(const SpawnOptions& options);

struct KnownChild {
  pid_t pid;
  bool in_tree;
};
// Those not reaped yet.
std::vector<KnownChild> known_children();
// Reaps the tree's main process if it has ended and keeps its status for its Child. False when it has not ended.
bool reap_for_owner(pid_t pid);

// What a child needs between its birth and exec, laid out before: the child itself must not allocate.
struct BirthPlan {
  const char* path;
  char* const* argv;
  char* const* envp;
  const char* cwd; // nullptr: stay
  int stdio[3];    // kStdioNull, kStdioInherit, or a descriptor above 2
  bool new_process_group;
  bool new_session;
  int cgroup_fd;
};

struct Birth {
  pid_t pid = -1;
  Fd pidfd;
};
enum class BirthFailure {
  kUnsupported, // not born: try without the cgroup
  kExec,        // born, could not exec, reaped
  kChdir,
};
struct BirthError {
  BirthFailure what;
  int error;
};
// clone3 with CLONE_INTO_CGROUP: the child is a member before it runs anything.
std::expected<Birth, BirthError> clone_into_cgroup(const BirthPlan& plan);

} // namespace sys::internal
