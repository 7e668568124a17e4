#include "coordinator/git/backend.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"

namespace coordinator::git {

constexpr std::size_t kMostRefs = 10'000; // of one push, its options included

// The coordinator's side of the hooks: collects what a hook sends until "end", answers, is ready for the next.
class HookChannel {
 public:
  HookChannel() = default;
  HookChannel(const HookChannel&) = delete;
  HookChannel& operator=(const HookChannel&) = delete;
  ~HookChannel() {
    if (!directory_.empty()) (void)sys::remove_tree(directory_);
  }

  base::Status open(const App& app, Push push) {
    push_ = std::move(push);
    std::string pattern = sys::absolute_path(app.path("tmp/push.XXXXXX"));
    FR_CHECK(sys::make_directories(sys::parent_path(pattern), 0700));
    if (::mkdtemp(pattern.data()) == nullptr) return base::fail_errno("make " + pattern, errno);
    directory_ = pattern;
    for (auto [name, fd] : {std::pair{"/up", &up_}, {"/down", &down_}}) {
      std::string path = directory_ + name;
      if (::mkfifo(path.c_str(), 0600) != 0) return base::fail_errno("make " + path, errno);
      // Both ends, so that neither side ever waits for the other to open.
      *fd = sys::Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
      if (!*fd) return base::fail_errno("open " + path, errno);
    }
    return {};
  }
  bool active() const { return !directory_.empty(); }
  // The push is taken: what is left of it must happen, whether somebody listens or not.
  bool accepted() const { return accepted_; }
  const std::string& directory() const { return directory_; }
  int fd() const { return up_.get(); }

  void readable() {
    char buffer[16384];
    ssize_t got = ::read(up_.get(), buffer, sizeof buffer);
    if (got <= 0) return;
    pending_.append(buffer, static_cast<std::size_t>(got));
    while (true) {
      std::size_t end = pending_.find('\n');
      if (end == std::string::npos) return;
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (line == "end") {
        answer();
      } else if (lines_.size() <= kMostRefs) {
        lines_.push_back(std::move(line));
      } else {
        unchecked_ = true;
      }
    }
  }

 private:
  void answer() {
    std::vector<RefUpdate> updates;
    std::vector<std::string> options;
    for (std::size_t i = 1; i < lines_.size(); ++i) {
      if (lines_[i].starts_with("option ")) {
        options.push_back(lines_[i].substr(7));
        continue;
      }
      auto fields = base::split_fields(lines_[i]);
      if (fields.size() != 4) {
        unchecked_ = true;
        break;
      }
      updates.push_back({.before = fields[0], .after = fields[1], .ref = fields[2], .forced = fields[3] == "forced"});
    }
    bool before = !lines_.empty() && lines_.front() == "pre-receive";
    lines_.clear();
    HookAnswer result;
    if (unchecked_) { // and so not allowed
      result = {.allowed = false, .lines = {fmt::format("GitLab: at most {} references at once, please.", kMostRefs)}};
    } else {
      result = before ? pre_receive(push_, updates) : post_receive(push_, updates, options);
    }
    if (before && result.allowed) accepted_ = true;
    std::string text;
    for (const auto& line : result.lines) {
      if (text.size() > kMostAnswer) {
        text += "|…\n";
        break;
      }
      text += "|" + base::replace_all(line.substr(0, kLongestLine), "\n", " ") + "\n";
    }
    text += result.allowed ? "ok\n" : "deny\n";
    ssize_t written = ::write(down_.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) base::log::warning("a git hook did not get its answer");
  }

  // Together below a pipe's 64 KiB, so that the answer is written in one go.
  static constexpr std::size_t kMostAnswer = 40'000;
  static constexpr std::size_t kLongestLine = 2'000;

  Push push_;
  std::string directory_;
  sys::Fd up_;
  sys::Fd down_;
  std::string pending_;
  std::vector<std::string> lines_;
  bool unchecked_ = false; // an update was not kept
  std::atomic<bool> accepted_ = false;
};

// One run of http-backend and its hooks, which are served while its output is read.
struct Session {
  std::shared_ptr<Turns::Turn> turn; // goes on to the next when the process has ended
  HookChannel hooks;
  sys::Child child;
  sys::Fd out;

  ssize_t read(char* buffer, std::size_t size) {
    while (true) {
      pollfd fds[2] = {{.fd = out.get(), .events = POLLIN, .revents = 0},
                       {.fd = hooks.active() ? hooks.fd() : -1, .events = POLLIN, .revents = 0}};
      if (::poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return -1;
      }
      if (fds[1].revents & POLLIN) hooks.readable();
      if (fds[0].revents != 0) return ::read(out.get(), buffer, size);
    }
  }
  // Nobody reads the answer any more: an accepted push runs to its end (its pipelines are still made), others end now.
  void finish() {
    char buffer[16384];
    while (hooks.accepted() && read(buffer, sizeof buffer) > 0) {
    }
    if (!hooks.accepted()) child.signal(SIGTERM, true);
    (void)child.wait();
  }
};

// Finishes what clients walked away from, on a thread of its own, because answers may be dropped on the I/O thread.
class Leftovers {
 public:
  Leftovers() : thread_([this](const std::stop_token& stop) { run(stop); }) {}
  void take(std::unique_ptr<Session> session) {
    std::lock_guard lock(mutex_);
    sessions_.push_back(std::move(session));
    changed_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    while (true) {
      std::unique_ptr<Session> session;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [&] { return !sessions_.empty(); });
        if (sessions_.empty()) return;
        session = std::move(sessions_.front());
        sessions_.pop_front();
      }
      session->finish();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::unique_ptr<Session>> sessions_;
  std::jthread thread_;
};

std::shared_ptr<Leftovers> make_leftovers() { return std::make_shared<Leftovers>(); }

Backend::Backend(std::shared_ptr<Leftovers> leftovers, std::shared_ptr<Turns::Turn> turn)
    : leftovers_(std::move(leftovers)), session_(std::make_unique<Session>()) {
  session_->turn = std::move(turn);
}

Backend::~Backend() {
  if (session_->child.running()) leftovers_->take(std::move(session_));
}

base::Status Backend::open_hooks(const App& app, Push push) { return session_->hooks.open(app, std::move(push)); }

const std::string& Backend::hooks_directory() const { return session_->hooks.directory(); }

base::Status Backend::start(std::vector<std::string> environment, const std::string& input) {
  sys::Fd in;
  if (!input.empty()) {
    in = sys::Fd(::open(input.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) return base::fail_errno("open the request's body", errno);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("make a pipe", errno);
  session_->out = sys::Fd(ends[0]);
  sys::Fd child_end(ends[1]);
  sys::SpawnOptions options;
  options.argv = {"git", "http-backend"};
  options.env = std::move(environment);
  options.stdin_fd = in ? in.get() : sys::kStdioNull;
  options.stdout_fd = child_end.get();
  options.new_process_group = true;
  session_->child = FR_TRY(sys::spawn(options));
  pid_ = session_->child.pid();
  return {};
}

base::Result<std::string> Backend::read_head() {
  std::string text;
  char buffer[4096];
  while (true) {
    std::size_t end = text.find("\r\n\r\n");
    if (end != std::string::npos) {
      rest_ = text.substr(end + 4);
      text.resize(end);
      return text;
    }
    ssize_t got = session_->read(buffer, sizeof buffer);
    if (got <= 0 || text.size() > 65536) return base::fail(base::ErrorKind::kChildFailed, "git http-backend failed");
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

ssize_t Backend::read(char* buffer, std::size_t size) {
  if (!rest_.empty()) {
    std::size_t count = std::min(size, rest_.size());
    std::memcpy(buffer, rest_.data(), count);
    rest_.erase(0, count);
    return static_cast<ssize_t>(count);
  }
  ssize_t got = session_->read(buffer, size);
  if (got == 0) {
    pid_ = -1;
    (void)session_->child.wait();
  }
  return got;
}

void Backend::cancel() {
  pid_t pid = pid_;
  if (pid > 0 && !session_->hooks.accepted()) ::kill(-pid, SIGTERM);
}

} // namespace coordinator::git
