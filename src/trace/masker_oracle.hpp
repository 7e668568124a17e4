// What Masker must do, said naively over a whole text. For tests and the fuzz target only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trace::oracle {

// Every byte that is part of any occurrence of any phrase.
inline std::vector<bool> hidden_bytes(const std::vector<std::string>& phrases, std::string_view text) {
  std::vector<bool> hidden(text.size(), false);
  for (const std::string& phrase : phrases) {
    if (phrase.empty()) continue;
    for (std::size_t at = text.find(phrase); at != std::string_view::npos; at = text.find(phrase, at + 1))
      for (std::size_t i = 0; i < phrase.size(); ++i) hidden[at + i] = true;
  }
  return hidden;
}

struct Mask {
  std::size_t begin, own_end, end;
};

// Takes the longest occurrence at each end, from left to right: it swallows masks that lie inside it, becomes a mask of
// its own if it starts behind the one before, and else only makes that one longer.
inline std::vector<Mask> masks(const std::vector<std::string>& phrases, std::string_view text) {
  std::vector<Mask> found;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& phrase : phrases)
      if (phrase.size() > longest && text.substr(0, end).ends_with(phrase)) longest = phrase.size();
    if (longest == 0) continue;
    std::size_t begin = end - longest;
    while (!found.empty() && found.back().begin >= begin) found.pop_back();
    if (found.empty() || begin >= found.back().own_end) {
      found.push_back({begin, end, end});
    } else {
      found.back().end = end;
    }
  }
  return found;
}

inline std::string mask(const std::vector<std::string>& phrases, std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (const Mask& mask : masks(phrases, text)) {
    if (mask.begin > at) out += text.substr(at, mask.begin - at);
    out += "[MASKED]";
    at = mask.end;
  }
  return out += text.substr(at);
}

} // namespace trace::oracle
