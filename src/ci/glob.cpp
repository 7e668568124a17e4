#include "ci/glob.hpp"

#include <optional>

#include "base/strings.hpp"

namespace ci {
namespace {
// Length of the UTF-8 character at the start (1 for what is none).
std::size_t char_length(std::string_view text) {
  auto c = static_cast<unsigned char>(text.front());
  std::size_t length = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  return std::min(length, text.size());
}

std::string_view next_char(std::string_view pattern, std::size_t& at) {
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  std::string_view c = pattern.substr(at, char_length(pattern.substr(at)));
  at += c.size();
  return c;
}

// [set] at pattern[at]; moves `at` behind it. nullopt: not closed, so nothing matches.
std::optional<bool> bracket(std::string_view pattern, std::size_t& at, std::string_view c) {
  ++at;
  bool negate = at < pattern.size() && (pattern[at] == '^' || pattern[at] == '!');
  if (negate) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    std::string_view low = next_char(pattern, at);
    std::string_view high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = next_char(pattern, at);
    }
    // UTF-8 sorts like code points.
    if (low <= c && c <= high) found = true;
  }
  if (at >= pattern.size()) return std::nullopt;
  ++at;
  return found != negate;
}

// One path component against one component of a pattern.
bool component_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::size_t> star; // where to go on in the pattern after the last '*'
  std::size_t star_text = 0;
  while (true) {
    bool ok = false;
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      star = p;
      star_text = t;
      continue;
    }
    if (t == text.size()) {
      if (p == pattern.size()) return true;
      return false;
    }
    if (p < pattern.size()) {
      std::string_view c = text.substr(t, char_length(text.substr(t)));
      if (pattern[p] == '?') {
        ok = true;
        ++p;
      } else if (pattern[p] == '[') {
        auto hit = bracket(pattern, p, c);
        if (!hit) return false;
        ok = *hit;
      } else {
        ok = next_char(pattern, p) == c;
      }
      t += c.size();
    }
    if (ok) continue;
    if (!star || star_text >= text.size()) return false;
    star_text += char_length(text.substr(star_text));
    t = star_text;
    p = *star;
  }
}

bool path_match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::size_t> star;
  std::size_t star_path = 0;
  while (true) {
    // `**` means directories only where a slash follows it.
    if (p + 1 < pattern.size() && pattern[p] == "**") {
      star = ++p;
      star_path = t;
      continue;
    }
    if (p == pattern.size() && t == path.size()) return true;
    if (p < pattern.size() && t < path.size() && component_match(pattern[p], path[t])) {
      ++p;
      ++t;
      continue;
    }
    if (!star || star_path >= path.size()) return false;
    t = ++star_path;
    p = *star;
  }
}

// The matching '}' of the '{' at `open`, and the commas between at its level.
std::optional<std::vector<std::size_t>> brace_cuts(std::string_view pattern, std::size_t open) {
  std::vector<std::size_t> cuts;
  int depth = 0;
  for (std::size_t i = open; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '{') {
      ++depth;
    } else if (pattern[i] == ',' && depth == 1) {
      cuts.push_back(i);
    } else if (pattern[i] == '}' && --depth == 0) {
      cuts.push_back(i);
      return cuts;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> first_brace(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '{') {
      return i;
    }
  }
  return std::nullopt;
}
} // namespace

std::vector<std::string> expand_braces(std::string_view pattern, std::size_t limit) {
  std::vector<std::string> done;
  std::vector<std::string> todo{std::string(pattern)};
  while (!todo.empty() && done.size() < limit) {
    std::string current = std::move(todo.back());
    todo.pop_back();
    auto open = first_brace(current);
    auto cuts = open ? brace_cuts(current, *open) : std::nullopt;
    if (!cuts) {
      done.push_back(std::move(current));
      continue;
    }
    if (todo.size() + cuts->size() > limit) break;
    // Last alternative first: the stack gives them back in order.
    for (std::size_t i = cuts->size(); i-- > 0;) {
      std::size_t start = (i == 0 ? *open : (*cuts)[i - 1]) + 1;
      todo.push_back(current.substr(0, *open) + current.substr(start, (*cuts)[i] - start) +
                     current.substr(cuts->back() + 1));
    }
  }
  return done;
}

bool fnmatch(std::string_view pattern, std::string_view path) {
  auto parts = base::split(path, '/');
  for (const std::string& alternative : expand_braces(pattern))
    if (path_match(base::split(alternative, '/'), parts)) return true;
  return false;
}

bool include_wildcard_match(std::string_view pattern, std::string_view path) {
  std::size_t p = 0;
  std::size_t t = 0;
  struct Star {
    std::size_t pattern;
    std::size_t text;
  };
  std::optional<Star> single;
  std::optional<Star> twin;
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      bool any = p + 1 < pattern.size() && pattern[p + 1] == '*';
      p += any ? 2 : 1;
      (any ? twin : single) = Star{p, t};
      if (any) single.reset();
      continue;
    }
    if (p == pattern.size() && t == path.size()) return true;
    if (p < pattern.size() && t < path.size() && pattern[p] == path[t]) {
      ++p;
      ++t;
    } else if (single && single->text < path.size() && path[single->text] != '/') {
      t = ++single->text;
      p = single->pattern;
    } else if (twin && twin->text < path.size()) {
      single.reset();
      t = ++twin->text;
      p = twin->pattern;
    } else {
      return false;
    }
  }
}

bool scope_match(std::string_view pattern, std::string_view text) {
  return include_wildcard_match(base::replace_all(pattern, "*", "**"), text);
}

} // namespace ci
