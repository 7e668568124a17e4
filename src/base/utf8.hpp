// UTF-8 repair, streaming: what GitLab does to a job log before it counts bytes.
#pragma once

#include <string>
#include <string_view>

namespace base {

bool is_valid_utf8(std::string_view text);
// Each maximal invalid part becomes U+FFFD.
std::string repair_utf8(std::string_view text);
// Length of the longest prefix of `text`, at most `limit` bytes, that does not cut a character.
std::size_t utf8_prefix(std::string_view text, std::size_t limit);

// Streaming repair: an incomplete character at the end of a chunk waits for the next.
class Utf8Repair {
 public:
  void append(std::string_view chunk, std::string& out);
  void finish(std::string& out); // an incomplete character becomes U+FFFD

 private:
  std::string pending_;
};

} // namespace base
