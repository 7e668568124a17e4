// Service: how jobs and pipelines change their status after they exist.

#include <algorithm>

#include "base/strings.hpp"
#include "ci/status.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/pipelines/latest.hpp"
#include "coordinator/pipelines/service.hpp"

namespace coordinator::pipelines {
base::Status Service::hold(Transaction& tx, std::int64_t pipeline_id) {
  if (tx.exclusive()) return {};
  return tx.lock("pipeline", pipeline_id);
}

base::Status Service::advance(Transaction& tx, std::int64_t pipeline_id) {
  std::int64_t now = app_.now();
  bool woke = false;
  FR_CHECK(hold(tx, pipeline_id));
  Latest loaded = FR_TRY(latest_jobs(tx, pipeline_id));
  while (true) {
    auto transitions = ci::process(loaded.states);
    if (transitions.empty()) break;
    for (const ci::Transition& change : transitions) {
      std::int64_t id = loaded.rows[change.job].integer("id");
      std::optional<std::int64_t> scheduled;
      if (change.to == ci::Status::kScheduled) {
        auto definition = FR_TRY(tx.query_one("SELECT definition FROM jobs WHERE id = ?", {id}));
        auto job = FR_TRY(ci::job_from_json(FR_TRY(json::parse(definition->text("definition")))));
        scheduled = now + job.start_in_seconds * 1000;
      }
      bool pending = change.to == ci::Status::kPending;
      bool skipped = change.to == ci::Status::kSkipped;
      FR_CHECK(tx.execute(
          "UPDATE jobs SET status = ?, status_reason = ?, scheduled_at = ?, updated_at = ?, "
          "queued_at = CASE WHEN ? THEN ? ELSE queued_at END, "
          "finished_at = CASE WHEN ? THEN CAST(? AS BIGINT) ELSE NULL END WHERE id = ? AND status = 'created'",
          {ci::to_string(change.to), change.reason, scheduled, now, pending, now, skipped, now, id}));
      loaded.states[change.job].status = change.to;
      woke = woke || pending;
    }
  }
  if (woke) FR_CHECK(tx.publish(kPendingJobs));
  if (loaded.rows.empty()) return {};
  bool started =
      std::any_of(loaded.rows.begin(), loaded.rows.end(), [](const Row& job) { return !job.is_null("started_at"); });
  return refresh_pipeline(tx, pipeline_id, ci::composite(loaded.states).status, started);
}

base::Status Service::refresh_pipeline(Transaction& tx, std::int64_t pipeline_id, ci::Status status, bool started) {
  auto row = FR_TRY(tx.query_one("SELECT project_id, sha, status FROM pipelines WHERE id = ?", {pipeline_id}));
  if (!row) return {};
  std::int64_t now = app_.now();
  bool complete = ci::is_complete(status);
  bool was_complete = ci::is_complete(ci::parse_status(row->text("status")).value_or(ci::Status::kCreated));
  // Played or retried: its jobs fetch the commit by the pipeline's ref again.
  if (was_complete && !complete)
    FR_CHECK(git::Repository(app_, row->integer("project_id")).pin(pipeline_id, row->text("sha")));
  FR_CHECK(
      tx.execute("UPDATE pipelines SET status = ?, updated_at = ?, "
                 "started_at = CASE WHEN started_at IS NULL AND ? THEN ? ELSE started_at END, "
                 "finished_at = CASE WHEN ? THEN coalesce(finished_at, ?) ELSE NULL END WHERE id = ?",
                 {ci::to_string(status), now, started, now, complete, now, pipeline_id}));
  if (complete && !was_complete) {
    FR_CHECK(
        tx.execute("UPDATE pipelines SET coverage = (SELECT avg(coverage) FROM jobs WHERE pipeline_id = ? AND "
                   "retried = 0) WHERE id = ?",
                   {pipeline_id, pipeline_id}));
    tx.after_commit(
        [this, project = row->integer("project_id"), pipeline_id] { unpin_finished(project, pipeline_id); });
  }
  return {};
}

// One job that runs makes its pipeline run, whatever the others do, and decides nothing for them.
base::Status Service::started(Transaction& tx, std::int64_t pipeline_id) {
  auto row = FR_TRY(tx.query_one("SELECT status, started_at FROM pipelines WHERE id = ?", {pipeline_id}));
  if (row && row->text("status") == "running" && !row->is_null("started_at")) return {}; // as it mostly does
  FR_CHECK(hold(tx, pipeline_id));
  return refresh_pipeline(tx, pipeline_id, ci::Status::kRunning, true);
}

// Nothing fetches a finished pipeline's ref any more. Looked up again under the writer's lock: a retry may just have
// brought the pipeline back to life.
void Service::unpin_finished(std::int64_t project_id, std::int64_t pipeline_id) {
  (void)app_.store.write([&](Transaction& tx) -> base::Status {
    auto row = FR_TRY(tx.query_one("SELECT status FROM pipelines WHERE id = ?", {pipeline_id}));
    if (!row || ci::is_complete(ci::parse_status(row->text("status")).value_or(ci::Status::kCreated)))
      git::Repository(app_, project_id).unpin(pipeline_id);
    return {};
  });
}

// Whether the end of a job decides nothing, for sure: others run on and none is left to be started. Jobs of large
// pipelines mostly end like this, and only the counts of an index are looked at.
base::Result<bool> Service::goes_on(Transaction& tx, std::int64_t pipeline_id) {
  bool running = false;
  for (const Row& state : FR_TRY(tx.query("SELECT j.status FROM pipelines p JOIN jobs j ON j.pipeline_id = p.id WHERE "
                                          "p.id = ? AND p.status = 'running' AND j.retried = 0 GROUP BY j.status",
                                          {pipeline_id}))) {
    std::string status = state.text("status");
    running = running || status == "running";
    if (!ci::is_complete(ci::parse_status(status).value_or(ci::Status::kCreated)) && status != "running" &&
        status != "pending")
      return false;
  }
  return running;
}

base::Status Service::finish(Transaction& tx, std::int64_t job_id, const Finish& end) {
  if (!tx.exclusive()) {
    auto job = FR_TRY(tx.query_one("SELECT pipeline_id FROM jobs WHERE id = ?", {job_id}));
    if (job) FR_CHECK(hold(tx, job->integer("pipeline_id")));
  }
  auto row =
      FR_TRY(tx.query_one("SELECT id, pipeline_id, project_id, user_id, name, status, definition FROM jobs "
                          "WHERE id = ?",
                          {job_id}));
  if (!row || ci::is_complete(ci::parse_status(row->text("status")).value_or(ci::Status::kFailed))) return {};
  auto job = FR_TRY(ci::job_from_json(FR_TRY(json::parse(row->text("definition")))));
  std::int64_t now = app_.now();
  bool failed = end.status == "failed";
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = ?, failure_reason = ?, exit_code = ?, finished_at = ?, "
                 "updated_at = ?, "
                 "allow_failure = CASE WHEN ? THEN 1 ELSE allow_failure END WHERE id = ?",
                 {end.status, failed ? Bind(end.failure_reason) : Bind(nullptr),
                  end.exit_code ? Bind(*end.exit_code) : Bind(nullptr), now, now,
                  failed && ci::failure_allowed(job, end.exit_code), job_id}));
  if (failed) {
    auto attempts = FR_TRY(tx.count("SELECT count(*) FROM jobs WHERE pipeline_id = ? AND name = ? AND retried = 1",
                                    {row->integer("pipeline_id"), row->text("name")}));
    if (ci::should_retry(job, end.failure_reason, end.exit_code, static_cast<int>(attempts))) {
      std::int64_t again = FR_TRY(clone_job(tx, *row, row->integer("user_id")));
      FR_CHECK(tx.execute("UPDATE jobs SET status = 'pending', queued_at = ? WHERE id = ?", {now, again}));
      FR_CHECK(tx.publish(kPendingJobs));
    }
  }
  if (FR_TRY(goes_on(tx, row->integer("pipeline_id")))) return {};
  return advance(tx, row->integer("pipeline_id"));
}

base::Status Service::cancel_job(Transaction& tx, std::int64_t job_id) {
  auto row = FR_TRY(tx.query_one("SELECT pipeline_id, status, runner_features FROM jobs WHERE id = ?", {job_id}));
  if (!row) return {};
  auto status = ci::parse_status(row->text("status")).value_or(ci::Status::kFailed);
  if (ci::is_complete(status) || status == ci::Status::kCanceling) return {};
  std::int64_t now = app_.now();
  bool graceful = false;
  if (status == ci::Status::kRunning) {
    auto features = json::parse(row->text("runner_features"));
    graceful = features && (*features)["cancel_gracefully"].bool_or(false);
  }
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = ?, canceled_at = ?, updated_at = ?, "
                 "finished_at = CASE WHEN ? THEN NULL ELSE CAST(? AS BIGINT) END WHERE id = ?",
                 {graceful ? "canceling" : "canceled", now, now, graceful, now, job_id}));
  return advance(tx, row->integer("pipeline_id"));
}

base::Status Service::cancel_pipeline(Transaction& tx, std::int64_t pipeline_id, std::int64_t user_id) {
  FR_CHECK(tx.execute("UPDATE pipelines SET canceled_by = ? WHERE id = ?", {user_id, pipeline_id}));
  // What has not started goes first, so that nothing starts because something else was canceled.
  for (std::string_view which : {"status IN ('created', 'pending', 'waiting_for_resource', 'preparing', 'manual', "
                                 "'scheduled', 'waiting_for_callback')",
                                 "status = 'running'"}) {
    auto rows = FR_TRY(tx.query(
        "SELECT id, status FROM jobs WHERE pipeline_id = ? AND retried = 0 AND " + std::string(which), {pipeline_id}));
    for (const Row& row : rows) {
      if (row.text("status") == "running") {
        FR_CHECK(cancel_job(tx, row.integer("id")));
      } else {
        FR_CHECK(
            tx.execute("UPDATE jobs SET status = 'canceled', canceled_at = ?, finished_at = ?, updated_at = ? "
                       "WHERE id = ?",
                       {app_.now(), app_.now(), app_.now(), row.integer("id")}));
      }
    }
  }
  return advance(tx, pipeline_id);
}

// A fresh `created` row for the same job; the old one is marked as retried.
base::Result<std::int64_t> Service::clone_job(Transaction& tx, const Row& old, std::int64_t user_id) {
  std::int64_t now = app_.now();
  std::int64_t old_id = old.integer("id");
  auto original = FR_TRY(ci::job_from_json(FR_TRY(json::parse(old.text("definition")))));
  std::int64_t id = FR_TRY(tx.insert(
      "INSERT INTO jobs (pipeline_id, project_id, user_id, name, stage, stage_idx, status, allow_failure, "
      "when_to_run, definition, ref, tag, protected, tag_list, interruptible, environment, created_at, updated_at, "
      "retry_of, variables_sealed) SELECT pipeline_id, project_id, ?, name, stage, stage_idx, 'created', ?, "
      "when_to_run, definition, ref, tag, protected, tag_list, interruptible, environment, ?, ?, id, "
      "variables_sealed FROM jobs WHERE id = ?",
      {user_id, original.allow_failure, now, now, old_id}));
  FR_CHECK(
      tx.execute("INSERT INTO job_needs (job_id, name, artifacts, optional) "
                 "SELECT ?, name, artifacts, optional FROM job_needs WHERE job_id = ?",
                 {id, old_id}));
  FR_CHECK(tx.execute("UPDATE jobs SET retried = 1 WHERE id = ?", {old_id}));
  return id;
}

base::Status Service::reset_dependents(Transaction& tx, const Row& job) {
  Latest loaded = FR_TRY(latest_jobs(tx, job.integer("pipeline_id")));
  for (std::size_t i = 0; i < loaded.rows.size(); ++i) {
    if (loaded.states[i].name != job.text("name")) continue;
    for (std::size_t dependent : ci::dependents_to_reset(loaded.states, i))
      FR_CHECK(
          tx.execute("UPDATE jobs SET status = 'created', status_reason = NULL, finished_at = NULL, "
                     "updated_at = ? WHERE id = ? AND status = 'skipped'",
                     {app_.now(), loaded.rows[dependent].integer("id")}));
  }
  return {};
}

Outcome<std::int64_t> Service::retry_job(Transaction& tx, std::int64_t job_id, std::int64_t user_id) {
  auto row = API_TRY(
      tx.query_one("SELECT id, pipeline_id, name, status, retried, definition FROM jobs WHERE id = ?", {job_id}));
  if (!row) return std::unexpected(not_found("Job"));
  if (!is_retryable(row->text("status")) || row->boolean("retried"))
    return std::unexpected(forbidden("Job is not retryable"));
  std::int64_t id = API_TRY(clone_job(tx, *row, user_id));
  API_CHECK(reset_dependents(tx, *row));
  // A retried job runs now, whatever its `when` was: somebody asked for it.
  std::int64_t now = app_.now();
  API_CHECK(
      tx.execute("UPDATE jobs SET status = 'pending', queued_at = ?, updated_at = ? WHERE id = ?", {now, now, id}));
  API_CHECK(tx.publish(kPendingJobs));
  API_CHECK(advance(tx, row->integer("pipeline_id")));
  return id;
}

Outcome<std::monostate> Service::retry_pipeline(Transaction& tx, std::int64_t pipeline_id, std::int64_t user_id) {
  auto rows =
      API_TRY(tx.query("SELECT id, pipeline_id, name, definition FROM jobs WHERE pipeline_id = ? AND "
                       "retried = 0 AND status IN ('failed', 'canceled') ORDER BY stage_idx, id",
                       {pipeline_id}));
  for (const Row& row : rows) API_CHECK(clone_job(tx, row, user_id));
  for (const Row& row : rows) API_CHECK(reset_dependents(tx, row));
  // What was skipped because of them is decided anew, too.
  if (!rows.empty())
    API_CHECK(
        tx.execute("UPDATE jobs SET status = 'created', status_reason = NULL, finished_at = NULL "
                   "WHERE pipeline_id = ? AND retried = 0 AND status = 'skipped'",
                   {pipeline_id}));
  API_CHECK(advance(tx, pipeline_id));
  return std::monostate();
}

Outcome<std::monostate> Service::play_job(Transaction& tx, std::int64_t job_id, std::int64_t user_id,
                                          const ci::Variables& variables) {
  auto row = API_TRY(tx.query_one("SELECT id, pipeline_id, name, status FROM jobs WHERE id = ?", {job_id}));
  if (!row) return std::unexpected(not_found("Job"));
  if (row->text("status") != "manual" && row->text("status") != "scheduled")
    return std::unexpected(bad_request("Unplayable Job"));
  Bind sealed(nullptr);
  if (!variables.empty()) sealed = Bind(app_.vault.seal(ci::variables_json(variables).dump()));
  std::int64_t now = app_.now();
  API_CHECK(
      tx.execute("UPDATE jobs SET status = 'pending', user_id = ?, queued_at = ?, updated_at = ?, "
                 "scheduled_at = NULL, variables_sealed = coalesce(?, variables_sealed) WHERE id = ?",
                 {user_id, now, now, sealed, job_id}));
  API_CHECK(reset_dependents(tx, *row));
  API_CHECK(tx.publish(kPendingJobs));
  API_CHECK(advance(tx, row->integer("pipeline_id")));
  return std::monostate();
}

base::Status Service::start_scheduled(Transaction& tx) {
  std::int64_t now = app_.now();
  auto rows =
      FR_TRY(tx.query("SELECT id, pipeline_id FROM jobs WHERE status = 'scheduled' AND scheduled_at <= ?", {now}));
  for (const Row& row : rows) {
    FR_CHECK(tx.execute("UPDATE jobs SET status = 'pending', queued_at = ?, updated_at = ? WHERE id = ?",
                        {now, now, row.integer("id")}));
    FR_CHECK(advance(tx, row.integer("pipeline_id")));
  }
  if (!rows.empty()) FR_CHECK(tx.publish(kPendingJobs));
  return {};
}

} // namespace coordinator::pipelines
