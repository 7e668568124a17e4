// JSON of what several pages show: places, and what the caller may do there. Inside a transaction.
#pragma once

#include <string>

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "json/json.hpp"

namespace coordinator::web {

std::string group_path(const model::Namespace& group);   // "/groups/a/b"
std::string project_path(const model::Project& project); // "/a/b"

json::Value group_json(const App& app, const model::Namespace& group);
json::Value project_json(const App& app, const model::Project& project);

// Flat objects of booleans, always with every key of the place.
Outcome<json::Value> instance_abilities(Transaction& tx, const Call& call);
Outcome<json::Value> group_abilities(Transaction& tx, const model::GroupAccess& found);
Outcome<json::Value> project_abilities(Transaction& tx, const model::ProjectAccess& found);

// The switches for creating and registering runners in a project.
Outcome<RegistrationRules> project_rules(Transaction& tx, const model::Project& project);

json::Value optional_json(std::optional<std::int64_t> value);
json::Value text_or_null(const std::string& text);

} // namespace coordinator::web
