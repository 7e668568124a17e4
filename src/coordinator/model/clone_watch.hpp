// Clones: two hosts with one system ID, as copies of a machine image have, are one manager to the server. They show
// themselves by addresses or versions that alternate within minutes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace coordinator::model {

struct CloneWatch {
  std::string sightings; // to be kept until the next contact, JSON
  bool is_clone = false;
};
// `sightings` is what the last call returned, empty at first. An upgrade or a new address is one change; there and back
// and there again, each within ten minutes, are two hosts.
CloneWatch watch_for_clones(std::string_view sightings, std::string_view ip_address, std::string_view version,
                            std::int64_t now);

} // namespace coordinator::model
