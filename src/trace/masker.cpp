#include "trace/masker.hpp"

#include <algorithm>

namespace trace {
namespace {
// More intervals than this are settled in the middle of a write, so that memory does not grow with it.
constexpr std::size_t kSettleAt = 1024;
} // namespace

void Masker::write(std::string_view in, std::string& out) {
  std::string scratch;
  out += filter(in, scratch);
}

std::string_view Masker::filter(std::string_view in, std::string& scratch) {
  scratch.clear();
  const PhraseSet& set = *phrases_;
  std::size_t settle_at = kSettleAt;
  std::size_t i = 0;
  while (i < in.size()) {
    if (state_ == PhraseSet::kRoot) {
      i = set.skip(in, i);
      if (i == in.size()) break;
    }
    auto [next, match] = set.step(state_, static_cast<unsigned char>(in[i]));
    state_ = next;
    ++i;
    if (match == 0) continue;
    add_match(consumed_ + i - match, consumed_ + i);
    if (intervals_.size() >= settle_at) {
      settle(consumed_ + i - set.held(state_), in, scratch);
      settle_at = std::max(kSettleAt, 2 * intervals_.size());
    }
  }
  std::uint64_t hold = consumed_ + in.size() - set.held(state_);
  std::string_view result;
  if (pending() == 0 && done_ == consumed_ && intervals_.empty()) {
    result = in.substr(0, hold - consumed_);
    done_ = hold;
  } else {
    settle(hold, in, scratch);
    result = scratch;
  }
  keep(hold, in);
  consumed_ += in.size();
  return result;
}

// `end` grows from call to call, and `start` is not before what has been settled, but for rebind(), which may report
// matches inside a mask again.
void Masker::add_match(std::uint64_t start, std::uint64_t end) {
  while (!intervals_.empty() && intervals_.back().match_start >= start) intervals_.pop_back();
  std::uint64_t match_end = intervals_.empty() ? last_match_end_ : intervals_.back().match_end;
  std::uint64_t& covered = intervals_.empty() ? last_end_ : intervals_.back().end;
  if (start >= match_end) {
    std::uint64_t first = std::max(start, covered);
    intervals_.push_back({start, first, end, end});
    return;
  }
  covered = std::max(covered, end);
  if (intervals_.empty()) done_ = std::max(done_, covered);
}

// Writes out everything before `limit`: no phrase that starts there can still be found. A mask that reaches beyond is
// decided too; only what starts at or after the limit may yet turn out to be part of something longer.
void Masker::settle(std::uint64_t limit, std::string_view in, std::string& out) {
  auto it = intervals_.begin();
  for (; it != intervals_.end() && it->match_start < limit; ++it) {
    copy(done_, it->start, in, out);
    out += kMask;
    done_ = std::max(done_, it->end);
    last_match_end_ = it->match_end;
    last_end_ = it->end;
  }
  intervals_.erase(intervals_.begin(), it);
  if (done_ < limit) {
    copy(done_, limit, in, out);
    done_ = limit;
  }
}

void Masker::copy(std::uint64_t from, std::uint64_t to, std::string_view in, std::string& out) const {
  if (from >= to) return;
  if (from < consumed_) {
    std::uint64_t first = consumed_ - pending();
    std::uint64_t until = std::min(to, consumed_);
    out.append(tail_, tail_start_ + (from - first), until - from);
    from = until;
  }
  if (from < to) out.append(in.substr(from - consumed_, to - from));
}

void Masker::keep(std::uint64_t from, std::string_view in) {
  if (from >= consumed_) {
    tail_.assign(in.substr(from - consumed_));
    tail_start_ = 0;
    return;
  }
  tail_start_ += from - (consumed_ - pending());
  tail_.append(in);
  if (tail_start_ > tail_.size() / 2) { // each byte is moved once on average, whatever the size of the writes
    tail_.erase(0, tail_start_);
    tail_start_ = 0;
  }
}

void Masker::finish(std::string& out) {
  settle(consumed_, {}, out);
  state_ = PhraseSet::kRoot;
  tail_.clear();
  tail_start_ = 0;
}

void Masker::rebind(std::shared_ptr<const PhraseSet> phrases, std::string& out) {
  phrases_ = std::move(phrases);
  std::string again = tail_.substr(tail_start_);
  tail_.clear();
  tail_start_ = 0;
  state_ = PhraseSet::kRoot;
  intervals_.clear();
  consumed_ -= again.size();
  write(again, out);
}

} // namespace trace
