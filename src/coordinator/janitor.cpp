#include "coordinator/janitor.hpp"

#include "base/log.hpp"
#include "coordinator/model/runners.hpp"

namespace coordinator {

base::Status tidy(App& app) {
  const auto now = app.now();
  const auto stale = now - model::kStaleAfter;
  FR_CHECK(app.store.write([&](Transaction& tx) -> base::Result<bool> {
    // One that comes back is made anew.
    FR_CHECK(
        tx.execute("DELETE FROM runner_managers WHERE id IN (SELECT id FROM runner_managers WHERE created_at <= ? "
                   "AND (contacted_at IS NULL OR contacted_at <= ?) LIMIT 1000)",
                   {stale, stale}));
    FR_CHECK(tx.execute("DELETE FROM ephemeral_tokens WHERE expires_at <= ?", {now}));
    FR_CHECK(tx.execute("DELETE FROM sessions WHERE expires_at <= ?", {now}));
    FR_CHECK(
        tx.execute("UPDATE runners SET previous_digest = NULL, previous_valid_until = NULL, successor_sealed = NULL "
                   "WHERE previous_valid_until <= ?",
                   {now}));
    return true;
  }));
  return {};
}

Janitor::Janitor(App& app)
    : thread_([&app, token = stop_.token()] {
        do {
          if (auto done = tidy(app); !done) base::log::error("tidying up failed", {{"error", done.error().message()}});
        } while (!token.wait_for(std::chrono::hours(1)));
      }) {}

Janitor::~Janitor() { stop_.raise(sys::CancelReason::kInterrupted, "the coordinator stops"); }

} // namespace coordinator
