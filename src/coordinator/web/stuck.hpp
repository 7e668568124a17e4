// Why a pending job does not start: what its runners lack. Inside a transaction.
#pragma once

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::web {

// {"reason", "tags", "text"}, or null when a runner that is online would take the job. `job`: a whole row.
Outcome<json::Value> stuck_json(Transaction& tx, const Call& call, const model::Project& project, const Row& job);

} // namespace coordinator::web
