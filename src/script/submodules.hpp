// The part of get_sources that follows the checkout. Pure; kInvalidInput for settings that make no sense.
#pragma once

#include "base/result.hpp"
#include "script/writer.hpp"

namespace script {

base::Status write_submodules(Writer& w, const BuildInfo& info);

} // namespace script
