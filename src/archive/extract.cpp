#include "archive/extract.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>

#include "archive/ordered.hpp"
#include "sys/files.hpp"

namespace archive {
namespace {

constexpr mode_t kPermissions = 0777; // no set-uid, set-gid or sticky bit out of an archive
constexpr std::uint64_t kParallelFrom = 512u << 10;

struct Item {
  const ZipEntry* entry = nullptr;
  std::string path; // clean
  std::size_t index = 0;
};

struct Plan {
  std::vector<Item> files, links, directories;
  std::vector<std::pair<std::size_t, ExtractProblem>> problems;
  std::uint64_t bytes = 0;
  bool git_directory = false;
};

Plan make_plan(const std::vector<ZipEntry>& entries) {
  Plan plan;
  std::unordered_map<std::string, std::size_t> last; // of entries with one name the last counts
  std::vector<Item> items;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto path = clean_entry_name(entries[i].name);
    if (!path) {
      bool empty = entries[i].is_directory() && path.error().kind() == base::ErrorKind::kInvalidInput; // "./"
      if (!empty) plan.problems.emplace_back(i, ExtractProblem{entries[i].name, std::move(path.error())});
      continue;
    }
    plan.git_directory |= *path == ".git" || path->starts_with(".git/");
    auto [at, fresh] = last.try_emplace(*path, items.size());
    if (fresh) {
      items.push_back({&entries[i], std::move(*path), i});
    } else {
      items[at->second].entry = &entries[i];
      items[at->second].index = i;
    }
  }
  for (Item& item : items) {
    if (item.entry->is_directory()) {
      plan.directories.push_back(std::move(item));
    } else if (item.entry->is_symlink()) {
      plan.links.push_back(std::move(item));
    } else if (item.entry->is_regular()) {
      plan.bytes += item.entry->size;
      plan.files.push_back(std::move(item));
    } else {
      plan.problems.emplace_back(item.index,
                                 ExtractProblem{item.entry->name, base::Error(base::ErrorKind::kInvalidInput,
                                                                              "file ignored: not a file, "
                                                                              "directory or link")});
    }
  }
  return plan;
}

// Directories that were not writable and had to be for a moment.
class Unlocked {
 public:
  void add(const std::string& path, mode_t mode) {
    std::lock_guard lock(mutex_);
    modes_.try_emplace(path, mode);
  }
  void restore(const sys::Root& root) {
    for (const auto& [path, mode] : modes_) (void)root.set_mode(path, mode);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, mode_t> modes_;
};

// The directory in which a thread made its last file.
struct Cursor {
  std::string path;
  std::optional<sys::Root> directory;
};

class Extractor {
 public:
  Extractor(const ZipReader& reader, const sys::Root& root) : reader_(reader), root_(root), own_(::geteuid() == 0) {}

  base::Status make_directory(const Item& item) {
    auto status = root_.make_directories(item.path);
    if (!status && status.error().sys_errno() == EACCES && unlock_above(item.path))
      status = root_.make_directories(item.path);
    return status;
  }

  base::Status make_file(const Item& item, Cursor& cursor) {
    return in_parent(item, cursor, [&](int parent, const char* name) { return write_file(item, parent, name); });
  }

  base::Status make_link(const Item& item, Cursor& cursor) {
    std::string target = FR_TRY(reader_.read_all(*item.entry, 4095));
    if (target.empty() || target.find('\0') != std::string::npos)
      return base::fail(base::ErrorKind::kInvalidInput, "bad link target");
    return in_parent(item, cursor, [&](int parent, const char* name) -> base::Status {
      if (::unlinkat(parent, name, 0) != 0 && errno == EISDIR) ::unlinkat(parent, name, AT_REMOVEDIR);
      if (::symlinkat(target.c_str(), parent, name) != 0) return base::fail_errno("symlink", errno);
      if (own_ && item.entry->owner)
        (void)!::fchownat(parent, name, item.entry->owner->first, item.entry->owner->second, AT_SYMLINK_NOFOLLOW);
      return {};
    });
  }

  base::Status finish_directory(const Item& item) {
    if (own_ && item.entry->owner)
      (void)root_.set_owner(item.path, item.entry->owner->first, item.entry->owner->second);
    FR_CHECK(root_.set_mode(item.path, item.entry->mode & kPermissions));
    return root_.set_modified(item.path, item.entry->mtime);
  }

  void restore() { unlocked_.restore(root_); }

 private:
  // Runs `action` with the open parent directory, which stays open in the cursor for the next entry.
  template <class Action>
  base::Status in_parent(const Item& item, Cursor& cursor, Action action) {
    std::size_t slash = item.path.rfind('/');
    std::string parent = slash == std::string::npos ? "." : item.path.substr(0, slash);
    std::string name = slash == std::string::npos ? item.path : item.path.substr(slash + 1);
    if (!cursor.directory || cursor.path != parent) {
      cursor.directory.reset();
      if (parent != ".") FR_CHECK(make_directory({item.entry, parent, item.index}));
      cursor.directory = FR_TRY(root_.open_root(parent));
      cursor.path = parent;
    }
    int fd = cursor.directory->fd();
    base::Status status = action(fd, name.c_str());
    if (!status && status.error().sys_errno() == EACCES && unlock(parent)) status = action(fd, name.c_str());
    return status;
  }

  base::Status write_file(const Item& item, int parent, const char* name) {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = ::openat(parent, name, kFlags, 0600);
    if (fd < 0 && errno == EEXIST) {
      if (::unlinkat(parent, name, 0) != 0 && (errno == EISDIR || errno == EPERM))
        ::unlinkat(parent, name, AT_REMOVEDIR);
      fd = ::openat(parent, name, kFlags, 0600);
    }
    if (fd < 0) return base::fail_errno("create", errno);
    sys::Fd file(fd);
    auto status = reader_.read(*item.entry, [&](std::string_view piece) { return sys::write_all(fd, piece); });
    if (!status) {
      ::unlinkat(parent, name, 0);
      return status;
    }
    if (own_ && item.entry->owner) (void)!::fchown(fd, item.entry->owner->first, item.entry->owner->second);
    if (::fchmod(fd, item.entry->mode & kPermissions) != 0) return base::fail_errno("chmod", errno);
    timespec times[2] = {{0, UTIME_NOW}, {item.entry->mtime, 0}};
    if (::futimens(fd, times) != 0) return base::fail_errno("set time", errno);
    return {};
  }

  // A tree with read-only directories (Go's module cache) is unpacked over an older copy of itself.
  bool unlock(const std::string& path) {
    auto info = root_.metadata(path);
    if (!info || !info->is_directory() || (info->mode & 0700) == 0700) return false;
    if (!root_.set_mode(path, (info->mode & 07777) | 0700)) return false;
    unlocked_.add(path, info->mode & 07777);
    return true;
  }
  bool unlock_above(const std::string& path) {
    for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1))
      if (unlock(path.substr(0, slash))) return true;
    return unlock(".");
  }

  const ZipReader& reader_;
  const sys::Root& root_;
  bool own_;
  Unlocked unlocked_;
};

bool is_fatal(const base::Error& error) {
  return error.sys_errno() == ENOSPC || error.sys_errno() == EDQUOT || error.sys_errno() == EROFS;
}

// Collects from several threads; the first error that ends everything is kept apart.
class Problems {
 public:
  void add(const Item& item, base::Error error) {
    std::lock_guard lock(mutex_);
    if (is_fatal(error)) {
      stop_ = true;
      if (!fatal_) fatal_ = std::move(error).context(item.entry->name);
    } else {
      list_.emplace_back(item.index, ExtractProblem{item.entry->name, std::move(error)});
    }
  }
  bool stopped() const { return stop_; }
  std::optional<base::Error>& fatal() { return fatal_; }
  auto& list() { return list_; }

 private:
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
  std::optional<base::Error> fatal_;
  std::vector<std::pair<std::size_t, ExtractProblem>> list_;
};

void make_files(Extractor& extractor, const Plan& plan, unsigned threads, Problems& problems) {
  constexpr std::size_t kRun = 64; // neighbours share their parent directory
  std::atomic<std::size_t> next{0};
  auto work = [&] {
    Cursor cursor;
    while (true) {
      std::size_t begin = next.fetch_add(kRun), end = std::min(begin + kRun, plan.files.size());
      if (begin >= plan.files.size()) return;
      for (std::size_t i = begin; i < end && !problems.stopped(); ++i)
        if (auto status = extractor.make_file(plan.files[i], cursor); !status)
          problems.add(plan.files[i], status.error());
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
}

} // namespace

base::Result<std::string> clean_entry_name(std::string_view name) {
  auto refuse = [&] {
    return base::fail(base::ErrorKind::kForbidden,
                      fmt::format("{} cannot be extracted outside of the directory", name));
  };
  if (name.starts_with('/') || name.find('\0') != std::string_view::npos) return refuse();
  std::string out;
  while (!name.empty()) {
    std::size_t slash = name.find('/');
    std::string_view part = name.substr(0, slash);
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    if (part == "..") return refuse();
    if (part.empty() || part == ".") continue;
    if (!out.empty()) out += '/';
    out += part;
  }
  if (out.empty()) return base::fail(base::ErrorKind::kInvalidInput, "empty name");
  return out;
}

base::Result<ExtractReport> extract_zip(int fd, const sys::Root& root, const ExtractOptions& options) {
  ZipReader reader = FR_TRY(ZipReader::open(fd, options.limits));
  Plan plan = make_plan(reader.entries());
  unsigned threads = options.threads != 0 ? options.threads : available_processors();
  if (plan.bytes < kParallelFrom && plan.files.size() < 256) threads = 1;

  Extractor extractor(reader, root);
  Problems problems;
  auto each = [&](const std::vector<Item>& items, auto action) {
    for (const Item& item : items) {
      if (problems.stopped()) return;
      if (auto status = action(item); !status) problems.add(item, std::move(status.error()));
    }
  };
  each(plan.directories, [&](const Item& item) { return extractor.make_directory(item); });
  make_files(extractor, plan, threads, problems);
  Cursor cursor;
  each(plan.links, [&](const Item& item) { return extractor.make_link(item, cursor); });
  extractor.restore();
  // Children before parents: a parent may become unreadable.
  std::sort(plan.directories.begin(), plan.directories.end(),
            [](const Item& a, const Item& b) { return a.path > b.path; });
  std::set<std::size_t> failed;
  for (const auto& problem : problems.list()) failed.insert(problem.first);
  std::erase_if(plan.directories, [&](const Item& item) { return failed.contains(item.index); });
  each(plan.directories, [&](const Item& item) { return extractor.finish_directory(item); });
  if (problems.fatal()) return base::fail(std::move(*problems.fatal()));

  ExtractReport report;
  report.entries = reader.entries().size();
  report.git_directory = plan.git_directory;
  auto& all = plan.problems;
  std::move(problems.list().begin(), problems.list().end(), std::back_inserter(all));
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [index, problem] : all) report.problems.push_back(std::move(problem));
  return report;
}

} // namespace archive
