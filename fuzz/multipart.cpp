// links: net
// A form in one piece and in pieces: the same parts, each within the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/multipart.hpp"

namespace {

// What the parser calls back, as text; false in front when it refuses.
std::string parsed(std::string_view body, std::size_t step) {
  std::string out;
  bool refused = false;
  net::MultipartParser parser("XX", {.on_part =
                                         [&](const net::PartHeader& header) {
                                           out += "\1" + header.name + "\2" + header.filename;
                                           return base::Status{};
                                         },
                                     .on_data =
                                         [&](std::string_view bytes, std::uint64_t offset) {
                                           if (offset + bytes.size() > body.size()) std::abort();
                                           if (body.substr(offset, bytes.size()) != bytes) std::abort();
                                           out += bytes;
                                           return base::Status{};
                                         },
                                     .on_part_end =
                                         [&] {
                                           out += "\3";
                                           return base::Status{};
                                         }});
  for (std::size_t at = 0; at < body.size() && !refused; at += step) refused = !parser.feed(body.substr(at, step));
  return refused || !parser.finish() ? std::string("refused") : out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto whole = parsed(body, size + 1);
  if (whole != "refused")
    for (std::size_t step : {1, 7})
      if (const auto pieces = parsed(body, step); pieces != whole) std::abort();
  (void)net::parse_multipart(body, "multipart/form-data; boundary=XX");
  return 0;
}
