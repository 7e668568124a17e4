#include "job/worker.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <exception>

#include "base/strings.hpp"
#include "base/version.hpp"
#include "job/control_channel.hpp"
#include "job/inputs.hpp"
#include "job/job_directory.hpp"
#include "job/job_run.hpp"
#include "job/log_pump.hpp"
#include "sys/signals.hpp"
#include "trace/spool.hpp"

namespace job {
namespace {

// A job that was understood, or why not.
struct Loaded {
  Job job;
  std::optional<Failure> failure;
};

Loaded load(const JobDirectory& directory) {
  Loaded out;
  auto context = directory.read_context();
  if (!context) {
    out.failure = system_failure("the job's context could not be read: " + context.error().message());
    return out;
  }
  out.job.context = std::move(*context);
  auto runner = config::runner_from_json(out.job.context.runner);
  if (!runner) {
    out.failure = system_failure("the runner's configuration could not be read: " + runner.error().message());
    return out;
  }
  out.job.runner = std::move(*runner);
  auto text = directory.read_payload();
  auto payload = text ? gitlab::parse_payload(*text) : base::Result<gitlab::JobPayload>(base::fail(text.error()));
  if (!payload) {
    out.failure = system_failure("the job's payload could not be read: " + payload.error().message());
    return out;
  }
  out.job.payload = std::move(*payload);
  return out;
}

trace::JobLogOptions log_options(const Job& job, const VariableSources& sources) {
  trace::JobLogOptions options;
  options.masks = secret_values(job.payload, all_variables(sources, job.settings.flags));
  options.token_prefixes = job.payload.features.token_mask_prefixes;
  options.mask_all_default_tokens = job.settings.on("FF_MASK_ALL_DEFAULT_TOKENS");
  options.timestamps = job.settings.on("FF_TIMESTAMPS");
  options.sections = job.payload.features.trace_sections;
  options.limit = static_cast<std::uint64_t>(job.runner.output_limit_bytes());
  options.tee = [id = std::to_string(job.payload.id), project = std::to_string(job.payload.job_info.project_id),
                 runner = job.context.short_token](base::log::Level level, std::string_view text) {
    base::log::write(level, text, {{"job", id}, {"project", project}, {"runner", runner}});
  };
  return options;
}

void print_header(trace::JobLog& log, const Job& job) {
  log.println(fmt::format("Running with {} {} ({})", base::kProgramName, base::version(), base::revision()));
  if (!job.context.short_token.empty())
    log.println(
        fmt::format("  on {} {}, system ID: {}", job.runner.name, job.context.short_token, job.context.system_id));
  const std::string flags = job.settings.flags.differences();
  if (!flags.empty()) log.println("  feature flags: " + flags);
}

// What upstream finds out before it starts a job; it then writes nothing else to the log.
std::optional<Failure> refused(const Job& job) {
  constexpr int kExitCode = 3;
  std::vector<std::string> texts = gitlab::check_executor_options(job.payload);
  if (auto status = gitlab::check_run(job.payload); !status) texts.push_back(status.error().message());
  if (texts.empty()) return std::nullopt;
  return Failure{base::join(texts, "\n"), gitlab::FailureReason::kRunnerSystemFailure, kExitCode};
}

void print_result(trace::JobLog& log, const std::optional<Failure>& failure) {
  if (!failure)
    log.info("Job succeeded");
  else if (failure->reason == gitlab::FailureReason::kRunnerSystemFailure)
    log.error(failure_line(*failure));
  else
    log.soft_error(failure_line(*failure));
}

std::optional<Failure> run_job(Loaded& loaded, trace::JobLog& log, JobCancel& cancel, const JobRun::OnStage& on_stage) {
  Job& job = loaded.job;
  if (loaded.failure) {
    print_header(log, job);
    return loaded.failure;
  }
  if (job.settings.on("FF_ENABLE_JOB_INPUTS_INTERPOLATION"))
    if (auto status = interpolate_payload(job.payload); !status) return configuration_failure(status.error().message());
  print_header(log, job);
  return JobRun(job, log, cancel, on_stage).run();
}

// No exception of ours leaves a job without a result.
std::optional<Failure> run_guarded(Loaded& loaded, trace::JobLog& log, JobCancel& cancel,
                                   const JobRun::OnStage& on_stage) {
  if (auto failure = loaded.failure ? std::nullopt : refused(loaded.job)) {
    log.write(trace::kRunnerLines, failure->message + "\n");
    return failure;
  }
  std::optional<Failure> failure;
  try {
    failure = run_job(loaded, log, cancel, on_stage);
  } catch (const std::exception& error) {
    failure = system_failure(fmt::format("panic: {}", error.what()));
  }
  print_result(log, failure);
  return failure;
}

JobResult make_result(const std::optional<Failure>& failure, const JobCancel& cancel, const trace::FileSpool& spool) {
  JobResult result;
  result.success = !failure;
  if (failure) {
    result.failure_reason = failure->reason;
    result.exit_code = failure->exit_code;
  }
  result.aborted = cancel.aborted();
  result.bytes = spool.size();
  result.crc32 = spool.crc32();
  return result;
}

base::Status work(const JobDirectory& directory) {
  auto lock = FR_TRY(sys::FileLock::try_acquire(directory.lock_path()));
  if (!lock) return base::fail(base::ErrorKind::kConflict, "another worker has this job");
  if (FR_TRY(directory.read_journal()).result) return {};
  JournalWriter journal = FR_TRY(JournalWriter::open(directory));
  FR_CHECK(journal.started(::getpid()));

  Loaded loaded = load(directory);
  Job& job = loaded.job;
  const VariableSources sources{job.payload, job.runner, job.context, "", "", true};
  job.settings = read_settings(sources, variables_for_settings(sources));

  const auto timeout = job_timeout(job.payload);
  JobCancel cancel(std::chrono::steady_clock::now() + timeout,
                   fmt::format("execution took longer than {} seconds", base::format_go_duration(timeout)));
  const auto channel = FR_TRY(ControlChannel::start(
      directory.path(), {.cancel = [&cancel] { cancel.cancel(); },
                         .abort = [&cancel] { cancel.abort(); },
                         .interrupt = [&cancel](const std::string& signal) { cancel.interrupt(signal); }}));
  const auto spool = FR_TRY(
      trace::FileSpool::open(directory.trace_path(), [&channel](std::uint64_t size) { channel->log_grew(size); }));
  LogPump pump(*spool);
  std::optional<Failure> failure;
  {
    trace::JobLog log(pump, log_options(job, sources));
    failure = run_guarded(loaded, log, cancel, [&](std::string_view name) {
      if (auto status = journal.stage(name); !status) base::log::warning(status.error().message());
      channel->stage(name);
    });
  }
  spool->flush();
  FR_CHECK(journal.result(make_result(failure, cancel, *spool)));
  channel->done();
  return {};
}

} // namespace

int worker_main(const std::string& job_directory) {
  // What a job starts must not read this process's memory through /proc or a debugger.
  ::prctl(PR_SET_DUMPABLE, 0);
  sys::ignore_sigpipe();
  if (const auto status = work(JobDirectory(job_directory)); !status) {
    base::log::error("A job's worker failed", {{"directory", job_directory}, {"error", status.error().message()}});
    return 1;
  }
  return 0;
}

} // namespace job
