#include <algorithm>
#include <array>
#include <cmath>

#include "base/strings.hpp"
#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{100};
constexpr milliseconds kMaxBackoff{60'000};
constexpr milliseconds kMaxServerWait{300'000}; // a server must not be able to park us for a day

// "Mon, 02 Jan 2006 15:04:05 GMT" as Unix seconds.
std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::vector<std::string> fields = base::split_fields(text);
  if (fields.size() != 6 || (fields[5] != "GMT" && fields[5] != "UTC")) return std::nullopt;
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto month = std::find(kMonths.begin(), kMonths.end(), fields[2]);
  const auto day = base::parse_int(fields[1]);
  const auto year = base::parse_int(fields[3]);
  const std::vector<std::string> clock = base::split(fields[4], ':');
  if (month == kMonths.end() || !day || !year || *year < 1970 || *year > 9999 || clock.size() != 3) return std::nullopt;
  const auto hours = base::parse_int(clock[0]);
  const auto minutes = base::parse_int(clock[1]);
  const auto seconds = base::parse_int(clock[2]);
  if (!hours || !minutes || !seconds || *hours < 0 || *hours > 23 || *minutes < 0 || *minutes > 59 || *seconds < 0 ||
      *seconds > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (*day < 1 || *day > 31 || !date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * std::int64_t{86400} + *hours * 3600 + *minutes * 60 + *seconds;
}

std::optional<milliseconds> positive_seconds(std::int64_t seconds) {
  if (seconds <= 0) return std::nullopt;
  return std::min(milliseconds(std::min<std::int64_t>(seconds, 86'400) * 1000), kMaxServerWait);
}

std::optional<milliseconds> server_wait(const Answer& answer, std::int64_t now_unix) {
  if (const auto at = parse_http_date(answer.rate_limit_reset_time)) {
    if (const auto wait = positive_seconds(*at - now_unix)) return wait;
  }
  if (const auto at = base::parse_int(answer.rate_limit_reset); at && *at > now_unix) {
    return positive_seconds(*at - now_unix);
  }
  if (const auto seconds = base::parse_int(answer.retry_after)) return positive_seconds(*seconds);
  if (const auto at = parse_http_date(answer.retry_after)) return positive_seconds(*at - now_unix);
  return std::nullopt;
}

} // namespace

bool is_retried_status(int status) {
  switch (status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return status >= 512;
  }
}

std::optional<milliseconds> retry_wait(const Answer& answer, int attempt, std::int64_t now_unix, double random) {
  if (attempt >= kMaxAttempts || !is_retried_status(answer.status)) return std::nullopt;
  if (const auto wait = server_wait(answer, now_unix)) return wait;
  const milliseconds longest = std::min(kFirstWait * (1 << std::clamp(attempt - 1, 0, 20)), kMaxBackoff);
  const double spread = static_cast<double>((longest - kFirstWait).count()) * std::clamp(random, 0.0, 1.0);
  return kFirstWait + milliseconds(std::llround(spread));
}

} // namespace gitlab
