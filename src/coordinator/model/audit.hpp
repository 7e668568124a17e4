// The audit trail: who did what to which runner, token, member or setting, from where. Written inside the transaction
// that does it, so that nothing happens unrecorded. Details are for administrators' eyes and never hold a secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

// What the event is about.
struct AuditSubject {
  std::string_view kind; // runner, group, project, user, access_token, instance …
  std::int64_t id = 0;
  std::string name = {};
};
AuditSubject subject_of(const Runner& runner); // "#7 (2CR8_eVx)", as the pages name it
AuditSubject subject_of(const Namespace& group);
AuditSubject subject_of(const Project& project);
AuditSubject subject_of(const User& user);

struct AuditEntry {
  std::string_view actor_kind; // user, runner, job, system, anonymous
  std::int64_t actor_id = 0;
  std::string actor_name; // a user's name, a runner's short token
  std::string ip;
  std::string_view action;
  AuditSubject subject;
  json::Value details = json::Value::object();
};
base::Status record(Transaction& tx, const AuditEntry& entry, std::int64_t now);

// By the call's user, or by a runner that acts for itself.
base::Status audit(Transaction& tx, const Call& call, std::string_view action, const AuditSubject& subject,
                   json::Value details = json::Value::object(), const Runner* acting = nullptr);
// What the coordinator does by itself.
base::Status audit_system(Transaction& tx, const App& app, std::string_view action, const AuditSubject& subject,
                          json::Value details = json::Value::object());

// {"name": {"from": …, "to": …}} for each member that differs; both objects have the same members.
json::Value changes(const json::Value& before, const json::Value& after);

} // namespace coordinator::model
