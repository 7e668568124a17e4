// Runners, their managers and tokens. Functions run inside a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/app.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/reply.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::model {

inline constexpr std::string_view kLegacySystemId = "<legacy>";
inline constexpr std::int64_t kOnlineWindow = 2LL * 3600 * 1000; // contact older than this: offline
inline constexpr std::int64_t kStaleAfter = 7LL * 24 * 3600 * 1000;
inline constexpr std::int64_t kCloneShown = 24LL * 3600 * 1000; // how long the suspicion of a clone is shown

struct Runner {
  std::int64_t id = 0;
  RunnerType type = RunnerType::kInstance;
  std::string token_short;
  std::optional<std::int64_t> token_expires_at;
  bool by_user = true; // registration_type authenticated_user
  bool creation_finished = false;
  std::optional<std::int64_t> creator_id;
  std::optional<std::int64_t> namespace_id;     // group runners
  std::optional<std::int64_t> owner_project_id; // project runners
  std::optional<std::string> name;
  std::string description;
  std::string maintenance_note;
  bool active = true;
  bool locked = false;
  bool run_untagged = true;
  bool ref_protected = false;
  std::optional<std::int64_t> maximum_timeout;
  std::vector<std::string> tag_list;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0; // edited, assigned or its token replaced
  std::optional<std::int64_t> contacted_at;
  bool rotating = false; // an earlier token may still count
};
Runner runner_from(const Row& row);

struct Manager {
  std::int64_t id = 0;
  std::int64_t runner_id = 0;
  std::string system_id;
  std::string version, revision, platform, architecture, executor, ip_address;
  json::Value config, features, labels;
  bool creation_finished = false;
  std::int64_t created_at = 0;
  std::optional<std::int64_t> contacted_at;
  std::optional<std::int64_t> clone_seen_at; // two hosts took turns under this system ID

  bool possible_clone(std::int64_t now) const { return clone_seen_at && *clone_seen_at > now - kCloneShown; }
};
Manager manager_from(const Row& row);

base::Result<std::optional<Runner>> find_runner(Transaction& tx, std::int64_t id);
// By its authentication token: not when the token has expired. A token replaced by the runner's own rotation counts
// until its grace ends.
struct Authenticated {
  Runner runner;
  std::optional<std::int64_t> replaced_at; // this token is one of the runner's earlier ones
  std::string digest;                      // of the token that was given

  bool replaced() const { return replaced_at.has_value(); }
};
base::Result<std::optional<Authenticated>> find_runner_by_token(Transaction& tx, std::string_view token,
                                                                std::int64_t now);

// A replaced token renews itself, and deletes, only at places that its runner was seen at before the replacement; else
// whoever stole it could make itself known with it first. Tokens that are not replaced count everywhere.
base::Result<bool> is_known_place(Transaction& tx, const Call& call, const Authenticated& known);

// What a runner says about itself with verify and job requests.
struct Contact {
  std::optional<std::string> system_id; // nullopt: booked under <legacy>
  json::Value info;                     // the `info` object, null when absent
  std::string ip_address;
  std::string digest;   // Authenticated::digest
  bool polling = false; // a job request: finishes the runner's creation
};
// Refreshes the runner's and the manager's contact, makes the manager when it is new. Fields beyond their limits are
// dropped, a system_id beyond 64 characters is a 400.
Outcome<Manager> record_contact(Transaction& tx, const App& app, const Runner& runner, const Contact& contact);
// What a verify or job request brings, taken from its parameters.
Contact contact_from(const Call& call, const Authenticated& authenticated, bool polling);
// The manager's id when it has polled lately and the contact says nothing new: noting the time is enough then.
base::Result<std::optional<std::int64_t>> unchanged_manager(Transaction& tx, const Runner& runner,
                                                            const Contact& contact, std::int64_t now);

// 403, 422 "Runner is orphaned" or the runner: what every runner-facing call starts with. The token is the parameter
// `token`, else the header RUNNER-TOKEN.
Outcome<Authenticated> authenticate_runner(Transaction& tx, Call& call);

enum class RunnerStatus { kOnline, kOffline, kStale, kNeverContacted };
std::string_view to_string(RunnerStatus status);
RunnerStatus runner_status(std::int64_t created_at, std::optional<std::int64_t> contacted_at, std::int64_t now);

// Queue rule, scope part (digest §13 rule 2): may jobs of this project go to this runner?
base::Result<bool> runner_serves_project(Transaction& tx, const Runner& runner, const Project& project);

// What the rules need to know about a caller and a runner.
base::Result<RunnerAccess> runner_access(Transaction& tx, const Identity& identity, const Runner& runner,
                                         std::int64_t now);
base::Result<std::vector<std::int64_t>> runner_project_ids(Transaction& tx, std::int64_t runner_id); // oldest first
// The manager with the latest contact.
base::Result<std::optional<Manager>> latest_manager(Transaction& tx, std::int64_t runner_id);
base::Result<std::vector<Manager>> managers_of(Transaction& tx, std::int64_t runner_id);

// "recommended" … of the manager's version, for a runner the worst of its managers'; null when none has said its
// version, or when the instance does not want to know (update_runner_versions_enabled). See releases.hpp.
base::Result<json::Value> upgrade_json(Transaction& tx, const Manager& manager);
base::Result<json::Value> upgrade_json(Transaction& tx, std::int64_t runner_id);

// The attributes that a user or a registering runner sets.
struct RunnerAttributes {
  std::string description;
  std::string maintenance_note;
  bool active = true;
  bool locked = false;
  bool run_untagged = true;
  bool ref_protected = false;
  std::optional<std::int64_t> maximum_timeout;
  std::vector<std::string> tag_list;
};
Violations validate(const RunnerAttributes& attributes, bool tags_changed = true);

struct NewRunner {
  RunnerType type = RunnerType::kInstance;
  std::optional<std::int64_t> namespace_id;
  std::optional<std::int64_t> project_id;
  std::optional<std::int64_t> creator_id; // nullopt: made with a registration token
  std::optional<std::string> name;
  RunnerAttributes attributes;
};
struct IssuedRunner {
  Runner runner;
  std::string token; // shown this once
};
base::Result<IssuedRunner> create_runner(Transaction& tx, const App& app, const NewRunner& runner);
base::Status update_runner(Transaction& tx, std::int64_t id, const RunnerAttributes& attributes, std::int64_t now);
base::Status delete_runner(Transaction& tx, std::int64_t id);
// Of a deleted project: ownership passes on, runners without a project go.
base::Status release_project_runners(Transaction& tx, std::int64_t project_id);

struct IssuedToken {
  std::string token;
  std::optional<std::int64_t> expires_at;
};
// By a user: immediate and final.
base::Result<IssuedToken> reset_token(Transaction& tx, const App& app, const Runner& runner);
// By the runner itself. The replaced token counts on until every manager seen in the last seven days has come with the
// new one, at most to its own expiry (a day when it has none); meanwhile it gets the same successor again, at places
// where the runner was seen before (403 elsewhere).
Outcome<IssuedToken> rotate_token(Transaction& tx, const Call& call, const Authenticated& known);
// What its creator may still read: for an hour and until the first manager has come.
base::Result<std::optional<std::string>> ephemeral_token(Transaction& tx, const App& app, const Runner& runner,
                                                         std::int64_t user_id);

// How many of the group's or project's runners count against the limit.
base::Result<std::int64_t> recent_runner_count(Transaction& tx, RunnerType type, std::int64_t owner_id,
                                               std::int64_t now);

// scope: instance, group, project. Made when first asked for: kConflict in a reading transaction then, see
// rest::read_else_write().
base::Result<std::string> registration_token(Transaction& tx, const Vault& vault, std::string_view scope,
                                             std::int64_t scope_id);
base::Result<std::string> reset_registration_token(Transaction& tx, const Vault& vault, std::string_view scope,
                                                   std::int64_t scope_id);
struct RegistrationScope {
  std::string scope;
  std::int64_t scope_id = 0;
};
base::Result<std::optional<RegistrationScope>> find_registration_token(Transaction& tx, std::string_view token);
// The switches that hold for a group (space) or, with a project, for the project in it; space null: the instance.
base::Result<RegistrationRules> registration_rules(Transaction& tx, RunnerType type, const Namespace* space);

} // namespace coordinator::model
