// The program's own log (not a job's log): levels, messages and fields, in upstream's three formats.
//
// Thread-safe; one write(2) per line. Formats as `--log-format`: runner (default), text, json.
// Never pass a secret as message or field value.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base::log {

enum class Level { kPanic, kFatal, kError, kWarning, kInfo, kDebug, kTrace };
enum class Format { kRunner, kText, kJson };

using Field = std::pair<std::string_view, std::string>;
using Fields = std::vector<Field>;

void set_level(Level level);
void set_format(Format format);
void set_output_fd(int fd); // default 2
// Colours without a terminal: for the helper commands, whose output is part of a job's log.
void set_colour_always(bool always);
bool enabled(Level level);
std::optional<Level> parse_level(std::string_view text);   // panic fatal error warn warning info debug trace
std::optional<Format> parse_format(std::string_view text); // runner text json

void write(Level level, std::string_view message, const Fields& fields = {});
inline void debug(std::string_view message, const Fields& fields = {}) { write(Level::kDebug, message, fields); }
inline void info(std::string_view message, const Fields& fields = {}) { write(Level::kInfo, message, fields); }
inline void warning(std::string_view message, const Fields& fields = {}) { write(Level::kWarning, message, fields); }
inline void error(std::string_view message, const Fields& fields = {}) { write(Level::kError, message, fields); }
// Logs at FATAL (the caller exits with status 1, as upstream does).
inline void fatal(std::string_view message, const Fields& fields = {}) { write(Level::kFatal, message, fields); }

// The line as it would be written, for tests.
std::string format_line(Format format, Level level, std::string_view message, const Fields& fields, bool colour,
                        std::string_view time);

} // namespace base::log
