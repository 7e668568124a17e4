// A body of known length answered whole, or by the one range that the request asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "coordinator/api.hpp"

namespace coordinator::objects {

// `fill` sets the reply's body to the part from `offset` on, `length` bytes. 200, 206 or 416; Accept-Ranges is set.
Outcome<Reply> ranged_reply(
    const Call& call, std::uint64_t size,
    const std::function<base::Status(net::Response& response, std::uint64_t offset, std::uint64_t length)>& fill);

// attachment; filename="…"; filename*=UTF-8''…
std::string attachment(std::string_view filename);

} // namespace coordinator::objects
