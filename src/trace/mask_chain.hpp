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

  void write(std::string_view in, std::string& out);
  void finish(std::string& out);
  void rebind(std::shared_ptr<const PhraseSet> phrases, std::string& out);

 private:
  void pass_on(std::string& out);

  Masker masker_;
  UrlMasker url_;
  TokenMasker token_;
  std::string after_phrases_;
  std::string after_urls_;
};

// The whole text at once.
std::string mask_text(const MaskRules& rules, std::string_view text);

} // namespace trace
