// The phases that work on the YAML tree before any keyword has a meaning: include, extends, !reference. Internal to ci.
//
// Each reports into Problems and leaves the tree as far as it got.
#pragma once

#include <optional>

#include "ci/compile.hpp"
#include "ci/problems.hpp"
#include "yaml/yaml.hpp"

namespace ci {

// Mapping into mapping recursively; of any other pair the upper one stays.
void deep_merge(yaml::Node& base, yaml::Node top);
// About the memory of a tree, to bound what copying makes of a small file.
std::size_t weight(const yaml::Node& node);
constexpr std::size_t kMaxWeight = 64 * 1024 * 1024;

// The entry file with everything it includes; nullopt after an error.
std::optional<yaml::Node> load_with_includes(const Source& source, const Context& context, Problems& problems);
void resolve_extends(yaml::Node& root, Problems& problems);
void resolve_references(yaml::Node& root, Problems& problems);

} // namespace ci
