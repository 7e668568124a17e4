// Unpacking a downloaded or cached archive into the current directory, with messages. Private to the commands.
#pragma once

#include <string>

#include "base/result.hpp"

namespace transfer {

// The format is told by the first bytes, names do not count. Entries that cannot be unpacked are named on the log and
// make the result an error, the others are there. kNotFound: there is no such file.
base::Status unpack_here(const std::string& archive_path);

} // namespace transfer
