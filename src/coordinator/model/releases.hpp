// Is there a newer release of the program that a manager says it runs? Judged by a list that this program brings along:
// nobody is asked over the network. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace coordinator::model {

enum class Upgrade { kInvalid, kNotAvailable, kAvailable, kRecommended }; // the better reason to upgrade is greater
std::string_view to_string(Upgrade upgrade);

// "18.1.0", "v17.5.2", "19.4.0~pre.12.gabcdef". Recommended: the same minor version has a newer patch, or the major
// version is behind this server's. 0.x are versions of Forerunner, all others GitLab Runner's.
Upgrade upgrade_of(std::string_view version);

} // namespace coordinator::model
