#include "sys/signals.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace sys {

namespace {

sigset_t make_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

} // namespace

void block_signals(std::initializer_list<int> signals) {
  sigset_t set = make_set(signals);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void ignore_sigpipe() { ::signal(SIGPIPE, SIG_IGN); }

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

base::Result<SignalFd> SignalFd::create(std::initializer_list<int> signals) {
  block_signals(signals);
  sigset_t set = make_set(signals);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return base::fail_errno("making a signalfd", errno);
  return SignalFd(std::move(fd));
}

std::optional<int> SignalFd::next() {
  signalfd_siginfo info{};
  ssize_t count;
  do count = ::read(fd_.get(), &info, sizeof info);
  while (count < 0 && errno == EINTR);
  if (count != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

// The texts of Go's syscall.Signal on Linux (zerrors_linux_*.go), which end up in job logs.
std::string signal_name(int signal) {
  static constexpr const char* kNames[] = {nullptr,
                                           "hangup",
                                           "interrupt",
                                           "quit",
                                           "illegal instruction",
                                           "trace/breakpoint trap",
                                           "aborted",
                                           "bus error",
                                           "floating point exception",
                                           "killed",
                                           "user defined signal 1",
                                           "segmentation fault",
                                           "user defined signal 2",
                                           "broken pipe",
                                           "alarm clock",
                                           "terminated",
                                           "stack fault",
                                           "child exited",
                                           "continued",
                                           "stopped (signal)",
                                           "stopped",
                                           "stopped (tty input)",
                                           "stopped (tty output)",
                                           "urgent I/O condition",
                                           "CPU time limit exceeded",
                                           "file size limit exceeded",
                                           "virtual timer expired",
                                           "profiling timer expired",
                                           "window changed",
                                           "I/O possible",
                                           "power failure",
                                           "bad system call"};
  if (signal > 0 && signal < static_cast<int>(std::size(kNames))) return kNames[signal];
  return "signal " + std::to_string(signal);
}

} // namespace sys
