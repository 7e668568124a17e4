// Removal of whole directories, relative to open descriptors: a directory swapped for a link while we walk leads
// nowhere. Iterative, since job data may nest deeper than a stack; each level holds one descriptor, and beyond
// kMaxOpen of them the walk moves what is below up to a fresh start.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "base/hash.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace sys {

namespace {

constexpr std::size_t kMaxOpen = 100;

class Remover {
 public:
  explicit Remover(int top) : top_(top) {}

  void remove(int directory, const std::string& name) {
    if (unlink_plain(directory, name)) return;
    descend(directory, name);
    while (!levels_.empty()) step();
  }

  void remove_contents(int directory) {
    auto copy = open_at(directory, ".");
    if (!copy) return;
    enter(std::move(*copy), "", directory);
    while (!levels_.empty()) step();
  }

  std::optional<base::Error> first_error() && { return std::move(error_); }

 private:
  struct Level {
    std::unique_ptr<DIR, int (*)(DIR*)> stream;
    std::string name; // in its parent; empty: stays
    int parent;
    bool failed = false;
  };

  void note(const std::string& name, int error) {
    if (!error_) error_ = base::fail_errno("removing " + name, error).error();
    if (!levels_.empty()) levels_.back().failed = true;
  }

  // True when done with it: removed, gone already, or an error noted. False: it is a directory.
  bool unlink_plain(int directory, const std::string& name) {
    if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    int error = errno;
    struct stat info{};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) note(name, errno);
      return true;
    }
    if (S_ISDIR(info.st_mode)) return false;
    // The directory that holds it may be read-only: ours to change.
    if (error == EACCES && make_writable(directory) && ::unlinkat(directory, name.c_str(), 0) == 0) return true;
    note(name, error);
    return true;
  }

  static bool make_writable(int directory) {
    struct stat info{};
    return ::fstat(directory, &info) == 0 && ::fchmod(directory, (info.st_mode & 07777) | S_IRWXU) == 0;
  }

  std::optional<Fd> open_at(int directory, const std::string& name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(::openat(directory, name.c_str(), kFlags));
    if (!fd && errno == EACCES) {
      // fchmodat follows a link that somebody may have put there by now; through an O_PATH descriptor it cannot.
      Fd handle(::openat(directory, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (handle && ::chmod(("/proc/self/fd/" + std::to_string(handle.get())).c_str(), 0700) == 0) {
        fd.reset(::openat(directory, name.c_str(), kFlags));
      } else {
        errno = EACCES;
      }
    }
    if (fd) return fd;
    if (errno != ENOENT) note(name, errno);
    return std::nullopt;
  }

  void descend(int directory, const std::string& name) {
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return;
    if (levels_.size() >= kMaxOpen) {
      // Too deep: move it beside the top, where it is a shallow directory, and look at it later.
      std::string moved = ".removing-" + base::random_hex(16);
      if (::renameat(directory, name.c_str(), top_, moved.c_str()) == 0) {
        pending_.push_back(moved);
        return;
      }
    }
    if (auto fd = open_at(directory, name)) enter(std::move(*fd), name, directory);
  }

  void enter(Fd fd, const std::string& name, int parent) {
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) return note(name, errno);
    (void)fd.release();
    levels_.push_back({{stream, &::closedir}, name, parent});
  }

  void step() {
    Level& level = levels_.back();
    int fd = ::dirfd(level.stream.get());
    errno = 0;
    if (const dirent* entry = ::readdir(level.stream.get())) {
      std::string name = entry->d_name;
      if (name != "." && name != ".." && !unlink_plain(fd, name)) descend(fd, name);
      return;
    }
    if (errno != 0) note(level.name, errno);
    leave();
  }

  void leave() {
    Level done = std::move(levels_.back());
    levels_.pop_back();
    if (!done.name.empty()) {
      int result = ::unlinkat(done.parent, done.name.c_str(), AT_REMOVEDIR);
      if (result != 0 && errno == EACCES && make_writable(done.parent)) {
        result = ::unlinkat(done.parent, done.name.c_str(), AT_REMOVEDIR);
      }
      // A level whose content could not be removed has its error already.
      if (result != 0 && errno != ENOENT && !(done.failed && (errno == ENOTEMPTY || errno == EEXIST))) {
        note(done.name, errno);
      }
      if (done.failed && !levels_.empty()) levels_.back().failed = true;
    }
    while (levels_.empty() && !pending_.empty()) {
      std::string next = std::move(pending_.back());
      pending_.pop_back();
      descend(top_, next);
    }
  }

  int top_;
  std::vector<Level> levels_;
  std::vector<std::string> pending_;
  std::optional<base::Error> error_;
};

base::Status finish(Remover&& remover) {
  if (auto error = std::move(remover).first_error()) return base::fail(std::move(*error));
  return {};
}

} // namespace

base::Status remove_tree_at(int directory_fd, const std::string& name) {
  Remover remover(directory_fd);
  remover.remove(directory_fd, name);
  return finish(std::move(remover));
}

base::Status remove_tree(const std::string& path) {
  if (clean_path(path) == "/") return base::fail(base::ErrorKind::kInvalidInput, "refusing to remove /");
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  std::string name = base_name(trimmed);
  if (name.empty() || name == "." || name == "..") {
    return base::fail(base::ErrorKind::kInvalidInput, "not a path to remove: " + path);
  }
  auto parent = open_fd(parent_path(trimmed), O_RDONLY | O_DIRECTORY);
  if (!parent) {
    if (parent.error().kind() == base::ErrorKind::kNotFound) return {};
    return base::fail(std::move(parent.error()));
  }
  auto status = remove_tree_at(parent->get(), name);
  if (!status) return base::fail_context("removing " + path, std::move(status.error()));
  return {};
}

base::Status remove_contents(const std::string& path) {
  auto directory = open_fd(path, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    if (directory.error().kind() == base::ErrorKind::kNotFound) return {};
    return base::fail(std::move(directory.error()));
  }
  Remover remover(directory->get());
  remover.remove_contents(directory->get());
  auto status = finish(std::move(remover));
  if (!status) return base::fail_context("emptying " + path, std::move(status.error()));
  return {};
}

} // namespace sys
