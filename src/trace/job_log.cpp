#include "trace/job_log.hpp"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/utf8.hpp"
#include "trace/mask_chain.hpp"
#include "trace/phrases.hpp"
#include "trace/timestamps.hpp"

namespace trace {
namespace {
constexpr std::string_view kReset = "\x1b[0;m";
constexpr std::string_view kClear = "\x1b[0K";

const base::Clock& system_clock() {
  static const base::SystemClock clock;
  return clock;
}

bool is_ascii(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) return false;
  }
  for (; i < text.size(); ++i)
    if ((text[i] & 0x80) != 0) return false;
  return true;
}
} // namespace

class JobLog::Impl {
 public:
  Impl(Sink& sink, JobLogOptions options)
      : options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock()),
        limit_(sink, options_.limit != 0 ? options_.limit : LimitWriter::kDefaultLimit) {
    rules_.phrases = std::make_shared<const PhraseSet>(phrases_of(options_.masks));
    rules_.prefixes =
        std::make_shared<const PhraseSet>(token_prefixes(options_.token_prefixes, options_.mask_all_default_tokens));
  }

  void write(Stream stream, std::string_view bytes) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    Channel& channel = channel_of(stream);
    deliver(channel, channel.masks.filter(bytes));
  }

  void line(base::log::Level level, std::string_view prefix, std::string_view text, std::string_view suffix) {
    std::string masked;
    {
      std::lock_guard lock(mutex_);
      masked = mask_text(rules_, text);
      put_raw(fmt::format("{}{}{}\n", prefix, masked, suffix));
    }
    if (options_.tee) options_.tee(level, masked);
  }

  void section(std::string_view kind, std::string_view name, std::int64_t seconds) {
    if (!options_.sections) return;
    std::lock_guard lock(mutex_);
    put_raw(fmt::format("section_{}:{}:{}\r{}", kind, seconds, name, kClear));
  }

  void end_stages() {
    std::lock_guard lock(mutex_);
    end_channels([](Stream stream) { return stream.id == kStageOut.id; });
  }

  void end_stream(Stream which) {
    std::lock_guard lock(mutex_);
    end_channels([=](Stream stream) { return stream == which; });
  }

  void add_mask(std::string_view value) {
    std::lock_guard lock(mutex_);
    options_.masks.emplace_back(value);
    rules_.phrases = std::make_shared<const PhraseSet>(phrases_of(options_.masks));
    for (auto& [stream, channel] : channels_) deliver(channel, channel.masks.rebind(rules_.phrases));
  }

  std::string mask(std::string_view text) const {
    MaskRules rules;
    {
      std::lock_guard lock(mutex_);
      rules = rules_;
    }
    return mask_text(rules, text);
  }

  void close() {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    std::string header;
    if (options_.timestamps) header = Timestamper(clock_, kRunnerLines.id, kRunnerLines.type).header();
    end_channels([](Stream stream) { return stream != kRunnerLines; });
    end_channels([](Stream) { return true; });
    limit_.close(header);
  }

  bool limit_exceeded() const {
    std::lock_guard lock(mutex_);
    return limit_.exceeded();
  }

 private:
  struct Channel {
    Channel(const MaskRules& rules, std::optional<Timestamper> timestamper)
        : masks(rules), stamps(std::move(timestamper)) {}
    MaskChain masks;
    base::Utf8Repair repair;
    bool whole = true; // no incomplete character waits in `repair`
    std::optional<Timestamper> stamps;
  };

  Channel& channel_of(Stream stream) {
    auto it = channels_.find(stream);
    if (it == channels_.end()) {
      std::optional<Timestamper> stamps;
      if (options_.timestamps) stamps.emplace(clock_, stream.id, stream.type);
      it = channels_.try_emplace(stream, rules_, std::move(stamps)).first;
    }
    return it->second;
  }

  // What the runner writes of its own accord: already masked as far as it must be, and one write to the time stamps.
  void put_raw(std::string_view text) {
    if (closed_) return;
    Channel& channel = channel_of(kRunnerLines);
    std::string whole = channel.masks.finish();
    deliver(channel, whole += text);
  }

  // From the masks on: UTF-8 repair, time stamps, limit.
  void deliver(Channel& channel, std::string_view text) {
    if (text.empty()) return;
    if (!channel.whole || !is_ascii(text)) {
      channel.whole = (text.back() & 0x80) == 0;
      repaired_.clear();
      channel.repair.append(text, repaired_);
      text = repaired_;
    }
    stamp(channel, text);
  }

  void stamp(Channel& channel, std::string_view text) {
    if (!channel.stamps) {
      limit_.write(text);
      return;
    }
    lines_.clear();
    channel.stamps->write(text, lines_);
    limit_.write(lines_);
  }

  void end(Channel& channel) {
    deliver(channel, channel.masks.finish());
    repaired_.clear();
    channel.repair.finish(repaired_);
    if (!repaired_.empty()) stamp(channel, repaired_);
    if (!channel.stamps) return;
    lines_.clear();
    channel.stamps->finish(lines_);
    limit_.write(lines_);
  }

  template <class Predicate>
  void end_channels(Predicate matches) {
    for (auto it = channels_.begin(); it != channels_.end();) {
      if (matches(it->first)) {
        end(it->second);
        it = channels_.erase(it);
      } else {
        ++it;
      }
    }
  }

  mutable std::mutex mutex_;
  JobLogOptions options_;
  const base::Clock& clock_;
  MaskRules rules_;
  LimitWriter limit_;
  std::map<Stream, Channel> channels_;
  bool closed_ = false;
  // Buffers of the stages, kept between writes.
  std::string repaired_, lines_;
};

JobLog::JobLog(Sink& sink, JobLogOptions options) : impl_(std::make_unique<Impl>(sink, std::move(options))) {}
JobLog::~JobLog() { close(); }

void JobLog::write(Stream stream, std::string_view bytes) { impl_->write(stream, bytes); }

// Colours as upstream's helpers/ansi_colors.go.
void JobLog::println(std::string_view text) { impl_->line(base::log::Level::kDebug, kClear, text, kReset); }
void JobLog::info(std::string_view text) { impl_->line(base::log::Level::kInfo, "\x1b[32;1m", text, kReset); }
void JobLog::warning(std::string_view text) {
  impl_->line(base::log::Level::kWarning, "\x1b[0;33mWARNING: ", text, kReset);
}
void JobLog::error(std::string_view text) { impl_->line(base::log::Level::kError, "\x1b[31;1mERROR: ", text, kReset); }
void JobLog::soft_error(std::string_view text) {
  impl_->line(base::log::Level::kWarning, "\x1b[31;1mERROR: ", text, kReset);
}
void JobLog::header(std::string_view title) {
  impl_->line(base::log::Level::kDebug, "\x1b[0K\x1b[36;1m", title, "\x1b[0;m\x1b[0;m");
}

void JobLog::section_start(std::string_view name, std::int64_t unix_seconds) {
  impl_->section("start", name, unix_seconds);
}
void JobLog::section_end(std::string_view name, std::int64_t unix_seconds) {
  impl_->section("end", name, unix_seconds);
}

void JobLog::flush_stream_ends() { impl_->end_stages(); }
void JobLog::end_stream(Stream stream) { impl_->end_stream(stream); }
void JobLog::add_mask(std::string_view value) { impl_->add_mask(value); }
std::string JobLog::mask(std::string_view text) const { return impl_->mask(text); }
void JobLog::close() { impl_->close(); }
bool JobLog::limit_exceeded() const { return impl_->limit_exceeded(); }

} // namespace trace
