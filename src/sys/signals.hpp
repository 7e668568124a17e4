// Signals as something to poll. Block them in main() before a thread starts; one SignalFd then receives them.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace sys {

// Blocks the signals in this thread and in those it starts from now on.
void block_signals(std::initializer_list<int> signals);
// A write to a closed pipe or socket then fails with EPIPE.
void ignore_sigpipe();
// Default dispositions for every signal, nothing blocked: for a forked child that runs code of its own.
void reset_signals();

class SignalFd {
 public:
  // Blocks the signals and makes a descriptor that becomes readable when one arrives.
  static base::Result<SignalFd> create(std::initializer_list<int> signals);
  int fd() const { return fd_.get(); }
  // The next one waiting, without blocking.
  std::optional<int> next();

 private:
  explicit SignalFd(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// As Go prints them: "interrupt", "terminated", "quit", "killed", "hangup"; "signal 64" for those without a name.
std::string signal_name(int signal);

} // namespace sys
