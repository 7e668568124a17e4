#include "trace/mask_chain.hpp"

namespace trace {

std::string_view MaskChain::filter(std::string_view in) {
  return token_.filter(url_.filter(masker_.filter(in, after_phrases_), after_urls_), after_tokens_);
}

std::string MaskChain::finish() {
  std::string rest;
  masker_.finish(rest);
  std::string out(token_.filter(url_.filter(rest, after_urls_), after_tokens_));
  url_.finish();
  token_.finish(out);
  return out;
}

std::string_view MaskChain::rebind(std::shared_ptr<const PhraseSet> phrases) {
  after_phrases_.clear();
  masker_.rebind(std::move(phrases), after_phrases_);
  return token_.filter(url_.filter(after_phrases_, after_urls_), after_tokens_);
}

std::string mask_text(const MaskRules& rules, std::string_view text) {
  MaskChain chain(rules);
  std::string out(chain.filter(text));
  return out += chain.finish();
}

} // namespace trace
