#include "job/job_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/strings.hpp"
#include "base/version.hpp"
#include "sys/beneath.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/process.hpp"

namespace job {
namespace {

using sys::CancelReason;

std::string stage_title(std::string_view stage) {
  static constexpr std::pair<std::string_view, std::string_view> kTitles[] = {
      {"prepare_script", "Preparing environment"},
      {"get_sources", "Getting source from Git repository"},
      {"clear_worktree", "Deleting all tracked and untracked files due to source fetch failure"},
      {"restore_cache", "Restoring cache"},
      {"download_artifacts", "Downloading artifacts"},
      {"after_script", "Running after_script"},
      {"archive_cache", "Saving cache for successful job"},
      {"archive_cache_on_failure", "Saving cache for failed job"},
      {"upload_artifacts_on_success", "Uploading artifacts for successful job"},
      {"upload_artifacts_on_failure", "Uploading artifacts for failed job"},
      {"cleanup_file_variables", "Cleaning up project directory and file based variables"},
  };
  for (const auto& [name, title] : kTitles)
    if (name == stage) return std::string(title);
  return fmt::format("Executing \"{}\" stage of the job script", stage);
}

// The job's side of a stage's streams.
class StageOutput final : public executor::Output {
 public:
  explicit StageOutput(trace::JobLog& log) : log_(log) {}
  void write_stdout(std::string_view bytes) override { log_.write(trace::kStageOut, bytes); }
  void write_stderr(std::string_view bytes) override { log_.write(trace::kStageErr, bytes); }

 private:
  trace::JobLog& log_;
};

// What stages see: this process's environment, without what is ours alone.
std::vector<std::string> stage_environment() {
  auto environment = sys::environment();
  std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("FORERUNNER_"); });
  return environment;
}

sys::TimePoint after(base::Nanoseconds duration) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<sys::TimePoint::duration>(duration);
}

} // namespace

JobRun::JobRun(Job& job, trace::JobLog& log, JobCancel& cancel, OnStage on_stage)
    : job_(job), log_(log), cancel_(cancel), on_stage_(std::move(on_stage)) {}

std::optional<Failure> JobRun::run() {
  if (auto failure = unsupported()) return failure;
  if (!job_.settings.warnings.empty()) log_.warning(base::join(job_.settings.warnings, "\n"));

  std::vector<std::string> warnings;
  const auto limit = configured_timeout("prepare_timeout", job_.runner.prepare_timeout, timeout(), warnings);
  for (const auto& text : warnings) base::log::warning(text, {{"job", std::to_string(job_.payload.id)}});
  const std::string text = fmt::format("prepare timeout: exceeded timeout of {}", base::format_go_duration(limit));
  const sys::CancelSource prepare(cancel_.job(), after(limit), text);

  auto failure = prepare_executor(prepare.token());
  if (!failure) failure = run_stages(prepare.token());
  // Whatever ended the whole job counts more than what it made fail.
  if (auto why = cancel_.job_failure()) failure = why;
  clean_up(false);
  if (executor_) executor_->cleanup();
  return failure;
}

std::optional<Failure> JobRun::unsupported() {
  if (!job_.payload.secrets.empty()) {
    on_stage_("resolve_secrets");
    section_start("resolve_secrets");
    log_.header("Resolving secrets");
    for (const auto& [name, secret] : job_.payload.secrets)
      log_.println(fmt::format("Resolving secret \"{}\"...", name));
    section_end("resolve_secrets");
    const auto& [name, secret] = *job_.payload.secrets.begin();
    return configuration_failure(fmt::format("resolving secrets: \"{}\": the secrets provider {} is not supported yet",
                                             name, secret.provider.empty() ? "(none)" : secret.provider));
  }
  if (!job_.payload.run.empty())
    return configuration_failure("native step execution (the `run:` keyword) is not supported by this runner yet");
  return std::nullopt;
}

std::optional<Failure> JobRun::prepare_executor(const sys::CancelToken& cancel) {
  constexpr int kTries = 3;
  constexpr std::chrono::seconds kInterval{3};
  on_stage_("prepare_executor");
  section_start("prepare_executor");
  log_.header(fmt::format("Preparing the \"{}\" executor", job_.runner.executor));
  std::optional<Failure> failure;
  for (int i = 1; i <= kTries; ++i) {
    bool retry = false;
    failure = try_prepare(cancel, retry);
    if (!failure || !retry || i == kTries) break;
    log_.info(fmt::format("Will be retried in {} ...", base::format_go_duration(kInterval)));
    if (cancel.wait_for(kInterval)) break;
  }
  section_end("prepare_executor");
  if (failure && cancel.raised() && cancel.cause().reason == CancelReason::kTimeout)
    return timeout_failure(cancel.cause().message);
  return failure;
}

std::optional<Failure> JobRun::try_prepare(const sys::CancelToken& cancel, bool& retry) {
  const auto prepare = [&]() -> base::Status {
    executor_ = FR_TRY(executor::create(job_.runner.executor));
    executor::PrepareContext context;
    context.shell = job_.runner.shell;
    context.user = job_.context.user;
    context.working_directory = job_.context.working_directory;
    context.environment = stage_environment();
    FR_CHECK(executor_->prepare(context, cancel));
    executor_info_ = executor_->info();
    FR_TRY(script::shell_from_name(executor_info_.shell));
    return {};
  };
  if (auto status = prepare(); !status) {
    if (executor_) executor_->cleanup();
    executor_.reset();
    // What is wrong in the configuration will be wrong in three seconds, too.
    retry = !cancel.raised() && status.error().kind() != base::ErrorKind::kInvalidInput;
    if (!cancel.raised()) log_.soft_error(fmt::format("Preparation failed: {}", status.error().message()));
    return system_failure(status.error().message());
  }
  if (auto failure = make_build()) return failure;
  log_.println(fmt::format("Using {} executor...", executor_info_.display_name));
  return std::nullopt;
}

std::optional<Failure> JobRun::make_build() {
  const auto& runner = job_.runner;
  auto working_directory = job_.context.working_directory;
  if (working_directory.empty()) working_directory = sys::current_directory().value_or("/");
  const DirectoryOptions options{
      .builds_dir = runner.builds_dir.empty() ? executor_info_.default_builds_dir : runner.builds_dir,
      .cache_dir = runner.cache_dir.empty() ? executor_info_.default_cache_dir : runner.cache_dir,
      .working_directory = working_directory,
      .custom_build_dir = runner.custom_build_dir_enabled.value_or(false),
      .shared_builds_dir = executor_info_.shared_environment};
  VariableSources sources{job_.payload, runner,
                          job_.context, absolute_directory(options.builds_dir, working_directory),
                          "",           executor_info_.shared_environment};
  // Again, now that $CI_BUILDS_DIR means something; what was wrong in them has been said.
  const Settings settings = read_settings(sources, variables_for_settings(sources));
  auto where = directories(sources, settings, options);
  if (!where) return where.error();
  sources.project_dir = where->project_dir;
  variables_ = all_variables(sources, settings.flags);
  for (const auto& value : secret_values(job_.payload, variables_)) log_.add_mask(value);
  auto build = make_build_info({sources, settings, *where, variables_, executor_info_, sys::hostname()});
  if (!build) return system_failure(build.error().message());
  build_ = std::move(*build);
  job_.settings = settings;
  return std::nullopt;
}

std::optional<Failure> JobRun::run_stages(const sys::CancelToken& prepare) {
  const Stage stage{.name = "prepare_script", .write = [this] { return script::prepare_script(*build_); }};
  if (const auto end = run_stage(stage, prepare); !end.ok()) {
    if (prepare.raised() && prepare.cause().reason == CancelReason::kTimeout)
      return timeout_failure(prepare.cause().message);
    Failure failure = end.failure;
    failure.message = fmt::format(
        "prepare environment: {}. Check https://docs.gitlab.com/runner/shells/"
        "#shell-profile-loading for more information",
        failure.message);
    return failure;
  }

  std::vector<std::string> warnings;
  const auto limit = configured_timeout("get_sources_timeout", job_.runner.get_sources_timeout, timeout(), warnings);
  for (const auto& text : warnings) base::log::warning(text, {{"job", std::to_string(job_.payload.id)}});
  const sys::CancelSource sources(
      cancel_.job(), after(limit),
      fmt::format("get sources timeout: exceeded timeout of {}", base::format_go_duration(limit)));
  Stage get_sources{.name = "get_sources", .write = [this] { return script::get_sources(*build_); }};
  const auto strategy = build_->git.strategy;
  if (strategy == script::GitStrategy::kNone || strategy == script::GitStrategy::kEmpty)
    get_sources.without_shell = [this] { return sources_without_git(); };
  const Stage clear{.name = "clear_worktree", .write = [this] { return script::clear_worktree(*build_); }};
  const auto end = attempt_stage(get_sources, job_.settings.get_sources_attempts, sources.token(),
                                 [&] { return run_stage(clear, sources.token()); });
  std::optional<Failure> failure;
  if (!end.ok()) {
    if (sources.token().raised() && sources.token().cause().reason == CancelReason::kTimeout)
      return timeout_failure(sources.token().cause().message);
    failure = end.failure;
    if (end.end == End::kFailed)
      log_.soft_error(fmt::format("Getting sources failed: {}. The job's script was not run.", end.failure.message));
  }
  if (!failure) failure = prepare_sources();
  if (!failure) failure = run_steps();
  failure = save(std::move(failure));
  if (!cancel_.job_failure()) clean_up(true);
  return failure;
}

// restore_cache and download_artifacts.
std::optional<Failure> JobRun::prepare_sources() {
  const Stage restore{.name = "restore_cache", .write = [this] { return script::restore_cache(*build_); }};
  auto end = attempt_stage(restore, job_.settings.restore_cache_attempts, cancel_.job());
  if (!end.ok()) return end.failure;
  const Stage download{.name = "download_artifacts", .write = [this] { return script::download_artifacts(*build_); }};
  end = attempt_stage(download, job_.settings.download_artifacts_attempts, cancel_.job());
  if (!end.ok()) return end.failure;
  return std::nullopt;
}

std::optional<Failure> JobRun::run_steps() {
  const auto deadline = cancel_.job().deadline();
  const auto remaining = deadline ? base::Nanoseconds(*deadline - std::chrono::steady_clock::now()) : timeout();
  const ScriptTimeouts timeouts = script_timeouts(variables_, remaining);
  for (const auto& text : timeouts.warnings) log_.warning(text);
  const auto steps = cancel_.begin_steps(timeouts.script ? std::optional(after(*timeouts.script)) : std::nullopt);
  print_policy();

  auto failure = run_user_steps(steps);
  if (cancel_.job_failure()) return failure;
  if (steps.raised() && steps.cause().reason == CancelReason::kCanceled) {
    failure = canceled_failure();
    log_.warning("script canceled externally (UI, API)");
  } else if (steps.raised() && steps.cause().reason == CancelReason::kTimeout) {
    failure = timeout_failure(steps.cause().message);
  }
  return run_after_script(std::move(failure), timeouts.after_script);
}

std::optional<Failure> JobRun::run_user_steps(const sys::CancelToken& cancel) {
  for (std::size_t i = 0; i < build_->steps.size(); ++i) {
    if (build_->steps[i].name == "after_script") continue;
    const Stage stage{.name = "step_" + base::to_lower(build_->steps[i].name), .predefined = false, .write = [this, i] {
                        return script::user_step(*build_, i);
                      }};
    if (const auto end = run_stage(stage, cancel); !end.ok()) return end.failure;
  }
  return std::nullopt;
}

std::optional<Failure> JobRun::run_after_script(std::optional<Failure> failure, base::Nanoseconds limit) {
  overwrite(variables_, "CI_JOB_STATUS", job_status(failure));
  set_variables(*build_, variables_);
  const sys::CancelSource source(cancel_.job(), after(limit), "context deadline exceeded");
  const Stage stage{
      .name = "after_script", .predefined = false, .write = [this] { return script::after_script(*build_); }};
  const auto end = run_stage(stage, source.token());
  if (end.ok() || cancel_.job_failure()) return failure;
  if (job_.settings.after_script_ignore_errors)
    log_.warning(fmt::format("after_script failed, but job will continue unaffected: {}", end.failure.message));
  else if (!failure)
    failure = end.failure;
  return failure;
}

// Caches, then artifacts; the first failure of all is the job's.
std::optional<Failure> JobRun::save(std::optional<Failure> failure) {
  const bool ok = !failure;
  const Stage stages[] = {{.name = ok ? "archive_cache" : "archive_cache_on_failure",
                           .write = [this, ok] { return script::archive_cache(*build_, ok); }},
                          {.name = ok ? "upload_artifacts_on_success" : "upload_artifacts_on_failure",
                           .write = [this, ok] { return script::upload_artifacts(*build_, ok); }}};
  for (const auto& stage : stages)
    if (const auto end = run_stage(stage, cancel_.job()); !end.ok() && !failure) failure = end.failure;
  return failure;
}

// In every path, under a deadline of its own; in the log only where upstream shows it.
void JobRun::clean_up(bool in_log) {
  if (!build_ || !executor_ || std::exchange(cleaned_, true)) return;
  const sys::CancelSource deadline({}, after(kCleanupTimeout), "cleaning up took too long");
  if (in_log) {
    const Stage stage{.name = "cleanup_file_variables",
                      .write = [this] { return script::cleanup_file_variables(*build_); },
                      .without_shell = [this]() -> std::optional<StageEnd> {
                        if (!files_are_here() || build_->job_cleanup) return std::nullopt;
                        return StageEnd{};
                      }};
    if (const auto end = run_stage(stage, deadline.token()); !end.ok())
      base::log::warning("Error while executing file based variables removal script",
                         {{"job", std::to_string(job_.payload.id)}, {"error", log_.mask(end.failure.message)}});
  } else if (!files_are_here()) {
    StageOutput output(log_);
    if (auto text = script::cleanup_file_variables(*build_); text && *text)
      (void)executor_->run({"cleanup_file_variables", **text, true}, output, deadline.token());
  }
  if (files_are_here()) remove_credentials();
}

void JobRun::remove_credentials() {
  if (build_->git.clean_config_after) {
    (void)sys::remove_file(build_->project_dir + "/.git/config");
    (void)sys::remove_tree(build_->project_dir + "/.git/hooks");
  }
  std::error_code ignored;
  // The job may have put a link to some other directory in its place.
  if (std::filesystem::is_symlink(build_->temp_dir, ignored)) return;
  const auto root = sys::Root::open(build_->temp_dir);
  if (!root) return;
  for (const auto& path : script::temporary_files(*build_)) {
    const auto status = root->remove_tree(sys::base_name(path));
    if (!status && status.error().kind() != base::ErrorKind::kNotFound)
      base::log::warning("A file of a job could not be removed", {{"error", status.error().message()}});
  }
}

JobRun::StageEnd JobRun::run_stage(const Stage& stage, const sys::CancelToken& cancel) {
  if (cancel.raised()) return {End::kStopped, canceled_failure()};
  std::optional<std::string> text;
  const bool plain = stage.without_shell && files_are_here() && job_.context.user.empty() && !build_->debug_trace;
  if (!plain) {
    auto written = stage.write();
    if (!written) return {End::kFailed, system_failure(written.error().message())};
    if (!*written) return {};
    text = std::move(**written);
  }
  on_stage_(stage.name);
  section_start(stage.name);
  log_.header(stage_title(stage.name));
  StageEnd end;
  std::optional<StageEnd> native = plain ? stage.without_shell() : std::nullopt;
  if (native) {
    end = *native;
  } else if (auto written = text ? script::Text(std::move(text)) : stage.write(); !written) {
    end = {End::kFailed, system_failure(written.error().message())};
  } else if (*written) {
    end = execute(stage, **written, cancel);
  }
  log_.flush_stream_ends();
  section_end(stage.name);
  warn_timeout(stage.name, cancel);
  return end;
}

JobRun::StageEnd JobRun::execute(const Stage& stage, const std::string& text, const sys::CancelToken& cancel) {
  StageOutput output(log_);
  auto result = executor_->run({stage.name, text, stage.predefined}, output, cancel);
  if (!result) {
    if (cancel.raised()) return {End::kStopped, canceled_failure()};
    return {End::kFailed, system_failure(result.error().message())};
  }
  log_.flush_stream_ends();
  for (const auto& warning : result->warnings) log_.warning(warning);
  if (result->success()) return {};
  if (result->could_not_start) return {End::kFailed, system_failure(result->message)};
  const std::string message = result->message.empty() ? cancel.cause().message : result->message;
  return {result->interrupted ? End::kStopped : End::kFailed,
          {message, gitlab::FailureReason::kScriptFailure, result->exit_code}};
}

JobRun::StageEnd JobRun::attempt_stage(const Stage& stage, std::int64_t attempts, const sys::CancelToken& cancel,
                                       const std::function<StageEnd()>& before_second) {
  const bool exponential = job_.settings.on("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY");
  for (int attempt = 1;; ++attempt) {
    StageEnd end;
    if (attempt == 2 && before_second) end = before_second();
    if (end.ok()) end = run_stage(stage, cancel);
    if (end.end != End::kFailed || attempt >= attempts) return end;
    log_.warning("Retrying...");
    if (cancel.wait_for(stage_backoff(attempt, exponential))) return {End::kStopped, canceled_failure()};
  }
}

// GIT_STRATEGY none and empty need no shell: notices and a directory.
std::optional<JobRun::StageEnd> JobRun::sources_without_git() {
  const bool empty = build_->git.strategy == script::GitStrategy::kEmpty;
  if (build_->tokenless_git_everywhere || !script::exports_are_harmless(*build_)) return std::nullopt;
  const auto notice = [&](std::string_view text) {
    log_.write(trace::kStageOut, fmt::format("\x1b[32;1m{}\x1b[0;m\n", text));
  };
  notice(empty ? "Skipping Git repository setup and creating an empty build directory"
               : "Skipping Git repository setup");
  base::Status status;
  if (empty) status = sys::remove_tree(build_->project_dir);
  if (status) status = sys::make_directories(build_->project_dir);
  if (!status) {
    log_.write(trace::kStageErr, status.error().message() + "\n");
    return StageEnd{End::kFailed, {"exit status 1", gitlab::FailureReason::kScriptFailure, 1}};
  }
  notice("Skipping Git checkout");
  notice("Skipping Git submodules setup");
  return StageEnd{};
}

void JobRun::warn_timeout(const std::string& stage, const sys::CancelToken& cancel) {
  if (!cancel.raised() || cancel.cause().reason != CancelReason::kTimeout) return;
  log_.warning(stage +
               " could not run to completion because the timeout was exceeded. For more control over job and script "
               "timeouts see: https://docs.gitlab.com/ci/runners/configure_runners/"
               "#set-script-and-after_script-timeouts");
}

void JobRun::print_policy() {
  const auto& policy = job_.payload.policy_options;
  if (!policy || !policy->execution_policy_job) return;
  log_.info(fmt::format("Job triggered by policy \"{}\".", policy->policy_name));
  if (!policy->variables_override_allowed) {
    log_.info(
        "Variables defined in the policy take precedence over matching user-defined CI/CD variables for this job.");
    return;
  }
  const auto& exceptions = policy->variables_override_exceptions;
  log_.info(fmt::format("User-defined CI/CD variables are {} in this job{} according to the policy.",
                        *policy->variables_override_allowed ? "allowed" : "ignored",
                        exceptions.empty() ? "" : fmt::format(" (except for {})", base::join(exceptions, ", "))));
}

void JobRun::section_start(std::string_view name) { log_.section_start(name, std::time(nullptr)); }
void JobRun::section_end(std::string_view name) { log_.section_end(name, std::time(nullptr)); }

} // namespace job
