// Passage: the way of one write through a masker. Most writes hold nothing to hide and pass without being copied; from
// the first change on, the result is collected in a scratch buffer of the caller.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trace {

class Passage {
 public:
  Passage(std::string_view in, std::string& scratch) : in_(in), scratch_(scratch) { scratch_.clear(); }

  // Everything up to `at` that was neither passed on nor dropped yet goes on, followed by `text`.
  void insert(std::size_t at, std::string_view text) {
    scratch_.append(in_.substr(plain_, at - plain_)).append(text);
    plain_ = at;
    changed_ = true;
  }
  // What was neither passed on nor dropped, up to `at`, is dropped.
  void drop(std::size_t at) {
    changed_ |= at != plain_;
    plain_ = at;
  }
  // The rest goes on. A view of the input or of the scratch buffer.
  std::string_view finish() {
    if (!changed_) return in_;
    scratch_.append(in_.substr(plain_));
    return scratch_;
  }

 private:
  std::string_view in_;
  std::string& scratch_;
  std::size_t plain_ = 0;
  bool changed_ = false;
};

} // namespace trace
