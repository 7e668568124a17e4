// What a path of a user, group or project may look like. Pure.
#pragma once

#include <string>
#include <string_view>

namespace coordinator::rest {

// GitLab's words for a path that breaks the rule.
inline constexpr std::string_view kPathRule =
    "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'";

inline constexpr std::size_t kDeepestNesting = 20; // of groups

// Letters, digits, '_', '-', '.'; begins with a letter, digit or '_'; 1 to 255 characters; no ".." and no end that a
// repository's URL or file name uses.
bool is_valid_path(std::string_view path);
// Top-level names that are routes of ours, or would be taken for an id.
bool is_reserved_path(std::string_view path);
// "My Project" → "my-project"; empty when nothing is left.
std::string path_from_name(std::string_view name);

} // namespace coordinator::rest
