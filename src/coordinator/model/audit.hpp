// The audit trail: who did what to which runner, token or setting. Inside the transaction that does it. Never a secret.
#pragma once

#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

// The actor is the call's user, or what `runner` names (a runner acting for itself).
base::Status audit(Transaction& tx, const Call& call, std::string_view action, std::string_view target,
                   const json::Value& details = json::Value::object(), std::int64_t runner = 0);
// What the coordinator does by itself.
base::Status audit_system(Transaction& tx, const App& app, std::string_view action, std::string_view target,
                          const json::Value& details = json::Value::object());

} // namespace coordinator::model
