// ControlChannel: the worker's end of the control socket, on a thread of its own.
//
// One manager at a time; a newer connection replaces the older. Commands are handed to the handlers on the channel's
// thread. What the worker has to tell is never waited for: a peer that does not read loses its connection, and learns
// size and stage when it connects again. SIGTERM and SIGINT to the worker count as `interrupt`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.hpp"
#include "sys/fd.hpp"
#include "sys/signals.hpp"
#include "sys/unix_socket.hpp"

namespace job {

class ControlChannel {
 public:
  struct Handlers {
    std::function<void()> cancel;
    std::function<void()> abort;
    std::function<void(const std::string& signal)> interrupt;
  };

  static base::Result<std::unique_ptr<ControlChannel>> start(const std::string& directory, Handlers handlers);
  ~ControlChannel(); // tells what is pending, stops the thread

  // Thread-safe, never block.
  void log_grew(std::uint64_t size);
  void stage(std::string_view name);
  void done();

 private:
  ControlChannel(sys::Fd listener, sys::Fd wake, sys::SignalFd signals, Handlers handlers);
  void run(std::stop_token stop);
  void accept_peer();
  void receive();
  void handle(const std::string& line);
  void send_pending();
  void send(const std::string& line);
  void wake();

  sys::Fd listener_;
  sys::Fd wake_;
  sys::SignalFd signals_;
  Handlers handlers_;
  sys::LineChannel peer_; // the thread's

  std::mutex mutex_; // guards what follows: what the peer has yet to be told
  std::uint64_t log_size_ = 0;
  std::string stage_;
  bool log_pending_ = false;
  bool stage_pending_ = false;
  bool done_ = false;
  bool done_pending_ = false;

  std::jthread thread_; // last: uses all of the above
};

} // namespace job
