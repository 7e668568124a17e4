// Backlog: the pending jobs that no runner has, as groups of those that the same runners may take.
//
// Read from the database each time: it is the truth for all processes, and an index makes it a look-up for each group,
// however many jobs wait. Functions run inside a transaction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordinator/store.hpp"

namespace coordinator::queue {

struct Group {
  std::int64_t project_id = 0;
  bool is_protected = false;
  std::string tag_list; // as stored
  std::vector<std::string> tags;
  std::int64_t first = 0; // lowest job id
};

std::vector<std::string> tags_of(const Row& job); // from the column tag_list

base::Result<std::vector<Group>> pending_groups(Transaction& tx);
// Up to `most` jobs of the group from `from` on, lowest id first.
base::Result<std::vector<std::int64_t>> jobs_of(Transaction& tx, const Group& group, std::int64_t from, int most);
base::Result<std::int64_t> pending_count(Transaction& tx);
// Jobs of each project that instance runners work on, or have been handed.
base::Result<std::map<std::int64_t, std::int64_t>> busy_on_instance_runners(Transaction& tx);

} // namespace coordinator::queue
