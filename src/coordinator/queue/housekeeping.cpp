// Queue: what time does to jobs (runner-tokens digest §14, protocol digest §9, ci-yaml digest §16.8).

#include <algorithm>

#include "base/log.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/queue/queue.hpp"

namespace coordinator::queue {

void Queue::housekeeping() {
  // First: who has been heard of until now is not silent.
  const std::int64_t now = app_.now();
  if (auto written = contacts_.flush(); !written)
    base::log::error("cannot write contacts", {{"error", written.error().message()}});
  auto running = app_.store.read(
      [](Transaction& tx) { return tx.count("SELECT count(*) FROM jobs WHERE status IN ('running', 'canceling')"); });
  if (running) running_ = *running;
  if (!app_.store.leads(kHousekeepingDuty)) return; // another process does the rest
  auto done = app_.store.write([&](Transaction& tx) -> base::Status {
    FR_CHECK(service_.start_scheduled(tx));
    FR_CHECK(reclaim(tx, now));
    FR_CHECK(end_overdue(tx, now));
    FR_CHECK(end_stuck(tx, now));
    return expire_artifacts(tx);
  });
  if (!done) base::log::error("housekeeping failed", {{"error", done.error().message()}});
}

// A handed-out job that was never acknowledged: its manager died, or the answer was lost on the way. It goes back to
// the queue with a fresh token, so that nothing is lost; a job that this happens to again and again is failed.
base::Status Queue::reclaim(Transaction& tx, std::int64_t now) {
  if (now - born_ < kLostAfterSeconds * 1000) return {};
  // Who could not reach a server that was away gets the whole time after its return.
  std::int64_t silent = now - born_ >= kAcknowledgeSeconds * 1000 ? now - kAcknowledgeSeconds * 1000 : 0;
  auto rows =
      FR_TRY(tx.query("SELECT j.id, j.losses FROM jobs j LEFT JOIN runner_managers m ON m.id = j.manager_id WHERE "
                      "j.status = 'pending' AND j.runner_id IS NOT NULL AND "
                      "(j.contacted_at < ? OR (j.contacted_at < ? AND m.contacted_at > j.contacted_at))",
                      {silent, now - kLostAfterSeconds * 1000}));
  for (const Row& row : rows) {
    std::int64_t id = row.integer("id");
    if (row.integer("losses") + 1 >= kMostLosses) {
      FR_CHECK(service_.finish(tx, id,
                               {.status = "failed", .failure_reason = "runner_provisioning_timeout", .exit_code = {}}));
      continue;
    }
    base::log::warning("nobody acknowledged a job that was handed out; it goes back to the queue",
                       {{"job", std::to_string(id)}});
    FR_CHECK(release(tx, id));
    FR_CHECK(tx.execute("UPDATE jobs SET losses = losses + 1 WHERE id = ?", {id}));
  }
  if (rows.empty()) return {};
  return tx.publish(pipelines::Service::kPendingJobs);
}

base::Status Queue::end_overdue(Transaction& tx, std::int64_t now) {
  auto rows =
      FR_TRY(tx.query("SELECT id, status, contacted_at, started_at, canceled_at, timeout FROM jobs WHERE "
                      "status IN ('running', 'canceling')"));
  for (const Row& row : rows) {
    std::int64_t id = row.integer("id");
    auto end = [&](std::string status, std::string reason) {
      return service_.finish(tx, id,
                             {.status = std::move(status), .failure_reason = std::move(reason), .exit_code = {}});
    };
    bool silent = std::max(row.integer("contacted_at"), born_) < now - kNoUpdatesSeconds * 1000;
    if (row.text("status") == "canceling") {
      if (silent || row.integer("canceled_at") < now - kCancelingSeconds * 1000) FR_CHECK(end("canceled", ""));
    } else if (silent) {
      FR_CHECK(end("failed", "no_updates_running"));
    } else if (row.integer("started_at") + (row.integer("timeout") + kTimeoutGraceSeconds) * 1000 < now) {
      FR_CHECK(end("failed", "server_timeout_running"));
    }
  }
  return {};
}

// Artifacts go when they expire; those of a ref's latest pipeline stay until a newer one has passed (GitLab's "keep
// artifacts from most recent successful jobs").
base::Status Queue::expire_artifacts(Transaction& tx) {
  bool keep_latest = FR_TRY(model::setting_flag(tx, "keep_latest_artifact"));
  auto rows =
      FR_TRY(tx.query("SELECT a.id, a.location FROM artifacts a JOIN jobs j ON j.id = a.job_id JOIN pipelines p ON "
                      "p.id = j.pipeline_id JOIN projects r ON r.id = p.project_id WHERE a.expire_at <= ? AND "
                      "(? = 0 OR r.keep_latest_artifact = 0 OR EXISTS (SELECT 1 FROM pipelines q WHERE "
                      "q.project_id = p.project_id AND q.ref = p.ref AND q.id > p.id AND q.ref_type = p.ref_type AND "
                      "q.status = 'success')) LIMIT 200",
                      {app_.now(), keep_latest}));
  for (const Row& row : rows) FR_CHECK(app_.artifacts.erase(tx, row));
  return {};
}

base::Status Queue::end_stuck(Transaction& tx, std::int64_t now) {
  auto rows =
      FR_TRY(tx.query("SELECT id, project_id, queued_at, protected, tag_list FROM jobs WHERE status = 'pending' AND "
                      "runner_id IS NULL AND queued_at < ?",
                      {now - kStuckAloneSeconds * 1000}));
  if (rows.empty()) return {};
  auto runners =
      FR_TRY(tx.query("SELECT * FROM runners WHERE active = 1 AND contacted_at > ?", {now - model::kOnlineWindow}));
  for (const Row& row : rows) {
    bool served = false;
    auto project = FR_TRY(model::find_project(tx, row.integer("project_id")));
    for (const Row& runner : runners) {
      if (!project || served) break;
      model::Runner candidate = model::runner_from(runner);
      served = accepts(candidate, row.boolean("protected"), tags_of(row)) &&
               FR_TRY(model::runner_serves_project(tx, candidate, *project));
    }
    bool old = row.integer("queued_at") < now - kStuckSeconds * 1000;
    if (served && !old) continue;
    FR_CHECK(service_.finish(
        tx, row.integer("id"),
        {.status = "failed",
         .failure_reason = served ? "stuck_pending_with_matching_runners" : "stuck_pending_no_matching_runners",
         .exit_code = {}}));
  }
  return {};
}

} // namespace coordinator::queue
