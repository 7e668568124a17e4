// The executors that a config.toml may name, whether or not this build has them.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace config {

inline constexpr std::array<std::string_view, 11> kExecutorNames = {
    "custom", "docker", "docker+machine", "docker-autoscaler", "docker-windows", "instance", "kubernetes", "parallels",
    "shell",  "ssh",    "virtualbox"};

constexpr bool is_known_executor(std::string_view name) {
  return std::find(kExecutorNames.begin(), kExecutorNames.end(), name) != kExecutorNames.end();
}

} // namespace config
