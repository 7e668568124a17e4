// What the server reads out of a finished job: dotenv reports and the coverage number. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "ci/variable.hpp"

namespace ci {

// The variables of a dotenv report; the errors are GitLab's ("Invalid Format", …), sent to the uploader with status
// 400.
base::Result<Variables> parse_dotenv(std::string_view text, std::size_t max_variables = 20);

// The coverage that `pattern` (RE2) finds in a log: the last line that matches counts.
std::optional<double> extract_coverage(std::string_view log, std::string_view pattern);

} // namespace ci
