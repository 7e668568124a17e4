// Child processes: posix_spawn and a pidfd. Nothing runs between fork and exec in a big process.
//
// The child gets exactly stdin, stdout and stderr, default signal dispositions and an empty signal mask. A failed exec
// is the error of spawn() (kNotFound, kForbidden, kLimit for E2BIG, kSystem …) and leaves neither zombie nor
// descriptor. A Child that is dropped while running is not killed and stays unreaped: wait() for it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sys/cancel.hpp"
#include "sys/fd.hpp"

namespace sys {

inline constexpr int kStdioNull = -1;    // /dev/null
inline constexpr int kStdioInherit = -2; // this process's own

struct SpawnOptions {
  std::vector<std::string> argv;               // argv[0] without a slash is looked up in this process's PATH
  std::optional<std::vector<std::string>> env; // whole environment as NAME=value; unset: this process's
  std::string cwd;                             // empty: this process's
  int stdin_fd = kStdioNull;
  int stdout_fd = kStdioNull;
  int stderr_fd = kStdioNull;
  bool new_process_group = false;
  bool new_session = false;
  int cgroup_fd = -1; // directory of a cgroup v2 group to be born in
};

struct ExitStatus {
  int code = 0;   // exit code, -1 when ended by a signal
  int signal = 0; // 0 when exited

  static ExitStatus from_wait_status(int status);
  bool success() const { return code == 0 && signal == 0; }
  // As Go prints it: "exit status 1", "signal: killed", "signal: segmentation fault (core dumped)".
  std::string message() const;
  bool core_dumped = false;
};

class Child;
namespace internal {
base::Result<Child> spawn_in_tree(const SpawnOptions& options); // process_tree.hpp
} // namespace internal

class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  // Readable when the process has ended. Poll it, then wait().
  int pidfd() const { return pidfd_.get(); }
  bool running() const { return pid_ > 0 && !status_; } // as far as wait() has been told

  // kCanceled/kTimeout when the token is raised first; the child goes on then.
  base::Result<ExitStatus> wait(const CancelToken& cancel = {});
  // nullopt when it has not ended by `time` (in the past: asks only).
  base::Result<std::optional<ExitStatus>> wait_until(TimePoint time);
  // To this process, or with `group` to its process group. Never reaches a recycled pid. False when it has ended.
  bool signal(int number, bool group = false) const;

 private:
  friend base::Result<Child> spawn(const SpawnOptions& options);
  friend base::Result<Child> internal::spawn_in_tree(const SpawnOptions& options);
  Child(pid_t pid, Fd pidfd);
  base::Result<ExitStatus> reap();

  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
};

base::Result<Child> spawn(const SpawnOptions& options);

struct CommandOutput {
  ExitStatus status;
  std::string out;
  std::string err;
};
// Runs a short command to its end and captures its output (each stream at most `limit` bytes, the rest is dropped).
// The stdio fields of the options are ignored; `input` goes to stdin. Killed when the token is raised.
// SIGPIPE is ignored in this process from then on.
base::Result<CommandOutput> run_command(SpawnOptions options, const CancelToken& cancel = {},
                                        std::string_view input = {}, std::size_t limit = 1u << 20);

// This process's environment as NAME=value.
std::vector<std::string> environment();
std::optional<std::string> get_env(const std::string& name);

} // namespace sys
