// The keys outside [[runners]].
#include "config/schema.hpp"

namespace config {

namespace {

// clang-format off
constexpr Key kKeys[] = {
    {"concurrent", Kind::kInteger, Write::kAlways},
    {"check_interval", Kind::kInteger, Write::kAlways},
    {"log_level", Kind::kOptionalString, Write::kAlways},
    {"log_format", Kind::kOptionalString, Write::kAlways},
    {"user", Kind::kString, Write::kOmitEmpty},
    {"sentry_dsn", Kind::kOptionalString, Write::kAlways},
    {"connection_max_age", Kind::kOptionalDuration, Write::kOmitEmpty},
    {"listen_address", Kind::kString, Write::kOmitEmpty},
    {"shutdown_timeout", Kind::kInteger, Write::kOmitEmpty},
    {"labels", Kind::kStringMap, Write::kOmitEmpty},
    {"session_server", Kind::kTable, Write::kOmitEmpty},
    {"session_server.listen_address", Kind::kString, Write::kOmitEmpty},
    {"session_server.advertise_address", Kind::kString, Write::kOmitEmpty},
    {"session_server.session_timeout", Kind::kInteger, Write::kOmitEmpty},
    {"machine", Kind::kTable, Write::kOmitEmpty},
    {"machine.shutdown_drain", Kind::kTable, Write::kOmitEmpty},
    {"machine.shutdown_drain.enabled", Kind::kBool, Write::kOmitEmpty},
    {"machine.shutdown_drain.concurrency", Kind::kInteger, Write::kOmitEmpty},
    {"machine.shutdown_drain.max_retries", Kind::kInteger, Write::kOmitEmpty},
    {"machine.shutdown_drain.retry_backoff", Kind::kDuration, Write::kOmitEmpty},
    {"experimental", Kind::kTable, Write::kOmitEmpty},
    {"experimental.usage_logger", Kind::kAnyTable, Write::kOmitEmpty},
};
// clang-format on

} // namespace

std::span<const Key> global_keys() { return kKeys; }

} // namespace config
