// The schema, as migrations from the first version on: append, never edit one that was released.
#pragma once

#include <span>
#include <string_view>

namespace coordinator {

// Entry i brings version i to i + 1; statements are separated by lines that end in ';'.
std::span<const std::string_view> migrations();

} // namespace coordinator
