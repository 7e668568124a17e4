// JobRun: the stages of one job in order, in straight lines on the calling thread.
//
// Owned by the worker. Talks to the outside through the log, the executor and `on_stage`; is told to stop through
// JobCancel. run() always comes back, credentials removed, with how the job ended.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "executor/executor.hpp"
#include "job/build_info.hpp"
#include "job/job_cancel.hpp"
#include "job/timeouts.hpp"
#include "script/stages.hpp"
#include "trace/job_log.hpp"

namespace job {

struct Job {
  gitlab::JobPayload payload;
  config::Runner runner;
  Context context;
  Settings settings; // as far as they are known before there are directories
};

class JobRun {
 public:
  using OnStage = std::function<void(std::string_view name)>;
  // All must outlive the run.
  JobRun(Job& job, trace::JobLog& log, JobCancel& cancel, OnStage on_stage);

  // nullopt: success.
  std::optional<Failure> run();

 private:
  enum class End { kDone, kFailed, kStopped };
  struct StageEnd {
    End end = End::kDone;
    Failure failure = {};
    bool ok() const { return end == End::kDone; }
  };
  using WriteScript = std::function<script::Text()>;
  struct Stage {
    std::string name;
    bool predefined = true;
    WriteScript write = {};
    // For the shell executor: does the stage's work without a shell, where that can be.
    std::function<std::optional<StageEnd>()> without_shell = {};
  };

  std::optional<Failure> unsupported();
  std::optional<Failure> prepare_executor(const sys::CancelToken& cancel);
  std::optional<Failure> try_prepare(const sys::CancelToken& cancel, bool& retry);
  std::optional<Failure> make_build();
  std::optional<Failure> run_stages(const sys::CancelToken& prepare);
  std::optional<Failure> prepare_sources();
  std::optional<Failure> run_steps();
  std::optional<Failure> run_user_steps(const sys::CancelToken& cancel);
  std::optional<Failure> run_after_script(std::optional<Failure> failure, base::Nanoseconds timeout);
  std::optional<Failure> save(std::optional<Failure> failure);
  void clean_up(bool in_log);
  void remove_credentials();

  StageEnd run_stage(const Stage& stage, const sys::CancelToken& cancel);
  StageEnd execute(const Stage& stage, const std::string& text, const sys::CancelToken& cancel);
  StageEnd attempt_stage(const Stage& stage, std::int64_t attempts, const sys::CancelToken& cancel,
                         const std::function<StageEnd()>& before_second = {});
  std::optional<StageEnd> sources_without_git();
  void warn_timeout(const std::string& stage, const sys::CancelToken& cancel);
  void print_policy();

  void section_start(std::string_view name);
  void section_end(std::string_view name);
  base::Nanoseconds timeout() const { return job_timeout(job_.payload); }
  // The job's files are ours to touch: same host, same or any user.
  bool files_are_here() const { return build_.has_value() && executor_info_.name == "shell"; }

  Job& job_;
  trace::JobLog& log_;
  JobCancel& cancel_;
  OnStage on_stage_;
  std::unique_ptr<executor::Executor> executor_;
  executor::Info executor_info_;
  Variables variables_;
  std::optional<script::BuildInfo> build_;
  bool cleaned_ = false;
};

} // namespace job
