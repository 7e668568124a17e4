#include "ci/duration.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/strings.hpp"

namespace ci {
namespace {
struct Unit {
  std::string_view name;
  double seconds;
};
constexpr double kYear = 31557600; // 365.25 days
constexpr Unit kUnits[] = {{"second", 1},       {"seconds", 1},  {"sec", 1},       {"secs", 1},     {"s", 1},
                           {"minute", 60},      {"minutes", 60}, {"min", 60},      {"mins", 60},    {"m", 60},
                           {"hour", 3600},      {"hours", 3600}, {"hr", 3600},     {"hrs", 3600},   {"h", 3600},
                           {"day", 86400},      {"days", 86400}, {"dy", 86400},    {"d", 86400},    {"week", 604800},
                           {"weeks", 604800},   {"wk", 604800},  {"wks", 604800},  {"w", 604800},   {"month", 2592000},
                           {"months", 2592000}, {"mo", 2592000}, {"mos", 2592000}, {"year", kYear}, {"years", kYear},
                           {"yr", kYear},       {"yrs", kYear},  {"y", kYear}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> unit_seconds(std::string_view word) {
  for (const Unit& unit : kUnits)
    if (unit.name == word) return unit.seconds;
  return std::nullopt;
}

bool is_number(std::string_view word) {
  bool digit = false;
  bool dot = false;
  for (char c : word) {
    if (is_digit(c)) {
      digit = true;
    } else if (c == '.' && !dot) {
      dot = true;
    } else {
      return false;
    }
  }
  return digit;
}

// 3:41:59, right to left: seconds, minutes, hours, days, months, years.
std::optional<double> chrono_form(std::string_view text) {
  static constexpr std::array<double, 6> kWeights{1, 60, 3600, 86400, 2592000, kYear};
  auto parts = base::split(text, ':');
  if (parts.size() < 2 || parts.size() > kWeights.size()) return std::nullopt;
  double total = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!is_number(parts[i])) return std::nullopt;
    total += std::strtod(parts[i].c_str(), nullptr) * kWeights[parts.size() - 1 - i];
  }
  return total;
}

// Numbers and words apart: "2h20min" → 2 h 20 min.
std::vector<std::string> words_of(std::string_view text) {
  std::string spaced;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto kind = [](char c) { return is_digit(c) || c == '.' ? 1 : c == ' ' || (c >= '\t' && c <= '\r') ? 0 : 2; };
    if (i > 0 && kind(text[i]) != kind(text[i - 1])) spaced += ' ';
    spaced += text[i];
  }
  return base::split_fields(spaced);
}

std::optional<double> total_of(const std::vector<std::string>& words) {
  double total = 0;
  std::optional<double> pending;
  bool first = true;
  for (const std::string& word : words) {
    if (word == "and" || word == "with" || word == "plus") continue;
    if (is_number(word)) {
      if (pending) total += *pending;
      pending = std::strtod(word.c_str(), nullptr);
    } else {
      auto unit = unit_seconds(word);
      if (!unit || (!pending && !first)) return std::nullopt;
      total += pending.value_or(1) * *unit;
      pending.reset();
    }
    first = false;
  }
  return total + pending.value_or(0);
}
} // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::string lower = base::to_lower(base::trim(text));
  std::string plain = base::replace_all(lower, ",", "");
  if (plain.empty() || plain.size() > 255) return std::nullopt;
  auto total = plain.find(':') != std::string::npos ? chrono_form(plain) : total_of(words_of(plain));
  if (!total || *total <= 0 || *total > 1e12) return std::nullopt;
  auto seconds = static_cast<std::int64_t>(std::llround(*total));
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

} // namespace ci
