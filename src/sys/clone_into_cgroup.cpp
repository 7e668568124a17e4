// The one thing posix_spawn of glibc 2.36 cannot do. Otherwise as it does it: CLONE_VM and CLONE_VFORK with a stack of
// the child's own, so the cost does not grow with this process's memory, and all signals blocked meanwhile, so no
// handler runs on the shared memory.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sys/process_internal.hpp"

namespace sys::internal {

#if defined(__x86_64__) || defined(__aarch64__)

namespace {

// Code of the child: system calls only, no sanitizer bookkeeping on a stack it does not know.
#define FR_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

struct ChildState {
  const BirthPlan* plan;
  const struct sigaction* default_action;
  const sigset_t* no_signals;
  int error;
  bool chdir_failed;
};

FR_IN_CHILD bool set_up_stdio(const BirthPlan& plan) {
  for (int target = 0; target < 3; ++target) {
    int source = plan.stdio[target];
    if (source == kStdioInherit) continue;
    if (source == kStdioNull) {
      source = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0));
      if (source < 0) return false;
      if (source == target) continue;
    }
    if (::syscall(SYS_dup3, source, target, 0) < 0) return false;
  }
  // Older than 5.9 there is no close_range; nor is there CLONE_INTO_CGROUP much earlier.
  return ::syscall(SYS_close_range, 3, ~0U, 0) == 0;
}

[[noreturn]] FR_IN_CHILD void run_child(void* argument) {
  auto* state = static_cast<ChildState*>(argument);
  const BirthPlan& plan = *state->plan;
  for (int number = 1; number < _NSIG; ++number) ::sigaction(number, state->default_action, nullptr);
  bool ready = true;
  if (plan.new_session) {
    ready = ::syscall(SYS_setsid) >= 0;
  } else if (plan.new_process_group) {
    ready = ::syscall(SYS_setpgid, 0, 0) == 0;
  }
  ready = ready && set_up_stdio(plan);
  if (ready && plan.cwd != nullptr && ::syscall(SYS_chdir, plan.cwd) != 0) {
    state->chdir_failed = true;
    ready = false;
  }
  if (ready) {
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, state->no_signals, nullptr, _NSIG / 8);
    ::syscall(SYS_execve, plan.path, plan.argv, plan.envp);
  }
  state->error = errno;
  while (true) ::syscall(SYS_exit_group, 127);
}

// Returns in the parent only; the child goes on in run_child on the stack of `arguments`.
FR_IN_CHILD long clone_onto_stack(clone_args* arguments, ChildState* state) {
#if defined(__x86_64__)
  register void (*entry)(void*) asm("r12") = run_child;
  register void* argument asm("r13") = state;
  long result;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "callq *%%r12\n\t"
      "ud2\n"
      "1:"
      : "=a"(result)
      : "0"(long{SYS_clone3}), "D"(arguments), "S"(sizeof *arguments), "r"(entry), "r"(argument)
      : "rcx", "r11", "cc", "memory");
  return result;
#else
  register long number asm("x8") = SYS_clone3;
  register long x0 asm("x0") = reinterpret_cast<long>(arguments);
  register long x1 asm("x1") = sizeof *arguments;
  register void (*entry)(void*) asm("x20") = run_child;
  register void* argument asm("x21") = state;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x21\n\t"
      "blr x20\n\t"
      "brk #0\n"
      "1:"
      : "+r"(x0)
      : "r"(number), "r"(x1), "r"(entry), "r"(argument)
      : "cc", "memory");
  return x0;
#endif
}

class Stack {
 public:
  Stack() : base_(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (valid()) ::munmap(base_, kSize);
  }
  bool valid() const { return base_ != MAP_FAILED; }
  void* base() const { return base_; }
  static constexpr std::size_t kSize = 64 * 1024;

 private:
  void* base_;
};

} // namespace

std::expected<Birth, BirthError> clone_into_cgroup(const BirthPlan& plan) {
  Stack stack;
  if (!stack.valid()) return std::unexpected(BirthError{BirthFailure::kUnsupported, errno});
  struct sigaction default_action{};
  default_action.sa_handler = SIG_DFL;
  sigset_t none;
  sigset_t all;
  sigset_t before;
  sigemptyset(&none);
  sigfillset(&all);
  ChildState state{&plan, &default_action, &none, 0, false};

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uintptr_t>(stack.base());
  arguments.stack_size = Stack::kSize;
  arguments.cgroup = static_cast<std::uint64_t>(plan.cgroup_fd);

  pthread_sigmask(SIG_SETMASK, &all, &before);
  long result = clone_onto_stack(&arguments, &state);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (result < 0) return std::unexpected(BirthError{BirthFailure::kUnsupported, static_cast<int>(-result)});
  Birth birth{static_cast<pid_t>(result), Fd(pidfd)};
  if (state.error != 0) {
    int ignored;
    while (::waitpid(birth.pid, &ignored, 0) < 0 && errno == EINTR) {
    }
    return std::unexpected(BirthError{state.chdir_failed ? BirthFailure::kChdir : BirthFailure::kExec, state.error});
  }
  return birth;
}

#else

std::expected<Birth, BirthError> clone_into_cgroup(const BirthPlan&) {
  return std::unexpected(BirthError{BirthFailure::kUnsupported, ENOSYS});
}

#endif

} // namespace sys::internal
