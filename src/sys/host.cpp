#include "sys/host.hpp"

#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace sys {

namespace {

// getpwnam_r and getpwuid_r with a buffer that grows.
template <class Lookup>
base::Result<User> lookup_user(const std::string& what, Lookup lookup) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  int error;
  while ((error = lookup(&entry, buffer.data(), buffer.size(), &found)) == ERANGE) buffer.resize(buffer.size() * 2);
  if (error != 0 && error != ENOENT) return base::fail_errno("looking up user " + what, error);
  if (found == nullptr) return base::fail(base::ErrorKind::kNotFound, "unknown user " + what);
  return User{entry.pw_name, entry.pw_dir, entry.pw_shell, entry.pw_uid, entry.pw_gid};
}

} // namespace

std::string hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

std::optional<std::string> machine_id() {
  for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
    auto content = read_file(path, 4096);
    if (!content) continue;
    std::string id(base::trim(*content));
    if (!id.empty()) return id;
  }
  return std::nullopt;
}

bool is_root() { return ::geteuid() == 0; }

base::Result<User> find_user(const std::string& name) {
  return lookup_user(name, [&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

base::Result<User> current_user() {
  uid_t uid = ::geteuid();
  return lookup_user(std::to_string(uid), [&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwuid_r(uid, entry, buffer, size, found);
  });
}

std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  auto user = current_user();
  return user ? user->home : "/";
}

base::Result<std::string> executable_path() {
  char path[PATH_MAX];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) return base::fail_errno("finding the running program", errno);
  std::string found(path, static_cast<std::size_t>(length));
  // After an upgrade in place the link says so; the new program has the old name.
  constexpr std::string_view kDeleted = " (deleted)";
  if (found.ends_with(kDeleted)) found.resize(found.size() - kDeleted.size());
  return found;
}

std::string cpu_architecture() {
  utsname names{};
  if (::uname(&names) != 0) return "unknown";
  std::string machine = names.machine;
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"x86_64", "amd64"},
      {"aarch64", "arm64"},
      {"i386", "386"},
      {"i486", "386"},
      {"i586", "386"},
      {"i686", "386"},
      {"armv6l", "arm"},
      {"armv7l", "arm"},
      {"armv8l", "arm"},
      {"riscv64", "riscv64"},
      {"s390x", "s390x"},
      {"ppc64le", "ppc64le"},
      {"loongarch64", "loong64"},
  };
  for (const auto& [kernel, go] : kNames) {
    if (machine == kernel) return std::string(go);
  }
  return machine;
}

unsigned cpu_count() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

} // namespace sys
