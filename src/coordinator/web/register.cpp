#include "coordinator/web/register.hpp"

namespace coordinator::web {

void register_web(Api& api, const std::shared_ptr<Work>& work) {
  register_sign_in(api);
  register_context(api);
  register_runner_list(api);
  register_runner_pages(api);
  register_project_pages(api);
  register_pipeline_pages(api);
  register_job_pages(api, work);
  register_audit_log(api);
}

} // namespace coordinator::web
