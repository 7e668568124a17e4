// links: gitlab json base
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gitlab/payload.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto payload = gitlab::parse_payload(text)) {
    (void)gitlab::check_executor_options(*payload);
    (void)gitlab::check_run(*payload);
  }
  (void)gitlab::salvage(text);
  return 0;
}
