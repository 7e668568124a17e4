#include "sys/process_tree.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <unordered_set>

#include "sys/cgroup.hpp"
#include "sys/process_internal.hpp"
#include "sys/process_scan.hpp"

namespace sys {

namespace {

constexpr auto kRound = std::chrono::milliseconds(20);
constexpr int kFreezePasses = 50;
constexpr std::size_t kMaxPinned = 256;

std::string group_prefix(pid_t owner) { return "forerunner-" + std::to_string(owner) + "-"; }

// Reaps a child that has ended; false when it has not.
bool reap_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid;
}

enum class Children { kNone, kSome };

// Reaps the ended children that `mine` claims. Without a look at /proc: "no children" means no descendants at all,
// since orphans become our children.
template <class Predicate>
Children reap_children(Predicate mine) {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) continue;
      return Children::kNone;
    }
    if (info.si_pid == 0 || !mine(info.si_pid) || !reap_child(info.si_pid)) return Children::kSome;
  }
}

// One pass over the descendants of this process, in which each is sent a signal.
class Pass {
 public:
  Pass(ProcessScan& scan, std::unordered_set<pid_t> skip, std::unordered_set<pid_t> unreaped)
      : scan_(scan), skip_(std::move(skip)), unreaped_(std::move(unreaped)) {}

  void kill() {
    start();
    scan_.descendants(::getpid(), skip_, [this](const ProcessStat& process) {
      if (gone(process)) return;
      alive_.push_back({process.pid, process.name});
      Fd pidfd = scan_.pin(process);
      if (!pidfd) return;
      ::pidfd_send_signal(pidfd.get(), SIGKILL, nullptr, 0);
      if (pinned_.size() < kMaxPinned) pinned_.push_back(std::move(pidfd));
    });
  }

  // True when nothing was found running.
  bool freeze() {
    bool all_stopped = true;
    scan_.descendants(::getpid(), skip_, [&](const ProcessStat& process) {
      if (process.zombie() || process.stopped()) return;
      all_stopped = false;
      if (Fd pidfd = scan_.pin(process)) ::pidfd_send_signal(pidfd.get(), SIGSTOP, nullptr, 0);
    });
    return all_stopped;
  }

  void look() {
    start();
    scan_.descendants(::getpid(), skip_, [this](const ProcessStat& process) {
      if (!gone(process)) alive_.push_back({process.pid, process.name});
    });
  }

  void wait_for_deaths(TimePoint until) {
    for (const Fd& pidfd : pinned_) (void)poll_fd(pidfd.get(), POLLIN, {}, until);
  }

  bool done() const { return alive_.empty() && !pending_; }
  std::vector<ProcessId> alive() && { return std::move(alive_); }

 private:
  void start() {
    alive_.clear();
    pinned_.clear();
    pending_ = false;
  }

  bool gone(const ProcessStat& process) {
    if (!process.zombie()) return false;
    if (unreaped_.contains(process.pid)) return true;
    // Somebody else's zombie comes to us when its parent goes.
    if (process.parent != ::getpid() || !reap_child(process.pid)) pending_ = true;
    return true;
  }

  ProcessScan& scan_;
  std::unordered_set<pid_t> skip_;
  std::unordered_set<pid_t> unreaped_;
  std::vector<ProcessId> alive_;
  std::vector<Fd> pinned_;
  bool pending_ = false;
};

Pass make_pass(ProcessScan& scan) {
  std::unordered_set<pid_t> outside;
  std::unordered_set<pid_t> mains;
  for (const auto& child : internal::known_children()) (child.in_tree ? mains : outside).insert(child.pid);
  return {scan, std::move(outside), std::move(mains)};
}

bool is_unknown(pid_t pid) {
  return std::ranges::none_of(internal::known_children(), [pid](const auto& child) { return child.pid == pid; });
}

} // namespace

struct ProcessTree::Impl {
  ProcessScan scan;
  std::optional<KillGroup> group;
};

ProcessTree::ProcessTree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessTree::ProcessTree(ProcessTree&&) noexcept = default;
ProcessTree& ProcessTree::operator=(ProcessTree&&) noexcept = default;

ProcessTree::~ProcessTree() {
  if (impl_ && impl_->group && empty()) {
    (void)impl_->group->remove(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
  }
}

base::Result<ProcessTree> ProcessTree::create(const Options& options) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return base::fail_errno("becoming a subreaper", errno);
  auto impl = std::make_unique<Impl>(Impl{FR_TRY(ProcessScan::open()), std::nullopt});
  if (options.use_cgroup) {
    static std::atomic<unsigned> counter = 0;
    auto group = KillGroup::create(group_prefix(::getpid()) + std::to_string(++counter));
    if (group) impl->group.emplace(std::move(*group));
  }
  return ProcessTree(std::move(impl));
}

base::Result<Child> ProcessTree::spawn(SpawnOptions options) {
  if (!options.new_session) options.new_process_group = true;
  options.cgroup_fd = impl_->group ? impl_->group->fd() : -1;
  return internal::spawn_in_tree(options);
}

void ProcessTree::signal_all(int number, pid_t except_group) {
  std::unordered_set<pid_t> outside;
  for (const auto& child : internal::known_children()) {
    if (!child.in_tree) outside.insert(child.pid);
  }
  impl_->scan.descendants(::getpid(), outside, [&](const ProcessStat& process) {
    bool had_it = except_group > 0 && process.group == except_group;
    if (process.zombie() || (had_it && !process.stopped())) return;
    Fd pidfd = impl_->scan.pin(process);
    if (!pidfd) return;
    if (!had_it) ::pidfd_send_signal(pidfd.get(), number, nullptr, 0);
    if (process.stopped()) ::pidfd_send_signal(pidfd.get(), SIGCONT, nullptr, 0);
  });
}

void ProcessTree::reap() { (void)reap_children(is_unknown); }

bool ProcessTree::empty() {
  if (reap_children(is_unknown) == Children::kNone) return true;
  Pass pass = make_pass(impl_->scan);
  pass.look();
  return pass.done();
}

std::vector<ProcessId> ProcessTree::kill_all(TimePoint deadline) {
  for (int round = 0;; ++round) {
    if (reap_children(is_unknown) == Children::kNone) return {};
    if (impl_->group) impl_->group->kill();
    Pass pass = make_pass(impl_->scan);
    // Whoever outruns plain killing forks faster than we walk: stop them all first, then kill what stands still.
    for (int i = 0; round >= 2 && i < kFreezePasses && std::chrono::steady_clock::now() < deadline; ++i) {
      if (pass.freeze()) break;
    }
    pass.kill();
    if (pass.done()) return {};
    auto now = std::chrono::steady_clock::now();
    pass.wait_for_deaths(std::min(deadline, now + kRound));
    if (now >= deadline) {
      pass.look();
      return std::move(pass).alive();
    }
  }
}

bool ProcessTree::has_cgroup() const { return impl_->group.has_value(); }

bool sweep_orphans(const std::vector<pid_t>& keep) {
  std::unordered_set<pid_t> kept(keep.begin(), keep.end());
  if (reap_children([&](pid_t pid) { return !kept.contains(pid); }) == Children::kNone) return true;
  auto scan = ProcessScan::open();
  if (!scan) return false;
  Pass pass(*scan, kept, {});
  pass.kill();
  return pass.done();
}

void remove_groups_of(pid_t worker) { kill_groups(group_prefix(worker)); }

} // namespace sys
