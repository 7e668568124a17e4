#include "sys/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/fd.hpp"

namespace sys {

namespace {

base::Status write_open(const std::string& path, int flags, std::string_view content, mode_t mode) {
  Fd fd = FR_TRY(open_fd(path, flags, mode));
  if (auto written = write_all(fd.get(), content); !written) {
    return base::fail_context("writing " + path, std::move(written.error()));
  }
  return {};
}

// Where a path's symbolic links lead, so that a replaced file stays where its link points.
std::string follow_links(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

base::Status rewrite_in_place(const std::string& path, std::string_view content, mode_t mode) {
  Fd fd = FR_TRY(open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  ::fchmod(fd.get(), mode); // refused when the file is another user's: its mode is theirs then
  if (auto written = write_all(fd.get(), content); !written) {
    return base::fail_context("writing " + path, std::move(written.error()));
  }
  if (::fsync(fd.get()) != 0) return base::fail_errno("syncing " + path, errno);
  return {};
}

void sync_directory(const std::string& path) {
  if (auto directory = open_fd(path, O_RDONLY | O_DIRECTORY)) ::fsync(directory->get());
}

// False when the directory or the file system does not allow it and writing in place may still work.
base::Result<bool> replace_by_rename(const std::string& target, std::string_view content, mode_t mode) {
  std::string temporary = join_path(parent_path(target), "." + base_name(target) + "." + base::random_hex(12));
  auto fd = open_fd(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!fd) {
    int error = fd.error().sys_errno();
    if (error == EACCES || error == EPERM || error == EROFS) return false;
    return base::fail(std::move(fd.error()));
  }
  auto abandon = [&](std::unexpected<base::Error> error) {
    ::unlink(temporary.c_str());
    return error;
  };
  struct stat old{};
  if (::stat(target.c_str(), &old) == 0 && (old.st_uid != ::geteuid() || old.st_gid != ::getegid())) {
    // Not ours to give away: then the old file must be kept, and with it its owner.
    if (::fchown(fd->get(), old.st_uid, old.st_gid) != 0) {
      ::unlink(temporary.c_str());
      return false;
    }
  }
  if (::fchmod(fd->get(), mode) != 0) return abandon(base::fail_errno("setting the mode of " + temporary, errno));
  if (auto written = write_all(fd->get(), content); !written) {
    return abandon(base::fail_context("writing " + temporary, std::move(written.error())));
  }
  if (::fsync(fd->get()) != 0) return abandon(base::fail_errno("syncing " + temporary, errno));
  if (::rename(temporary.c_str(), target.c_str()) != 0) {
    int error = errno;
    auto failure = abandon(base::fail_errno("replacing " + target, error));
    if (error == EBUSY || error == EXDEV || error == EPERM || error == EACCES) return false;
    return failure;
  }
  sync_directory(parent_path(target));
  return true;
}

} // namespace

base::Result<std::string> read_file(const std::string& path, std::size_t limit) {
  Fd fd = FR_TRY(open_fd(path, O_RDONLY));
  auto content = read_to_end(fd.get(), limit);
  if (!content) return base::fail_context("reading " + path, std::move(content.error()));
  return content;
}

base::Status write_file(const std::string& path, std::string_view content, mode_t mode) {
  return write_open(path, O_WRONLY | O_CREAT | O_TRUNC, content, mode);
}

base::Status append_file(const std::string& path, std::string_view content, mode_t mode) {
  return write_open(path, O_WRONLY | O_CREAT | O_APPEND, content, mode);
}

base::Status atomic_write_file(const std::string& path, std::string_view content, mode_t mode) {
  std::string target = follow_links(path);
  if (FR_TRY(replace_by_rename(target, content, mode))) return {};
  return rewrite_in_place(target, content, mode);
}

base::Status make_directories(const std::string& path, mode_t mode) {
  if (path.empty()) return base::fail(base::ErrorKind::kInvalidInput, "empty directory path");
  if (::mkdir(path.c_str(), mode) == 0) return {};
  int error = errno;
  if (error == ENOENT) {
    std::string parent = parent_path(path);
    if (parent != path) {
      FR_CHECK(make_directories(parent, mode));
      if (::mkdir(path.c_str(), mode) == 0) return {};
      error = errno;
    }
  }
  if (is_directory(path)) return {};
  return base::fail_errno("making directory " + path, error);
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_regular_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_executable(const std::string& path) { return is_regular_file(path) && ::access(path.c_str(), X_OK) == 0; }

base::Result<std::uint64_t> file_size(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return base::fail_errno("reading the size of " + path, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

base::Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return base::fail_errno("removing " + path, errno);
  return {};
}

base::Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return base::fail_errno("renaming " + from + " to " + to, errno);
  return {};
}

base::Result<std::vector<std::string>> list_directory(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (!directory) return base::fail_errno("listing " + path, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

base::Result<std::string> current_directory() {
  std::unique_ptr<char, decltype(&std::free)> path(::getcwd(nullptr, 0), &std::free);
  if (!path) return base::fail_errno("reading the current directory", errno);
  return std::string(path.get());
}

std::string absolute_path(const std::string& path) {
  if (path.starts_with('/')) return clean_path(path);
  auto here = current_directory();
  return clean_path(join_path(here ? *here : "/", path));
}

std::string clean_path(std::string_view path) {
  bool absolute = path.starts_with('/');
  std::vector<std::string> parts;
  for (std::string& part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(std::move(part));
    }
  }
  std::string cleaned = (absolute ? "/" : "") + base::join(parts, "/");
  return cleaned.empty() ? "." : cleaned;
}

std::string join_path(std::string_view a, std::string_view b) {
  if (a.empty() || b.starts_with('/')) return std::string(b);
  if (b.empty()) return std::string(a);
  std::string joined(a);
  if (!joined.ends_with('/')) joined += '/';
  return joined += b;
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  while (slash > 0 && path[slash - 1] == '/') --slash;
  return std::string(path.substr(0, std::max<std::size_t>(slash, 1)));
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || path.size() == 1) return std::string(path);
  return std::string(path.substr(slash + 1));
}

base::Result<std::string> find_program(const std::string& name) {
  auto missing = [&] {
    return base::fail(base::ErrorKind::kNotFound, "\"" + name + "\": executable file not found in $PATH");
  };
  if (name.find('/') != std::string::npos) {
    if (is_executable(name)) return name;
    return missing();
  }
  const char* path = std::getenv("PATH");
  if (path == nullptr || name.empty()) return missing();
  for (const std::string& directory : base::split(path, ':')) {
    std::string candidate = join_path(directory.empty() ? "." : directory, name);
    if (is_executable(candidate)) return candidate;
  }
  return missing();
}

base::Result<TempDir> TempDir::create(const std::string& prefix) {
  const char* root = std::getenv("TMPDIR");
  std::string path = join_path(root != nullptr && *root != '\0' ? root : "/tmp", prefix + "-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) return base::fail_errno("making a temporary directory " + path, errno);
  return TempDir(path);
}

TempDir::~TempDir() {
  if (!path_.empty()) (void)remove_tree(path_);
}

} // namespace sys
