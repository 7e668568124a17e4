// links: trace base
// A whole job log: any interleaving of writes to its streams. It stays within its limit, is valid UTF-8 and never shows
// the secret, and its first stream alone gives the same bytes however it is cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/utf8.hpp"
#include "trace/job_log.hpp"

namespace {
constexpr std::string_view kSecret = "hunter2";

std::string run(std::string_view input, bool cut, bool timestamps, std::uint64_t limit) {
  base::FakeClock clock;
  trace::StringSink sink;
  trace::JobLogOptions options;
  options.masks = {std::string(kSecret), "\xe2\x82"};
  options.timestamps = timestamps;
  options.limit = limit;
  options.clock = &clock;
  trace::JobLog log(sink, options);
  while (!input.empty()) {
    std::size_t size = cut ? static_cast<unsigned char>(input[0]) % 16 + 1 : input.size();
    log.write(trace::kStageOut, input.substr(0, size));
    input.remove_prefix(std::min(size, input.size()));
  }
  log.close();
  return sink.text();
}

std::string interleaved(std::string_view input) {
  base::FakeClock clock;
  trace::StringSink sink;
  trace::JobLogOptions options;
  options.masks = {std::string(kSecret)};
  options.clock = &clock;
  trace::JobLog log(sink, options);
  while (!input.empty()) {
    unsigned char control = static_cast<unsigned char>(input[0]);
    std::string_view text = input.substr(1, control >> 3);
    input.remove_prefix(1 + text.size());
    switch (control & 7) {
      case 0:
        log.println(text);
        break;
      case 1:
        log.error(text);
        break;
      case 2:
        log.section_start("x", 1);
        break;
      case 3:
        log.flush_stream_ends();
        break;
      case 4:
        log.write(trace::kRunnerLines, text);
        break;
      case 5:
        log.write(trace::kStageErr, text);
        break;
      default:
        log.write(trace::kStageOut, text);
        break;
    }
  }
  log.close();
  return sink.text();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  bool timestamps = (data[0] & 1) != 0;
  std::uint64_t limit = (data[1] + 1u) * 16u;
  std::string cut = run(input, true, timestamps, limit);
  if (!base::is_valid_utf8(cut) || cut.size() > limit + limit / 4 + 400) std::abort();
  if (!timestamps && cut != run(input, false, false, limit)) std::abort();
  // Time stamps may break a line anywhere, so only the log without them is searched for the secret.
  if (!timestamps && cut.find(kSecret) != std::string::npos) std::abort();
  if (!base::is_valid_utf8(interleaved(input))) std::abort();
  return 0;
}
