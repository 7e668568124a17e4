// Clean-up of runners that nobody has heard of for long (runner-tokens digest §16): opt-in, by type for the whole
// instance (setting stale_runner_cleanup_types) and by group (its own runners), after stale_runner_cleanup_age_days.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/model/runners.hpp"

namespace coordinator::model {

inline constexpr std::int64_t kLeastStaleAgeDays = 7; // younger ones are not even shown as stale

struct StaleRule {
  std::vector<RunnerType> types;     // of these all
  bool groups_that_opted_in = false; // and the group runners of those
  std::int64_t age_days = 90;
};
// As configured.
base::Result<StaleRule> stale_rule(Transaction& tx);
// Those that the rule removes now, the longest silent first: made and last heard of that long ago, no manager online,
// no job running.
base::Result<std::vector<Runner>> stale_runners(Transaction& tx, const StaleRule& rule, std::int64_t now,
                                                std::int64_t limit);
// Removes them, with an entry in the audit trail each; how many it were. At most a thousand, the rest can wait.
base::Result<std::int64_t> prune_stale_runners(Transaction& tx, App& app);

} // namespace coordinator::model
