#include "transfer/messages.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "sys/fd.hpp"

namespace transfer {

using base::log::Level;

std::string format_message(Level level, std::string_view message, const Fields& unsorted) {
  std::string_view colour, prefix;
  switch (level) {
    case Level::kPanic:
      colour = "\x1b[31;1m", prefix = "PANIC: ";
      break;
    case Level::kFatal:
      colour = "\x1b[31;1m", prefix = "FATAL: ";
      break;
    case Level::kError:
      colour = "\x1b[31;1m", prefix = "ERROR: ";
      break;
    case Level::kWarning:
      colour = "\x1b[0;33m", prefix = "WARNING: ";
      break;
    case Level::kInfo:
      break;
    case Level::kDebug:
    case Level::kTrace:
      colour = "\x1b[37;1m";
      break;
  }
  constexpr std::string_view kReset = "\x1b[0;m";
  std::string out = fmt::format("{}{}{}", colour, prefix, message);
  auto columns = static_cast<std::size_t>(
      std::count_if(message.begin(), message.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
  std::size_t width = 50 - prefix.size();
  if (columns < width) out.append(width - columns, ' ');
  out += kReset;
  out += ' ';
  Fields fields = unsorted;
  std::stable_sort(fields.begin(), fields.end());
  for (const auto& [key, value] : fields) out += fmt::format(" {}{}{}={}", colour, key, kReset, value);
  out += '\n';
  return out;
}

void say(Level level, std::string_view message, const Fields& fields) {
  if (base::log::enabled(level)) (void)sys::write_all(STDERR_FILENO, format_message(level, message, fields));
}

int fatal(std::string_view message, const Fields& fields) {
  say(Level::kFatal, message, fields);
  return 1;
}

} // namespace transfer
