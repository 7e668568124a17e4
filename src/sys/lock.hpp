// FileLock: an advisory flock(2) on a file, held until destroyed or until the process ends, however it ends.
//
// The lock belongs to the open file: a forked child that keeps the descriptor keeps the lock; an exec'ed one does not.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "sys/cancel.hpp"
#include "sys/fd.hpp"

namespace sys {

class FileLock {
 public:
  enum class Mode { kExclusive, kShared };

  // Makes the file when it is missing (mode 0600). nullopt: somebody else holds it.
  static base::Result<std::optional<FileLock>> try_acquire(const std::string& path, Mode mode = Mode::kExclusive);
  // Waits; kCanceled or kTimeout when the token is raised first.
  static base::Result<FileLock> acquire(const std::string& path, const CancelToken& cancel,
                                        Mode mode = Mode::kExclusive);
  // Whether somebody holds it exclusively now; false when the file does not exist.
  static base::Result<bool> is_held(const std::string& path);

  // The locked file, for a process id or the like in it.
  int fd() const { return fd_.get(); }
  void unlock() { fd_.reset(); }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

} // namespace sys
