// JSON of records that several resources show, and what the runner resources share.
#pragma once

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/users.hpp"
#include "json/json.hpp"

namespace coordinator::rest {

// Runs the body in a reading transaction, and once more in a writing one when it says kConflict: for answers that
// almost never have to make a registration token.
template <class Body>
Outcome<Reply> read_else_write(App& app, Body&& body) {
  auto outcome = app.store.read(
      [&](Transaction& tx) -> std::expected<Outcome<Reply>, base::Error> { return Outcome<Reply>(body(tx)); });
  if (outcome && (*outcome || outcome->error().status != 409)) return std::move(*outcome);
  return app.store.write([&](Transaction& tx) -> Outcome<Reply> { return body(tx); });
}

// What everybody who sees a project may know of its settings.
json::Value project_settings_json(const model::Project& project);
// A group as lists show it.
json::Value group_json(const App& app, const model::Namespace& group);
// `min_access_level`: one of the roles, or 0.
std::int64_t read_least_role(Params& params);

// One project in full; settings and tokens as far as the caller's role goes. May make the registration token.
Outcome<json::Value> project_json(Transaction& tx, const Call& call, const model::ProjectAccess& found);

// A user; `full`: with what only himself and administrators see.
json::Value user_json(const App& app, const model::User& user, bool full);

// A runner as lists show it.
Outcome<json::Value> runner_json(Transaction& tx, const Call& call, const model::Runner& runner);
// The same with everything that the caller may know of one.
Outcome<json::Value> runner_details_json(Transaction& tx, const Call& call, const model::Runner& runner,
                                         bool with_projects);
Outcome<json::Value> manager_json(Transaction& tx, const model::Manager& manager, std::int64_t now);
json::Value issued_json(const model::IssuedToken& issued); // {"token", "token_expires_at"}
// {"id", "token", "token_expires_at"}: what a new runner's maker and a verifying runner are told.
json::Value credentials_json(const model::Runner& runner, const std::string& token);

struct FoundRunner {
  model::Runner runner;
  RunnerAccess access;
};
// 404 when there is no such runner, 403 with the reason when the caller has not the ability.
Outcome<FoundRunner> runner_for(Transaction& tx, const Call& call, std::optional<std::int64_t> id, Ability ability);

// The attributes that are given, over what `out` holds.
void read_runner_attributes(Params& params, model::RunnerAttributes& out);
inline constexpr std::string_view kRunnerAttributes =
    "description:text? maintenance_note:text? active:bool paused:bool locked:bool run_untagged:bool "
    "access_level:(not_protected|ref_protected) tag_list:list? maximum_timeout:int?";
// As one object, for the audit trail.
json::Value attributes_json(const model::RunnerAttributes& attributes);
model::RunnerAttributes attributes_of(const model::Runner& runner);
// With its audit entry and event; the caller has asked whether it is allowed.
Outcome<std::monostate> edit_runner(Transaction& tx, Call& call, const model::Runner& runner,
                                    model::RunnerAttributes attributes);
Outcome<std::monostate> remove_runner(Transaction& tx, Call& call, const model::Runner& runner);
// Too many runners in the group or project already?
Outcome<Violations> runner_limit_violations(Transaction& tx, RunnerType type, std::int64_t owner_id, std::int64_t now);

} // namespace coordinator::rest
