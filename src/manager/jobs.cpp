// Manager: jobs from their payload to the end, and those of an earlier manager.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "manager/manager.hpp"
#include "net/url.hpp"
#include "sys/files.hpp"

namespace manager {
namespace {

std::string token_key(const config::Runner& runner) { return runner.url + "\n" + runner.token.reveal(); }

bool truthy(const gitlab::JobPayload& payload, std::string_view key) {
  const gitlab::Variable* variable = payload.find_variable(key);
  return variable != nullptr && base::parse_go_bool(variable->value).value_or(false);
}

JobIdentity identity_of(const gitlab::JobPayload& payload, const config::Runner& runner) {
  bool debug = truthy(payload, "CI_DEBUG_TRACE") || truthy(payload, "CI_DEBUG_SERVICES");
  return {.id = payload.id,
          .token = payload.token,
          .project_id = payload.job_info.project_id,
          .failure_reasons = payload.features.failure_reasons,
          .debug_trace = debug && !runner.debug_trace_disabled,
          .dynamic_touch = runner.feature_flag("FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL")
                               .value_or(truthy(payload, "FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL"))};
}

std::string file_or_empty(const std::string& path) {
  if (path.empty()) return "";
  return sys::read_file(path, 1 << 20).value_or("");
}

} // namespace

std::int64_t Manager::lowest_free_id(const std::string& token, std::optional<std::int64_t> project) const {
  std::set<std::int64_t> taken;
  auto note = [&](const ActiveJob& job) {
    if (!job.running() || token_key(job.runner()) != token) return;
    if (project && job.identity().project_id != *project) return;
    taken.insert(project ? job.concurrent_project_id : job.concurrent_id);
  };
  for (const auto& job : jobs_) note(*job);
  for (const auto& parked : parked_) note(*parked.job);
  std::int64_t id = 0;
  while (taken.contains(id)) ++id;
  return id;
}

ActiveJob::Hooks Manager::job_hooks() {
  return {.slot_free = [this](ActiveJob& job) { slot_freed(job); },
          .postponed = [this] { loop_.post([this] { check_stopped(); }); },
          .gone = [this](ActiveJob& job) { job_gone(job); }};
}

void Manager::received(const RunnerRef& state, const Outcome& outcome) {
  ++received_;
  const config::Runner& runner = state->runner;
  const std::string& body = outcome.answer.body;
  auto payload = gitlab::parse_payload(body);
  std::string refusal;
  JobIdentity identity;
  if (payload) {
    identity = identity_of(*payload, runner);
    base::log::info("Checking for jobs... received", {{"job", std::to_string(payload->id)},
                                                      {"correlation_id", outcome.correlation_id},
                                                      {"repo_url", net::sanitized(payload->git_info.repo_url)},
                                                      {"runner", gitlab::short_token(runner.token.reveal())},
                                                      {"runner_name", runner.name}});
  } else {
    refusal = "the job cannot be understood: " + payload.error().message();
    base::log::error("Checking for jobs... failed", {{"error", refusal}, {"correlation_id", outcome.correlation_id}});
    auto partial = gitlab::salvage(body);
    if (!partial) return; // not even an id and a token: nobody to tell
    identity = {.id = partial->id, .token = partial->token, .project_id = 0, .failure_reasons = {}};
  }

  std::string key = token_key(runner);
  auto tls = config::tls_files(runner, options_.config_dir);
  std::string chain = file_or_empty(tls.ca_file);
  // Certificates come with a handshake, and most requests need none.
  if (!outcome.certificates.empty()) state->certificates = base::join(outcome.certificates, "\n");
  if (chain.empty()) chain = state->certificates;
  job::Context context{.runner = config::to_json(runner),
                       .short_token = gitlab::short_token(runner.token.reveal()),
                       .system_id = options_.system_id,
                       .config_dir = options_.config_dir,
                       .working_directory = options_.working_directory,
                       .user = options_.user,
                       .runner_command = runner_command_,
                       .concurrent_id = lowest_free_id(key, std::nullopt),
                       .concurrent_project_id = lowest_free_id(key, identity.project_id),
                       .correlation_id = outcome.correlation_id,
                       .tls_ca_chain = chain,
                       .tls_certificate = file_or_empty(tls.cert_file),
                       .tls_key = base::Secret(file_or_empty(tls.key_file))};
  auto directory = make_directory(context, identity.id, body);
  if (!directory) {
    // Without a directory there is no log and no worker; the server is told in a place of its own, and only once.
    base::log::error("Cannot make the job's directory",
                     {{"job", std::to_string(identity.id)}, {"error", directory.error().message()}});
    gitlab::UpdateJobRequest update{.info = gitlab::version_info(runner.executor, runner.shell, runner.labels),
                                    .token = identity.token,
                                    .state = gitlab::JobState::kFailed,
                                    .failure_reason = "runner_system_failure"};
    transport_.send(state->endpoint,
                    {.method = "PUT",
                     .path = fmt::format("jobs/{}", identity.id),
                     .token_header = "Job-Token",
                     .token = identity.token,
                     .content_type = "application/json",
                     .body = gitlab::encode(update)},
                    [](const Outcome&) {});
    return;
  }
  auto job = std::make_unique<ActiveJob>(loop_, transport_, spawner_, *directory, std::move(identity), runner,
                                         state->endpoint, job_hooks());
  job->concurrent_id = context.concurrent_id;
  job->concurrent_project_id = context.concurrent_project_id;
  ++tokens_[key].builds;
  std::optional<std::string> reason;
  if (!refusal.empty()) reason = refusal;
  if (free_slots() > 0) return launch(std::move(job), reason);
  base::log::debug("All slots are taken; a job waits for one", {{"job", std::to_string(job->identity().id)}});
  parked_.push_back({.job = std::move(job), .refusal = reason});
}

// What an earlier process left under that name and could not be taken over makes room.
base::Result<job::JobDirectory> Manager::make_directory(const job::Context& context, std::int64_t id,
                                                        std::string_view payload) const {
  auto create = [&] {
    return job::JobDirectory::create(options_.state_dir, context.short_token, id, payload, context);
  };
  auto directory = create();
  if (directory || directory.error().kind() != base::ErrorKind::kConflict) return directory;
  std::string name = job::JobDirectory::name_for(context.short_token, id);
  auto in_use = [&](const auto& job) { return sys::base_name(job->directory().path()) == name; };
  if (std::any_of(jobs_.begin(), jobs_.end(), in_use)) return directory;
  std::string path = sys::join_path(FR_TRY(job::JobDirectory::jobs_directory(options_.state_dir)), name);
  base::log::warning("Removing a job directory that nobody uses", {{"directory", path}});
  FR_CHECK(sys::remove_tree(path));
  return create();
}

void Manager::launch(std::unique_ptr<ActiveJob> job, std::optional<std::string> refusal) {
  ActiveJob& started = *job;
  jobs_.push_back(std::move(job));
  base::log::debug("Added job to processing list",
                   {{"job", std::to_string(started.identity().id)}, {"builds", std::to_string(jobs_.size())}});
  if (refusal) {
    started.start_refused(std::move(*refusal));
  } else {
    started.start();
  }
  if (stopping_ == Stopping::kForceful) started.interrupt(stop_signal_);
}

void Manager::start_parked() {
  while (!parked_.empty()) {
    auto busy = std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->holds_slot(); });
    if (busy >= config_.concurrent) return;
    Parked next = std::move(parked_.front());
    parked_.erase(parked_.begin());
    launch(std::move(next.job), std::move(next.refusal));
  }
}

void Manager::adopt_all() {
  adopt_from(options_.state_dir);
  for (const std::string& state_dir : options_.abandoned) adopt_from(state_dir);
}

void Manager::adopt_from(const std::string& state_dir) {
  auto directories = job::JobDirectory::list(state_dir);
  if (!directories)
    return base::log::error("Cannot look for the jobs of an earlier process",
                            {{"error", directories.error().message()}});
  for (const job::JobDirectory& directory : *directories) {
    auto context = directory.read_context();
    auto body = directory.read_payload();
    auto runner =
        context ? config::runner_from_json(context->runner) : base::Result<config::Runner>(base::fail(context.error()));
    auto payload = body ? gitlab::parse_payload(*body) : base::Result<gitlab::JobPayload>(base::fail(body.error()));
    auto partial = body ? gitlab::salvage(*body) : std::nullopt;
    if (!runner || (!payload && !partial)) {
      base::log::error("A job directory of an earlier process cannot be read; it is left alone",
                       {{"directory", directory.path()}});
      continue;
    }
    JobIdentity identity = payload ? identity_of(*payload, *runner)
                                   : JobIdentity{.id = partial->id, .token = partial->token, .failure_reasons = {}};
    auto tls = config::tls_files(*runner, options_.config_dir);
    Endpoint endpoint{.url = runner->url,
                      .tls = {.ca_file = tls.ca_file, .cert_file = tls.cert_file, .key_file = tls.key_file}};
    // The snapshot has no token; limits and ids are counted by the configured runner of that short token, or of that
    // id when the token was replaced meanwhile.
    for (const RunnerRef& state : runners_) {
      if (state->runner.url != runner->url) continue;
      bool same_id = runner->id != 0 && state->runner.id == runner->id;
      if (same_id || gitlab::short_token(state->runner.token.reveal()) == context->short_token)
        runner->token = state->runner.token;
    }
    auto job = std::make_unique<ActiveJob>(loop_, transport_, spawner_, directory, std::move(identity), *runner,
                                           std::move(endpoint), job_hooks());
    job->concurrent_id = context->concurrent_id;
    job->concurrent_project_id = context->concurrent_project_id;
    ++tokens_[token_key(*runner)].builds;
    jobs_.push_back(std::move(job));
    jobs_.back()->adopt();
  }
}

void Manager::slot_freed(ActiveJob& job) {
  TokenState& token = tokens_[token_key(job.runner())];
  --token.builds;
  idle_since_ = Clock::now();
  // A freed slot asks for the next job at once, for the runner that had it.
  for (const RunnerRef& state : runners_)
    if (token_key(state->runner) == token_key(job.runner()) && !state->runner.strict_check_interval)
      state->next_poll = std::min(state->next_poll, Clock::now());
  loop_.post([this] {
    start_parked();
    schedule();
    check_stopped();
  });
}

void Manager::job_gone(ActiveJob& job) {
  std::erase_if(jobs_, [&](const auto& owned) { return owned.get() == &job; });
  check_stopped();
}

void Manager::worker_exits() {
  while (true) {
    auto exit = spawner_.next_exit();
    if (!exit) {
      base::log::fatal("The spawner process has died; no job can be started any more",
                       {{"error", exit.error().message()}});
      loop_.unwatch(spawner_.events_fd());
      exit_code_ = 1;
      for (auto& job : jobs_) job->spawner_lost();
      if (stopping_ == Stopping::kNo) begin_graceful("no spawner");
      return;
    }
    if (!*exit) return;
    for (auto& job : jobs_) {
      if (job->worker() != (*exit)->pid) continue;
      job->worker_ended((*exit)->status);
      break;
    }
  }
}

} // namespace manager
