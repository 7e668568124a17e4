#include "sys/process_tree.hpp"

#include <poll.h>
#include <signal.h>
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
constexpr int kFreezePasses = 20;
constexpr int kChaseSteps = 200;
constexpr pid_t kChaseSpan = 8;
constexpr std::size_t kMaxPinned = 256;

std::string group_prefix(pid_t owner) { return "forerunner-" + std::to_string(owner) + "-"; }

// Reaps a child that has ended; false when it has not.
bool reap_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid;
}

enum class Children { kNone, kSome };

// Reaps the children that have ended, each through `reap`, which says whether it did. Without a look at /proc: "no
// children" means no descendants at all, since orphans become our children.
template <class Reap>
Children reap_children(Reap reap) {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) continue;
      return Children::kNone;
    }
    if (info.si_pid == 0 || !reap(info.si_pid)) return Children::kSome;
  }
}

// A main process's status is kept for its Child; what belongs to others stays.
bool reap_of_tree(pid_t pid) {
  for (const auto& child : internal::known_children()) {
    if (child.pid == pid) return internal::reap_for_owner(pid);
  }
  return reap_child(pid);
}

// One pass over the descendants of this process, in which each is sent a signal.
class Pass {
 public:
  Pass(ProcessScan& scan, std::unordered_set<pid_t> skip) : scan_(scan), skip_(std::move(skip)) {}

  void kill() {
    start();
    scan_.descendants(::getpid(), skip_, [this](const ProcessStat& process) {
      if (gone(process)) return;
      alive_.push_back({process.pid, process.name});
      Fd pidfd = scan_.pin(process);
      if (!pidfd) return;
      internal::pidfd_send_signal(pidfd.get(), SIGKILL);
      if (pinned_.size() < kMaxPinned) pinned_.push_back(std::move(pidfd));
    });
  }

  // For what forks and exits faster than a pass takes: its next process has one of the pids given out last, and is our
  // child as soon as its mother has gone. True when there are no children left at all.
  template <class Reap>
  bool chase(Reap reap) {
    for (int step = 0; step < kChaseSteps; ++step) {
      if (reap_children(reap) == Children::kNone) return true;
      pid_t last = scan_.last_pid();
      for (pid_t pid = last + 1; pid > std::max(last - kChaseSpan, 1); --pid) {
        auto process = scan_.stat(pid);
        if (!process || process->parent != ::getpid() || process->zombie() || skip_.contains(pid)) continue;
        if (Fd pidfd = scan_.pin(*process)) internal::pidfd_send_signal(pidfd.get(), SIGKILL);
        pending_ = true;
      }
    }
    return false;
  }

  // True when nothing was found running.
  bool freeze() {
    bool all_stopped = true;
    scan_.descendants(::getpid(), skip_, [&](const ProcessStat& process) {
      if (process.zombie() || process.stopped()) return;
      all_stopped = false;
      if (Fd pidfd = scan_.pin(process)) internal::pidfd_send_signal(pidfd.get(), SIGSTOP);
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
    // Somebody else's zombie comes to us when its parent goes.
    if (process.parent != ::getpid() || !reap_of_tree(process.pid)) pending_ = true;
    return true;
  }

  ProcessScan& scan_;
  std::unordered_set<pid_t> skip_;
  std::vector<ProcessId> alive_;
  std::vector<Fd> pinned_;
  bool pending_ = false;
};

std::unordered_set<pid_t> children_of_others() {
  std::unordered_set<pid_t> outside;
  for (const auto& child : internal::known_children()) {
    if (!child.in_tree) outside.insert(child.pid);
  }
  return outside;
}

// Where children of others keep waitid() from saying that there are none, this many passes must have found nothing: one
// can miss a process that forks and exits all the time.
constexpr int kEmptyPasses = 10;

} // namespace

struct ProcessTree::Impl {
  ProcessScan scan;
  bool use_cgroup = false;
  std::optional<KillGroup> group; // for those born from now on
  std::vector<KillGroup> killed;

  void make_group() {
    static std::atomic<unsigned> counter = 0;
    group.reset();
    if (!use_cgroup) return;
    auto made = KillGroup::create(group_prefix(::getpid()) + std::to_string(++counter));
    if (made) group.emplace(std::move(*made));
    use_cgroup = made.has_value();
  }

  void kill_groups() {
    for (KillGroup& old : killed) old.kill();
    if (!group) return;
    group->kill();
    killed.push_back(std::move(*group));
    group.reset();
  }

  void remove_killed(TimePoint deadline) {
    std::erase_if(killed, [deadline](KillGroup& old) { return old.remove(deadline); });
  }
};

ProcessTree::ProcessTree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessTree::ProcessTree(ProcessTree&&) noexcept = default;
ProcessTree& ProcessTree::operator=(ProcessTree&&) noexcept = default;

ProcessTree::~ProcessTree() {
  if (!impl_ || !empty()) return;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  impl_->remove_killed(deadline);
  if (impl_->group) (void)impl_->group->remove(deadline);
}

base::Result<ProcessTree> ProcessTree::create(const Options& options) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return base::fail_errno("becoming a subreaper", errno);
  auto impl = std::make_unique<Impl>(Impl{FR_TRY(ProcessScan::open()), options.use_cgroup, std::nullopt, {}});
  impl->make_group();
  return ProcessTree(std::move(impl));
}

base::Result<Child> ProcessTree::spawn(SpawnOptions options) {
  if (!options.new_session) options.new_process_group = true;
  // Linux 6.14 and later kill whoever is born into a group that has ever had cgroup.kill written (cgroup_post_fork
  // compares with the parent's kill_seq), so a group serves until its first kill.
  if (!impl_->group) {
    impl_->make_group();
    impl_->remove_killed(TimePoint{});
  }
  options.cgroup_fd = impl_->group ? impl_->group->fd() : -1;
  return internal::spawn_in_tree(options);
}

void ProcessTree::signal_all(int number, pid_t except_group) {
  impl_->scan.descendants(::getpid(), children_of_others(), [&](const ProcessStat& process) {
    bool had_it = except_group > 0 && process.group == except_group;
    if (process.zombie() || (had_it && !process.stopped())) return;
    Fd pidfd = impl_->scan.pin(process);
    if (!pidfd) return;
    if (!had_it) internal::pidfd_send_signal(pidfd.get(), number);
    if (process.stopped()) internal::pidfd_send_signal(pidfd.get(), SIGCONT);
  });
}

void ProcessTree::reap() { (void)reap_children(reap_of_tree); }

bool ProcessTree::empty() {
  if (reap_children(reap_of_tree) == Children::kNone) return true;
  auto outside = children_of_others();
  if (outside.empty()) return false;
  Pass pass(impl_->scan, std::move(outside));
  for (int i = 0; i < kEmptyPasses; ++i) {
    pass.look();
    if (!pass.done()) return false;
  }
  return true;
}

std::vector<ProcessId> ProcessTree::kill_all(TimePoint deadline) {
  int found_nothing = 0;
  for (int round = 0;; ++round) {
    if (reap_children(reap_of_tree) == Children::kNone) return {};
    impl_->kill_groups();
    auto outside = children_of_others();
    bool exact = outside.empty();
    Pass pass(impl_->scan, std::move(outside));
    // Whoever outruns plain killing forks faster than we walk: run after the newest, stop all others, then kill what
    // stands still.
    if (round >= 2 && pass.chase(reap_of_tree)) return {};
    for (int i = 0; round >= 2 && i < kFreezePasses && std::chrono::steady_clock::now() < deadline; ++i) {
      if (pass.freeze()) break;
    }
    pass.kill();
    found_nothing = pass.done() ? found_nothing + 1 : 0;
    if (!exact && found_nothing >= kEmptyPasses) return {};
    auto now = std::chrono::steady_clock::now();
    pass.wait_for_deaths(std::min(deadline, now + kRound));
    if (now >= deadline) {
      pass.look();
      return std::move(pass).alive();
    }
  }
}

bool ProcessTree::has_cgroup() const { return impl_->use_cgroup; }

bool sweep_orphans(const std::vector<pid_t>& keep) {
  std::unordered_set<pid_t> kept(keep.begin(), keep.end());
  auto reap = [&kept](pid_t pid) { return !kept.contains(pid) && reap_child(pid); };
  if (reap_children(reap) == Children::kNone) return true;
  auto scan = ProcessScan::open();
  if (!scan) return false;
  Pass pass(*scan, kept);
  pass.kill();
  if (pass.chase(reap)) return true;
  return pass.done();
}

void remove_groups_of(pid_t worker) { kill_groups(group_prefix(worker)); }

} // namespace sys
