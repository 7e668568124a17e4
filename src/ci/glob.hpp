// File name patterns of the language: Ruby's fnmatch (PATHNAME, DOTMATCH, EXTGLOB) for rules:changes and rules:exists,
// and the plainer one of include:local. Linear in the text for each pattern; never backtracks exponentially.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ci {

bool fnmatch(std::string_view pattern, std::string_view path);
// `**` any text, `*` any text without a slash, everything else literally.
bool include_wildcard_match(std::string_view pattern, std::string_view path);
// Environment scopes: `*` any text.
bool scope_match(std::string_view pattern, std::string_view text);

// {a,b} alternatives written out; at most `limit` patterns.
std::vector<std::string> expand_braces(std::string_view pattern, std::size_t limit = 1000);

} // namespace ci
