#include "transfer/glob.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace transfer {
namespace {

constexpr std::size_t kMaxAlternatives = 4096;

std::unexpected<base::Error> syntax_error() {
  return base::fail(base::ErrorKind::kInvalidInput, "syntax error in pattern");
}

// One character of UTF-8; a stray byte stands for itself.
char32_t next_rune(std::string_view text, std::size_t& at) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned first = byte(at);
  std::size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 1;
  if (length == 1 || at + length > text.size()) return text[at++] & 0xff;
  char32_t rune = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return text[at++] & 0xff;
    rune = rune << 6 | (byte(at + i) & 0x3f);
  }
  at += length;
  return rune;
}

// Past the closing ']' of a class that begins at `at` (after '['); nullopt: not closed, or empty.
std::optional<std::size_t> class_end(std::string_view pattern, std::size_t at) {
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  if (at >= pattern.size() || pattern[at] == ']') return std::nullopt;
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == ']') {
      return at + 1;
    }
  }
  return std::nullopt;
}

bool class_matches(std::string_view body, char32_t rune) { // between the brackets
  std::size_t at = 0;
  bool negate = body[0] == '!' || body[0] == '^';
  if (negate) ++at;
  bool matched = false;
  auto item = [&] {
    if (body[at] == '\\' && at + 1 < body.size()) ++at;
    return next_rune(body, at);
  };
  while (at < body.size()) {
    char32_t low = item(), high = low;
    if (at + 1 < body.size() && body[at] == '-') {
      ++at;
      high = item();
    }
    matched |= low <= rune && rune <= high;
  }
  return matched != negate;
}

// One component; the pattern is valid. Backtracks to the last star only.
bool component_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star_p = std::string_view::npos, star_n = 0;
  while (n < name.size() || p < pattern.size()) {
    if (p < pattern.size()) {
      char c = pattern[p];
      if (c == '*') {
        star_p = ++p;
        star_n = n;
        continue;
      }
      if (n < name.size()) {
        std::size_t name_next = n, pattern_next = p;
        char32_t rune = next_rune(name, name_next);
        bool ok;
        if (c == '?') {
          ok = true;
          ++pattern_next;
        } else if (c == '[') {
          pattern_next = *class_end(pattern, p + 1);
          ok = class_matches(pattern.substr(p + 1, pattern_next - p - 2), rune);
        } else {
          if (c == '\\') ++pattern_next;
          ok = next_rune(pattern, pattern_next) == rune;
        }
        if (ok) {
          p = pattern_next;
          n = name_next;
          continue;
        }
      }
    }
    if (star_p == std::string_view::npos || star_n >= name.size()) return false;
    next_rune(name, star_n);
    p = star_p;
    n = star_n;
  }
  return true;
}

// The '}' that closes a '{' just before `at`.
std::optional<std::size_t> closing_brace(std::string_view pattern, std::size_t at) {
  int depth = 1;
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == '{') {
      ++depth;
    } else if (pattern[at] == '}' && --depth == 0) {
      return at;
    }
  }
  return std::nullopt;
}

// Also proves the syntax: after it, classes are closed and no backslash ends the pattern.
base::Status expand_braces(const std::string& pattern, std::size_t from, std::vector<std::string>& out) {
  for (std::size_t at = from; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      if (++at >= pattern.size()) return syntax_error();
    } else if (pattern[at] == '[') {
      auto end = class_end(pattern, at + 1);
      if (!end) return syntax_error();
      at = *end - 1;
    } else if (pattern[at] == '{') {
      auto close = closing_brace(pattern, at + 1);
      if (!close) return syntax_error();
      std::size_t start = at + 1;
      int depth = 0;
      for (std::size_t i = start; i <= *close; ++i) {
        if (pattern[i] == '\\') {
          ++i;
        } else if (pattern[i] == '{') {
          ++depth;
        } else if (i == *close || (pattern[i] == ',' && depth == 0)) {
          std::string one = pattern.substr(0, at) + pattern.substr(start, i - start) + pattern.substr(*close + 1);
          FR_CHECK(expand_braces(one, at, out));
          start = i + 1;
        } else if (pattern[i] == '}') {
          --depth;
        }
      }
      return {};
    }
  }
  if (out.size() >= kMaxAlternatives) return base::fail(base::ErrorKind::kLimit, "too many alternatives in pattern");
  out.push_back(pattern);
  return {};
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

// Backtracks to the last ** only: an earlier one could not do better.
bool components_match(const std::vector<std::string>& pattern, const std::vector<std::string_view>& names) {
  std::size_t p = 0, n = 0, retry_n = 0;
  std::optional<std::size_t> retry_p;
  while (n < names.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      retry_p = ++p;
      retry_n = n;
      if (p == pattern.size()) return true;
      continue;
    }
    if (p < pattern.size() && n < names.size() && component_matches(pattern[p], names[n])) {
      ++p;
      ++n;
      continue;
    }
    if (!retry_p || retry_n >= names.size()) return false;
    n = ++retry_n;
    p = *retry_p;
  }
  return true;
}

struct Found {
  std::string name;
  bool directory;
};

std::vector<Found> list(const std::string& directory) {
  std::vector<Found> out;
  std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), ::closedir);
  if (!handle) return out;
  while (dirent* entry = ::readdir(handle.get())) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat st{};
      is_directory =
          ::fstatat(::dirfd(handle.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
    }
    out.push_back({std::move(name), is_directory});
  }
  return out;
}

std::string below(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory == "/" ? "/" + name : directory + "/" + name;
}

class Walker {
 public:
  Walker(const std::vector<std::string>& components, std::set<std::string>& out) : components_(components), out_(out) {}

  void start() {
    std::size_t at = 0;
    std::string directory = ".";
    for (; at < components_.size() && !has_meta(components_[at]); ++at)
      directory = at == 0 && components_[0].empty() ? "/" : below(directory, unescape(components_[at]));
    if (at < components_.size()) return walk(directory, at);
    struct stat st{};
    if (::stat(directory.c_str(), &st) == 0) out_.insert(directory);
  }

 private:
  // `directory` is a directory; components from `at` on are still to match.
  void walk(const std::string& directory, std::size_t at) {
    if (!visited_.emplace(directory, at).second) return;
    bool last = at + 1 == components_.size();
    if (components_[at] == "**") {
      if (last) {
        if (exists_as_directory(directory)) out_.insert(directory);
      } else {
        walk(directory, at + 1);
      }
      for (const Found& found : list(directory)) {
        std::string path = below(directory, found.name);
        if (found.directory) {
          walk(path, at);
        } else if (last) {
          out_.insert(path);
        }
      }
      return;
    }
    for (const Found& found : list(directory)) {
      if (!component_matches(components_[at], found.name)) continue;
      std::string path = below(directory, found.name);
      if (last) {
        out_.insert(path);
      } else if (found.directory) {
        if (at + 2 == components_.size() && components_[at + 1].empty()) {
          out_.insert(path);
        } else {
          walk(path, at + 1);
        }
      }
    }
  }
  static bool exists_as_directory(const std::string& path) {
    struct stat st{};
    return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
  }

  const std::vector<std::string>& components_;
  std::set<std::string>& out_;
  std::set<std::pair<std::string, std::size_t>> visited_;
};

} // namespace

bool has_meta(std::string_view text) { return text.find_first_of("*?[{") != std::string_view::npos; }

std::pair<std::string, std::string> split_pattern(std::string_view pattern) {
  std::size_t slash = std::string_view::npos;
  for (std::size_t i = 0; i < pattern.size() && std::string_view("*?[{").find(pattern[i]) == std::string_view::npos;
       ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '/') {
      slash = i;
    }
  }
  if (slash == std::string_view::npos) return {".", std::string(pattern)};
  return {slash == 0 ? "/" : unescape(pattern.substr(0, slash)), std::string(pattern.substr(slash + 1))};
}

base::Result<Glob> Glob::parse(std::string_view pattern) {
  std::vector<std::string> plain;
  FR_CHECK(expand_braces(std::string(pattern), 0, plain));
  Glob glob;
  for (const std::string& text : plain) {
    Components components = base::split(text, '/');
    for (std::string& component : components)
      if (component.size() > 2 && component.find_first_not_of('*') == std::string::npos) component = "*";
    glob.alternatives_.push_back(std::move(components));
  }
  return glob;
}

bool Glob::matches(std::string_view path) const {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    std::size_t slash = path.find('/', at);
    parts.push_back(path.substr(at, slash - at));
    if (slash == std::string_view::npos) break;
    at = slash + 1;
  }
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Components& pattern) { return components_match(pattern, parts); });
}

std::vector<std::string> Glob::expand() const {
  std::set<std::string> found;
  for (const Components& components : alternatives_) Walker(components, found).start();
  return {found.begin(), found.end()};
}

} // namespace transfer
