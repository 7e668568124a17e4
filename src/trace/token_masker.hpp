// TokenMasker: hides what follows a known token prefix (glpat-…), as far as token characters go.
//
// One per stream, one thread at a time. Never fails. Holds back nothing but a half-received [MASKED] right behind a
// token: a token of which the phrase masker hid a part is one token still.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "trace/passage.hpp"
#include "trace/phrase_set.hpp"

namespace trace {

class TokenMasker {
 public:
  explicit TokenMasker(std::shared_ptr<const PhraseSet> prefixes) : prefixes_(std::move(prefixes)) {}

  // What comes of it: `in` itself when nothing had to be changed, else the content of `scratch`.
  std::string_view filter(std::string_view in, std::string& scratch);
  void finish(std::string& out); // end of the stream

 private:
  enum class Mode { kText, kAfterPrefix, kInToken };
  std::size_t search(std::string_view in, std::size_t from);
  std::size_t token(std::string_view in, std::size_t from, Passage& out);
  std::string leave();

  std::shared_ptr<const PhraseSet> prefixes_;
  PhraseSet::State state_ = PhraseSet::kRoot;
  Mode mode_ = Mode::kText;
  std::size_t mask_seen_ = 0; // bytes of [MASKED] seen right behind the token so far
};

} // namespace trace
