// Which runners a list shows, as SQL: filters (runner-tokens digest §11.2) and the place that is looked at. For REST
// and the pages alike, so that lists of many thousands stay quick.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/model/condition.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/store.hpp"

namespace coordinator::model {

struct RunnerFilter {
  std::vector<RunnerType> types;     // one of them; empty: any
  std::vector<std::string> statuses; // one of them: online, offline, stale, never_contacted, active, paused
  std::optional<bool> paused;
  std::vector<std::string> tags; // all of them
  std::string version_prefix;    // "15", "15.1" or "15.1.2"; of any manager
  std::string search;            // in the description, or a whole token
  std::optional<std::int64_t> creator_id;
};

// All of them are conditions on `r`, an alias of runners.
Condition runners_matching(const RunnerFilter& filter, std::int64_t now);
// "%text%" for lower(column) LIKE ? ESCAPE '\'.
std::string like_pattern(std::string_view text);

// Conditions on `p` and `n`, a project and its namespace: where the user has at least this role; and what the caller,
// who may be anonymous, sees.
Condition projects_of_user(std::int64_t user_id, int level, std::int64_t now);
Condition projects_visible_to(const Identity& identity, std::int64_t now);
// The same of `n`, a group. A user sees those above what he is a member of, too.
Condition groups_of_user(std::int64_t user_id, int level, std::int64_t now);
Condition groups_visible_to(const Identity& identity, std::int64_t now);
// Of `n`: those that he is a member of, above or below them too, whatever their visibility.
Condition groups_around_user(std::int64_t user_id, std::int64_t now);

// Group runners of groups where the user is Owner, project runners of projects where he is Maintainer.
Condition runners_of_user(std::int64_t user_id, std::int64_t now);
// Assigned ones; those of the groups above and of the instance as far as the project uses them.
Condition runners_of_project(const Project& project, const std::optional<Namespace>& space);
// The group's, its ancestors' and, unless switched off, the instance's.
Condition runners_of_group(const Namespace& group);

} // namespace coordinator::model
