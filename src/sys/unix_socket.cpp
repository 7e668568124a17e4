#include "sys/unix_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sys {

namespace {

struct Address {
  Fd directory; // kept open while the address is in use
  sockaddr_un value{};
};

// Names the file through the open directory: short whatever the directory's path, and fixed to that directory.
base::Result<Address> make_address(const std::string& directory, const std::string& name) {
  Address address;
  address.directory = FR_TRY(open_fd(directory, O_PATH | O_DIRECTORY));
  std::string path = "/proc/self/fd/" + std::to_string(address.directory.get()) + "/" + name;
  if (path.size() >= sizeof address.value.sun_path || name.find('/') != std::string::npos) {
    return base::fail(base::ErrorKind::kInvalidInput, "socket name too long or not a plain name: " + name);
  }
  address.value.sun_family = AF_UNIX;
  std::memcpy(address.value.sun_path, path.c_str(), path.size() + 1);
  return address;
}

base::Result<Fd> make_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno("making a unix socket", errno);
  return fd;
}

} // namespace

base::Result<Fd> listen_unix(const std::string& directory, const std::string& name, int backlog) {
  Address address = FR_TRY(make_address(directory, name));
  Fd fd = FR_TRY(make_socket());
  struct stat info{};
  if (::fstatat(address.directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(info.st_mode)) {
    ::unlinkat(address.directory.get(), name.c_str(), 0);
  }
  // The mode of the socket itself is what bind() gives the file: no moment with a wider one.
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), sizeof address.value) != 0 ||
      ::fchmodat(address.directory.get(), name.c_str(), 0600, 0) != 0 || ::listen(fd.get(), backlog) != 0) {
    return base::fail_errno("listening on " + directory + "/" + name, errno);
  }
  return fd;
}

base::Result<Fd> connect_unix(const std::string& directory, const std::string& name) {
  Address address = FR_TRY(make_address(directory, name));
  Fd fd = FR_TRY(make_socket());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), sizeof address.value) == 0) return fd;
  int error = errno;
  std::string what = "connecting to " + directory + "/" + name;
  if (error == ECONNREFUSED || error == EAGAIN) {
    return base::fail(base::Error(base::ErrorKind::kUnavailable, what + ": " + std::strerror(error), error));
  }
  return base::fail_errno(what, error);
}

base::Result<Fd> accept_unix(int listener, const CancelToken& cancel) {
  while (true) {
    Fd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (peer) return peer;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return base::fail_errno("accepting", errno);
    if (FR_TRY(poll_fd(listener, POLLIN, cancel)) == Ready::kCanceled) return base::fail(cancel.error());
  }
}

LineChannel::LineChannel(Fd socket) : socket_(std::move(socket)) {}

base::Status LineChannel::send(std::string_view line, const CancelToken& cancel) {
  if (!open()) return base::fail(base::ErrorKind::kUnavailable, "the channel is closed");
  std::string message(line);
  message += '\n';
  std::string_view rest = message;
  while (!rest.empty()) {
    ssize_t count = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (FR_TRY(poll_fd(socket_.get(), POLLOUT, cancel)) == Ready::kCanceled) return base::fail(cancel.error());
    } else if (errno != EINTR) {
      return base::fail(
          base::Error(base::ErrorKind::kUnavailable, std::string("sending: ") + std::strerror(errno), errno));
    }
  }
  return {};
}

std::optional<std::string> LineChannel::take_line() {
  std::size_t end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

base::Result<std::optional<std::string>> LineChannel::try_receive() {
  while (true) {
    if (auto line = take_line()) return line;
    if (ended_ || !open()) {
      ended_ = true;
      return std::nullopt;
    }
    if (buffer_.size() > kMaxLine) return base::fail(base::ErrorKind::kLimit, "line too long");
    char chunk[16 * 1024];
    ssize_t count = ::recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (count > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(count));
    } else if (count == 0 || errno == ECONNRESET) {
      ended_ = true;
    } else if (errno == EAGAIN) {
      return std::nullopt;
    } else if (errno != EINTR) {
      return base::fail_errno("receiving", errno);
    }
  }
}

base::Result<std::optional<std::string>> LineChannel::receive(const CancelToken& cancel) {
  while (true) {
    auto line = FR_TRY(try_receive());
    if (line || ended_) return line;
    if (FR_TRY(poll_fd(socket_.get(), POLLIN, cancel)) == Ready::kCanceled) return base::fail(cancel.error());
  }
}

} // namespace sys
