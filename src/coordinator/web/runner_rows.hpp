// Runners as the pages' lists show them. Inside a transaction.
#pragma once

#include <string>

#include "coordinator/api.hpp"
#include "coordinator/model/runners.hpp"
#include "json/json.hpp"

namespace coordinator::web {

// `base`: where the caller looks at runners, "/admin/runners", "/groups/a/-/runners", "/a/b/-/runners"; "" for the
// first of these that is open to him.
Outcome<json::Value> runner_row(Transaction& tx, const Call& call, const model::Runner& runner, std::string base);

// The runners (alias r) that show this badge; one of the four holds for each.
std::string badge_condition(model::RunnerStatus status, std::int64_t now);

// Null when no page shows him the runner.
Outcome<json::Value> runner_web_path(Transaction& tx, const Call& call, const model::Runner& runner);

} // namespace coordinator::web
