// links: config gitlab net toml sys json base
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = config::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!config) return 0;
  for (const config::Runner& runner : config->runners) {
    const auto back = config::runner_from_json(config::to_json(runner));
    if (!back || back->executor != runner.executor) __builtin_trap();
  }
  return 0;
}
