// Whole-file helpers over paths that we chose ourselves. Paths out of job data go through sys/beneath.hpp.
//
// Blocking; thread-safe as far as the file system is. Errors carry the path and errno.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sys {

inline constexpr std::size_t kDefaultReadLimit = 64u << 20;

base::Result<std::string> read_file(const std::string& path, std::size_t limit = kDefaultReadLimit);
base::Status write_file(const std::string& path, std::string_view content, mode_t mode = 0666);
base::Status append_file(const std::string& path, std::string_view content, mode_t mode = 0666);

// Readers see the old or the new content, never a part, also after a power cut: temporary file beside it, fsync,
// rename, fsync of the directory. An existing file keeps its owner; `mode` is set exactly. A symbolic link is followed
// and its target replaced. Where rename is refused (a bind-mounted file, a directory without write permission) the
// file is rewritten in place.
base::Status atomic_write_file(const std::string& path, std::string_view content, mode_t mode = 0600);

// Like mkdir -p; `mode` is for the directories made here.
base::Status make_directories(const std::string& path, mode_t mode = 0777);
// Removes a file, link or whole directory; never follows symbolic links, makes unreadable directories accessible,
// goes on after errors and reports the first. Success when there is nothing.
base::Status remove_tree(const std::string& path);
// The same for everything inside a directory, which itself stays.
base::Status remove_contents(const std::string& path);
// The same relative to an open directory.
base::Status remove_tree_at(int directory_fd, const std::string& name);

bool exists(const std::string& path);          // follows links
bool is_directory(const std::string& path);    // follows links
bool is_regular_file(const std::string& path); // follows links
bool is_executable(const std::string& path);   // a regular file that we may execute
base::Result<std::uint64_t> file_size(const std::string& path);
base::Status remove_file(const std::string& path); // success when there is none
base::Status rename_file(const std::string& from, const std::string& to);
// Names without . and .., sorted.
base::Result<std::vector<std::string>> list_directory(const std::string& path);

base::Result<std::string> current_directory();
// Made absolute against the current directory and cleaned lexically ("a/./b/../c" -> "a/c"); links are not resolved.
std::string absolute_path(const std::string& path);
std::string clean_path(std::string_view path);                 // lexically; "" -> "."
std::string join_path(std::string_view a, std::string_view b); // an absolute b wins
std::string parent_path(std::string_view path);                // "a/b" -> "a", "a" -> ".", "/" -> "/"
std::string base_name(std::string_view path);                  // "a/b" -> "b"
// The program's file on the path list (the PATH of this process by default), or kNotFound.
base::Result<std::string> find_program(const std::string& name);

// A directory that is removed with everything in it at the end of the scope.
class TempDir {
 public:
  static base::Result<TempDir> create(const std::string& prefix = "forerunner");
  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return join_path(path_, name); }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

} // namespace sys
