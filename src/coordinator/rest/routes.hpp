// The management API, one function a resource; server.cpp calls them all.
#pragma once

#include "coordinator/api.hpp"

namespace coordinator::rest {

void register_instance(Api& api);          // /version /metadata /application/settings /features /audit_events, health
void register_users(Api& api);             // /user /users
void register_access_tokens(Api& api);     // /personal_access_tokens, /projects/:id/access_tokens …
void register_groups(Api& api);            // /groups
void register_projects(Api& api);          // /projects
void register_project_lists(Api& api);     // GET /projects, /groups/:id/projects, /users/:id/projects
void register_group_lists(Api& api);       // GET /groups, /groups/:id/subgroups, /namespaces …
void register_transfer(Api& api);          // …/transfer
void register_members(Api& api);           // …/members
void register_variables(Api& api);         // …/variables, /admin/ci/variables
void register_protected_refs(Api& api);    // …/protected_branches, …/protected_tags
void register_runner_lists(Api& api);      // GET /runners, /runners/all, /projects/:id/runners, /groups/:id/runners
void register_runners(Api& api);           // /runners /user/runners
void register_runner_jobs_list(Api& api);  // GET /runners/:id/jobs
void register_runner_assignment(Api& api); // POST /projects/:id/runners …, reset_registration_token
void register_openapi(Api& api);           // /openapi.json /openapi.yaml; called last
void register_stale_runners(Api& api);     // /admin/ci/stale_runners
void register_runner_identity(Api& api);   // what runners call themselves: register, verify, unregister, reset

} // namespace coordinator::rest
