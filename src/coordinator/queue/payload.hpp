// The job payload: what a runner receives with 201 on POST /api/v4/jobs/request (ci-yaml digest §17, protocol §8).
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "ci/pipeline.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/pipelines/service.hpp"
#include "json/json.hpp"

namespace coordinator::queue {

// Every reason a runner may send, for `features.failure_reasons`.
json::Value failure_reasons();

struct PayloadRequest {
  const Row& job;      // all columns
  const Row& pipeline; // all columns
  const model::Project& project;
  const model::Runner& runner;
  base::Secret token;
  std::int64_t timeout_seconds;
};

struct BuiltPayload {
  json::Value payload;
  std::string refusal; // a failure reason instead: missing_dependency_failure
};

base::Result<BuiltPayload> build_payload(Transaction& tx, pipelines::Service& service, const PayloadRequest& request);

// What a job needs a runner to have announced; empty when `features` has it all, else the missing one.
std::string missing_feature(const ci::Job& job, const json::Value& features);

// "<scheme>://gitlab-ci-token:<token>@<host>/<path>.git"
std::string repository_url(const App& app, const model::Project& project, const base::Secret& token);

} // namespace coordinator::queue
