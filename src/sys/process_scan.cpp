#include "sys/process_scan.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/strings.hpp"
#include "sys/process_internal.hpp"

namespace sys {

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  std::size_t open = text.find('(');
  std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcessStat stat;
  auto pid = base::parse_int(base::trim(text.substr(0, open)));
  // After the name: state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
  // priority nice num_threads (proc(5)).
  auto fields = base::split_fields(text.substr(close + 1));
  if (!pid || fields.size() < 18) return std::nullopt;
  auto parent = base::parse_int(fields[1]);
  auto group = base::parse_int(fields[2]);
  auto threads = base::parse_int(fields[17]);
  if (!parent || !group || !threads || fields[0].empty()) return std::nullopt;
  stat.pid = static_cast<pid_t>(*pid);
  stat.parent = static_cast<pid_t>(*parent);
  stat.group = static_cast<pid_t>(*group);
  stat.threads = static_cast<int>(*threads);
  stat.state = fields[0][0];
  stat.name = text.substr(open + 1, close - open - 1);
  return stat;
}

base::Result<ProcessScan> ProcessScan::open() { return ProcessScan(FR_TRY(open_fd("/proc", O_RDONLY | O_DIRECTORY))); }

std::optional<ProcessStat> ProcessScan::stat(pid_t pid) const {
  std::string path = std::to_string(pid) + "/stat";
  Fd fd(::openat(proc_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  char buffer[1024];
  ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
  if (count <= 0) return std::nullopt;
  return parse_process_stat({buffer, static_cast<std::size_t>(count)});
}

pid_t ProcessScan::last_pid() const {
  Fd fd(::openat(proc_.get(), "loadavg", O_RDONLY | O_CLOEXEC));
  char buffer[128];
  ssize_t count = fd ? ::read(fd.get(), buffer, sizeof buffer) : -1;
  if (count <= 0) return 0;
  auto fields = base::split_fields({buffer, static_cast<std::size_t>(count)});
  return fields.empty() ? 0 : static_cast<pid_t>(base::parse_int(fields.back()).value_or(0));
}

void ProcessScan::descendants(pid_t ancestor, const std::unordered_set<pid_t>& skip,
                              const std::function<void(const ProcessStat&)>& visit) {
  Fd copy(::openat(proc_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(copy ? ::fdopendir(copy.get()) : nullptr, &::closedir);
  if (!stream) return;
  (void)copy.release();
  std::unordered_set<pid_t> members{ancestor};
  while (const dirent* entry = ::readdir(stream.get())) {
    auto pid = base::parse_int(entry->d_name);
    if (!pid || *pid == ancestor || skip.contains(static_cast<pid_t>(*pid))) continue;
    auto process = stat(static_cast<pid_t>(*pid));
    if (!process || !members.contains(process->parent)) continue;
    members.insert(process->pid);
    visit(*process);
  }
}

Fd ProcessScan::pin(const ProcessStat& process) const {
  Fd fd(internal::pidfd_open(process.pid));
  if (!fd) return {};
  auto again = stat(process.pid);
  // The parent may have died in between, which makes it our child: the same process still, by its name and group.
  bool same = again && (again->parent == process.parent || again->parent == ::getpid());
  return same ? std::move(fd) : Fd();
}

} // namespace sys
