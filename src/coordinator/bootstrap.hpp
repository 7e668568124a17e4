// The first start: administrator `root` with a password and an access token; later starts: the token given in the
// environment is (re)established.
#pragma once

#include "base/result.hpp"
#include "coordinator/app.hpp"

namespace coordinator {

// Generated credentials go to `<data dir>/root-credentials` (0600); its name is logged, never its content.
base::Status bootstrap(App& app);

} // namespace coordinator
