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

void TokenMasker::write(std::string_view in, std::string& out) {
  std::size_t i = 0;
  while (i < in.size()) i = mode_ == Mode::kText ? search(in, i, out) : token(in, i, out);
}

// Text goes through as it is; stops behind a prefix.
std::size_t TokenMasker::search(std::string_view in, std::size_t from, std::string& out) {
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
  out.append(in.substr(from, i - from));
  return i;
}

std::size_t TokenMasker::token(std::string_view in, std::size_t from, std::string& out) {
  for (std::size_t i = from; i < in.size(); ++i) {
    bool part = false;
    if (mask_seen_ == 0 && is_token_character(in[i])) {
      part = true;
    } else if (in[i] == kMask[mask_seen_]) {
      if (++mask_seen_ < kMask.size()) continue;
      mask_seen_ = 0;
      part = true;
    }
    if (!part) {
      leave(out);
      return i;
    }
    if (mode_ == Mode::kAfterPrefix) {
      out += kMask;
      mode_ = Mode::kInToken;
      state_ = PhraseSet::kRoot;
    }
  }
  return in.size();
}

// The token, if there was one, is over; what looked like the start of a mask was text.
void TokenMasker::leave(std::string& out) {
  mode_ = Mode::kText;
  std::string_view text = kMask.substr(0, std::exchange(mask_seen_, 0));
  write(text, out);
}

void TokenMasker::finish(std::string& out) {
  while (mode_ != Mode::kText) leave(out);
  state_ = PhraseSet::kRoot;
}

} // namespace trace
