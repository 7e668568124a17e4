#include "trace/mask_chain.hpp"

namespace trace {

void MaskChain::write(std::string_view in, std::string& out) {
  masker_.write(in, after_phrases_);
  pass_on(out);
}

void MaskChain::finish(std::string& out) {
  masker_.finish(after_phrases_);
  url_.write(after_phrases_, after_urls_);
  after_phrases_.clear();
  url_.finish(after_urls_);
  token_.write(after_urls_, out);
  after_urls_.clear();
  token_.finish(out);
}

void MaskChain::rebind(std::shared_ptr<const PhraseSet> phrases, std::string& out) {
  masker_.rebind(std::move(phrases), after_phrases_);
  pass_on(out);
}

void MaskChain::pass_on(std::string& out) {
  url_.write(after_phrases_, after_urls_);
  after_phrases_.clear();
  token_.write(after_urls_, out);
  after_urls_.clear();
}

std::string mask_text(const MaskRules& rules, std::string_view text) {
  MaskChain chain(rules);
  std::string out;
  chain.write(text, out);
  chain.finish(out);
  return out;
}

} // namespace trace
