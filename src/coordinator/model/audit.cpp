#include "coordinator/model/audit.hpp"

namespace coordinator::model {

base::Status audit(Transaction& tx, const Call& call, std::string_view action, std::string_view target,
                   const json::Value& details, std::int64_t runner) {
  std::string_view kind = "anonymous";
  std::int64_t actor = 0;
  if (runner != 0) {
    kind = "runner";
    actor = runner;
  } else if (call.identity.signed_in()) {
    kind = "user";
    actor = call.identity.user_id;
  }
  FR_CHECK(tx.execute(
      "INSERT INTO audit_events (at, actor_kind, actor_id, ip, action, target, details) VALUES (?, ?, ?, ?, ?, ?, ?)",
      {call.now(), kind, actor, call.request.remote_address, action, target, details.dump()}));
  return {};
}

base::Status audit_system(Transaction& tx, const App& app, std::string_view action, std::string_view target,
                          const json::Value& details) {
  FR_CHECK(tx.execute(
      "INSERT INTO audit_events (at, actor_kind, actor_id, ip, action, target, details) VALUES (?, ?, ?, ?, ?, ?, ?)",
      {app.now(), "system", 0, nullptr, action, target, details.dump()}));
  return {};
}

} // namespace coordinator::model
