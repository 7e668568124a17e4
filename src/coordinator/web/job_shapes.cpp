#include "coordinator/web/job_shapes.hpp"

#include <fmt/format.h>

#include "coordinator/model/users.hpp"
#include "coordinator/web/shapes.hpp"

namespace coordinator::web {

std::string job_path(const model::Project& project, std::int64_t job_id) {
  return fmt::format("{}/-/jobs/{}", project_path(project), job_id);
}

std::string pipeline_path(const model::Project& project, std::int64_t pipeline_id) {
  return fmt::format("{}/-/pipelines/{}", project_path(project), pipeline_id);
}

json::Value job_abilities(const Row& job, const Access& access) {
  const bool update = static_cast<bool>(allowed(Ability::kUpdateBuilds, access));
  const auto text = job.text("status");
  const auto status = ci::parse_status(text).value_or(ci::Status::kFailed);
  const bool current = !job.boolean("retried");
  const bool ended = pipelines::is_retryable(text);
  const bool alive = (ci::is_alive(status) || status == ci::Status::kScheduled) && status != ci::Status::kCanceling;
  return json::Value::object(
      {{"play", update && current && (status == ci::Status::kManual || status == ci::Status::kScheduled)},
       {"retry", update && current && ended},
       {"cancel", update && alive},
       {"erase", update && ended && job.is_null("erased_at")},
       {"unschedule", false}}); // the API has no such call: play it or cancel it
}

bool is_warning(const Row& job) {
  return job.boolean("allow_failure") && (job.text("status") == "failed" || job.text("status") == "canceled");
}

json::Value needs_json(const ci::JobState& state) {
  if (!state.needs) return nullptr;
  auto out = json::Value::array();
  for (const auto& name : *state.needs) out.push_back(name);
  return out;
}

json::Value reason_json(const Row& job) { return text_or_null(job.text("status_reason")); }

Outcome<std::map<std::string, json::Value>> earlier_tries(Transaction& tx, const model::Project& project,
                                                          std::int64_t pipeline_id) {
  std::map<std::string, json::Value> out;
  for (const auto& row : API_TRY(tx.query("SELECT id, name, status, created_at, finished_at FROM jobs WHERE "
                                          "pipeline_id = ? AND retried = 1 ORDER BY id DESC",
                                          {pipeline_id}))) {
    out[row.text("name")].push_back(
        json::Value::object({{"id", row.integer("id")},
                             {"status", row.text("status")},
                             {"created_at", model::time_json(row.integer("created_at"))},
                             {"finished_at", model::time_json(row.optional_integer("finished_at"))},
                             {"web_path", job_path(project, row.integer("id"))}}));
  }
  return out;
}

} // namespace coordinator::web
