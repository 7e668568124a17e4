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
  std::optional<std::int64_t> contacted_at;
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
};
Manager manager_from(const Row& row);

base::Result<std::optional<Runner>> find_runner(Transaction& tx, std::int64_t id);
// By its authentication token: not when the token has expired. A token replaced by the runner's own rotation counts
// until its grace ends (`previous` tells so).
struct Authenticated {
  Runner runner;
  bool previous = false;
};
base::Result<std::optional<Authenticated>> find_runner_by_token(Transaction& tx, std::string_view token,
                                                                std::int64_t now);

// What a runner says about itself with verify and job requests.
struct Contact {
  std::optional<std::string> system_id; // nullopt: booked under <legacy>
  json::Value info;                     // the `info` object, null when absent
  std::string ip_address;
  bool polling = false; // a job request: ends the state "never contacted"
};
// Refreshes the runner's and the manager's contact, makes the manager when it is new. Fields beyond their limits are
// dropped, a system_id beyond 64 characters is a 400.
Outcome<Manager> record_contact(Transaction& tx, const App& app, const Runner& runner, const Contact& contact);
// The contact of a job's update or trace: times only.
base::Status touch_contact(Transaction& tx, std::int64_t runner_id, std::optional<std::int64_t> manager_id,
                           std::string_view ip_address, std::int64_t now);

// 403, 422 "Runner is orphaned" or the runner: what every runner-facing call starts with. The token is the parameter
// `token`, else the header RUNNER-TOKEN.
Outcome<Authenticated> authenticate_runner(Transaction& tx, Call& call);

enum class RunnerStatus { kOnline, kOffline, kStale, kNeverContacted };
std::string_view to_string(RunnerStatus status);
RunnerStatus runner_status(std::int64_t created_at, std::optional<std::int64_t> contacted_at, std::int64_t now);

// Queue rule, scope part (digest §13 rule 2): may jobs of this project go to this runner?
base::Result<bool> runner_serves_project(Transaction& tx, const Runner& runner, const Project& project);

} // namespace coordinator::model
