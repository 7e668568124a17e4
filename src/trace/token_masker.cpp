#include "trace/token_masker.hpp"

#include <utility>

#include "trace/masker.hpp"

namespace trace {
namespace {
bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '=';
}
} // namespace

std::string_view TokenMasker::filter(std::string_view in, std::string& scratch) {
  Passage out(in, scratch);
  std::size_t i = 0;
  while (i < in.size()) i = mode_ == Mode::kText ? search(in, i) : token(in, i, out);
  return out.finish();
}

// Text goes through as it is; stops behind a prefix.
std::size_t TokenMasker::search(std::string_view in, std::size_t from) {
  std::size_t i = from;
  while (i < in.size() && mode_ == Mode::kText) {
    if (state_ == PhraseSet::kRoot) {
      i = prefixes_->skip(in, i);
      if (i == in.size()) break;
    }
    auto [next, match] = prefixes_->step(state_, static_cast<unsigned char>(in[i]));
    state_ = next;
    ++i;
    if (match != 0) mode_ = Mode::kAfterPrefix;
  }
  return i;
}

std::size_t TokenMasker::token(std::string_view in, std::size_t from, Passage& out) {
  for (std::size_t i = from; i < in.size(); ++i) {
    bool part = false; // of the token for sure; else in the middle of what may become [MASKED]
    if (mask_seen_ == 0 && is_token_character(in[i])) {
      part = true;
    } else if (in[i] == kMask[mask_seen_]) {
      part = ++mask_seen_ == kMask.size();
      if (part) mask_seen_ = 0;
    } else {
      if (mask_seen_ > 0) {
        out.insert(i, leave());
      } else {
        mode_ = Mode::kText;
      }
      return i;
    }
    out.insert(i, part && mode_ == Mode::kAfterPrefix ? kMask : "");
    out.drop(i + 1);
    if (part && mode_ == Mode::kAfterPrefix) {
      mode_ = Mode::kInToken;
      state_ = PhraseSet::kRoot;
    }
  }
  return in.size();
}

// The token, if there was one, is over; what looked like the start of a mask was text.
std::string TokenMasker::leave() {
  mode_ = Mode::kText;
  std::string scratch;
  return std::string(filter(kMask.substr(0, std::exchange(mask_seen_, 0)), scratch));
}

void TokenMasker::finish(std::string& out) {
  while (mode_ != Mode::kText) out += leave();
  state_ = PhraseSet::kRoot;
}

} // namespace trace
