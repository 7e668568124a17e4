// links: net
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/multipart.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  (void)net::parse_multipart(body, "multipart/form-data; boundary=XX");
  return 0;
}
