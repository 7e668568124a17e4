#include "coordinator/rest/names.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace coordinator::rest {
namespace {

bool is_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

} // namespace

bool is_valid_path(std::string_view path) {
  if (path.empty() || path.size() > 255 || !is_word(static_cast<unsigned char>(path.front()))) return false;
  for (const auto ending : {".git", ".atom", ".lock", "."}) {
    if (base::to_lower(path).ends_with(ending)) return false;
  }
  return path.find("..") == std::string_view::npos &&
         std::ranges::all_of(path, [](unsigned char c) { return is_word(c) || c == '-' || c == '.'; });
}

bool is_reserved_path(std::string_view path) {
  static constexpr std::string_view reserved[] = {
      "-",       "admin",    "api",          "assets",  "dashboard", "explore",  "files",  "groups",
      "help",    "import",   "login",        "oauth",   "profile",   "projects", "public", "search",
      "sitemap", "snippets", "unsubscribes", "uploads", "users",     "v2"};
  // A number would be taken for an id.
  const bool number = std::ranges::all_of(path, [](char c) { return c >= '0' && c <= '9'; });
  return number || std::ranges::find(reserved, base::to_lower(path)) != std::end(reserved);
}

std::string path_from_name(std::string_view name) {
  std::string out;
  for (const char c : base::to_lower(name)) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_word(byte) || c == '.') {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (!out.empty() && (out.back() == '-' || out.back() == '.')) out.pop_back();
  while (!out.empty() && out.front() == '.') out.erase(out.begin());
  return out;
}

} // namespace coordinator::rest
