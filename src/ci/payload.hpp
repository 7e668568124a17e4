// ci::Job → the parts of the runner's job payload (POST /api/v4/jobs/request) that come from the language.
//
// The coordinator adds ids, tokens, dependencies and credentials. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "ci/context.hpp"
#include "ci/pipeline.hpp"
#include "json/json.hpp"

namespace ci {

struct RunnerFacts {
  std::int64_t id = 0;
  std::string description;
  std::vector<std::string> tags;
};

// What exists once a job is handed to a runner.
struct JobFacts {
  std::int64_t id = 0;
  base::Secret token;
  std::string started_at; // ISO 8601
  RunnerFacts runner;
  Variables dotenv;  // from the dotenv reports of its dependencies
  Variables job_run; // given when a manual job was played
  UserFacts user;    // who started it
};

// The `variables` of the payload in wire order, after engine 1; later entries override earlier ones. Protected
// variables are left out unless the ref is protected, scoped ones unless the job's environment matches.
base::Result<Variables> job_variables(const Job& job, const Context& context, const JobFacts& facts);

json::Value steps_json(const Job& job, std::int64_t timeout_seconds);
json::Value image_json(const Job& job); // null when the job names none
json::Value services_json(const Job& job);
json::Value artifacts_json(const Job& job);
json::Value hooks_json(const Job& job);

// Cache entries with their final keys: `-<index>` of the project, then `-protected` or `-non_protected`.
// `privileged`: the ref is protected or the job's user is Maintainer or more.
json::Value cache_json(const Job& job, const ProjectFacts& project, bool privileged);

// GIT_DEPTH of the job's variables (garbage: 0), else the project's default (20).
std::int64_t git_depth(const Variables& variables, std::int64_t project_default = 20);
// git_info.refspecs.
std::vector<std::string> refspecs(std::int64_t pipeline_id, std::string_view ref, RefType type, std::int64_t depth);

// Names of the jobs whose artifacts this job gets, out of all jobs of the pipeline, in their order.
std::vector<std::string> artifact_sources(const Job& job, const std::vector<Job>& all);

} // namespace ci
