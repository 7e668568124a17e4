// Pipelines and jobs as GitLab's REST API shows them.
#pragma once

#include "coordinator/app.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/store.hpp"
#include "json/json.hpp"

namespace coordinator::pipelines {

json::Value pipeline_basic_json(const App& app, const model::Project& project, const Row& pipeline);
base::Result<json::Value> pipeline_json(Transaction& tx, const App& app, const model::Project& project,
                                        const Row& pipeline);
base::Result<json::Value> job_json(Transaction& tx, const App& app, const model::Project& project, const Row& job);

} // namespace coordinator::pipelines
