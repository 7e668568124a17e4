// What the files of this module share.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/schema.hpp"
#include "toml/toml.hpp"

namespace config {

// From a tree with documented keys (normalize_runner, or flags). Environment references are not expanded.
Runner runner_from_tree(const json::Value& tree);

} // namespace config
