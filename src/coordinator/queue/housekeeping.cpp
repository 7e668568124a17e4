// Queue: what time does to jobs (runner-tokens digest §14, protocol digest §9, ci-yaml digest §16.8).

#include <algorithm>

#include "base/log.hpp"
#include "coordinator/queue/queue.hpp"

namespace coordinator::queue {

void Queue::housekeeping() {
  auto done = app_.store.write([&](Transaction& tx) -> base::Status {
    FR_CHECK(service_.start_scheduled(tx));
    FR_CHECK(reclaim(tx));
    FR_CHECK(end_overdue(tx));
    return end_stuck(tx);
  });
  if (!done) base::log::error("housekeeping failed", {{"error", done.error().message()}});
}

// A handed-out job that was never acknowledged: its manager died, or the answer was lost on the way. It goes back to
// the queue with a fresh token, so that nothing is lost; a job that this happens to again and again is failed.
base::Status Queue::reclaim(Transaction& tx) {
  std::int64_t now = app_.now();
  auto rows =
      FR_TRY(tx.query("SELECT j.id, j.queued_at, j.handed_out_at FROM jobs j LEFT JOIN runner_managers m ON "
                      "m.id = j.manager_id WHERE j.status = 'pending' AND j.runner_id IS NOT NULL AND "
                      "(j.contacted_at < ? OR (j.contacted_at < ? AND m.contacted_at > j.contacted_at))",
                      {now - kAcknowledgeSeconds * 1000, now - kLostAfterSeconds * 1000}));
  for (const Row& row : rows) {
    std::int64_t id = row.integer("id");
    base::log::warning("nobody acknowledged a job that was handed out; it goes back to the queue",
                       {{"job", std::to_string(id)}});
    if (row.integer("handed_out_at") - row.integer("queued_at") > 5 * kAcknowledgeSeconds * 1000) {
      FR_CHECK(service_.finish(tx, id,
                               {.status = "failed", .failure_reason = "runner_provisioning_timeout", .exit_code = {}}));
      continue;
    }
    FR_CHECK(
        tx.execute("UPDATE jobs SET runner_id = NULL, manager_id = NULL, token_digest = NULL, "
                   "handed_out_at = NULL, runner_features = NULL, updated_at = ? WHERE id = ?",
                   {now, id}));
  }
  if (!rows.empty()) tx.after_commit([this] { wake(); });
  return {};
}

base::Status Queue::end_overdue(Transaction& tx) {
  std::int64_t now = app_.now();
  auto rows =
      FR_TRY(tx.query("SELECT id, status, contacted_at, started_at, canceled_at, timeout FROM jobs WHERE "
                      "status IN ('running', 'canceling')"));
  for (const Row& row : rows) {
    std::int64_t id = row.integer("id");
    bool canceling = row.text("status") == "canceling";
    bool silent = row.integer("contacted_at") < now - kNoUpdatesSeconds * 1000;
    if (canceling && (silent || row.integer("canceled_at") < now - kCancelingSeconds * 1000)) {
      FR_CHECK(service_.finish(tx, id, {.status = "canceled", .failure_reason = {}, .exit_code = {}}));
    } else if (!canceling && silent) {
      FR_CHECK(service_.finish(tx, id, {.status = "failed", .failure_reason = "no_updates_running", .exit_code = {}}));
    } else if (!canceling && row.integer("started_at") + (row.integer("timeout") + kTimeoutGraceSeconds) * 1000 < now) {
      FR_CHECK(
          service_.finish(tx, id, {.status = "failed", .failure_reason = "server_timeout_running", .exit_code = {}}));
    }
  }
  return {};
}

base::Status Queue::end_stuck(Transaction& tx) {
  std::int64_t now = app_.now();
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
