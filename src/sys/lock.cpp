#include "sys/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

namespace sys {

namespace {

base::Result<bool> try_flock(int fd, int operation, const std::string& path) {
  while (::flock(fd, operation | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return base::fail_errno("locking " + path, errno);
  }
  return true;
}

int operation(FileLock::Mode mode) { return mode == FileLock::Mode::kExclusive ? LOCK_EX : LOCK_SH; }

} // namespace

base::Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path, Mode mode) {
  Fd fd = FR_TRY(open_fd(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!FR_TRY(try_flock(fd.get(), operation(mode), path))) return std::nullopt;
  return FileLock(std::move(fd));
}

base::Result<FileLock> FileLock::acquire(const std::string& path, const CancelToken& cancel, Mode mode) {
  Fd fd = FR_TRY(open_fd(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  // flock(2) knows no deadline and cannot be polled, so ask again in growing steps.
  auto pause = std::chrono::milliseconds(1);
  while (!FR_TRY(try_flock(fd.get(), operation(mode), path))) {
    if (cancel.wait_for(pause)) return base::fail_context("waiting for the lock " + path, cancel.error());
    pause = std::min(pause * 2, std::chrono::milliseconds(100));
  }
  return FileLock(std::move(fd));
}

base::Result<bool> FileLock::is_held(const std::string& path) {
  auto fd = open_fd(path, O_RDONLY | O_NOFOLLOW);
  if (!fd && fd.error().kind() == base::ErrorKind::kNotFound) return false;
  if (!fd) return base::fail(fd.error());
  return !FR_TRY(try_flock(fd->get(), LOCK_SH, path));
}

} // namespace sys
