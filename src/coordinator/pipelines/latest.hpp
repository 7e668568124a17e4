// The latest try of each job of a pipeline, as the status machine sees them. Inside a transaction.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ci/status.hpp"
#include "coordinator/store.hpp"

namespace coordinator::pipelines {

struct Latest {
  std::vector<Row> rows; // by stage, then id
  std::vector<ci::JobState> states;
};
// `columns`: of jobs, beside those that the status machine needs (", stage, created_at").
base::Result<Latest> latest_jobs(Transaction& tx, std::int64_t pipeline_id, std::string_view columns = "");

// Ended by running or being canceled: may be run again.
bool is_retryable(std::string_view status);

} // namespace coordinator::pipelines
