#include "archive/source.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "archive/ordered.hpp"

namespace archive {

base::Result<OpenSource> open_source(int directory, const std::string& path, bool follow) {
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
  sys::Fd fd(::openat(directory, path.c_str(), flags));
  if (!fd) return base::fail_errno(fmt::format("open {}", path), errno);
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return base::fail_errno(fmt::format("stat {}", path), errno);
  if (!S_ISREG(st.st_mode))
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("the \"{}\" is not a regular file", path));
  return OpenSource{std::move(fd), static_cast<std::uint64_t>(st.st_size)};
}

base::Status read_at(int fd, std::uint64_t offset, std::size_t size, std::string& out, const std::string& path) {
  out.resize(size);
  std::size_t filled = 0;
  while (filled < size) {
    ssize_t n = ::pread(fd, out.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(fmt::format("read {}", path), errno);
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  out.resize(filled);
  return {};
}

base::Result<std::string> read_link_target(int directory, const std::string& path) {
  std::string target(4096, '\0');
  ssize_t n = ::readlinkat(directory, path.c_str(), target.data(), target.size());
  if (n < 0) return base::fail_errno(fmt::format("readlink {}", path), errno);
  target.resize(static_cast<std::size_t>(n));
  return target;
}

// The levels of upstream's default zip implementation.
int deflate_level(Level level) {
  switch (level) {
    case Level::kFastest:
      return 0;
    case Level::kFast:
      return 1;
    case Level::kDefault:
      return 5;
    case Level::kSlow:
      return 7;
    case Level::kSlowest:
      return 9;
  }
  return 5;
}

unsigned available_processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

} // namespace archive
