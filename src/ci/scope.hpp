// Which variables exist where: the server's concatenation order, shared by rules, include and the payload. Internal to
// ci.
#pragma once

#include <string_view>

#include "base/expand.hpp"
#include "ci/context.hpp"
#include "ci/pipeline.hpp"

namespace ci {

// What a job adds to the predefined variables before it has an id: CI_JOB_NAME, CI_JOB_STAGE, CI_NODE_INDEX …
Variables job_predefined(const Job& job);
// CI_ENVIRONMENT_*; nothing when the job has no environment.
Variables environment_variables(const Job& job);
Variables user_variables(const UserFacts& user);

// Instance, group, project and pipeline variables that a job on this ref with this environment may see.
Variables outside_variables(const Context& context, std::string_view environment);

// Everything that rules of the workflow, or of a job, can see: predefined, YAML, user, outside. Values unexpanded.
// `predefined`: what predefined_variables() gave for this context; it is asked for once and used for every job.
Variables rule_scope(const Context& context, const Variables& predefined, const Variables& yaml,
                     const Job* job = nullptr);

base::Lookup lookup_in(const Variables& variables);

} // namespace ci
