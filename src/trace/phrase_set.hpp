// PhraseSet: a set of byte strings compiled for searching a stream (Aho-Corasick, sparse, 17 bytes a node), with a
// skip table in front for the text in which nothing can start.
//
// Immutable after construction: any number of streams and threads share one. Time is linear in the text, whatever the
// number of phrases; memory is linear in their total length.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trace {

class PhraseSet {
 public:
  using State = std::uint32_t;
  static constexpr State kRoot = 0;

  PhraseSet() : PhraseSet(std::vector<std::string>{}) {}
  explicit PhraseSet(std::vector<std::string> phrases); // empty ones are ignored

  bool empty() const { return label_.size() <= 1; }

  struct Step {
    State state;         // after the byte; never one that no longer phrase could grow from
    std::uint32_t match; // length of the longest phrase that ends with this byte, 0 if none
  };
  Step step(State state, unsigned char byte) const {
    while (true) {
      State next = child(state, byte);
      if (next != kRoot) return {resume_[next], match_[next]};
      if (state == kRoot) return {kRoot, 0};
      state = fail_[state];
    }
  }
  // How many of the last bytes may still become part of a phrase.
  std::size_t held(State state) const { return depth_[state]; }

  // First position >= `from` at which a phrase may start; text.size() when no phrase starts before the end. What is
  // too near to the end to be sure about counts as possible.
  std::size_t skip(std::string_view text, std::size_t from) const;

 private:
  State child(State state, unsigned char byte) const {
    if (state == kRoot) return root_[byte];
    std::uint32_t first = first_child_[state];
    std::uint32_t end = first_child_[state + 1];
    for (; first != end; ++first)
      if (label_[first] == byte) return first;
    return kRoot;
  }
  void build_trie(const std::vector<std::string>& sorted);
  void link_failures();
  void build_skip_table(const std::vector<std::string>& sorted);

  static constexpr std::size_t kSkipSize = 8192;
  static std::size_t skip_slot(unsigned char a, unsigned char b) { return ((a * 37u) ^ (b << 5u)) % kSkipSize; }

  std::array<State, 256> root_{};          // children of the root
  std::vector<std::uint32_t> first_child_; // nodes stand in breadth-first order, so children are neighbours
  std::vector<unsigned char> label_;
  std::vector<State> fail_;   // where the longest proper suffix leads
  std::vector<State> resume_; // the node itself, or for a leaf the next one of its suffixes with children
  std::vector<std::uint32_t> match_;
  std::vector<std::uint32_t> depth_;
  std::size_t window_ = 0;         // length of the shortest phrase, at most 255
  std::vector<std::uint8_t> skip_; // by the last two bytes of the window: how far it may be moved
};

} // namespace trace
