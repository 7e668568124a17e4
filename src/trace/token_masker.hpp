// TokenMasker: hides what follows a known token prefix (glpat-…), as far as token characters go.
//
// One per stream, one thread at a time. Never fails. Holds back nothing but a half-received [MASKED] right behind a
// token: a token of which the phrase masker hid a part is one token still.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "trace/phrase_set.hpp"

namespace trace {

class TokenMasker {
 public:
  explicit TokenMasker(std::shared_ptr<const PhraseSet> prefixes) : prefixes_(std::move(prefixes)) {}

  void write(std::string_view in, std::string& out);
  void finish(std::string& out);

 private:
  enum class Mode { kText, kAfterPrefix, kInToken };
  std::size_t search(std::string_view in, std::size_t from, std::string& out);
  std::size_t token(std::string_view in, std::size_t from, std::string& out);
  void leave(std::string& out);

  std::shared_ptr<const PhraseSet> prefixes_;
  PhraseSet::State state_ = PhraseSet::kRoot;
  Mode mode_ = Mode::kText;
  std::size_t mask_seen_ = 0; // bytes of [MASKED] seen right behind the token so far
};

} // namespace trace
