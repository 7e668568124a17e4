#include "transfer/meter.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "sys/fd.hpp"

namespace transfer {
namespace {

std::string with_unit(std::uint64_t bytes, int digits, std::string_view suffix) {
  if (bytes < 1000) return fmt::format("{} B{}", bytes, suffix);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  constexpr std::string_view kUnits = "KMGTPE";
  for (std::uint64_t n = bytes / 1000; n >= 1000 && unit + 1 < kUnits.size(); n /= 1000, ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}B{}", value, digits, kUnits[unit], suffix);
}

} // namespace

std::string format_bytes(std::uint64_t bytes) { return with_unit(bytes, 2, ""); }

std::string format_rate(std::uint64_t bytes, std::chrono::nanoseconds elapsed) {
  double seconds = std::max(1e-9, std::chrono::duration<double>(elapsed).count());
  return with_unit(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds), 1, "/s");
}

Meter::Meter(std::string label, std::optional<std::uint64_t> total, std::chrono::nanoseconds interval)
    : label_(std::move(label)),
      total_(total),
      interval_(interval.count() > 0 ? std::max<std::chrono::nanoseconds>(interval, std::chrono::seconds(1))
                                     : std::chrono::nanoseconds(0)),
      start_(std::chrono::steady_clock::now()),
      next_(start_) {
  add(0);
}

Meter::~Meter() {
  if (interval_.count() > 0) print(true);
}

void Meter::add(std::uint64_t bytes) {
  done_ += bytes;
  if (interval_.count() > 0 && std::chrono::steady_clock::now() >= next_) print(false);
}

void Meter::print(bool last) {
  auto now = std::chrono::steady_clock::now();
  next_ = now + interval_;
  std::string total = total_ ? "/" + format_bytes(*total_) : "";
  (void)sys::write_all(STDOUT_FILENO, fmt::format("\r{} {}{} ({})                {}", label_, format_bytes(done_),
                                                  total, format_rate(done_, now - start_), last ? "\n" : ""));
}

} // namespace transfer
