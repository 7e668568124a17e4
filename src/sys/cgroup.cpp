#include "sys/cgroup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace sys {

namespace {

// mountinfo writes blank, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto octal = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

base::Result<Fd> own_directory() {
  std::string mountinfo = FR_TRY(read_file("/proc/self/mountinfo"));
  std::string groups = FR_TRY(read_file("/proc/self/cgroup"));
  std::string path = cgroup_directory(mountinfo, groups);
  if (path.empty()) return base::fail(base::ErrorKind::kNotFound, "no cgroup v2 mount");
  return open_fd(path, O_RDONLY | O_DIRECTORY);
}

base::Result<std::string> read_at(int directory, const char* name) {
  Fd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno(name, errno);
  return read_to_end(fd.get(), 64 * 1024);
}

bool write_at(int directory, const char* name, std::string_view text) {
  Fd fd(::openat(directory, name, O_WRONLY | O_CLOEXEC));
  return fd.valid() && write_all(fd.get(), text).has_value();
}

std::vector<std::string> groups_in(int directory) {
  std::vector<std::string> names;
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(copy ? ::fdopendir(copy.get()) : nullptr, &::closedir);
  if (!stream) return names;
  (void)copy.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

// The groups below first; files in a cgroup directory need no removal.
bool remove_group(int parent, const std::string& name, int depth = 0) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno != EBUSY && errno != ENOTEMPTY) return false;
  Fd directory(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || depth > 64) return false;
  for (const std::string& below : groups_in(directory.get())) remove_group(directory.get(), below, depth + 1);
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0;
}

} // namespace

std::string cgroup_directory(std::string_view mountinfo, std::string_view proc_cgroup) {
  std::string own;
  for (const std::string& line : base::split(proc_cgroup, '\n')) {
    if (line.starts_with("0::")) own = line.substr(3);
  }
  if (own.empty()) return {};
  for (const std::string& line : base::split(mountinfo, '\n')) {
    std::size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    auto after = base::split_fields(std::string_view(line).substr(separator + 3));
    auto before = base::split_fields(std::string_view(line).substr(0, separator));
    if (after.empty() || after[0] != "cgroup2" || before.size() < 5) continue;
    std::string root = unescape(before[3]);
    std::string mount = unescape(before[4]);
    if (root == "/") return clean_path(mount + own);
    if (own == root || own.starts_with(root + "/")) return clean_path(mount + own.substr(root.size()));
  }
  return {};
}

base::Result<KillGroup> KillGroup::create(const std::string& name) {
  Fd parent = FR_TRY(own_directory());
  if (::mkdirat(parent.get(), name.c_str(), 0755) != 0) return base::fail_errno("making cgroup " + name, errno);
  Fd directory(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::faccessat(directory.get(), "cgroup.kill", W_OK, 0) != 0) {
    int error = errno;
    ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
    return base::fail_errno("using cgroup " + name, error);
  }
  return KillGroup(std::move(parent), std::move(directory), name);
}

KillGroup::~KillGroup() {
  if (directory_.valid()) (void)remove(TimePoint{});
}

bool KillGroup::kill() { return write_at(directory_.get(), "cgroup.kill", "1"); }

bool KillGroup::populated() const {
  auto events = read_at(directory_.get(), "cgroup.events");
  return events && events->find("populated 1") != std::string::npos;
}

bool KillGroup::remove(TimePoint deadline) {
  Fd events(::openat(directory_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  while (populated()) {
    // A change of cgroup.events shows as POLLPRI once the file has been read, and this descriptor has not.
    char buffer[256];
    if (!events || ::pread(events.get(), buffer, sizeof buffer, 0) < 0 || !populated()) break;
    auto ready = poll_fd(events.get(), POLLPRI, {}, deadline);
    if (!ready || *ready == Ready::kTimeout) return false;
  }
  bool removed = remove_group(parent_.get(), name_);
  if (removed) directory_.reset();
  return removed;
}

void kill_groups(const std::string& prefix) {
  auto parent = own_directory();
  if (!parent) return;
  for (const std::string& name : groups_in(parent->get())) {
    if (!name.starts_with(prefix)) continue;
    Fd directory(::openat(parent->get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto copy = duplicate(parent->get());
    if (!directory || !copy) continue;
    KillGroup group(std::move(*copy), std::move(directory), name);
    group.kill();
    (void)group.remove(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
  }
}

void remove_stale_groups() {
  auto parent = own_directory();
  if (!parent) return;
  for (const std::string& name : groups_in(parent->get())) {
    auto parts = base::split(name, '-');
    if (parts.size() != 3 || parts[0] != "forerunner") continue;
    auto owner = base::parse_int(parts[1]);
    if (!owner || *owner <= 0 || ::kill(static_cast<pid_t>(*owner), 0) == 0 || errno != ESRCH) continue;
    (void)remove_group(parent->get(), name);
  }
}

} // namespace sys
