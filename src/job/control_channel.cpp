#include "job/control_channel.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/strings.hpp"

namespace job {

base::Result<std::unique_ptr<ControlChannel>> ControlChannel::start(const std::string& directory, Handlers handlers) {
  sys::Fd listener = FR_TRY(sys::listen_unix(directory, "control"));
  FR_CHECK(sys::set_nonblocking(listener.get()));
  sys::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::fail_errno("making an eventfd", errno);
  sys::SignalFd signals = FR_TRY(sys::SignalFd::create({SIGTERM, SIGINT}));
  return std::unique_ptr<ControlChannel>(
      new ControlChannel(std::move(listener), std::move(wake), std::move(signals), std::move(handlers)));
}

ControlChannel::ControlChannel(sys::Fd listener, sys::Fd wake_fd, sys::SignalFd signals, Handlers handlers)
    : listener_(std::move(listener)),
      wake_(std::move(wake_fd)),
      signals_(std::move(signals)),
      handlers_(std::move(handlers)),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

ControlChannel::~ControlChannel() {
  thread_.request_stop();
  wake();
  thread_.join();
}

void ControlChannel::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void ControlChannel::log_grew(std::uint64_t size) {
  {
    std::lock_guard guard(mutex_);
    log_size_ = size;
    log_pending_ = true;
  }
  wake();
}

void ControlChannel::stage(std::string_view name) {
  {
    std::lock_guard guard(mutex_);
    stage_ = name;
    stage_pending_ = true;
  }
  wake();
}

void ControlChannel::done() {
  {
    std::lock_guard guard(mutex_);
    done_ = done_pending_ = true;
  }
  wake();
}

void ControlChannel::run(std::stop_token stop) {
  for (;;) {
    pollfd entries[4] = {{wake_.get(), POLLIN, 0},
                         {listener_.get(), POLLIN, 0},
                         {signals_.fd(), POLLIN, 0},
                         {peer_.open() ? peer_.fd() : -1, POLLIN, 0}};
    if (::poll(entries, 4, -1) < 0 && errno != EINTR) return;
    if (entries[0].revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(wake_.get(), &count, sizeof count);
    }
    if (entries[1].revents != 0) accept_peer();
    if (entries[2].revents != 0)
      if (const auto signal = signals_.next()) handlers_.interrupt(sys::signal_name(*signal));
    if (entries[3].revents != 0) receive();
    send_pending();
    if (stop.stop_requested()) return;
  }
}

void ControlChannel::accept_peer() {
  sys::Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  peer_ = sys::LineChannel(std::move(socket));
  std::lock_guard guard(mutex_);
  log_pending_ = true;
  stage_pending_ = !stage_.empty();
  done_pending_ = done_;
}

void ControlChannel::receive() {
  while (peer_.open()) {
    auto line = peer_.try_receive();
    if (!line) return peer_.close();
    if (!line->has_value()) break;
    handle(**line);
  }
  if (peer_.ended()) peer_.close();
}

void ControlChannel::handle(const std::string& line) {
  if (line == "cancel") return handlers_.cancel();
  if (line == "abort") return handlers_.abort();
  constexpr std::string_view kInterrupt = "interrupt ";
  if (line.starts_with(kInterrupt)) handlers_.interrupt(line.substr(kInterrupt.size()));
}

void ControlChannel::send_pending() {
  if (!peer_.open()) return;
  std::string lines;
  {
    std::lock_guard guard(mutex_);
    if (stage_pending_) lines += fmt::format("stage {}\n", stage_);
    if (log_pending_) lines += fmt::format("log {}\n", log_size_);
    if (done_pending_) lines += "done\n";
    stage_pending_ = log_pending_ = done_pending_ = false;
  }
  if (!lines.empty()) send(lines);
}

void ControlChannel::send(const std::string& lines) {
  const auto sent = ::send(peer_.fd(), lines.data(), lines.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(lines.size())) return;
  // It may have hung up right after a command.
  receive();
  peer_.close();
}

} // namespace job
