#include "transfer/selection.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"
#include "transfer/glob.hpp"
#include "transfer/messages.hpp"
#include "transfer/shell_expand.hpp"

namespace transfer {
namespace {

// As Go's os.Getwd: $PWD if it names this directory, so that a project behind a link keeps the name users know.
base::Result<std::string> logical_directory() {
  struct stat here{}, named{};
  auto pwd = sys::get_env("PWD");
  if (pwd && pwd->starts_with('/') && ::stat(".", &here) == 0 && ::stat(pwd->c_str(), &named) == 0 &&
      here.st_dev == named.st_dev && here.st_ino == named.st_ino)
    return *pwd;
  return sys::current_directory();
}

// Go's filepath.Rel for two clean absolute paths.
std::string relative_to(const std::string& base, const std::string& path) {
  std::vector<std::string> from = base::split(base, '/'), to = base::split(path, '/');
  std::erase(from, "");
  std::erase(to, "");
  std::size_t common = 0;
  while (common < from.size() && common < to.size() && from[common] == to[common]) ++common;
  std::vector<std::string> out(from.size() - common, "..");
  out.insert(out.end(), to.begin() + static_cast<std::ptrdiff_t>(common), to.end());
  return out.empty() ? "." : base::join(out, "/");
}

bool is_outside(const std::string& relative) { return relative == ".." || relative.starts_with("../"); }

std::optional<sys::FileInfo> lstat_info(const std::string& path, int& error) {
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) {
    error = errno;
    return std::nullopt;
  }
  sys::FileInfo info;
  info.mode = st.st_mode;
  info.size = static_cast<std::uint64_t>(st.st_size);
  info.mtime_seconds = st.st_mtim.tv_sec;
  info.mtime_nanos = st.st_mtim.tv_nsec;
  info.uid = st.st_uid;
  info.gid = st.st_gid;
  info.device = st.st_dev;
  info.inode = st.st_ino;
  info.links = st.st_nlink;
  return info;
}

class Selector {
 public:
  Selector(const SelectionOptions& options, std::string directory) : options_(options) {
    selection_.working_directory = std::move(directory);
    for (const std::string& rule : options.exclude) add_exclude(rule);
  }

  Selection run() {
    for (const std::string& path : options_.paths) add_pattern(path);
    if (options_.untracked) add_untracked();
    for (const Exclude& exclude : excludes_)
      if (exclude.hits > 0) info(fmt::format("{}: excluded {} files", exclude.rule, exclude.hits));
    return std::move(selection_);
  }

 private:
  struct Exclude {
    std::string rule;
    std::optional<Glob> glob;
    std::uint64_t hits = 0;
  };
  // How often something at or below a path was accepted or excluded: patterns like dir/** offer a file once for each
  // directory above it, and upstream counts that way. The second time, the counts of the first do.
  struct Tally {
    std::uint64_t accepted = 0;
    std::vector<std::uint64_t> excluded; // by rule, as long as needed
    void add(const Tally& other) {
      accepted += other.accepted;
      if (excluded.size() < other.excluded.size()) excluded.resize(other.excluded.size());
      for (std::size_t i = 0; i < other.excluded.size(); ++i) excluded[i] += other.excluded[i];
    }
  };

  // The pattern relative to the project; kInvalidInput when it lies outside.
  base::Result<std::string> project_relative(const std::string& pattern) const {
    const std::string& directory = selection_.working_directory;
    if (sys::clean_path(pattern) == sys::clean_path(directory)) return std::string(".");
    std::string base = pattern, rest;
    if (has_meta(pattern)) std::tie(base, rest) = split_pattern(pattern);
    std::string absolute = sys::clean_path(base.starts_with('/') ? base : directory + "/" + base);
    std::string relative = relative_to(sys::clean_path(directory), absolute);
    if (is_outside(relative)) {
      auto real = through_links(absolute);
      if (!real)
        return base::fail(base::ErrorKind::kInvalidInput,
                          fmt::format("artifact path is not a subpath of project directory: {}", pattern));
      relative = std::move(*real);
    }
    return rest.empty() ? relative : sys::clean_path(relative + "/" + rest);
  }

  // A path may lie in the project by another name, when the project's directory is reached through a link.
  static std::optional<std::string> through_links(const std::string& absolute) {
    std::unique_ptr<char, decltype(&::free)> here(::realpath(".", nullptr), ::free);
    std::unique_ptr<char, decltype(&::free)> there(::realpath(absolute.c_str(), nullptr), ::free);
    if (!here || !there) return std::nullopt;
    std::string relative = relative_to(here.get(), there.get());
    if (is_outside(relative)) return std::nullopt;
    return relative;
  }

  void add_exclude(const std::string& rule) {
    Exclude exclude{rule, std::nullopt, 0};
    auto relative = project_relative(rule);
    if (!relative) {
      warning(fmt::format("isExcluded: {}", relative.error().message()));
    } else if (auto glob = Glob::parse(*relative)) {
      exclude.glob = std::move(*glob);
    } // upstream is silent about a malformed one, which excludes nothing
    excludes_.push_back(std::move(exclude));
  }

  void add_pattern(const std::string& pattern) {
    if (pattern.empty()) return warning("No matching files. Path is empty.");
    auto relative = project_relative(pattern);
    if (!relative) return warning(fmt::format("processPath: {}", relative.error().message()));
    auto glob = Glob::parse(*relative);
    if (!glob) return warning(fmt::format("{}: {}", pattern, glob.error().message()));
    tallies_.clear();
    Tally total;
    for (const std::string& match : glob->expand()) total.add(walk(match));
    count(total);
    if (total.accepted == 0) {
      warning(
          fmt::format("{}: no matching files. Ensure that the artifact path is relative to the working directory ({})",
                      pattern, selection_.working_directory));
    } else {
      info(fmt::format("{}: found {} matching artifact files and directories", pattern, total.accepted));
    }
  }

  void count(const Tally& tally) {
    for (std::size_t i = 0; i < tally.excluded.size(); ++i) excludes_[i].hits += tally.excluded[i];
  }

  // The path itself and, never through links, everything below.
  Tally walk(const std::string& path) {
    if (auto known = tallies_.find(path); known != tallies_.end()) return known->second;
    int error = 0;
    auto found = lstat_info(path, error);
    Tally tally = offer(path, found, error);
    if (!found || !found->is_directory()) return tally;
    for (const std::string& name : list(path)) tally.add(walk(path == "." ? name : path + "/" + name));
    return tallies_.emplace(path, std::move(tally)).first->second;
  }

  static std::vector<std::string> list(const std::string& path) {
    std::vector<std::string> out;
    std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(path.c_str()), ::closedir);
    while (dirent* entry = handle ? ::readdir(handle.get()) : nullptr)
      if (std::string_view name = entry->d_name; name != "." && name != "..") out.emplace_back(name);
    return out;
  }

  Tally offer(const std::string& path, const std::optional<sys::FileInfo>& found, int error) {
    Tally tally;
    for (std::size_t i = 0; i < excludes_.size(); ++i) {
      if (!excludes_[i].glob || !excludes_[i].glob->matches(path)) continue;
      tally.excluded.resize(i + 1);
      tally.excluded[i] = 1;
      return tally;
    }
    if (found) {
      selection_.files[path] = *found;
      tally.accepted = 1;
    } else if (error != ENOENT) {
      warning(fmt::format("{}: lstat {}: {}", path, path, std::strerror(error)));
    }
    return tally;
  }

  void add_untracked() {
    // A repository's configuration can name programs that git starts by itself; none of it may.
    sys::SpawnOptions options;
    options.argv = {"git", "-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", "ls-files", "-o", "-z"};
    auto output = sys::run_command(options, {}, {}, 1u << 30);
    if (!output) return warning(fmt::format("untracked: {}", output.error().message()));
    (void)sys::write_all(STDERR_FILENO, output->err);
    if (!output->status.success()) return warning(fmt::format("untracked: {}", output->status.message()));
    Tally total;
    std::string_view rest = output->out;
    while (!rest.empty()) {
      std::size_t end = rest.find('\0');
      if (end == std::string_view::npos) break;
      std::string path(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (path.ends_with('/')) path.pop_back(); // a repository inside this one
      int error = 0;
      auto found = lstat_info(path, error);
      total.add(offer(path, found, error));
    }
    count(total);
    if (total.accepted == 0) {
      warning("untracked: no files");
    } else {
      info(fmt::format("untracked: found {} files", total.accepted));
    }
  }

  const SelectionOptions& options_;
  Selection selection_;
  std::vector<Exclude> excludes_;
  std::unordered_map<std::string, Tally> tallies_; // of directories, for the pattern at work
};

} // namespace

std::vector<archive::SourceFile> Selection::sources() const {
  std::vector<archive::SourceFile> out;
  out.reserve(files.size());
  for (const auto& [path, info] : files) out.push_back({path, info});
  return out;
}

std::string expand_or_warn(const std::string& text, const std::string& what) {
  auto expanded = shell_expand(text, [](std::string_view name) { return sys::get_env(std::string(name)); });
  if (expanded) return std::move(*expanded);
  warning(fmt::format("{}: {}", what, expanded.error().message()));
  return text;
}

SelectionOptions expand_selection(SelectionOptions options) {
  for (auto* list : {&options.paths, &options.exclude})
    for (std::string& path : *list) path = expand_or_warn(path, fmt::format("invalid path \"{}\"", path));
  return options;
}

base::Result<Selection> select_files(const SelectionOptions& options) {
  auto directory = logical_directory();
  if (!directory) return base::fail_context("failed to get current working directory", std::move(directory.error()));
  return Selector(options, std::move(*directory)).run();
}

void warn_about_git_directory(const Selection& selection) {
  bool found = std::any_of(selection.files.begin(), selection.files.end(),
                           [](const auto& file) { return file.first == ".git" || file.first.starts_with(".git/"); });
  if (!found) return;
  warning("Part of .git directory is on the list of files to archive");
  warning("This may introduce unexpected problems");
}

} // namespace transfer
