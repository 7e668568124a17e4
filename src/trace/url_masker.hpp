// UrlMasker: hides the values of URL parameters that carry credentials (?private_token=…, &X-Amz-Signature=…).
//
// One per stream, one thread at a time. Never fails, holds nothing back but the bytes of a half-received non-ASCII
// blank inside a hidden value. Keys and ends of values as upstream's URL sanitizer has them.
#pragma once

#include <string>
#include <string_view>

#include "trace/passage.hpp"

namespace trace {

class UrlMasker {
 public:
  // What comes of it: `in` itself when nothing had to be changed, else the content of `scratch`.
  std::string_view filter(std::string_view in, std::string& scratch);
  void finish(); // end of the stream

 private:
  std::size_t skip_value(std::string_view in, std::size_t from, Passage& out);

  bool in_value_ = false;
  bool in_key_ = false; // after ? or &, the key so far is in key_
  std::string key_;     // lower case
  std::string cut_;     // inside a value: first bytes of a character that the write ended in
};

} // namespace trace
