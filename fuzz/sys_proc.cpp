// links: sys base
// What the kernel shows of processes carries names that jobs choose: nothing in them may confuse the readers of /proc.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sys/cgroup.hpp"
#include "sys/files.hpp"
#include "sys/process_scan.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)sys::parse_process_stat(text);
  std::size_t half = size / 2;
  (void)sys::cgroup_directory(text.substr(0, half), text.substr(half));
  std::string cleaned = sys::clean_path(text);
  if (sys::clean_path(cleaned) != cleaned) __builtin_trap();
  return 0;
}
