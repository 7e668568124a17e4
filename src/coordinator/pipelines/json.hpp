// Pipelines and jobs as GitLab's REST API shows them.
#pragma once

#include "coordinator/app.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::pipelines {

json::Value seconds_between(std::optional<std::int64_t> from, std::optional<std::int64_t> to); // null unless both
json::Value commit_json(const App& app, const model::Project& project, const Row& pipeline);
// Of the latest tries, one failed that was allowed to.
base::Result<bool> has_warnings(Transaction& tx, std::int64_t pipeline_id);
json::Value pipeline_basic_json(const App& app, const model::Project& project, const Row& pipeline);
base::Result<json::Value> pipeline_json(Transaction& tx, const App& app, const model::Project& project,
                                        const Row& pipeline);
base::Result<json::Value> job_json(Transaction& tx, const App& app, const model::Project& project, const Row& job);

} // namespace coordinator::pipelines
