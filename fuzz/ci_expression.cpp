// links: ci base
// Expressions, globs and durations from any bytes; the first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ci/duration.hpp"
#include "ci/expression.hpp"
#include "ci/glob.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      if (auto expression = ci::Expression::parse(text)) {
        expression->evaluate([](std::string_view name) -> std::optional<std::string> {
          if (name.empty() || name.front() == 'U') return std::nullopt;
          return std::string(name.front() == 'P' ? "/^a.b/i" : "a b");
        });
      }
      break;
    case 1: {
      std::size_t half = text.size() / 2;
      (void)ci::fnmatch(text.substr(0, half), text.substr(half));
      (void)ci::include_wildcard_match(text.substr(0, half), text.substr(half));
      break;
    }
    default:
      (void)ci::parse_duration(text);
  }
  return 0;
}
