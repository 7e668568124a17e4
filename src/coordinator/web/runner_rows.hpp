// Runners as the pages' lists show them. Inside a transaction.
#pragma once

#include <string>

#include "coordinator/api.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/model/runners.hpp"
#include "json/json.hpp"

namespace coordinator::web {

// `base`: where the caller looks at runners, "/admin/runners", "/groups/a/-/runners", "/a/b/-/runners"; "" for the
// first of these that is open to him.
Outcome<json::Value> runner_row(Transaction& tx, const Call& call, const model::Runner& runner, std::string base);

// The runners (alias r) that show this badge; one of the four holds for each.
std::string badge_condition(model::RunnerStatus status, std::int64_t now);

// Project runners that the caller may bring into the project: unlocked ones of projects where he is Maintainer.
model::Condition available_runners(const Call& call, const model::Project& project);
// Those of the groups above a project.
model::Condition inherited_group_runners(const std::optional<model::Namespace>& space);

// Null when no page shows him the runner.
Outcome<json::Value> runner_web_path(Transaction& tx, const Call& call, const model::Runner& runner);

} // namespace coordinator::web
