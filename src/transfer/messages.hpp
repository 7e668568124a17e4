// What the commands say, on stderr, in upstream's "runner" format byte for byte: scripts and users search these lines.
//
// base::log's format is near it but trims and quotes; the job log's lines here must not differ at all.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace transfer {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Colour and level prefix, the message in a field of 50 columns, then " key=value" sorted by key.
std::string format_message(base::log::Level level, std::string_view message, const Fields& fields = {});

void say(base::log::Level level, std::string_view message, const Fields& fields = {});
inline void debug(std::string_view message, const Fields& fields = {}) {
  say(base::log::Level::kDebug, message, fields);
}
inline void info(std::string_view message, const Fields& fields = {}) { say(base::log::Level::kInfo, message, fields); }
inline void warning(std::string_view message, const Fields& fields = {}) {
  say(base::log::Level::kWarning, message, fields);
}
inline void error(std::string_view message, const Fields& fields = {}) {
  say(base::log::Level::kError, message, fields);
}
// Says it at FATAL and returns the exit status 1.
int fatal(std::string_view message, const Fields& fields = {});

} // namespace transfer
