#include "sys/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace sys {

void Fd::reset(int fd) noexcept {
  // Not retried on EINTR: Linux has closed it by then, and the number may be somebody else's already.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

base::Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("making a pipe", errno);
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

base::Result<Fd> open_fd(const std::string& path, int flags, mode_t mode) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return base::fail_errno("opening " + path, errno);
  return Fd(fd);
}

base::Result<Fd> duplicate(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return base::fail_errno("duplicating a descriptor", errno);
  return Fd(copy);
}

base::Status set_nonblocking(int fd, bool on) {
  int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return base::fail_errno("reading the flags of a descriptor", errno);
  int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) != 0) {
    return base::fail_errno("setting the flags of a descriptor", errno);
  }
  return {};
}

namespace {

void wait_for(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  ::poll(&entry, 1, -1);
}

} // namespace

base::Result<std::size_t> read_some(int fd, char* buffer, std::size_t size) {
  while (true) {
    ssize_t count = ::read(fd, buffer, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN) {
      wait_for(fd, POLLIN);
    } else if (errno != EINTR) {
      return base::fail_errno("reading", errno);
    }
  }
}

base::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait_for(fd, POLLOUT);
    } else if (errno != EINTR) {
      return base::fail_errno("writing", errno);
    }
  }
  return {};
}

base::Result<std::string> read_to_end(int fd, std::size_t limit) {
  std::string content;
  char buffer[64 * 1024];
  while (true) {
    std::size_t count = FR_TRY(read_some(fd, buffer, sizeof buffer));
    if (count == 0) return content;
    if (content.size() + count > limit) {
      return base::fail(base::ErrorKind::kLimit, "more than " + std::to_string(limit) + " bytes");
    }
    content.append(buffer, count);
  }
}

} // namespace sys
