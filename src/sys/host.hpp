// Facts about the machine and the user we run as.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace sys {

std::string hostname();
// /etc/machine-id (or the one of D-Bus), trimmed; nullopt when there is none.
std::optional<std::string> machine_id();
bool is_root();

struct User {
  std::string name;
  std::string home;
  std::string shell;
  uid_t uid = 0;
  gid_t gid = 0;
};
base::Result<User> find_user(const std::string& name); // kNotFound
base::Result<User> current_user();
// $HOME, else the home of the current user.
std::string home_directory();

// The file of the running program.
base::Result<std::string> executable_path();
// Go's GOARCH of the running kernel: "amd64", "arm64", "arm", "386", "riscv64", … or the machine name as it is.
std::string cpu_architecture();
unsigned cpu_count(); // at least 1, as far as we may use them

} // namespace sys
