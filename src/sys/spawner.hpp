// Spawner: the small single-threaded process that forks workers and reaps them.
//
// start() forks it, before this process has threads or big libraries. A worker is thus never this process's child: when
// this process dies, workers run on, and the spawner stays until the last has ended. When a worker dies, what it left
// behind is killed. The methods are thread-safe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "sys/fd.hpp"
#include "sys/process.hpp"

namespace sys {

struct WorkerExit {
  pid_t pid = 0;
  ExitStatus status;
};

class Spawner {
 public:
  // Runs in the worker process: default signals, nothing open but stdio (stdin and stdout: /dev/null), a session of
  // its own, one thread, SIGPIPE ignored, its memory closed to other processes of the same user. The return value is
  // the exit code; no destructors or atexit handlers run after it. It must return: children that it leaves are then
  // killed.
  using WorkerMain = std::function<int(const std::string& argument)>;

  struct Options {
    std::string process_name = "spawner"; // as ps shows it, 15 characters
    std::string worker_name = "worker";
    bool keep_stderr = true; // workers and spawner log to this process's stderr; false: /dev/null
  };

  static base::Result<Spawner> start(WorkerMain worker_main, const Options& options);
  static base::Result<Spawner> start(WorkerMain worker_main);
  Spawner(Spawner&& other) noexcept;
  Spawner& operator=(Spawner&&) = delete;
  ~Spawner(); // the spawner process goes when its last worker has ended

  // The argument is at most kMaxArgument bytes. kUnavailable when the spawner process has died.
  base::Result<pid_t> spawn_worker(const std::string& argument);
  static constexpr std::size_t kMaxArgument = 60 * 1024;

  // Readable when a worker has ended (or the spawner has died).
  int events_fd() const { return events_.get(); }
  // Without blocking: nullopt when nothing is waiting, kUnavailable when the spawner process has died.
  base::Result<std::optional<WorkerExit>> next_exit();

  pid_t pid() const { return pid_; }

 private:
  Spawner(pid_t pid, Fd requests, Fd events);
  std::mutex mutex_;
  pid_t pid_;
  Fd requests_;
  Fd events_;
};

} // namespace sys
