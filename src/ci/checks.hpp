// Checks across jobs, before any rule is evaluated: stages, needs, dependencies, cycles. Internal to ci.
#pragma once

#include "ci/parallel.hpp"

namespace ci {

constexpr std::size_t kMaxNeeds = 50; // GitLab's ci_needs_size_limit

void check_jobs(const Instances& instances, const std::vector<std::string>& stages, Problems& problems);

} // namespace ci
