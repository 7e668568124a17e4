#include "coordinator/pipelines/latest.hpp"

#include <map>

namespace coordinator::pipelines {

base::Result<Latest> latest_jobs(Transaction& tx, std::int64_t pipeline_id, std::string_view columns) {
  Latest latest;
  latest.rows = FR_TRY(tx.query("SELECT id, name, stage_idx, status, allow_failure, when_to_run, started_at" +
                                    std::string(columns) +
                                    // An empty list of needs has no rows; the definition knows. Inside a JSON text the
                                    // quotes would be escaped.
                                    ", CASE WHEN definition LIKE ? THEN 1 ELSE 0 END AS dag "
                                    "FROM jobs WHERE pipeline_id = ? AND retried = 0 ORDER BY stage_idx, id",
                                {R"(%"needs":[%)", pipeline_id}));
  std::map<std::int64_t, std::vector<std::string>> needs;
  for (const Row& need : FR_TRY(tx.query("SELECT n.job_id, n.name FROM job_needs n JOIN jobs j ON j.id = n.job_id "
                                         "WHERE j.pipeline_id = ? AND j.retried = 0",
                                         {pipeline_id})))
    needs[need.integer("job_id")].push_back(need.text("name"));
  for (const Row& row : latest.rows) {
    ci::JobState state;
    state.name = row.text("name");
    state.stage_index = static_cast<int>(row.integer("stage_idx"));
    state.status = ci::parse_status(row.text("status")).value_or(ci::Status::kFailed);
    state.allow_failure = row.boolean("allow_failure");
    state.when = ci::parse_when(row.text("when_to_run")).value_or(ci::When::kOnSuccess);
    if (row.boolean("dag")) state.needs = needs[row.integer("id")];
    latest.states.push_back(std::move(state));
  }
  return latest;
}

bool is_retryable(std::string_view status) { return status == "success" || status == "failed" || status == "canceled"; }

} // namespace coordinator::pipelines
