// The life of pipelines and jobs: creation out of a commit, the status machine applied to rows, cancel, retry, play,
// and what happens when a job ends.
//
// Functions with a Transaction run inside one write and serialise a pipeline's changes by it. Blocking; pool threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ci/context.hpp"
#include "ci/payload.hpp"
#include "ci/pipeline.hpp"
#include "ci/status.hpp"
#include "coordinator/app.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/reply.hpp"
#include "coordinator/store.hpp"

namespace coordinator::pipelines {

struct NewPipeline {
  model::Project project;
  std::int64_t user_id = 0;
  std::string ref; // short name
  bool tag = false;
  std::string sha;
  std::string before_sha;
  std::string source = "push";
  ci::Variables variables;
  bool skip = false; // asked for by a push option
};

inline constexpr std::string_view kNoConfig = "Missing CI config file"; // why nothing was created, in GitLab's words

struct Created {
  std::int64_t id = 0;
  std::string status;
  std::string yaml_errors;
};

class Service {
 public:
  explicit Service(App& app) : app_(app) {}

  // Published with each commit that made jobs pending.
  static constexpr std::string_view kPendingJobs = "jobs";

  // nullopt with no error: no configuration file in the commit, filtered by workflow rules, or nothing to run (for a
  // push all three are normal); `why` then says which.
  Outcome<std::optional<Created>> create(const NewPipeline& request, std::string* why = nullptr);

  // Applies the status machine until nothing changes, then the pipeline's own status.
  base::Status advance(Transaction& tx, std::int64_t pipeline_id);

  // After a job of the pipeline began to run: the short form of advance().
  base::Status started(Transaction& tx, std::int64_t pipeline_id);

  struct Finish {
    std::string status; // success, failed, canceled
    std::string failure_reason;
    std::optional<int> exit_code;
  };
  // Ends a job: allow_failure by exit code, automatic retry, the rest of the pipeline. No change when it has ended.
  base::Status finish(Transaction& tx, std::int64_t job_id, const Finish& finish);

  // pending, created …: canceled at once; running: canceling when its runner can, canceled else.
  base::Status cancel_job(Transaction& tx, std::int64_t job_id);
  base::Status cancel_pipeline(Transaction& tx, std::int64_t pipeline_id, std::int64_t user_id);
  // A new row under the same name; the id. 403 "Job is not retryable" when it is not finished.
  Outcome<std::int64_t> retry_job(Transaction& tx, std::int64_t job_id, std::int64_t user_id);
  Outcome<std::monostate> retry_pipeline(Transaction& tx, std::int64_t pipeline_id, std::int64_t user_id);
  // Starts a manual (or scheduled) job; 400 "Unplayable Job" else.
  Outcome<std::monostate> play_job(Transaction& tx, std::int64_t job_id, std::int64_t user_id,
                                   const ci::Variables& variables);
  // Jobs whose `start_in` has passed.
  base::Status start_scheduled(Transaction& tx);

  // The context a pipeline was compiled against, from its row, for handing out its jobs.
  base::Result<ci::Context> context(Transaction& tx, const model::Project& project, const Row& pipeline);

  App& app() { return app_; }

 private:
  base::Result<ci::Context> fresh_context(Transaction& tx, const NewPipeline& request);
  base::Result<std::int64_t> insert(Transaction& tx, const NewPipeline& request, const ci::Context& context,
                                    const std::string& status);
  base::Status insert_jobs(Transaction& tx, std::int64_t pipeline_id, const NewPipeline& request, bool is_protected,
                           const ci::Pipeline& pipeline);
  base::Result<std::int64_t> clone_job(Transaction& tx, const Row& job, std::int64_t user_id);
  base::Status reset_dependents(Transaction& tx, const Row& job);
  base::Status cancel_redundant(Transaction& tx, std::int64_t pipeline_id, const NewPipeline& request);
  base::Status refresh_pipeline(Transaction& tx, std::int64_t pipeline_id, ci::Status status, bool started);
  static base::Result<bool> goes_on(Transaction& tx, std::int64_t pipeline_id);
  void unpin_finished(std::int64_t project_id, std::int64_t pipeline_id);
  // Where several may write at once, what follows for a pipeline is decided by one of them at a time.
  static base::Status hold(Transaction& tx, std::int64_t pipeline_id);

  App& app_;
};

} // namespace coordinator::pipelines
