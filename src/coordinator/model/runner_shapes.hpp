// What every answer tells of a runner and of a manager, whoever asks: the beginning of their JSON.
#pragma once

#include <cstdint>

#include "coordinator/model/runners.hpp"
#include "json/json.hpp"

namespace coordinator::model {

// With REST's older status, in which a paused runner says so instead of online or offline.
json::Value runner_shape(const Runner& runner, std::int64_t now);
json::Value manager_shape(const Manager& manager, std::int64_t now);

} // namespace coordinator::model
