// The gate of every job endpoint of the runner contract (protocol digest §18, rules 1 and 2).
#pragma once

#include <cstdint>

#include "coordinator/api.hpp"
#include "coordinator/store.hpp"

namespace coordinator {

enum class AllowPending { kNo, kYes }; // handed out, not acknowledged yet

// The job's row (all columns), when the presented token (parameter `token`, else header JOB-TOKEN) is its own and the
// job is alive; 403 else, with Job-Status when the token is right.
Outcome<Row> authenticate_job(Transaction& tx, Call& call, std::int64_t job_id, AllowPending allow);

} // namespace coordinator
