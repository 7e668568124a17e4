// The gate of every job endpoint of the runner contract (protocol digest §18, rules 1 and 2).
#pragma once

#include <cstdint>

#include "coordinator/api.hpp"
#include "coordinator/runner_api/limits.hpp"
#include "coordinator/store.hpp"

namespace coordinator {

enum class AllowPending { kNo, kYes }; // handed out, not acknowledged yet

// Which limit a call counts against (runner-tokens digest §15); kCounted: it has been, earlier in the same request.
enum class JobCall { kEndpoint, kTrace, kCounted };

// The job's row (all columns), when the presented token (parameter `token`, else header JOB-TOKEN) is its own and the
// job is alive; 403 else, with Job-Status when the token is right. 429 when the job calls too often.
Outcome<Row> authenticate_job(Transaction& tx, Call& call, Limits& limits, std::int64_t job_id, AllowPending allow,
                              JobCall kind = JobCall::kEndpoint);

} // namespace coordinator
