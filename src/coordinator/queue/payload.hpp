// The job payload: what a runner receives with 201 on POST /api/v4/jobs/request (ci-yaml digest §17, protocol §8).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "ci/context.hpp"
#include "ci/pipeline.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/pipelines/service.hpp"
#include "json/json.hpp"

namespace coordinator::queue {

// Every reason a runner may send, for `features.failure_reasons`.
json::Value failure_reasons();

struct PayloadRequest {
  const Row& job; // all columns
  const ci::Job& definition;
  const Row& pipeline; // all columns
  const model::Project& project;
  const model::Runner& runner;
  base::Secret token;
  std::int64_t timeout_seconds = 0;
  std::int64_t project_load = 0; // the project's jobs on instance runners
  std::int64_t queue_size = 0;
};

struct BuiltPayload {
  json::Value payload;
  std::string refusal; // a failure reason instead: missing_dependency_failure
};

// Builds the payloads of one transaction: what the jobs of a pipeline have in common is looked up once.
class PayloadBuilder {
 public:
  PayloadBuilder(Transaction& tx, pipelines::Service& service) : tx_(tx), service_(service) {}
  base::Result<BuiltPayload> build(const PayloadRequest& request);

 private:
  struct Shared {
    ci::Context context;
    std::int64_t root_namespace = 0;
    std::optional<std::vector<Row>> jobs; // of the pipeline, with their archives; once one needs them
  };
  struct Dependencies {
    json::Value list = json::Value::array();
    ci::Variables dotenv;
    bool missing = false; // an artifact that was asked for by name is gone
  };
  base::Result<Shared*> shared(const PayloadRequest& request);
  base::Result<Dependencies> dependencies(const PayloadRequest& request, Shared& common, const ci::Job& job);
  json::Value job_info(const PayloadRequest& request, const Shared& common) const;
  base::Result<ci::UserFacts> user(std::int64_t id, const ci::UserFacts& fallback);

  Transaction& tx_;
  pipelines::Service& service_;
  std::map<std::int64_t, Shared> pipelines_;
  std::map<std::int64_t, std::optional<ci::UserFacts>> users_;
};

// What a job needs a runner to have announced; empty when `features` has it all, else the missing one.
std::string missing_feature(const ci::Job& job, const json::Value& features);

// "<scheme>://gitlab-ci-token:<token>@<host>/<path>.git"
std::string repository_url(const App& app, const model::Project& project, const base::Secret& token);

} // namespace coordinator::queue
