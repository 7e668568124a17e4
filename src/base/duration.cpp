#include "base/duration.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace base {
namespace {
std::optional<double> unit_nanoseconds(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us" || unit == "\xc2\xb5s" || unit == "\xce\xbcs") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  if (unit == "m") return 60e9;
  if (unit == "h") return 3600e9;
  return std::nullopt;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string fraction(std::int64_t value, int digits) { // ".5" for 500 of 3 digits, "" for 0
  if (value == 0) return "";
  std::string text = fmt::format("{:0{}}", value, digits);
  while (text.back() == '0') text.pop_back();
  return "." + text;
}
} // namespace

std::optional<Nanoseconds> parse_go_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return Nanoseconds(0);
  if (text.empty()) return std::nullopt;
  long double total = 0;
  while (!text.empty()) {
    long double value = 0;
    long double scale = 1;
    bool any = false;
    std::size_t i = 0;
    for (; i < text.size() && is_digit(text[i]); ++i, any = true) value = value * 10 + (text[i] - '0');
    if (i < text.size() && text[i] == '.') {
      for (++i; i < text.size() && is_digit(text[i]); ++i, any = true) {
        scale /= 10;
        value += scale * (text[i] - '0');
      }
    }
    if (!any) return std::nullopt;
    std::size_t start = i;
    while (i < text.size() && text[i] != '.' && !is_digit(text[i])) ++i;
    auto unit = unit_nanoseconds(text.substr(start, i - start));
    if (!unit) return std::nullopt;
    total += value * *unit;
    text.remove_prefix(i);
  }
  if (total > 9.2e18L) return std::nullopt;
  auto count = static_cast<std::int64_t>(std::llroundl(total));
  return Nanoseconds(negative ? -count : count);
}

std::string format_go_duration(Nanoseconds duration) {
  std::int64_t ns = duration.count();
  if (ns == 0) return "0s";
  std::string sign = ns < 0 ? "-" : "";
  std::uint64_t n = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  if (n < 1'000) return fmt::format("{}{}ns", sign, n);
  if (n < 1'000'000) return fmt::format("{}{}{}\xc2\xb5s", sign, n / 1000, fraction(static_cast<int64_t>(n % 1000), 3));
  if (n < 1'000'000'000)
    return fmt::format("{}{}{}ms", sign, n / 1'000'000, fraction(static_cast<int64_t>(n % 1'000'000), 6));
  std::uint64_t seconds = n / 1'000'000'000;
  std::string tail = fmt::format("{}{}s", seconds % 60, fraction(static_cast<int64_t>(n % 1'000'000'000), 9));
  if (seconds < 60) return sign + tail;
  if (seconds < 3600) return fmt::format("{}{}m{}", sign, seconds / 60, tail);
  return fmt::format("{}{}h{}m{}", sign, seconds / 3600, seconds / 60 % 60, tail);
}

std::string format_utc_seconds(std::int64_t unix_seconds) {
  std::time_t time = unix_seconds;
  std::tm tm{};
  gmtime_r(&time, &tm);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                     tm.tm_min, tm.tm_sec);
}

std::string format_utc_millis(std::int64_t unix_millis) {
  std::int64_t seconds = unix_millis / 1000;
  std::int64_t millis = unix_millis % 1000;
  if (millis < 0) {
    millis += 1000;
    --seconds;
  }
  std::string text = format_utc_seconds(seconds);
  text.pop_back();
  return fmt::format("{}.{:03}Z", text, millis);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  auto number = [&](std::size_t at, std::size_t length) -> int {
    int value = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      if (i >= text.size() || !is_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  std::tm tm{};
  tm.tm_year = number(0, 4) - 1900;
  tm.tm_mon = number(5, 2) - 1;
  tm.tm_mday = number(8, 2);
  tm.tm_hour = number(11, 2);
  tm.tm_min = number(14, 2);
  tm.tm_sec = number(17, 2);
  if (tm.tm_year < -1900 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
      tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
    return std::nullopt;
  std::size_t i = 19;
  if (text[i] == '.')
    for (++i; i < text.size() && is_digit(text[i]); ++i) {
    }
  std::int64_t offset = 0;
  if (i < text.size() && (text[i] == 'Z' || text[i] == 'z')) {
    ++i;
  } else if (i + 5 < text.size() && (text[i] == '+' || text[i] == '-')) {
    int hours = number(i + 1, 2);
    int minutes = number(i + 4, 2);
    if (hours < 0 || minutes < 0) return std::nullopt;
    offset = (text[i] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    i += 6;
  } else {
    return std::nullopt;
  }
  if (i != text.size()) return std::nullopt;
  return static_cast<std::int64_t>(timegm(&tm)) - offset;
}

} // namespace base
