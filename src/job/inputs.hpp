// Job inputs: `${{ job.inputs.NAME }}` in scripts, image and service names, artifacts and caches. Pure.
//
// Of the expression language: job.inputs with .field, [index] and ["key"], and str(…) around it. Nothing is touched
// when a job has no inputs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "gitlab/payload.hpp"

namespace job {

// kInvalidInput: "failed to interpolate job inputs: …".
base::Result<std::string> interpolate(const std::vector<gitlab::Input>& inputs, std::string_view text);
// All fields that upstream interpolates, in place.
base::Status interpolate_payload(gitlab::JobPayload& payload);

} // namespace job
