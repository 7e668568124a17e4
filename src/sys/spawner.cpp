#include "sys/spawner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <exception>
#include <vector>

#include "base/log.hpp"
#include "sys/cgroup.hpp"
#include "sys/process_tree.hpp"
#include "sys/signals.hpp"

namespace sys {

namespace {

// Over the sockets go these structs as they are: both ends are the same program.
struct SpawnReply {
  pid_t pid; // or -errno
};
struct ExitEvent {
  pid_t pid;
  int wait_status;
};

constexpr int kSweepAgainMs = 20;
constexpr auto kLastSweep = std::chrono::seconds(5);
constexpr int kWorkerCrashed = 70; // EX_SOFTWARE

void redirect_to_null(std::initializer_list<int> targets) {
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (int target : targets) ::dup2(null, target);
  if (null > 2) ::close(null);
}

void close_all_but(std::vector<int> keep) {
  std::ranges::sort(keep);
  unsigned from = 3;
  for (int fd : keep) {
    if (fd < 3) continue;
    if (static_cast<unsigned>(fd) > from) ::close_range(from, static_cast<unsigned>(fd) - 1, 0);
    from = static_cast<unsigned>(fd) + 1;
  }
  ::close_range(from, ~0U, 0);
}

// What the forked worker does; never returns.
[[noreturn]] void run_worker(const Spawner::WorkerMain& worker_main, const std::string& name,
                             const std::string& argument) {
  close_all_but({});
  reset_signals();
  ignore_sigpipe(); // its children start with the default again
  ::setsid();
  ::prctl(PR_SET_NAME, name.c_str(), 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // A job of the same user must not read secrets out of our memory (/proc/<pid>/mem, ptrace, core dumps).
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  int code = kWorkerCrashed;
  try {
    code = worker_main(argument);
  } catch (const std::exception& error) {
    base::log::error("worker failed", {{"error", error.what()}});
  } catch (...) {
    base::log::error("worker failed");
  }
  // The spawner looks for left-over processes only after a crash; a worker that ends in order looks itself.
  auto deadline = std::chrono::steady_clock::now() + kLastSweep;
  while (!sweep_orphans({}) && std::chrono::steady_clock::now() < deadline) {
    (void)CancelToken().wait_for(std::chrono::milliseconds(kSweepAgainMs));
  }
  ::_exit(code);
}

class SpawnerLoop {
 public:
  SpawnerLoop(const Spawner::WorkerMain& worker_main, const Spawner::Options& options, Fd requests, Fd events,
              SignalFd signals)
      : worker_main_(worker_main),
        options_(options),
        requests_(std::move(requests)),
        events_(std::move(events)),
        signals_(std::move(signals)) {}

  void run() {
    while (requests_.valid() || !workers_.empty() || leftovers_) {
      pollfd entries[3] = {
          {signals_.fd(), POLLIN, 0}, {requests_.get(), POLLIN, 0}, {unsent_.empty() ? -1 : events_.get(), POLLOUT, 0}};
      if (::poll(entries, 3, leftovers_ ? kSweepAgainMs : -1) < 0 && errno != EINTR) return;
      while (signals_.next()) {
      }
      reap();
      send_events();
      if (requests_.valid() && entries[1].revents != 0) serve();
      if (leftovers_) leftovers_ = !sweep_orphans(workers_);
    }
  }

 private:
  void serve() {
    std::string argument(Spawner::kMaxArgument, '\0');
    ssize_t count = ::recv(requests_.get(), argument.data(), argument.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      // The owner is gone. Its workers are not: stay for them.
      requests_.reset();
      events_.reset();
      unsent_.clear();
      return;
    }
    argument.resize(static_cast<std::size_t>(count));
    argument.pop_back(); // a byte that tells an empty argument from the end of the stream
    pid_t pid = ::fork();
    if (pid == 0) run_worker(worker_main_, options_.worker_name, argument);
    SpawnReply reply{pid > 0 ? pid : -errno};
    if (pid > 0) workers_.push_back(pid);
    ::send(requests_.get(), &reply, sizeof reply, MSG_NOSIGNAL);
  }

  void reap() {
    while (true) {
      int status = 0;
      pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      auto worker = std::ranges::find(workers_, pid);
      if (worker == workers_.end()) continue;
      workers_.erase(worker);
      if (WIFSIGNALED(status)) {
        remove_groups_of(pid);
        leftovers_ = true;
      }
      if (events_.valid()) unsent_.push_back({pid, status});
    }
  }

  void send_events() {
    while (!unsent_.empty() && events_.valid()) {
      if (::send(events_.get(), &unsent_.front(), sizeof(ExitEvent), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EAGAIN && errno != EINTR) unsent_.clear();
        return;
      }
      unsent_.pop_front();
    }
  }

  const Spawner::WorkerMain& worker_main_;
  const Spawner::Options& options_;
  Fd requests_;
  Fd events_;
  SignalFd signals_;
  std::vector<pid_t> workers_;
  std::deque<ExitEvent> unsent_;
  bool leftovers_ = false;
};

[[noreturn]] void run_spawner(const Spawner::WorkerMain& worker_main, const Spawner::Options& options, Fd requests,
                              Fd events) {
  ::setsid();
  redirect_to_null(options.keep_stderr ? std::initializer_list<int>{0, 1} : std::initializer_list<int>{0, 1, 2});
  close_all_but({requests.get(), events.get()});
  reset_signals();
  ignore_sigpipe();
  ::prctl(PR_SET_NAME, options.process_name.c_str(), 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  auto signals = SignalFd::create({SIGCHLD});
  if (!signals) ::_exit(1);
  remove_stale_groups();
  try {
    SpawnerLoop(worker_main, options, std::move(requests), std::move(events), std::move(*signals)).run();
  } catch (...) { // out of memory; workers go on by themselves
    ::_exit(1);
  }
  ::_exit(0);
}

struct SocketPair {
  Fd ours;
  Fd theirs;
};

base::Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return base::fail_errno("making a socket pair", errno);
  }
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

std::unexpected<base::Error> fail_gone() {
  return base::fail(base::ErrorKind::kUnavailable, "the spawner process has ended");
}

} // namespace

base::Result<Spawner> Spawner::start(WorkerMain worker_main) { return start(std::move(worker_main), Options{}); }

base::Result<Spawner> Spawner::start(WorkerMain worker_main, const Options& options) {
  SocketPair requests = FR_TRY(make_socket_pair());
  SocketPair events = FR_TRY(make_socket_pair());
  pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno("starting the spawner", errno);
  if (pid == 0) run_spawner(worker_main, options, std::move(requests.theirs), std::move(events.theirs));
  return Spawner(pid, std::move(requests.ours), std::move(events.ours));
}

Spawner::Spawner(pid_t pid, Fd requests, Fd events)
    : pid_(pid), requests_(std::move(requests)), events_(std::move(events)) {}

Spawner::Spawner(Spawner&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), requests_(std::move(other.requests_)), events_(std::move(other.events_)) {}

Spawner::~Spawner() {
  requests_.reset();
  events_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);
}

base::Result<pid_t> Spawner::spawn_worker(const std::string& argument) {
  if (argument.size() >= kMaxArgument) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      "worker argument of " + std::to_string(argument.size()) + " bytes");
  }
  std::lock_guard guard(mutex_);
  std::string message = argument + '.';
  if (::send(requests_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return errno == EPIPE ? fail_gone() : base::fail_errno("asking the spawner", errno);
  }
  SpawnReply reply{};
  ssize_t count;
  do count = ::recv(requests_.get(), &reply, sizeof reply, 0);
  while (count < 0 && errno == EINTR);
  if (count != sizeof reply) return fail_gone();
  if (reply.pid < 0) return base::fail_errno("forking a worker", -reply.pid);
  return reply.pid;
}

base::Result<std::optional<WorkerExit>> Spawner::next_exit() {
  ExitEvent event{};
  ssize_t count;
  do count = ::recv(events_.get(), &event, sizeof event, MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return std::nullopt;
  if (count != sizeof event) return fail_gone();
  return WorkerExit{event.pid, ExitStatus::from_wait_status(event.wait_status)};
}

} // namespace sys
