#include "trace/phrase_set.hpp"

#include <algorithm>

namespace trace {
namespace {
unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }
} // namespace

PhraseSet::PhraseSet(std::vector<std::string> phrases) {
  std::erase_if(phrases, [](const std::string& p) { return p.empty(); });
  std::sort(phrases.begin(), phrases.end());
  phrases.erase(std::unique(phrases.begin(), phrases.end()), phrases.end());
  build_trie(phrases);
  link_failures();
  build_skip_table(phrases);
}

// Breadth first over ranges of the sorted phrases: all that share a prefix stand together.
void PhraseSet::build_trie(const std::vector<std::string>& sorted) {
  struct Range {
    std::uint32_t begin, end;
  };
  std::vector<Range> ranges{{0, static_cast<std::uint32_t>(sorted.size())}};
  label_.push_back(0);
  depth_.push_back(0);
  match_.push_back(0);
  for (std::size_t node = 0; node < ranges.size(); ++node) {
    auto [at, end] = ranges[node];
    std::uint32_t depth = depth_[node];
    first_child_.push_back(static_cast<std::uint32_t>(ranges.size()));
    if (depth > 0 && at < end && sorted[at].size() == depth) {
      match_[node] = depth;
      ++at;
    }
    while (at < end) {
      unsigned char label = byte_at(sorted[at], depth);
      std::uint32_t last = at + 1;
      while (last < end && byte_at(sorted[last], depth) == label) ++last;
      if (node == kRoot) root_[label] = static_cast<State>(ranges.size());
      ranges.push_back({at, last});
      label_.push_back(label);
      depth_.push_back(depth + 1);
      match_.push_back(0);
      at = last;
    }
  }
  first_child_.push_back(static_cast<std::uint32_t>(ranges.size()));
}

void PhraseSet::link_failures() {
  fail_.assign(label_.size(), kRoot);
  resume_.assign(label_.size(), kRoot);
  auto is_leaf = [&](State node) { return first_child_[node] == first_child_[node + 1]; };
  for (State parent = 0; parent < label_.size(); ++parent) {
    for (State node = first_child_[parent]; node != first_child_[parent + 1]; ++node) {
      State suffix = kRoot;
      if (parent != kRoot) {
        State from = fail_[parent];
        while (true) {
          suffix = child(from, label_[node]);
          if (suffix != kRoot || from == kRoot) break;
          from = fail_[from];
        }
      }
      if (match_[node] == 0) match_[node] = match_[suffix];
      fail_[node] = resume_[suffix];
      resume_[node] = is_leaf(node) ? fail_[node] : node;
    }
  }
}

// Wu and Manber's table, used as a filter only: it moves a window of the shortest phrase's length over the text by the
// two bytes at the window's end. The automaton looks at whatever it cannot exclude, so the worst case stays linear.
void PhraseSet::build_skip_table(const std::vector<std::string>& sorted) {
  if (sorted.empty()) return;
  window_ = 255;
  for (const std::string& phrase : sorted) window_ = std::min(window_, phrase.size());
  if (window_ < 2) return;
  skip_.assign(kSkipSize, static_cast<std::uint8_t>(window_ - 1));
  for (const std::string& phrase : sorted) {
    for (std::size_t end = 2; end <= window_; ++end) {
      std::uint8_t& entry = skip_[skip_slot(byte_at(phrase, end - 2), byte_at(phrase, end - 1))];
      entry = std::min(entry, static_cast<std::uint8_t>(window_ - end));
    }
  }
}

std::size_t PhraseSet::skip(std::string_view text, std::size_t from) const {
  if (window_ == 0) return text.size();
  if (window_ == 1) {
    while (from < text.size() && root_[byte_at(text, from)] == kRoot) ++from;
    return from;
  }
  auto move = [&, table = skip_.data()](std::size_t window_start) -> std::size_t {
    std::size_t last = window_start + window_ - 1;
    return table[skip_slot(byte_at(text, last - 1), byte_at(text, last))];
  };
  // Mostly nothing fits and the window moves by its whole length but one. Four such moves looked at together do not
  // wait for each other's memory.
  const std::size_t far = window_ - 1;
  while (from + 3 * far + window_ <= text.size()) {
    if (move(from) + move(from + far) + move(from + 2 * far) + move(from + 3 * far) == 4 * far) {
      from += 4 * far;
      continue;
    }
    std::size_t by = move(from);
    if (by == 0) return from;
    from += by;
  }
  while (from + window_ <= text.size()) {
    std::size_t by = move(from);
    if (by == 0) return from;
    from += by;
  }
  while (from < text.size() && root_[byte_at(text, from)] == kRoot) ++from;
  return from;
}

} // namespace trace
