// Durations as people write them in pipelines: "3 mins 4 sec", "2h20min", "1:30" (chronic_duration's grammar).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ci {

// Whole seconds (rounded); nullopt for what is no duration, and for zero.
std::optional<std::int64_t> parse_duration(std::string_view text);

} // namespace ci
