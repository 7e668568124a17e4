// Masker: replaces every phrase of a stream by [MASKED], however the stream is cut into writes.
//
// One per stream, one thread at a time. Never fails. Nothing is held back but bytes that may still become a phrase.
//
// What a reader sees: occurrences that overlap are hidden together, so that no byte of any of them is left; of two that
// only touch each gets its own mask. "prefix_mask" with phrases "mask" and "prefix_mask" is one mask, "foofoo" two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trace/phrase_set.hpp"

namespace trace {

inline constexpr std::string_view kMask = "[MASKED]";

class Masker {
 public:
  explicit Masker(std::shared_ptr<const PhraseSet> phrases) : phrases_(std::move(phrases)) {}

  // What is decided by now: a part of `in` itself when nothing had to be changed, else the content of `scratch`.
  std::string_view filter(std::string_view in, std::string& scratch);
  // The same, appended to `out`.
  void write(std::string_view in, std::string& out);
  // End of the stream: a phrase that only began is no phrase. The masker is as new afterwards.
  void finish(std::string& out);
  // Goes on with another set, which must contain the old one (a secret became known while the job runs).
  void rebind(std::shared_ptr<const PhraseSet> phrases, std::string& out);
  // Bytes held back.
  std::size_t pending() const { return tail_.size() - tail_start_; }

 private:
  // One mask to be written; positions count from the start of the stream.
  struct Interval {
    std::uint64_t match_start; // of the phrase that made it
    std::uint64_t start;       // first byte that it hides (later than match_start if the one before reaches into it)
    std::uint64_t match_end;
    std::uint64_t end; // beyond match_end when overlapping occurrences were taken in
  };
  void add_match(std::uint64_t start, std::uint64_t end);
  void settle(std::uint64_t limit, std::string_view in, std::string& out);
  void copy(std::uint64_t from, std::uint64_t to, std::string_view in, std::string& out) const;
  void keep(std::uint64_t from, std::string_view in);

  std::shared_ptr<const PhraseSet> phrases_;
  PhraseSet::State state_ = PhraseSet::kRoot;
  std::uint64_t consumed_ = 0; // bytes of all writes before the current one
  std::uint64_t done_ = 0;     // bytes before this are written out or hidden
  std::string tail_;           // from tail_start_ on: the last bytes before consumed_, those that are held
  std::size_t tail_start_ = 0;
  std::uint64_t last_match_end_ = 0; // of the last mask written
  std::uint64_t last_end_ = 0;
  std::vector<Interval> intervals_;
};

} // namespace trace
