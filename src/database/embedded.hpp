// The embedded database as a file: copied while a coordinator uses it, and checked. For back-up and restore.
//
// Blocking, as long as the disk needs. Other processes go on reading and writing meanwhile.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace database {

// A consistent copy of one moment, compact and without side files; then `afterwards` are run on the copy. `to` must not
// exist.
base::Status copy_embedded(const std::string& from, const std::string& to,
                           std::span<const std::string_view> afterwards = {});

// kInvalidInput: damaged, or rows point at rows that are not there. The schema's version.
base::Result<std::int64_t> check_embedded(const std::string& path);

} // namespace database
