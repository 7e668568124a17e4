// Fd: an owned file descriptor, and the few things done with bare descriptors.
//
// Every descriptor made here closes on exec. A value may move between threads; one at a time uses it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace sys {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

base::Result<Pipe> make_pipe();
base::Result<Fd> open_fd(const std::string& path, int flags, mode_t mode = 0666);
base::Result<Fd> duplicate(int fd);
base::Status set_nonblocking(int fd, bool on = true);

// One read(2), retried on EINTR: 0 at the end of the stream.
base::Result<std::size_t> read_some(int fd, char* buffer, std::size_t size);
// Everything, also over a short write; blocks (polls a non-blocking descriptor).
base::Status write_all(int fd, std::string_view bytes);
// Reads to the end of the stream; kLimit when there is more than `limit`.
base::Result<std::string> read_to_end(int fd, std::size_t limit);

} // namespace sys
