#include "sys/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "sys/files.hpp"
#include "sys/process_internal.hpp"
#include "sys/signals.hpp"

namespace sys {

namespace {

// Children whose Child has not been told their end. A pid may be in it twice, when a sweep reaped the first.
struct Known {
  int pidfd; // names the Child
  internal::KnownChild child;
  std::optional<ExitStatus> status; // reaped by a sweep
};

std::mutex known_mutex;
std::vector<Known>& known() {
  static std::vector<Known> children;
  return children;
}

ExitStatus to_status(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.code = -1, .signal = info.si_status, .core_dumped = info.si_code == CLD_DUMPED};
}

// Takes the entry out; the status when a sweep had reaped it.
std::optional<ExitStatus> forget(int pidfd) {
  std::lock_guard guard(known_mutex);
  auto entry = std::ranges::find(known(), pidfd, &Known::pidfd);
  if (entry == known().end()) return std::nullopt;
  auto status = entry->status;
  known().erase(entry);
  return status;
}

bool reaped_by_sweep(int pidfd) {
  std::lock_guard guard(known_mutex);
  auto entry = std::ranges::find(known(), pidfd, &Known::pidfd);
  return entry != known().end() && entry->status;
}

// "fork/exec /bin/x: permission denied", the text that Go's os/exec gives and users know.
base::Error exec_error(const std::string& what, int error) {
  std::string text = std::strerror(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  base::ErrorKind kind = base::ErrorKind::kSystem;
  if (error == ENOENT || error == ENOTDIR) kind = base::ErrorKind::kNotFound;
  if (error == EACCES || error == EPERM) kind = base::ErrorKind::kForbidden;
  if (error == E2BIG) kind = base::ErrorKind::kLimit;
  return {kind, what + ": " + text, error};
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// Descriptors for the child's stdio; those below 3 that are not in their place yet are copied out of the way first.
struct Stdio {
  std::array<int, 3> fds{};
  std::array<Fd, 3> copies;
};

base::Result<Stdio> arrange_stdio(const SpawnOptions& options) {
  Stdio stdio;
  stdio.fds = {options.stdin_fd, options.stdout_fd, options.stderr_fd};
  for (std::size_t i = 0; i < 3; ++i) {
    if (stdio.fds[i] < 0 || stdio.fds[i] > 2) continue;
    stdio.copies[i] = FR_TRY(duplicate(stdio.fds[i]));
    stdio.fds[i] = stdio.copies[i].get();
  }
  return stdio;
}

class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  void fill(const internal::BirthPlan& plan) {
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (plan.new_session) {
      flags |= POSIX_SPAWN_SETSID;
    } else if (plan.new_process_group) {
      flags |= POSIX_SPAWN_SETPGROUP;
      posix_spawnattr_setpgroup(&attributes, 0);
    }
    posix_spawnattr_setflags(&attributes, flags);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    for (int target = 0; target < 3; ++target) {
      int source = plan.stdio[target];
      if (source == kStdioNull) {
        posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0);
      } else if (source != kStdioInherit) {
        posix_spawn_file_actions_adddup2(&actions, source, target);
      }
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (plan.cwd != nullptr) posix_spawn_file_actions_addchdir_np(&actions, plan.cwd);
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

base::Result<internal::Birth> birth_by_posix_spawn(const internal::BirthPlan& plan) {
  SpawnSetup setup;
  setup.fill(plan);
  internal::Birth birth;
  int error = ::posix_spawn(&birth.pid, plan.path, &setup.actions, &setup.attributes, plan.argv, plan.envp);
  if (error != 0) {
    if (plan.cwd != nullptr && !is_directory(plan.cwd))
      return base::fail(exec_error("chdir " + std::string(plan.cwd), error));
    return base::fail(exec_error("fork/exec " + std::string(plan.path), error));
  }
  birth.pidfd.reset(internal::pidfd_open(birth.pid));
  if (!birth.pidfd) {
    error = errno;
    ::kill(birth.pid, SIGKILL);
    while (::waitpid(birth.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return base::fail(exec_error("fork/exec " + std::string(plan.path) + ": pidfd", error));
  }
  return birth;
}

base::Result<internal::Birth> give_birth(const internal::BirthPlan& plan) {
  if (plan.cgroup_fd >= 0) {
    auto birth = internal::clone_into_cgroup(plan);
    if (birth) return std::move(*birth);
    auto [what, error] = birth.error();
    if (what == internal::BirthFailure::kChdir) return base::fail(exec_error("chdir " + std::string(plan.cwd), error));
    if (what == internal::BirthFailure::kExec)
      return base::fail(exec_error("fork/exec " + std::string(plan.path), error));
  }
  return birth_by_posix_spawn(plan);
}

} // namespace

ExitStatus ExitStatus::from_wait_status(int status) {
  ExitStatus result;
  if (WIFSIGNALED(status)) {
    result.code = -1;
    result.signal = WTERMSIG(status);
    result.core_dumped = WCOREDUMP(status);
  } else {
    result.code = WEXITSTATUS(status);
  }
  return result;
}

std::string ExitStatus::message() const {
  if (signal == 0) return "exit status " + std::to_string(code);
  return "signal: " + signal_name(signal) + (core_dumped ? " (core dumped)" : "");
}

Child::Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), status_(std::move(other.status_)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  if (running()) (void)forget(pidfd_.get());
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  status_ = std::move(other.status_);
  return *this;
}

Child::~Child() {
  if (running()) (void)forget(pidfd_.get());
}

base::Result<ExitStatus> Child::reap() {
  siginfo_t info{};
  int result;
  do {
    if (reaped_by_sweep(pidfd_.get())) return *(status_ = forget(pidfd_.get()));
    result = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  } while (result != 0 && errno == EINTR);
  int error = errno;
  (void)forget(pidfd_.get());
  status_ = result == 0 ? to_status(info) : ExitStatus{.code = -1};
  if (result != 0) return base::fail_errno("waiting for process " + std::to_string(pid_), error);
  return *status_;
}

base::Result<ExitStatus> Child::wait(const CancelToken& cancel) {
  if (status_) return *status_;
  if (pid_ <= 0) return base::fail(base::ErrorKind::kInternal, "process not started yet");
  // A process that has ended already is reaped even when the token is raised.
  if (auto ended = FR_TRY(wait_until(TimePoint{}))) return *ended;
  if (FR_TRY(poll_fd(pidfd_.get(), POLLIN, cancel)) == Ready::kCanceled) return base::fail(cancel.error());
  return reap();
}

base::Result<std::optional<ExitStatus>> Child::wait_until(TimePoint time) {
  if (status_) return *status_;
  if (pid_ <= 0) return base::fail(base::ErrorKind::kInternal, "process not started yet");
  if (FR_TRY(poll_fd(pidfd_.get(), POLLIN, {}, time)) != Ready::kReady) return std::nullopt;
  return FR_TRY(reap());
}

bool Child::signal(int number, bool group) const {
  // While the process is not reaped, its pid, and so its group's, is not given to anybody else.
  if (!running() || reaped_by_sweep(pidfd_.get())) return false;
  if (group) return ::kill(-pid_, number) == 0;
  return internal::pidfd_send_signal(pidfd_.get(), number) == 0;
}

namespace internal {

namespace {

base::Result<Birth> prepare_and_give_birth(const SpawnOptions& options) {
  if (options.argv.empty() || options.argv[0].empty()) {
    return base::fail(base::ErrorKind::kInvalidInput, "no program to run");
  }
  std::string program = options.argv[0];
  if (program.find('/') == std::string::npos) {
    auto found = find_program(program);
    if (!found) return base::fail(base::Error(base::ErrorKind::kNotFound, "exec: " + found.error().message(), ENOENT));
    program = *found;
  }
  Stdio stdio = FR_TRY(arrange_stdio(options));
  std::vector<char*> argv = pointers(options.argv);
  std::vector<char*> env;
  if (options.env) env = pointers(*options.env);
  BirthPlan plan{.path = program.c_str(),
                 .argv = argv.data(),
                 .envp = options.env ? env.data() : environ,
                 .cwd = options.cwd.empty() ? nullptr : options.cwd.c_str(),
                 .stdio = {stdio.fds[0], stdio.fds[1], stdio.fds[2]},
                 .new_process_group = options.new_process_group,
                 .new_session = options.new_session,
                 .cgroup_fd = options.cgroup_fd};
  // A relative program is meant from where we are, not from where the child will be.
  if (plan.cwd != nullptr && !program.starts_with('/')) {
    program = absolute_path(program);
    plan.path = program.c_str();
  }
  return give_birth(plan);
}

} // namespace

std::vector<KnownChild> known_children() {
  std::lock_guard guard(known_mutex);
  std::vector<KnownChild> unreaped;
  for (const Known& entry : known()) {
    if (!entry.status) unreaped.push_back(entry.child);
  }
  return unreaped;
}

bool reap_for_owner(pid_t pid) {
  std::lock_guard guard(known_mutex);
  auto entry = std::ranges::find_if(known(), [pid](const Known& one) { return one.child.pid == pid && !one.status; });
  if (entry == known().end() || !entry->child.in_tree) return false;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0 || info.si_pid != pid) return false;
  entry->status = to_status(info);
  return true;
}

} // namespace internal

namespace {

base::Result<internal::Birth> spawn_known(const SpawnOptions& options, bool in_tree) {
  auto birth = internal::prepare_and_give_birth(options);
  if (!birth) return birth;
  std::lock_guard guard(known_mutex);
  known().push_back({birth->pidfd.get(), {birth->pid, in_tree}, std::nullopt});
  return birth;
}

} // namespace

base::Result<Child> spawn(const SpawnOptions& options) {
  internal::Birth birth = FR_TRY(spawn_known(options, false));
  return Child(birth.pid, std::move(birth.pidfd));
}

base::Result<Child> internal::spawn_in_tree(const SpawnOptions& options) {
  internal::Birth birth = FR_TRY(spawn_known(options, true));
  return Child(birth.pid, std::move(birth.pidfd));
}

namespace {

struct Capture {
  Fd fd;
  std::string* into;
};

void read_available(Capture& capture, std::size_t limit) {
  char buffer[64 * 1024];
  ssize_t count = ::read(capture.fd.get(), buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return capture.fd.reset();
  capture.into->append(buffer,
                       std::min(static_cast<std::size_t>(count), limit - std::min(limit, capture.into->size())));
}

void feed(Fd& input, std::string_view& rest) {
  ssize_t count = ::write(input.get(), rest.data(), rest.size());
  if (count >= 0) rest.remove_prefix(static_cast<std::size_t>(count));
  if (rest.empty() || (count < 0 && errno != EAGAIN && errno != EINTR)) input.reset();
}

// Until both outputs are at their end; false when the token was raised first.
base::Result<bool> communicate(Fd input, std::string_view text, std::array<Capture, 2>& captures, std::size_t limit,
                               const CancelToken& cancel) {
  while (captures[0].fd.valid() || captures[1].fd.valid() || input.valid()) {
    pollfd entries[4] = {{captures[0].fd.get(), POLLIN, 0},
                         {captures[1].fd.get(), POLLIN, 0},
                         {input.get(), POLLOUT, 0},
                         {cancel.fd(), POLLIN, 0}};
    if (cancel.raised()) return false;
    if (::poll(entries, 4, -1) < 0 && errno != EINTR) return base::fail_errno("polling", errno);
    if (entries[3].revents != 0) return false;
    for (std::size_t i = 0; i < 2; ++i) {
      if (captures[i].fd.valid() && entries[i].revents != 0) read_available(captures[i], limit);
    }
    if (input.valid() && entries[2].revents != 0) feed(input, text);
  }
  return true;
}

} // namespace

base::Result<CommandOutput> run_command(SpawnOptions options, const CancelToken& cancel, std::string_view input,
                                        std::size_t limit) {
  ignore_sigpipe();
  Pipe in = FR_TRY(make_pipe());
  Pipe out = FR_TRY(make_pipe());
  Pipe err = FR_TRY(make_pipe());
  options.stdin_fd = in.read.get();
  options.stdout_fd = out.write.get();
  options.stderr_fd = err.write.get();
  Child child = FR_TRY(spawn(options));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  if (input.empty()) in.write.reset();
  for (const Fd* fd : {&in.write, &out.read, &err.read}) {
    if (fd->valid()) FR_CHECK(set_nonblocking(fd->get()));
  }
  CommandOutput result;
  std::array<Capture, 2> captures = {Capture{std::move(out.read), &result.out},
                                     Capture{std::move(err.read), &result.err}};
  auto done = communicate(std::move(in.write), input, captures, limit, cancel);
  if (!done || !*done) {
    child.signal(SIGKILL, options.new_process_group || options.new_session);
    (void)child.wait();
    return base::fail(done ? cancel.error() : done.error());
  }
  auto status = child.wait(cancel);
  if (!status) {
    child.signal(SIGKILL);
    (void)child.wait();
    return base::fail(std::move(status.error()));
  }
  result.status = *status;
  return result;
}

std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) result.emplace_back(*entry);
  return result;
}

std::optional<std::string> get_env(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

} // namespace sys
