// Carries the events that matter to every process over the database's notices.
//
// When the connection that listens was lost, every waiting poll looks again: what was missed cannot matter then.
#pragma once

#include <vector>

#include "coordinator/app.hpp"

namespace coordinator {

// Until the subscriptions are destroyed; call before the server listens.
[[nodiscard]] std::vector<database::Subscription> carry_events(App& app);

} // namespace coordinator
