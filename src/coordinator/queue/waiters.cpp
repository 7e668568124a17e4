#include "coordinator/queue/waiters.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace coordinator::queue {
namespace {

std::string owner_key(RunnerType type, std::int64_t id) {
  return fmt::format("{}{}", type == RunnerType::kGroup ? 'g' : 'p', id);
}
constexpr const char* kInstance = "i";
constexpr const char* kEverybody = "";

std::vector<std::string> owner_keys(const Reach& reach) {
  std::vector<std::string> keys{kEverybody};
  if (reach.type == RunnerType::kInstance) keys.emplace_back(kInstance);
  for (std::int64_t id : reach.owners) keys.push_back(owner_key(reach.type, id));
  return keys;
}

} // namespace

std::string Reach::key() const {
  std::string out = fmt::format("{}{}{}{}", static_cast<int>(type), active, run_untagged, ref_protected);
  for (std::int64_t owner : owners) out += fmt::format(",{}", owner);
  for (const std::string& tag : tags) out += fmt::format(" {}:{}", tag.size(), tag); // tags may hold anything
  return out;
}

bool Reach::accepts(bool is_protected, const std::vector<std::string>& job_tags) const {
  if (!active || (ref_protected && !is_protected)) return false;
  if (job_tags.empty()) return run_untagged;
  return std::ranges::all_of(job_tags, [&](const std::string& tag) { return std::ranges::binary_search(tags, tag); });
}

base::Result<Reach> reach_of(Transaction& tx, const model::Runner& runner) {
  Reach reach{.type = runner.type,
              .owners = {},
              .active = runner.active,
              .run_untagged = runner.run_untagged,
              .ref_protected = runner.ref_protected,
              .tags = runner.tag_list};
  std::ranges::sort(reach.tags);
  if (runner.type == RunnerType::kGroup && runner.namespace_id) reach.owners = {*runner.namespace_id};
  if (runner.type == RunnerType::kProject) reach.owners = FR_TRY(model::runner_project_ids(tx, runner.id));
  std::ranges::sort(reach.owners);
  return reach;
}

base::Result<Place> place_of(Transaction& tx, const model::Project& project) {
  Place place{.project_id = project.id, .own = project.builds_enabled, .instance = false, .groups = {}};
  if (!project.builds_enabled) return place;
  place.instance = project.shared_runners_enabled;
  if (!project.group_runners_enabled) return place;
  if (auto space = FR_TRY(model::find_namespace(tx, project.namespace_id))) place.groups = space->chain;
  return place;
}

bool serves(const Reach& reach, const Place& place) {
  switch (reach.type) {
    case RunnerType::kInstance:
      return place.instance;
    case RunnerType::kGroup:
      return std::ranges::any_of(
          reach.owners, [&](std::int64_t id) { return std::ranges::find(place.groups, id) != place.groups.end(); });
    case RunnerType::kProject:
      return place.own && std::ranges::find(reach.owners, place.project_id) != reach.owners.end();
  }
  return false;
}

std::vector<Waiters::Counter*> Waiters::pick(std::unordered_map<std::string, Counter>& counters, const Reach& reach) {
  std::vector<Counter*> found;
  for (const std::string& key : owner_keys(reach)) found.push_back(&counters[key]);
  return found;
}

Line* Waiters::line_for(const Reach& reach) {
  std::string key = reach.key();
  auto& line = lines_[key];
  if (line) return line.get();
  line = std::make_unique<Line>(Line{.reach = reach, .key = std::move(key), .tickets = {}});
  for (Counter* counter : pick(counters_, reach)) {
    if (reach.run_untagged) counter->untagged.push_back(line.get());
    for (const std::string& tag : reach.tags) counter->tagged[tag].push_back(line.get());
  }
  return line.get();
}

std::uint64_t Waiters::add(Waiter waiter, const Reach& reach) {
  std::uint64_t ticket = next_++;
  waiter.line = line_for(reach);
  waiter.line->tickets.insert(ticket);
  by_runner_[waiter.runner_id].insert(ticket);
  waiters_.emplace(ticket, std::move(waiter));
  return ticket;
}

// A line that nobody stands in goes: runners come and go for years.
void Waiters::leave(std::uint64_t ticket, Line* line) {
  line->tickets.erase(ticket);
  if (!line->tickets.empty()) return;
  for (const std::string& key : owner_keys(line->reach)) {
    Counter& counter = counters_[key];
    std::erase(counter.untagged, line);
    for (const std::string& tag : line->reach.tags) {
      auto& list = counter.tagged[tag];
      std::erase(list, line);
      if (list.empty()) counter.tagged.erase(tag);
    }
    if (counter.untagged.empty() && counter.tagged.empty()) counters_.erase(key);
  }
  lines_.erase(lines_.find(line->key));
}

std::optional<Waiter> Waiters::take(std::uint64_t ticket) {
  auto found = waiters_.find(ticket);
  if (found == waiters_.end()) return std::nullopt;
  Waiter waiter = std::move(found->second);
  waiters_.erase(found);
  leave(ticket, waiter.line);
  waiter.line = nullptr;
  auto runner = by_runner_.find(waiter.runner_id);
  runner->second.erase(ticket);
  if (runner->second.empty()) by_runner_.erase(runner);
  return waiter;
}

void Waiters::move(std::uint64_t ticket, const Reach& reach) {
  auto found = waiters_.find(ticket);
  if (found == waiters_.end() || found->second.line->key == reach.key()) return;
  leave(ticket, found->second.line);
  found->second.line = line_for(reach);
  found->second.line->tickets.insert(ticket);
}

std::vector<std::uint64_t> Waiters::of_runner(std::int64_t runner_id) const {
  auto found = by_runner_.find(runner_id);
  if (found == by_runner_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<std::uint64_t> Waiters::over(std::int64_t now) const {
  std::vector<std::uint64_t> out;
  for (const auto& [ticket, waiter] : waiters_)
    if (waiter.until <= now || waiter.responder.disconnected()) out.push_back(ticket);
  return out;
}

std::vector<std::uint64_t> Waiters::all() const {
  std::vector<std::uint64_t> out;
  for (const auto& [ticket, waiter] : waiters_) out.push_back(ticket);
  return out;
}

std::set<std::int64_t> Waiters::runners() const {
  std::set<std::int64_t> out;
  for (const auto& [id, tickets] : by_runner_) out.insert(id);
  return out;
}

void Waiters::collect(const std::string& owner, bool is_protected, const std::vector<std::string>& tags,
                      std::vector<const Line*>& found) const {
  auto counter = counters_.find(owner);
  if (counter == counters_.end()) return;
  const std::vector<Line*>* shortest = tags.empty() ? &counter->second.untagged : nullptr;
  for (const std::string& tag : tags) {
    auto list = counter->second.tagged.find(tag);
    if (list == counter->second.tagged.end()) return;
    if (shortest == nullptr || list->second.size() < shortest->size()) shortest = &list->second;
  }
  for (const Line* line : *shortest)
    if (line->reach.accepts(is_protected, tags)) found.push_back(line);
}

bool Waiters::wanted(bool is_protected, const std::vector<std::string>& tags) const {
  std::vector<const Line*> found;
  collect(kEverybody, is_protected, tags, found);
  return !found.empty();
}

std::vector<const Line*> Waiters::lines_for(const Place& place, bool is_protected,
                                            const std::vector<std::string>& tags) const {
  std::vector<const Line*> found;
  if (place.instance) collect(kInstance, is_protected, tags, found);
  for (std::int64_t group : place.groups) collect(owner_key(RunnerType::kGroup, group), is_protected, tags, found);
  if (place.own) collect(owner_key(RunnerType::kProject, place.project_id), is_protected, tags, found);
  return found;
}

} // namespace coordinator::queue
