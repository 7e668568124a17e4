// JobLog: the one writer that leads to a job's log. Whatever a user may read there — output of stages, lines of the
// runner, errors — goes through here, and so through the masks.
//
// Owned by the worker, one per job. Thread-safe (one mutex, held while the sink takes the bytes; the sink must not call
// back). Never fails.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "trace/limit.hpp"
#include "trace/sink.hpp"

namespace trace {

// Which writer a byte came from; seen by users in time stamp headers ("01E").
struct Stream {
  std::uint8_t id;
  char type; // 'O' or 'E'
  friend auto operator<=>(const Stream&, const Stream&) = default;
};
inline constexpr Stream kRunnerLines{0, 'O'};
inline constexpr Stream kStageOut{1, 'O'};
inline constexpr Stream kStageErr{1, 'E'};
// Services count from 15 on, one id each.
constexpr Stream service_stream(unsigned index, char type) {
  return {static_cast<std::uint8_t>(15 + index % 240), type};
}

struct JobLogOptions {
  std::vector<std::string> masks;          // values of masked variables and secrets, the job token; as they are
  std::vector<std::string> token_prefixes; // features.token_mask_prefixes
  bool mask_all_default_tokens = true;     // FF_MASK_ALL_DEFAULT_TOKENS
  bool timestamps = true;                  // FF_TIMESTAMPS
  bool sections = true;                    // features.trace_sections
  std::uint64_t limit = LimitWriter::kDefaultLimit; // output_limit in bytes; 0 is the default
  const base::Clock* clock = nullptr;               // nullptr: the system's; must outlive the log
  // Runner lines also go to the runner's own log: called with the masked text, outside the mutex. May be empty.
  std::function<void(base::log::Level, std::string_view)> tee;
};

class JobLog {
 public:
  JobLog(Sink& sink, JobLogOptions options); // the sink must outlive the log
  ~JobLog();                                 // closes
  JobLog(const JobLog&) = delete;
  JobLog& operator=(const JobLog&) = delete;

  // Raw output of a stage or a service, cut anywhere.
  void write(Stream stream, std::string_view bytes);

  // Runner lines: colour, text, reset, line break. The text is masked, the colour codes around it never.
  void println(std::string_view text);    // ESC[0K
  void info(std::string_view text);       // bold green
  void warning(std::string_view text);    // yellow, "WARNING: "
  void error(std::string_view text);      // bold red, "ERROR: "
  void soft_error(std::string_view text); // the same; a warning in the runner's own log
  void header(std::string_view title);    // bold cyan: the title of a section

  // Section markers, never masked; nothing without `sections`.
  void section_start(std::string_view name, std::int64_t unix_seconds);
  void section_end(std::string_view name, std::int64_t unix_seconds);

  // End of a stage: everything its two streams held back comes out, in front of whatever is written next. They are as
  // new afterwards.
  void flush_stream_ends();
  // The same for one stream: a service that ended.
  void end_stream(Stream stream);

  // A secret that became known now; holds for everything that is not yet in the sink.
  void add_mask(std::string_view value);
  // The text as this log would show it, for other places that users see (failure messages, section titles).
  std::string mask(std::string_view text) const;

  // Ends all streams and adds the kept end of an overlong log. Writes afterwards are ignored. Idempotent.
  void close();

  bool limit_exceeded() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace trace
