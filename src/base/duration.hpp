// Durations and sizes in the notations our users write: Go's ("1h30m", "500ms") and plain seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

using Nanoseconds = std::chrono::nanoseconds;

// Go's time.ParseDuration: sign, decimal numbers with units ns us µs ms s m h; "0" alone is allowed. nullopt else.
std::optional<Nanoseconds> parse_go_duration(std::string_view text);
// Go's Duration.String: "1h0m0s", "5m0s", "3s", "500ms", "0s".
std::string format_go_duration(Nanoseconds duration);

// "2026-01-02T03:04:05Z" (UTC) from seconds since the epoch.
std::string format_utc_seconds(std::int64_t unix_seconds);
// "2026-01-02T03:04:05.678Z", GitLab's REST notation.
std::string format_utc_millis(std::int64_t unix_millis);
// Seconds since the epoch from RFC 3339 (offset and fraction accepted, fraction dropped).
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

} // namespace base
