// links: transfer base
// Patterns and names with variables, as projects write them.

#include <string_view>

#include "transfer/cache_key.hpp"
#include "transfer/glob.hpp"
#include "transfer/shell_expand.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t middle = size / 2;
  if (auto glob = transfer::Glob::parse(text.substr(0, middle))) (void)glob->matches(text.substr(middle));
  (void)transfer::shell_expand(text, [](std::string_view name) { return std::string(name) + "/value"; });
  (void)transfer::make_cache_key(text, false);
  return 0;
}
