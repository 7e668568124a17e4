#include "coordinator/web/stuck.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/model/runner_query.hpp"
#include "coordinator/queue/queue.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kMostLookedAt = 2000;

json::Value stuck(std::string_view reason, const std::vector<std::string>& tags, std::string text) {
  auto list = json::Value::array();
  for (const auto& tag : tags) list.push_back(tag);
  return json::Value::object({{"reason", reason}, {"tags", std::move(list)}, {"text", std::move(text)}});
}

bool online(const model::Runner& runner, std::int64_t now) {
  return model::runner_status(runner.created_at, runner.contacted_at, now) == model::RunnerStatus::kOnline;
}

// Tags of the job that not one of these runners has; all of them when each has some but none has all.
std::vector<std::string> missing_tags(const std::vector<model::Runner>& runners, const std::vector<std::string>& tags) {
  std::vector<std::string> out;
  for (const auto& tag : tags) {
    const bool known = std::ranges::any_of(
        runners, [&](const auto& runner) { return std::ranges::find(runner.tag_list, tag) != runner.tag_list.end(); });
    if (!known) out.push_back(tag);
  }
  return out.empty() ? tags : out;
}

json::Value judge(const std::vector<model::Runner>& runners, bool is_protected, const std::vector<std::string>& tags,
                  std::int64_t now) {
  if (runners.empty()) return stuck("no_runners", tags, "No runners are assigned to this project.");
  std::vector<model::Runner> usable;
  std::ranges::copy_if(runners, std::back_inserter(usable), [](const auto& runner) { return runner.active; });
  if (usable.empty()) return stuck("paused", tags, "All runners of this project are paused.");
  std::erase_if(usable, [&](const auto& runner) { return !online(runner, now); });
  if (usable.empty()) return stuck("none_online", tags, "No runner of this project is online.");
  const auto takes = [&](bool as_protected) {
    return std::ranges::any_of(usable, [&](const auto& runner) { return queue::accepts(runner, as_protected, tags); });
  };
  if (takes(is_protected)) return nullptr;
  if (takes(true)) {
    return stuck("protected_only", tags, "The runners that match run jobs of protected branches and tags only.");
  }
  if (tags.empty()) {
    return stuck("untagged", tags, "The job has no tags, and no runner that is online takes jobs without tags.");
  }
  const auto missing = missing_tags(usable, tags);
  return stuck("no_matching_tags", missing,
               "No runner that is online has all tags of the job: " + base::join(missing, ", "));
}

} // namespace

Outcome<json::Value> stuck_json(Transaction& tx, const Call& call, const model::Project& project, const Row& job) {
  if (job.text("status") != "pending" || !job.is_null("runner_id")) return json::Value();
  const auto space = API_TRY(model::find_namespace(tx, project.namespace_id));
  auto condition = model::runners_of_project(project, space);
  condition.binds.emplace_back(kMostLookedAt);
  std::vector<model::Runner> runners;
  for (const auto& row : API_TRY(tx.query("SELECT r.* FROM runners r WHERE " + condition.sql +
                                              " ORDER BY r.active DESC, coalesce(r.contacted_at, 0) DESC LIMIT ?",
                                          condition.binds))) {
    runners.push_back(model::runner_from(row));
  }
  return judge(runners, job.boolean("protected"), queue::tags_of(job), call.now());
}

} // namespace coordinator::web
