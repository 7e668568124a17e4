#include "executor/shell/stage_process.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace executor::shell {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 256 * 1024;
constexpr int kPipeSize = 256 * 1024;
// Orphans that end during a stage are reaped this often, so that zombies do not pile up.
constexpr auto kReapInterval = std::chrono::seconds(2);

// A sealed file in memory rather than a pipe: a shell reads a pipe byte by byte, so as to leave the rest to the
// commands that it starts, but a file in blocks; and nobody has to feed it.
base::Result<sys::Fd> script_file(std::string_view script) {
  sys::Fd fd(::memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return base::fail_errno("making a file for the script", errno);
  FR_CHECK(sys::write_all(fd.get(), script));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return base::fail_errno("rewinding the script", errno);
  ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

base::Result<sys::Pipe> output_pipe() {
  sys::Pipe pipe = FR_TRY(sys::make_pipe());
  ::fcntl(pipe.write.get(), F_SETPIPE_SZ, kPipeSize); // fewer wake-ups; refused when the user's share is used up
  FR_CHECK(sys::set_nonblocking(pipe.read.get()));
  return pipe;
}

// The name is the process's own choice and goes to the log.
std::string printable(std::string name) {
  std::ranges::replace_if(name, [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }, '?');
  return name;
}

// A stage between its start and its end, one method a phase.
class Stage {
 public:
  Stage(sys::ProcessTree& tree, Output& output, const StageTimeouts& timeouts, const sys::CancelToken& cancel)
      : tree_(tree), output_(output), timeouts_(timeouts), cancel_(cancel) {}

  base::Status start(sys::SpawnOptions options, std::string_view script) {
    sys::Fd input = FR_TRY(script_file(script));
    sys::Pipe out = FR_TRY(output_pipe());
    sys::Pipe err = FR_TRY(output_pipe());
    options.stdin_fd = input.get();
    options.stdout_fd = out.write.get();
    options.stderr_fd = err.write.get();
    main_ = FR_TRY(tree_.spawn(std::move(options)));
    out_ = std::move(out.read);
    err_ = std::move(err.read);
    buffer_ = std::make_unique_for_overwrite<char[]>(kReadSize);
    return {};
  }

  base::Result<ExitResult> run() {
    FR_CHECK(wait_for_main());
    if (main_.running()) FR_CHECK(stop_main());
    if (!main_.running()) FR_CHECK(drain());
    FR_CHECK(kill_rest());
    return result();
  }

 private:
  enum class Until { kMainEnded, kCanceled, kTime, kStreamsClosed };

  // Moves output until the main process ends, the token is raised, or the time comes. `watch_*`: what ends it.
  base::Result<Until> pump(bool watch_main, bool watch_cancel, std::optional<sys::TimePoint> until) {
    while (true) {
      if (!watch_main && !streams_open()) return Until::kStreamsClosed;
      auto tick = Clock::now() + kReapInterval;
      auto wake = until ? std::min(*until, tick) : tick;
      pollfd entries[4] = {{out_.get(), POLLIN, 0},
                           {err_.get(), POLLIN, 0},
                           {watch_main ? main_.pidfd() : -1, POLLIN, 0},
                           {watch_cancel ? cancel_.fd() : -1, POLLIN, 0}};
      auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - Clock::now()).count();
      int count = ::poll(entries, 4, static_cast<int>(std::max<std::int64_t>(left, 0)));
      if (count < 0 && errno != EINTR) return base::fail_errno("waiting for the stage", errno);
      bool moved = false;
      if (count > 0 && entries[0].revents != 0) moved |= read_stream(out_, false);
      if (count > 0 && entries[1].revents != 0) moved |= read_stream(err_, true);
      if (count > 0 && entries[2].revents != 0) {
        status_ = FR_TRY(main_.wait());
        return Until::kMainEnded;
      }
      if (watch_cancel && cancel_.raised()) return Until::kCanceled;
      if (until && Clock::now() >= *until) return Until::kTime;
      if (moved) last_output_ = Clock::now();
      if (count == 0) tree_.reap();
    }
  }

  base::Status wait_for_main() {
    FR_TRY(pump(true, true, std::nullopt));
    return {};
  }

  // Cancelled: SIGTERM to the group as upstream does, then to whoever left the group; after the grace, SIGKILL.
  base::Status stop_main() {
    interrupted_ = true;
    main_.signal(SIGTERM, true);
    tree_.signal_all(SIGTERM, main_.pid());
    auto ended = FR_TRY(pump(true, false, Clock::now() + timeouts_.graceful_kill));
    if (ended == Until::kMainEnded) return {};
    main_.signal(SIGKILL, true);
    auto deadline = Clock::now() + timeouts_.force_kill;
    survivors_ = tree_.kill_all(deadline);
    FR_CHECK(pump(true, false, std::max(deadline, Clock::now() + std::chrono::milliseconds(10))));
    return {};
  }

  // Takes what is in the pipes, and waits a little for those who hold them open to finish by themselves.
  base::Status drain() {
    drain_available();
    auto begin = Clock::now();
    last_output_ = begin;
    while (streams_open() && !tree_.empty()) {
      auto quiet = last_output_ + timeouts_.drain;
      auto end = begin + timeouts_.drain * kDrainLimit;
      if (Clock::now() >= std::min(quiet, end)) break;
      FR_CHECK(pump(false, false, std::min(quiet, end)));
    }
    return {};
  }

  base::Status kill_rest() {
    if (!tree_.empty()) survivors_ = tree_.kill_all(Clock::now() + timeouts_.force_kill);
    drain_available();
    if (survivors_.empty() && streams_open() && !main_.running()) {
      // Somebody outside of the tree was handed the descriptor: give the last bytes a moment, then let go.
      FR_CHECK(pump(false, false, Clock::now() + timeouts_.drain));
    }
    return {};
  }

  ExitResult result() {
    ExitResult result;
    result.interrupted = interrupted_;
    for (const sys::ProcessId& process : survivors_) {
      result.warnings.push_back("could not kill process " + std::to_string(process.pid) + " (" +
                                printable(process.name) + ")");
    }
    if (!status_) {
      result.exit_code = -1;
      result.message = "failed to kill process PID=" + std::to_string(main_.pid()) + ", likely process is dormant";
    } else if (!status_->success()) {
      result.exit_code = status_->code;
      result.message = status_->message();
    }
    return result;
  }

  bool streams_open() const { return out_.valid() || err_.valid(); }

  // One read; closes the stream at its end. True when there was something.
  bool read_stream(sys::Fd& stream, bool is_stderr) {
    ssize_t count = ::read(stream.get(), buffer_.get(), kReadSize);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
      stream.reset();
      return false;
    }
    std::string_view bytes(buffer_.get(), static_cast<std::size_t>(count));
    is_stderr ? output_.write_stderr(bytes) : output_.write_stdout(bytes);
    return true;
  }

  // What a dead writer left in the pipes, and no more: a living one could fill them for ever.
  void drain_available() {
    for (int round = 0; round < 2 * kPipeSize / 4096; ++round) {
      bool moved = false;
      if (out_.valid()) moved |= read_stream(out_, false);
      if (err_.valid()) moved |= read_stream(err_, true);
      if (!moved) return;
    }
  }

  sys::ProcessTree& tree_;
  Output& output_;
  const StageTimeouts& timeouts_;
  const sys::CancelToken& cancel_;
  sys::Child main_;
  sys::Fd out_;
  sys::Fd err_;
  std::unique_ptr<char[]> buffer_;
  std::optional<sys::ExitStatus> status_;
  std::vector<sys::ProcessId> survivors_;
  sys::TimePoint last_output_{};
  bool interrupted_ = false;
};

} // namespace

base::Result<ExitResult> run_stage(sys::ProcessTree& tree, sys::SpawnOptions options, std::string_view script,
                                   Output& output, const StageTimeouts& timeouts, const sys::CancelToken& cancel) {
  if (cancel.raised()) return ExitResult{.exit_code = -1, .message = "canceled", .interrupted = true};
  Stage stage(tree, output, timeouts, cancel);
  if (auto started = stage.start(std::move(options), script); !started) {
    return ExitResult{
        .exit_code = -1, .message = "failed to start process: " + started.error().message(), .could_not_start = true};
  }
  return stage.run();
}

} // namespace executor::shell
