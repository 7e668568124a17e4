// Root: files strictly beneath a directory, whatever symbolic links exist or appear meanwhile.
//
// For paths out of job data: archive entries, artifact paths. The kernel resolves them (openat2, RESOLVE_BENEATH and
// RESOLVE_NO_MAGICLINKS; a component walk where it lacks that), so nobody can swap a directory for a link in between.
// A path that would leave gives kForbidden. Absolute paths and empty ones are refused (kInvalidInput); "." is the
// root itself where that makes sense. A Root may be used from several threads at once.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace sys {

struct FileInfo {
  mode_t mode = 0; // type and permissions, as in struct stat
  std::uint64_t size = 0;
  std::int64_t mtime_seconds = 0;
  std::int64_t mtime_nanos = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t device = 0;
  ino_t inode = 0;
  nlink_t links = 0;

  bool is_directory() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
};

class Root {
 public:
  static base::Result<Root> open(const std::string& directory);
  // A root below this one.
  base::Result<Root> open_root(std::string_view path) const;

  // open(2) flags; links that stay beneath are followed unless O_NOFOLLOW. O_CLOEXEC is added. Opening for reading
  // does not block on a FIFO.
  base::Result<Fd> open_file(std::string_view path, int flags, mode_t mode = 0666) const;
  base::Status make_directory(std::string_view path, mode_t mode = 0777) const;   // kConflict if something is there
  base::Status make_directories(std::string_view path, mode_t mode = 0777) const; // like mkdir -p
  // The target is text: it may point anywhere, and nothing here will ever follow it out.
  base::Status make_symlink(const std::string& target, std::string_view path) const;
  base::Status make_hard_link(std::string_view existing, std::string_view path) const;
  base::Status remove(std::string_view path) const;      // a file, a link (not its target) or an empty directory
  base::Status remove_tree(std::string_view path) const; // success when there is nothing
  base::Status rename(std::string_view from, std::string_view to) const;

  // Of the path itself, a final link not followed.
  base::Result<FileInfo> metadata(std::string_view path) const;
  base::Result<std::string> read_link(std::string_view path) const;
  base::Result<std::vector<std::string>> list(std::string_view path) const; // sorted, "." for the root

  // Final links are not followed; the mode of a link cannot be set (success, nothing done).
  base::Status set_mode(std::string_view path, mode_t mode) const;
  base::Status set_modified(std::string_view path, std::int64_t seconds, std::int64_t nanos = 0) const;
  base::Status set_owner(std::string_view path, uid_t uid, gid_t gid) const;

  int fd() const { return fd_.get(); }

  // For tests: as on a kernel without openat2.
  void use_component_walk(bool on) { walk_ = on; }

 private:
  explicit Root(Fd fd) : fd_(std::move(fd)) {}
  struct Parent {
    Fd directory;
    std::string name;
  };
  base::Result<Parent> parent_of(std::string_view path) const;
  base::Result<Fd> resolve(const std::string& path, int flags, mode_t mode) const;

  Fd fd_;
  bool walk_ = false;
};

} // namespace sys
