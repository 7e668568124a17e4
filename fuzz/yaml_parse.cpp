// links: yaml
// Any bytes: parse, or an error with a place; what parses is written and read back as the same tree.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "yaml/yaml.hpp"

namespace {
// The writer never makes these: keys that merge, and numbers Ruby cannot tell apart once printed.
bool writable(const yaml::Node& node) {
  if (node.is_float() && node.text() == "NaN") return false;
  for (const yaml::Node& item : node.items())
    if (!writable(item)) return false;
  for (const yaml::Entry& entry : node.entries())
    if (!entry.key.is_scalar() || entry.key.text() == "<<" || !writable(entry.key) || !writable(entry.value))
      return false;
  return true;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto stream = yaml::parse({reinterpret_cast<const char*>(data), size});
  if (!stream) {
    if (stream.error().message.empty() || stream.error().mark.line < 1) std::abort();
    return 0;
  }
  for (const yaml::Node& document : stream->documents) {
    if (!writable(document)) continue;
    yaml::ParseOptions roomy;
    roomy.limits.max_bytes *= 4;
    auto again = yaml::parse(yaml::dump(document), roomy);
    if (!again || again->documents.size() != 1 || !(again->documents.front() == document)) std::abort();
  }
  return 0;
}
