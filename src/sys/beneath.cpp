#include "sys/beneath.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace sys {

namespace {

constexpr int kMaxLinks = 40;   // as the kernel
constexpr int kMaxRetries = 64; // EAGAIN: somebody renames directories meanwhile

std::unexpected<base::Error> fail_path(std::string_view what, std::string_view path, int error) {
  std::string text(what);
  text += " ";
  text += path;
  if (error == EXDEV)
    return base::fail(base::Error(base::ErrorKind::kForbidden, text + ": path leaves its directory", error));
  return base::fail_errno(text, error);
}

base::Status check_path(std::string_view path) {
  if (path.empty() || path.starts_with('/') || path.find('\0') != std::string_view::npos) {
    return base::fail(base::ErrorKind::kInvalidInput, "not a relative path: \"" + std::string(path) + "\"");
  }
  return {};
}

// The same resolution without openat2: component by component, no link followed by the kernel. `..` goes back along
// the directories that were really opened, so a directory moved meanwhile does not lead out.
class Walk {
 public:
  explicit Walk(int root) : root_(root) {}

  int open(const std::string& path, int flags, mode_t mode) {
    for (std::string& part : base::split(path, '/')) todo_.push_back(std::move(part));
    while (true) {
      while (!todo_.empty() && (todo_.front().empty() || todo_.front() == ".")) todo_.pop_front();
      if (todo_.empty()) return ::openat(here(), ".", flags, mode);
      std::string part = std::move(todo_.front());
      todo_.pop_front();
      if (part == "..") {
        if (stack_.empty()) return fail(EXDEV);
        stack_.pop_back();
        continue;
      }
      if (todo_.empty()) {
        int fd = ::openat(here(), part.c_str(), flags | O_NOFOLLOW, mode);
        if ((flags & O_NOFOLLOW) != 0 || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return fd;
        if (fd >= 0 ? !is_link(fd) : !refused_link(part)) return fd;
        if (fd >= 0) ::close(fd);
        if (!splice_link(part)) return -1;
        continue;
      }
      Fd next(::openat(here(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!next) return -1;
      if (is_link(next.get())) {
        if (!splice_link(part)) return -1;
      } else {
        stack_.push_back(std::move(next)); // not a directory: the next openat says ENOTDIR
      }
    }
  }

 private:
  int here() const { return stack_.empty() ? root_ : stack_.back().get(); }

  static int fail(int error) {
    errno = error;
    return -1;
  }

  static bool is_link(int fd) {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && S_ISLNK(info.st_mode);
  }

  // Whether openat with O_NOFOLLOW failed because of a link: ELOOP, or with O_DIRECTORY ENOTDIR. Keeps errno.
  bool refused_link(const std::string& name) {
    int error = errno;
    struct stat info{};
    bool link = (error == ELOOP || error == ENOTDIR) &&
                ::fstatat(here(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
    errno = error;
    return link;
  }

  bool splice_link(const std::string& name) {
    char target[PATH_MAX];
    ssize_t length = ::readlinkat(here(), name.c_str(), target, sizeof target);
    if (length < 0) return false;
    if (length == sizeof target) return fail(ENAMETOOLONG) == 0;
    if (++links_ > kMaxLinks) return fail(ELOOP) == 0;
    if (length > 0 && target[0] == '/') return fail(EXDEV) == 0;
    auto parts = base::split(std::string_view(target, static_cast<std::size_t>(length)), '/');
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
    return true;
  }

  int root_;
  int links_ = 0;
  std::vector<Fd> stack_;
  std::deque<std::string> todo_;
};

int open_beneath(int root, const std::string& path, int flags, mode_t mode, bool walk) {
  static bool kernel_lacks_it = false;
  if (!walk && !kernel_lacks_it) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) & ~std::uint64_t{O_LARGEFILE};
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0;; ++attempt) {
      long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
      if (fd >= 0) return static_cast<int>(fd);
      if (errno == ENOSYS) break;
      if ((errno != EAGAIN && errno != EINTR) || attempt >= kMaxRetries) return -1;
    }
    kernel_lacks_it = true;
  }
  return Walk(root).open(path, flags, mode);
}

FileInfo to_info(const struct stat& info) {
  return {.mode = info.st_mode,
          .size = static_cast<std::uint64_t>(info.st_size),
          .mtime_seconds = info.st_mtim.tv_sec,
          .mtime_nanos = info.st_mtim.tv_nsec,
          .uid = info.st_uid,
          .gid = info.st_gid,
          .device = info.st_dev,
          .inode = info.st_ino,
          .links = info.st_nlink};
}

} // namespace

base::Result<Root> Root::open(const std::string& directory) {
  return Root(FR_TRY(open_fd(directory, O_RDONLY | O_DIRECTORY)));
}

base::Result<Fd> Root::resolve(const std::string& path, int flags, mode_t mode) const {
  Fd fd(open_beneath(fd_.get(), path, flags | O_CLOEXEC, mode, walk_));
  if (!fd) return fail_path("opening", path, errno);
  return fd;
}

base::Result<Root> Root::open_root(std::string_view path) const {
  FR_CHECK(check_path(path));
  Root below(FR_TRY(resolve(std::string(path), O_RDONLY | O_DIRECTORY, 0)));
  below.walk_ = walk_;
  return below;
}

base::Result<Fd> Root::open_file(std::string_view path, int flags, mode_t mode) const {
  FR_CHECK(check_path(path));
  bool reading = (flags & O_ACCMODE) == O_RDONLY && (flags & O_PATH) == 0;
  return resolve(std::string(path), flags | (reading ? O_NONBLOCK | O_NOCTTY : O_NOCTTY), mode);
}

base::Result<Root::Parent> Root::parent_of(std::string_view path) const {
  FR_CHECK(check_path(path));
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::string name = base_name(path);
  if (name == "." || name == "..") {
    return base::fail(base::ErrorKind::kInvalidInput, "path has no last name: \"" + std::string(path) + "\"");
  }
  return Parent{FR_TRY(resolve(parent_path(path), O_PATH | O_DIRECTORY, 0)), std::move(name)};
}

base::Status Root::make_directory(std::string_view path, mode_t mode) const {
  Parent parent = FR_TRY(parent_of(path));
  if (::mkdirat(parent.directory.get(), parent.name.c_str(), mode) != 0) return fail_path("making", path, errno);
  return {};
}

base::Status Root::make_directories(std::string_view path, mode_t mode) const {
  FR_CHECK(check_path(path));
  auto found = resolve(std::string(path), O_PATH | O_DIRECTORY, 0);
  if (found) return {};
  if (found.error().kind() != base::ErrorKind::kNotFound) return base::fail(std::move(found.error()));
  std::string prefix;
  for (const std::string& part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    prefix = join_path(prefix, part);
    if (part == "..") continue;
    auto made = make_directory(prefix, mode);
    if (!made && made.error().kind() != base::ErrorKind::kConflict) return made;
  }
  auto directory = resolve(std::string(path), O_PATH | O_DIRECTORY, 0);
  if (!directory) return base::fail(std::move(directory.error()));
  return {};
}

base::Status Root::make_symlink(const std::string& target, std::string_view path) const {
  Parent parent = FR_TRY(parent_of(path));
  if (::symlinkat(target.c_str(), parent.directory.get(), parent.name.c_str()) != 0) {
    return fail_path("making link", path, errno);
  }
  return {};
}

base::Status Root::make_hard_link(std::string_view existing, std::string_view path) const {
  Parent from = FR_TRY(parent_of(existing));
  Parent to = FR_TRY(parent_of(path));
  // Without AT_SYMLINK_FOLLOW a link is linked itself: its target is not reached.
  if (::linkat(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str(), 0) != 0) {
    return fail_path("making hard link", path, errno);
  }
  return {};
}

base::Status Root::remove(std::string_view path) const {
  Parent parent = FR_TRY(parent_of(path));
  if (::unlinkat(parent.directory.get(), parent.name.c_str(), 0) == 0) return {};
  if (errno == EISDIR || errno == EPERM) {
    if (::unlinkat(parent.directory.get(), parent.name.c_str(), AT_REMOVEDIR) == 0) return {};
  }
  return fail_path("removing", path, errno);
}

base::Status Root::remove_tree(std::string_view path) const {
  auto parent = parent_of(path);
  if (!parent && parent.error().kind() == base::ErrorKind::kNotFound) return {};
  if (!parent) return base::fail(std::move(parent.error()));
  return remove_tree_at(parent->directory.get(), parent->name);
}

base::Status Root::rename(std::string_view from, std::string_view to) const {
  Parent source = FR_TRY(parent_of(from));
  Parent target = FR_TRY(parent_of(to));
  if (::renameat(source.directory.get(), source.name.c_str(), target.directory.get(), target.name.c_str()) != 0) {
    return fail_path("renaming", from, errno);
  }
  return {};
}

base::Result<FileInfo> Root::metadata(std::string_view path) const {
  FR_CHECK(check_path(path));
  Fd fd = FR_TRY(resolve(std::string(path), O_PATH | O_NOFOLLOW, 0));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_path("examining", path, errno);
  return to_info(info);
}

base::Result<std::string> Root::read_link(std::string_view path) const {
  FR_CHECK(check_path(path));
  Fd fd = FR_TRY(resolve(std::string(path), O_PATH | O_NOFOLLOW, 0));
  char target[PATH_MAX];
  ssize_t length = ::readlinkat(fd.get(), "", target, sizeof target);
  if (length < 0) return fail_path("reading link", path, errno == ENOENT ? EINVAL : errno);
  return std::string(target, static_cast<std::size_t>(length));
}

base::Result<std::vector<std::string>> Root::list(std::string_view path) const {
  FR_CHECK(check_path(path));
  Fd fd = FR_TRY(resolve(std::string(path), O_RDONLY | O_DIRECTORY, 0));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), &::closedir);
  if (!stream) return fail_path("listing", path, errno);
  (void)fd.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

base::Status Root::set_mode(std::string_view path, mode_t mode) const {
  FR_CHECK(check_path(path));
  Fd fd = FR_TRY(resolve(std::string(path), O_PATH | O_NOFOLLOW, 0));
  struct stat info{};
  if (::fstat(fd.get(), &info) == 0 && S_ISLNK(info.st_mode)) return {};
  // fchmod refuses O_PATH descriptors; the way through /proc names exactly this file.
  if (::chmod(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), mode & 07777) != 0) {
    return fail_path("setting the mode of", path, errno);
  }
  return {};
}

base::Status Root::set_modified(std::string_view path, std::int64_t seconds, std::int64_t nanos) const {
  Parent parent = FR_TRY(parent_of(path));
  timespec times[2] = {{.tv_sec = seconds, .tv_nsec = nanos}, {.tv_sec = seconds, .tv_nsec = nanos}};
  if (::utimensat(parent.directory.get(), parent.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_path("setting the time of", path, errno);
  }
  return {};
}

base::Status Root::set_owner(std::string_view path, uid_t uid, gid_t gid) const {
  Parent parent = FR_TRY(parent_of(path));
  if (::fchownat(parent.directory.get(), parent.name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_path("setting the owner of", path, errno);
  }
  return {};
}

} // namespace sys
