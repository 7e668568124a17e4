#include "trace/timestamps.hpp"

#include <chrono>
#include <utility>

namespace trace {
namespace {
constexpr std::size_t kFlagAt = Timestamper::kHeaderSize - 1;

void put_digits(char* at, int count, std::int64_t value) {
  for (int i = count - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}
} // namespace

Timestamper::Timestamper(const base::Clock& clock, std::uint8_t stream, char type)
    : clock_(clock), header_("0000-00-00T00:00:00.000000Z 00O ") {
  static constexpr char kHex[] = "0123456789abcdef";
  header_[28] = kHex[stream >> 4];
  header_[29] = kHex[stream & 15];
  header_[30] = type;
}

void Timestamper::append_header(std::string& out) {
  using namespace std::chrono;
  std::int64_t micros = clock_.unix_micros();
  if (std::int64_t second = micros / 1'000'000; second != second_) {
    second_ = second;
    sys_seconds time{seconds(second)};
    sys_days day = floor<days>(time);
    year_month_day date(day);
    std::int64_t of_day = (time - day).count();
    put_digits(&header_[0], 4, static_cast<int>(date.year()));
    put_digits(&header_[5], 2, static_cast<unsigned>(date.month()));
    put_digits(&header_[8], 2, static_cast<unsigned>(date.day()));
    put_digits(&header_[11], 2, of_day / 3600);
    put_digits(&header_[14], 2, of_day / 60 % 60);
    put_digits(&header_[17], 2, of_day % 60);
  }
  put_digits(&header_[20], 6, micros % 1'000'000);
  out += header_;
  header_[kFlagAt] = ' ';
}

std::string Timestamper::header() {
  std::string text;
  char flag = std::exchange(header_[kFlagAt], ' ');
  append_header(text);
  header_[kFlagAt] = flag;
  return text;
}

void Timestamper::write(std::string_view in, std::string& out) {
  for (std::size_t end; (end = in.find('\n')) != std::string_view::npos; in.remove_prefix(end + 1)) {
    if (line_.empty()) {
      append_header(out);
    } else {
      out += line_;
      line_.clear();
    }
    out += in.substr(0, end + 1);
  }
  if (in.empty()) return;
  // A carriage return asks to be seen now (progress bars, section markers); so does what no buffer is meant to hold.
  if (in.find('\r') != std::string_view::npos || in.size() + line_.size() > kBufferSize) {
    if (line_.empty()) append_header(out);
    out += line_;
    line_.clear();
    out += in;
    out += '\n';
    header_[kFlagAt] = '+';
    return;
  }
  if (line_.empty()) append_header(line_);
  line_ += in;
}

void Timestamper::finish(std::string& out) {
  if (!line_.empty()) {
    out += line_;
    out += '\n';
    line_.clear();
  }
  header_[kFlagAt] = ' ';
}

} // namespace trace
