// The pipeline or job of a request's path, for a caller who may read it. Inside a transaction.
#pragma once

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/store.hpp"

namespace coordinator::pipelines {

struct Found {
  model::Project project;
  Access access;
  Row row; // of pipelines or jobs, whole
};

// 404 for a project that the caller cannot see, 403 for one whose jobs he may not read. Of `:id`.
Outcome<model::ProjectAccess> readable_project(Transaction& tx, const Call& call);
// And 404 for what the project has not: of `:pipeline_id`, of `:job_id`.
Outcome<Found> find_pipeline(Transaction& tx, const Call& call);
Outcome<Found> find_job(Transaction& tx, const Call& call);
// The row of a job's archive of artifacts: 404 without one, 403 for whom `artifacts:access` leaves out.
Outcome<Row> find_archive(Transaction& tx, const Access& access, std::int64_t job_id);

// The statuses of `scope`, one or several: a condition on jobs.
model::Condition jobs_in_scope(Params& params);
// A list's filters, on columns of pipelines: status, ref, sha, source, name, username, yaml_errors, scope, and the
// times of creation and of the last change.
model::Condition pipelines_matching(Params& params);

} // namespace coordinator::pipelines
