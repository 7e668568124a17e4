// The pages' half of the server: one function a subject, all called by register_web().
#pragma once

#include <memory>
#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/runner_api/work.hpp"

namespace coordinator::web {

void register_sign_in(Api& api);        // /-/web/session, password, profile, sessions
void register_context(Api& api);        // /-/web/context, search, page, overview
void register_runner_list(Api& api);    // /-/web/runners, bulk actions
void register_runner_pages(Api& api);   // /-/web/runners/:id, registration_token, …/runner_settings
void register_project_pages(Api& api);  // /-/web/projects, refs
void register_pipeline_pages(Api& api); // …/pipelines, graph
void register_job_pages(Api& api, const std::shared_ptr<Work>& work); // …/jobs/:job_id, its log
void register_audit_log(Api& api);                                    // /-/web/audit_events

// All of the above.
void register_web(Api& api, const std::shared_ptr<Work>& work);

// The name under which kDownloadRoot gives out this program: "gitlab-runner-linux-amd64".
inline constexpr std::string_view kDownloadRoot = "/-/downloads/";
std::string program_name();

// Answers every GET that neither the API nor git takes: the pages and their files. `pack` as in Assets::open(); what it
// says when that is damaged goes to the log.
net::Handler page_handler(App& app, std::string_view pack);

} // namespace coordinator::web
