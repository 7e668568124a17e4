#include "base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/duration.hpp"
#include "base/escape.hpp"
#include "base/strings.hpp"

namespace base::log {
namespace {
std::atomic<Level> g_level{Level::kInfo};
std::atomic<Format> g_format{Format::kRunner};
std::atomic<int> g_fd{2};
std::atomic<bool> g_colour_always{false};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kPanic:
      return "panic";
    case Level::kFatal:
      return "fatal";
    case Level::kError:
      return "error";
    case Level::kWarning:
      return "warning";
    case Level::kInfo:
      return "info";
    case Level::kDebug:
      return "debug";
    case Level::kTrace:
      return "trace";
  }
  return "info";
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool needs_quotes(std::string_view text) {
  return text.empty() || !std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_' || c == '/' || c == '@' || c == '^' || c == '+';
         });
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
  out += key;
  out += '=';
  if (needs_quotes(value)) {
    append_json_string(out, value);
  } else {
    out += value;
  }
}
} // namespace

void set_level(Level level) { g_level = level; }
void set_format(Format format) { g_format = format; }
void set_output_fd(int fd) { g_fd = fd; }
void set_colour_always(bool always) { g_colour_always = always; }
bool enabled(Level level) { return level <= g_level.load(); }

std::optional<Level> parse_level(std::string_view text) {
  std::string lower = to_lower(text);
  for (Level level :
       {Level::kPanic, Level::kFatal, Level::kError, Level::kWarning, Level::kInfo, Level::kDebug, Level::kTrace})
    if (lower == name_of(level)) return level;
  if (lower == "warn") return Level::kWarning;
  return std::nullopt;
}

std::optional<Format> parse_format(std::string_view text) {
  if (text == "runner") return Format::kRunner;
  if (text == "text") return Format::kText;
  if (text == "json") return Format::kJson;
  return std::nullopt;
}

std::string format_line(Format format, Level level, std::string_view message, const Fields& unsorted, bool colour,
                        std::string_view time) {
  Fields fields = unsorted;
  std::stable_sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.first < b.first; });
  std::string out;
  switch (format) {
    case Format::kRunner: {
      std::string_view on;
      if (level <= Level::kError) on = "\x1b[31;1m";
      if (level == Level::kWarning) on = "\x1b[0;33m";
      if (level >= Level::kDebug) on = "\x1b[0;37m";
      if (!colour) on = "";
      // Upstream resets after every message and key, coloured or not.
      std::string_view off = colour ? "\x1b[0;m" : "";
      std::string prefix;
      if (level <= Level::kWarning) prefix = to_upper(name_of(level)) + ": ";
      out += on;
      out += fmt::format("{:<50}", fmt::format("{}{}", prefix, message));
      out += off;
      // As upstream: values bare, here only unless they would break the line.
      for (const auto& [key, value] : fields) {
        out += &key == &fields.front().first ? "  " : " ";
        if (has_control_character(value)) {
          append_field(out, key, value);
        } else {
          out += fmt::format("{}{}{}={}", on, key, off, value);
        }
      }
      while (!out.empty() && out.back() == ' ') out.pop_back();
      break;
    }
    case Format::kText:
      out += "time=";
      append_json_string(out, time);
      out += " level=";
      out += name_of(level);
      out += " msg=";
      if (needs_quotes(message)) {
        append_json_string(out, message);
      } else {
        out += message;
      }
      for (const auto& [key, value] : fields) {
        out += ' ';
        append_field(out, key, value);
      }
      break;
    case Format::kJson: {
      out += '{';
      for (const auto& [key, value] : fields) {
        append_json_string(out, key);
        out += ':';
        append_json_string(out, value);
        out += ',';
      }
      out += "\"level\":\"";
      out += name_of(level);
      out += "\",\"msg\":";
      append_json_string(out, message);
      out += ",\"time\":";
      append_json_string(out, time);
      out += '}';
      break;
    }
  }
  out += '\n';
  return out;
}

void write(Level level, std::string_view message, const Fields& fields) {
  if (!enabled(level)) return;
  int fd = g_fd.load();
  auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  std::string line = format_line(g_format.load(), level, message, fields, g_colour_always.load() || isatty(fd) == 1,
                                 format_utc_seconds(now.count()));
  std::string_view rest = line;
  while (!rest.empty()) {
    ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

} // namespace base::log
