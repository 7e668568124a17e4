#include "coordinator/model/audit.hpp"

#include <fmt/format.h>

namespace coordinator::model {

AuditSubject subject_of(const Runner& runner) {
  return {.kind = "runner", .id = runner.id, .name = fmt::format("#{} ({})", runner.id, runner.token_short)};
}

AuditSubject subject_of(const Namespace& group) {
  return {.kind = group.is_group() ? "group" : "namespace", .id = group.id, .name = group.full_path};
}

AuditSubject subject_of(const Project& project) {
  return {.kind = "project", .id = project.id, .name = project.full_path};
}

AuditSubject subject_of(const User& user) { return {.kind = "user", .id = user.id, .name = user.username}; }

base::Status record(Transaction& tx, const AuditEntry& entry, std::int64_t now) {
  FR_CHECK(
      tx.execute("INSERT INTO audit_events (at, actor_kind, actor_id, actor_name, ip, action, target, entity_kind, "
                 "entity_id, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 {now, entry.actor_kind, entry.actor_id, entry.actor_name, entry.ip, entry.action, entry.subject.name,
                  entry.subject.kind, entry.subject.id, entry.details.dump()}));
  return {};
}

base::Status audit_system(Transaction& tx, const App& app, std::string_view action, const AuditSubject& subject,
                          json::Value details) {
  return record(tx,
                {.actor_kind = "system",
                 .actor_id = 0,
                 .actor_name = {},
                 .ip = {},
                 .action = action,
                 .subject = subject,
                 .details = std::move(details)},
                app.now());
}

base::Status audit(Transaction& tx, const Call& call, std::string_view action, const AuditSubject& subject,
                   json::Value details, const Runner* acting) {
  AuditEntry entry{.actor_kind = "anonymous",
                   .actor_id = 0,
                   .actor_name = {},
                   .ip = call.request.remote_address,
                   .action = action,
                   .subject = subject,
                   .details = std::move(details)};
  if (acting) {
    entry.actor_kind = "runner";
    entry.actor_id = acting->id;
    entry.actor_name = acting->token_short;
  } else if (call.identity.signed_in()) {
    entry.actor_kind = call.identity.kind == Identity::Kind::kJob ? "job" : "user";
    entry.actor_id = call.identity.user_id;
    entry.actor_name = call.identity.username;
    if (call.identity.token_id != 0) entry.details.set("access_token_id", call.identity.token_id);
    if (call.identity.sudo_by != 0) entry.details.set("sudo_by", call.identity.sudo_by);
  }
  return record(tx, entry, call.now());
}

json::Value changes(const json::Value& before, const json::Value& after) {
  auto out = json::Value::object();
  for (const auto& [name, value] : after.as_object()) {
    if (before[name] == value) continue;
    out.set(name, json::Value::object({{"from", before[name]}, {"to", value}}));
  }
  return out;
}

} // namespace coordinator::model
