#include "coordinator/janitor.hpp"

#include "base/log.hpp"
#include "coordinator/model/stale_runners.hpp"
#include "coordinator/web/throttle.hpp"

namespace coordinator {

namespace {

// In batches, so that nobody waits long for the database.
constexpr int kManagerBatches = 10;
constexpr int kManagersInABatch = 100;

// One that comes back is made anew.
base::Status remove_stale_managers(App& app) {
  const auto stale = app.now() - model::kStaleAfter;
  for (int batch = 0; batch < kManagerBatches; ++batch) {
    const auto removed = FR_TRY(app.store.write([&](Transaction& tx) {
      return tx.execute(
          "DELETE FROM runner_managers WHERE id IN (SELECT id FROM runner_managers WHERE created_at <= ? "
          "AND (contacted_at IS NULL OR contacted_at <= ?) ORDER BY id LIMIT ?)",
          {stale, stale, kManagersInABatch});
    }));
    if (removed < kManagersInABatch) break;
  }
  return {};
}

base::Status remove_expired(App& app) {
  const auto now = app.now();
  return app.store.write([&](Transaction& tx) -> base::Status {
    FR_CHECK(tx.execute("DELETE FROM ephemeral_tokens WHERE expires_at <= ?", {now}));
    FR_CHECK(tx.execute("DELETE FROM sessions WHERE expires_at <= ?", {now}));
    FR_CHECK(tx.execute("DELETE FROM replaced_tokens WHERE valid_until <= ?", {now}));
    FR_CHECK(web::tidy_attempts(tx, now));
    FR_CHECK(
        tx.execute("UPDATE runners SET successor_sealed = NULL WHERE successor_sealed IS NOT NULL AND id NOT IN "
                   "(SELECT runner_id FROM replaced_tokens)"));
    return {};
  });
}

base::Status remove_stale_runners(App& app) {
  const auto removed = FR_TRY(app.store.write([&](Transaction& tx) { return model::prune_stale_runners(tx, app); }));
  if (removed > 0) base::log::info("stale runners were removed", {{"runners", std::to_string(removed)}});
  return {};
}

} // namespace

base::Status tidy(App& app) {
  FR_CHECK(remove_stale_managers(app));
  FR_CHECK(remove_expired(app));
  return remove_stale_runners(app);
}

Janitor::Janitor(App& app)
    : thread_([&app, token = stop_.token()] {
        do {
          if (!app.store.leads(kHousekeepingDuty)) continue; // to the wait
          if (auto done = tidy(app); !done) base::log::error("tidying up failed", {{"error", done.error().message()}});
        } while (!token.wait_for(std::chrono::hours(1)));
      }) {}

Janitor::~Janitor() { stop_.raise(sys::CancelReason::kInterrupted, "the coordinator stops"); }

} // namespace coordinator
