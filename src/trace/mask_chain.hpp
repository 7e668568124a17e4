// MaskChain: the three maskers of one stream in upstream's order (phrases, URL parameters, token prefixes).
// One per stream, one thread at a time; MaskRules is what all chains of a job share.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trace/masker.hpp"
#include "trace/phrase_set.hpp"
#include "trace/token_masker.hpp"
#include "trace/url_masker.hpp"

namespace trace {

struct MaskRules {
  std::shared_ptr<const PhraseSet> phrases;  // of phrases_of()
  std::shared_ptr<const PhraseSet> prefixes; // of token_prefixes()
};

class MaskChain {
 public:
  explicit MaskChain(const MaskRules& rules) : masker_(rules.phrases), token_(rules.prefixes) {}

  // What is decided by now: a part of `in`, or a buffer of the chain that lives until the next call.
  std::string_view filter(std::string_view in);
  // End of the stream: the rest. The chain is as new afterwards.
  std::string finish();
  // See Masker::rebind(); the result as filter()'s.
  std::string_view rebind(std::shared_ptr<const PhraseSet> phrases);

 private:
  Masker masker_;
  UrlMasker url_;
  TokenMasker token_;
  std::string after_phrases_, after_urls_, after_tokens_;
};

// The whole text at once.
std::string mask_text(const MaskRules& rules, std::string_view text);

} // namespace trace
