// links: script
// Quoted text must be one word that a shell reads back as it was: checked against a small reader of shell words.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "script/escape.hpp"

namespace {

int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::optional<std::string> read_ansi(std::string_view word) {
  std::string out;
  for (std::size_t i = 2; i < word.size(); ++i) {
    if (word[i] == '\'') return i + 1 == word.size() ? std::optional(out) : std::nullopt;
    if (word[i] != '\\') {
      out += word[i];
      continue;
    }
    static constexpr std::string_view kFrom = "abtnvfr'\\";
    static constexpr std::string_view kTo = "\a\b\t\n\v\f\r'\\";
    const char next = word[++i];
    if (next == 'x') {
      out += static_cast<char>(hex(word[i + 1]) * 16 + hex(word[i + 2]));
      i += 2;
    } else if (const auto at = kFrom.find(next); at != std::string_view::npos) {
      out += kTo[at];
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::string> read_posix(std::string_view word) {
  std::string out;
  for (std::size_t i = 0; i < word.size();) {
    if (word[i] == '\\') {
      out += word[i + 1];
      i += 2;
    } else if (word[i] == '\'') {
      const auto end = word.find('\'', i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      out += word.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

void require(bool ok) {
  if (!ok) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  const std::string ansi = script::escape(text, script::Quoting::kAnsi);
  const std::string posix = script::escape(text, script::Quoting::kPosix);
  std::erase(text, '\0');
  require(ansi.find('\n') == std::string::npos);
  require(ansi.starts_with("$'") ? read_ansi(ansi) == text : ansi == text || (text.empty() && ansi == "''"));
  require(posix.starts_with("'") || posix.starts_with("\\") ? read_posix(posix) == text : posix == text);
  return 0;
}
