// Jobs and stages as the graph and the job page show them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/pipelines/latest.hpp"
#include "json/json.hpp"

namespace coordinator::web {

// Columns that job_entry() reads beside those of latest_jobs().
inline constexpr std::string_view kEntryColumns =
    ", stage, status_reason, retried, tag_list, created_at, finished_at, scheduled_at, queued_at, erased_at, "
    "failure_reason, coverage, trace_size";

std::string job_path(const model::Project& project, std::int64_t job_id);
std::string pipeline_path(const model::Project& project, std::int64_t pipeline_id);

// What the caller may do with the job now: {play, retry, cancel, erase, unschedule}. The row has kEntryColumns.
json::Value job_abilities(const Row& job, const Access& access);

// Failed or canceled, and that was allowed.
bool is_warning(const Row& job);
json::Value needs_json(const ci::JobState& state); // null without the keyword
// Why it waits or was skipped; null when there is nothing to say.
json::Value reason_json(const Row& job);

// {"name", "status", "warnings", "jobs": […]} for each stage; `entry` makes the JSON of the i-th job.
template <class Entry>
json::Value stages_json(const pipelines::Latest& latest, Entry&& entry) {
  auto out = json::Value::array();
  std::size_t i = 0;
  while (i < latest.rows.size()) {
    const int stage = latest.states[i].stage_index;
    const auto composite = ci::stage_composite(latest.states, stage);
    auto jobs = json::Value::array();
    const auto name = latest.rows[i].text("stage");
    for (; i < latest.rows.size() && latest.states[i].stage_index == stage; ++i) jobs.push_back(entry(i));
    out.push_back(json::Value::object({{"name", name},
                                       {"status", ci::to_string(composite.status)},
                                       {"warnings", composite.warnings},
                                       {"jobs", std::move(jobs)}}));
  }
  return out;
}

// Earlier tries by job name, newest first: {id, status, created_at, finished_at, web_path}.
Outcome<std::map<std::string, json::Value>> earlier_tries(Transaction& tx, const model::Project& project,
                                                          std::int64_t pipeline_id);

} // namespace coordinator::web
