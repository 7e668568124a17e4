#include "manager/active_job.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "base/duration.hpp"
#include "base/log.hpp"

namespace manager {
namespace {

constexpr std::chrono::milliseconds kControlRetry{50};
constexpr std::chrono::seconds kAdoptedPoll{2};
constexpr std::chrono::milliseconds kFirstAcknowledgeRetry{500};
constexpr std::chrono::seconds kLastAcknowledgeRetry{15};
constexpr int kBrokenTries = 3;
constexpr std::uint64_t kMaxTouchedLog = 8u << 20;

base::log::Fields fields(const JobIdentity& job, const config::Runner& runner) {
  return {{"job", std::to_string(job.id)},
          {"project", std::to_string(job.project_id)},
          {"runner", gitlab::short_token(runner.token.reveal())},
          {"runner_name", runner.name}};
}

} // namespace

ActiveJob::ActiveJob(Loop& loop, Transport& transport, sys::Spawner& spawner, job::JobDirectory directory,
                     JobIdentity identity, config::Runner runner, Endpoint endpoint, Hooks hooks)
    : loop_(loop),
      transport_(transport),
      spawner_(spawner),
      directory_(std::move(directory)),
      identity_(std::move(identity)),
      runner_(std::move(runner)),
      endpoint_(std::move(endpoint)),
      hooks_(std::move(hooks)),
      delivery_(Clock::now(), runner_.effective_final_update_retry_limit(), identity_.dynamic_touch),
      started_(Clock::now()) {}

ActiveJob::~ActiveJob() {
  if (timer_) loop_.cancel(*timer_);
  if (control_timer_) loop_.cancel(*control_timer_);
  if (channel_.open()) loop_.unwatch(channel_.fd());
}

// ---- the beginning ------------------------------------------------------------------------------------------------

void ActiveJob::start() { acknowledge(); }

void ActiveJob::start_refused(std::string reason) {
  refused_ = std::move(reason);
  acknowledge();
}

void ActiveJob::acknowledge() {
  gitlab::UpdateJobRequest update{.info = gitlab::version_info(runner_.executor, runner_.shell, runner_.labels),
                                  .token = identity_.token,
                                  .state = gitlab::JobState::kRunning};
  request_ = transport_.send(endpoint_,
                             {.method = "PUT",
                              .path = fmt::format("jobs/{}", identity_.id),
                              .token_header = "Job-Token",
                              .token = identity_.token,
                              .content_type = "application/json",
                              .body = gitlab::encode(update)},
                             [this](const Outcome& outcome) { acknowledged(outcome); });
}

void ActiveJob::acknowledged(const Outcome& outcome) {
  request_.reset();
  gitlab::UpdateResult result = gitlab::classify_update(outcome.answer);
  // 400 and 409 mean that the job is somebody else's, or nobody's, by now; upstream would run it all the same.
  bool foreign = outcome.answer.status == 400 || outcome.answer.status == 409;
  if (result.outcome == gitlab::UpdateOutcome::kAbort || foreign) {
    base::log::warning("Submitting job to coordinator... job failed", answer_fields(outcome));
    return drop();
  }
  if (result.cancel_requested) {
    // Upstream reports this one reason as it is, unmapped.
    canceled_early_ = true;
    return end({.success = false, .failure_reason = gitlab::FailureReason::kJobCanceled});
  }
  if (result.outcome == gitlab::UpdateOutcome::kFailed && interrupted_.empty() && acknowledge_later(outcome)) return;
  (void)directory_.append_delivery(json::Value::object({{"event", "acknowledged"}}));
  if (!refused_.empty()) return fail(refused_);
  if (!interrupted_.empty()) return fail("aborted: " + interrupted_);
  spawn();
}

// A server that commits a hand-over in two steps gives a job to somebody else when it hears nothing, and then it would
// run twice: no worker before an answer. One that goes on answering with errors is not waited for, as upstream.
bool ActiveJob::acknowledge_later(const Outcome& outcome) {
  bool no_answer = outcome.answer.status == 0 && !outcome.client_error;
  bool broken = outcome.answer.status >= 500;
  if (!no_answer && !(broken && acknowledge_tries_ < kBrokenTries)) return false;
  std::chrono::milliseconds wait = kFirstAcknowledgeRetry;
  for (int i = 0; i < acknowledge_tries_ && wait < kLastAcknowledgeRetry; ++i) wait *= 2;
  ++acknowledge_tries_;
  base::log::warning("Submitting job to coordinator... failed; the job starts when the coordinator has taken note",
                     fields(identity_, runner_));
  timer_ = loop_.at(Clock::now() + std::min<Clock::duration>(wait, kLastAcknowledgeRetry), [this] {
    timer_.reset();
    acknowledge();
  });
  return true;
}

void ActiveJob::spawn() {
  auto pid = spawner_.spawn_worker(directory_.path());
  if (!pid) return fail("cannot start the job's worker process: " + pid.error().message());
  worker_ = *pid;
  pump();
}

void ActiveJob::fail(std::string_view message) {
  base::log::error(message, fields(identity_, runner_));
  auto written = directory_.append_epilogue(message);
  if (!written) base::log::error("Cannot write to the job's log", {{"error", written.error().message()}});
  auto result =
      written.value_or(job::JobResult{.success = false, .failure_reason = gitlab::FailureReason::kRunnerSystemFailure});
  if (!interrupted_.empty()) result.failure_reason = gitlab::FailureReason::kRunnerInterrupted;
  end(result);
}

// ---- take-over ----------------------------------------------------------------------------------------------------

void ActiveJob::adopt() {
  delivery_.resume(Clock::now());
  auto notes = directory_.read_delivery();
  bool told = false;
  if (notes) {
    for (const json::Value& note : *notes) {
      told = told || note["event"].string_or("") == "acknowledged";
      if (note["event"].string_or("") == "canceled") canceled_early_ = true;
    }
  }
  auto journal = directory_.read_journal();
  if (!journal) return fail("the job's journal cannot be read: " + journal.error().message());
  if (journal->result) return end(*journal->result);
  if (canceled_early_) return end({.success = false, .failure_reason = gitlab::FailureReason::kJobCanceled});
  auto alive = directory_.worker_alive();
  if (alive && *alive) {
    worker_ = journal->worker.value_or(-1); // it is about to write its number
    base::log::info("Taking over a running job", fields(identity_, runner_));
    watch_adopted();
    return pump();
  }
  // Never begun: the manager before us died between the hand-over and the worker's first line.
  if (!journal->worker) return told ? spawn() : acknowledge();
  settle("while no runner process watched it");
}

// An adopted worker is nobody's child that we could wait for: its socket closes when it ends; its lock is the truth.
void ActiveJob::watch_adopted() {
  if (ended_) return;
  if (!channel_.open()) {
    if (auto channel = directory_.connect_control()) use_channel(std::move(*channel), &ActiveJob::watch_adopted);
  }
  auto alive = directory_.worker_alive();
  if (alive && !*alive) return settle("unexpectedly");
  if (control_timer_) loop_.cancel(*control_timer_);
  // The socket may close a moment before the lock is released.
  control_timer_ = loop_.after(channel_.open() ? std::chrono::milliseconds(kAdoptedPoll) : kControlRetry, [this] {
    control_timer_.reset();
    watch_adopted();
  });
}

// ---- the worker ---------------------------------------------------------------------------------------------------

void ActiveJob::worker_ended(const sys::ExitStatus& status) {
  if (ended_) return;
  // One that an earlier manager started was quicker, and ours found the lock taken.
  auto alive = directory_.worker_alive();
  if (alive && *alive) return watch_adopted();
  settle(fmt::format("({})", status.message()));
}

void ActiveJob::spawner_lost() {
  if (!ended_ && worker_ != 0) watch_adopted();
}

void ActiveJob::settle(const std::string& how) {
  if (ended_) return;
  auto journal = directory_.read_journal();
  if (journal && journal->result) return end(*journal->result);
  fail(fmt::format("the job's worker process died {}", how));
}

void ActiveJob::control(const std::string& line) {
  if (ended_) return;
  orders_.push_back(line);
  try_control();
}

// The worker says nothing on it: that it ends is all there is to hear.
void ActiveJob::use_channel(sys::LineChannel channel, void (ActiveJob::*when_ended)()) {
  channel_ = std::move(channel);
  loop_.watch(channel_.fd(), [this, when_ended] {
    while (true) {
      auto line = channel_.try_receive();
      if (line && *line) continue;
      break;
    }
    if (!channel_.ended()) return;
    loop_.unwatch(channel_.fd());
    channel_.close();
    (this->*when_ended)();
  });
}

void ActiveJob::try_control() {
  if (ended_ || orders_.empty()) return;
  if (!channel_.open()) {
    auto channel = directory_.connect_control();
    if (!channel) { // the worker is just starting, or just ending
      if (!control_timer_)
        control_timer_ = loop_.after(kControlRetry, [this] {
          control_timer_.reset();
          try_control();
        });
      return;
    }
    use_channel(std::move(*channel), &ActiveJob::try_control);
  }
  while (!orders_.empty()) {
    if (!channel_.send(orders_.front(), {})) return;
    orders_.erase(orders_.begin());
  }
}

void ActiveJob::interrupt(std::string_view signal_name) {
  if (worker_ == 0) {
    interrupted_ = signal_name;
  } else {
    control(fmt::format("interrupt {}", signal_name));
  }
}

void ActiveJob::abort() {
  if (abort_sent_) return;
  abort_sent_ = true;
  if (worker_ != 0) control("abort");
}

void ActiveJob::server_is_back() {
  if (dropped_ || request_) return;
  if (acknowledge_tries_ > 0 && worker_ == 0 && !ended_) {
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    return acknowledge();
  }
  delivery_.server_is_back(Clock::now());
  pump();
}

// ---- delivery -----------------------------------------------------------------------------------------------------

std::uint64_t ActiveJob::log_size() const {
  struct stat info{};
  return ::stat(directory_.trace_path().c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void ActiveJob::schedule(Clock::time_point time) {
  if (timer_) loop_.cancel(*timer_);
  timer_ = loop_.at(time, [this] {
    timer_.reset();
    pump();
  });
}

void ActiveJob::pump() {
  if (request_) return; // its answer comes back here
  using Kind = Delivery::Action::Kind;
  Delivery::Action action = delivery_.next(Clock::now(), log_size());
  switch (action.kind) {
    case Kind::kWait:
      return schedule(action.until);
    case Kind::kPatch:
      return send_patch(action);
    case Kind::kTouch:
      return send_update(gitlab::JobState::kRunning);
    case Kind::kFinal:
      return send_update(result_->success ? gitlab::JobState::kSuccess : gitlab::JobState::kFailed);
    case Kind::kDone:
      return drop();
  }
}

void ActiveJob::send_patch(const Delivery::Action& action) {
  request_ = transport_.send(endpoint_,
                             {.method = "PATCH",
                              .path = fmt::format("jobs/{}/trace?debug_trace={}", identity_.id, identity_.debug_trace),
                              .token_header = "Job-Token",
                              .token = identity_.token,
                              .content_type = "text/plain",
                              .content_range = gitlab::content_range(action.offset, action.size),
                              .body_file = directory_.trace_path(),
                              .body_offset = action.offset,
                              .body_size = action.size},
                             [this, end = action.offset + action.size](const Outcome& outcome) {
                               request_.reset();
                               gitlab::PatchResult result = gitlab::classify_patch(outcome.answer, end);
                               log_patch(outcome, result, end);
                               delivery_.on_patch(Clock::now(), result);
                               after_answer();
                             });
}

void ActiveJob::send_update(gitlab::JobState state) {
  gitlab::UpdateJobRequest update{.info = gitlab::version_info(runner_.executor, runner_.shell, runner_.labels),
                                  .token = identity_.token,
                                  .state = state};
  if (state == gitlab::JobState::kRunning) {
    // Checksum of what the server has: a touch after long silence covers the whole log, else it is left out.
    // Servers only store it; of a very long log it is not worth the reading.
    std::uint64_t size = log_size();
    if (size > 0 && size <= kMaxTouchedLog && size == delivery_.offset()) {
      if (auto reader = trace::SpoolReader::open(directory_.trace_path())) {
        if (auto sum = reader->crc32(size)) {
          update.crc32 = *sum;
          update.bytesize = size;
        }
      }
    }
  } else {
    if (result_->bytes > 0) update.crc32 = result_->crc32;
    update.bytesize = result_->bytes;
    update.exit_code = result_->exit_code;
    if (state == gitlab::JobState::kFailed)
      update.failure_reason = canceled_early_
                                  ? std::string(gitlab::to_string(result_->failure_reason))
                                  : gitlab::map_failure_reason(result_->failure_reason, identity_.failure_reasons);
  }
  request_ = transport_.send(endpoint_,
                             {.method = "PUT",
                              .path = fmt::format("jobs/{}", identity_.id),
                              .token_header = "Job-Token",
                              .token = identity_.token,
                              .content_type = "application/json",
                              .body = gitlab::encode(update)},
                             [this, state](const Outcome& outcome) {
                               request_.reset();
                               gitlab::UpdateResult result = gitlab::classify_update(outcome.answer);
                               log_update(outcome, result, state);
                               delivery_.on_update(Clock::now(), result);
                               after_answer();
                             });
}

base::log::Fields ActiveJob::answer_fields(const Outcome& outcome) const {
  base::log::Fields list = {{"job", std::to_string(identity_.id)},
                            {"runner", gitlab::short_token(runner_.token.reveal())},
                            {"runner_name", runner_.name},
                            {"code", std::to_string(outcome.answer.status)},
                            {"job-status", outcome.answer.job_status},
                            {"update-interval", outcome.answer.trace_update_interval},
                            {"correlation_id", outcome.correlation_id}};
  if (!outcome.error.empty()) list.emplace_back("error", outcome.error);
  if (outcome.answer.status != 0)
    list.emplace_back("status", fmt::format("{} {}", outcome.answer.status, outcome.answer.reason));
  return list;
}

void ActiveJob::log_patch(const Outcome& outcome, const gitlab::PatchResult& result, std::uint64_t end) const {
  using gitlab::PatchOutcome;
  auto list = answer_fields(outcome);
  list.emplace_back("sent-log", fmt::format("{}-{}", delivery_.offset(), end - 1));
  list.emplace_back("job-log", outcome.answer.range);
  switch (result.outcome) {
    case PatchOutcome::kSucceeded:
      return base::log::info("Appending trace to coordinator...ok", list);
    case PatchOutcome::kAbort:
      return base::log::warning("Appending trace to coordinator... job failed", list);
    case PatchOutcome::kNotFound:
      return base::log::warning("Appending trace to coordinator... not-found", list);
    case PatchOutcome::kRangeMismatch:
      if (delivery_.probing())
        return base::log::debug("Appending trace to coordinator...range of the taken over job", list);
      return base::log::warning("Appending trace to coordinator... range mismatch", list);
    case PatchOutcome::kFailed:
      return base::log::warning("Appending trace to coordinator... failed", list);
  }
}

void ActiveJob::log_update(const Outcome& outcome, const gitlab::UpdateResult& result, gitlab::JobState state) const {
  using gitlab::UpdateOutcome;
  auto list = answer_fields(outcome);
  list.emplace_back("state", std::string(gitlab::to_string(state)));
  switch (result.outcome) {
    case UpdateOutcome::kSucceeded:
      return base::log::info("Submitting job to coordinator...ok", list);
    case UpdateOutcome::kAccepted:
      return base::log::info("Submitting job to coordinator...accepted, but not yet completed", list);
    case UpdateOutcome::kTraceInvalid:
      return base::log::info("Submitting job to coordinator...trace validation failed", list);
    case UpdateOutcome::kAbort:
      // The usual answer to "failed" says that the job has failed.
      if (state == gitlab::JobState::kFailed)
        return base::log::info("Submitting job to coordinator...job failed", list);
      return base::log::warning("Submitting job to coordinator... job failed", list);
    case UpdateOutcome::kFailed:
      return base::log::warning("Submitting job to coordinator... failed", list);
  }
}

void ActiveJob::after_answer() {
  if (!ended_) {
    if (delivery_.aborted()) {
      abort();
    } else if (delivery_.cancel_requested() && !cancel_sent_) {
      cancel_sent_ = true;
      control("cancel");
    }
  }
  if (ended_ && delivery_.final_tried()) free_slot();
  if (postponed() && !std::exchange(postponed_told_, true)) {
    base::log::error("The server does not take the job's final update; it is kept and offered again later",
                     fields(identity_, runner_));
    hooks_.postponed();
  }
  pump();
}

void ActiveJob::end(const job::JobResult& result) {
  if (ended_) return;
  ended_ = true;
  result_ = result;
  if (control_timer_) loop_.cancel(*control_timer_);
  control_timer_.reset();
  if (channel_.open()) {
    loop_.unwatch(channel_.fd());
    channel_.close();
  }
  if (canceled_early_) (void)directory_.append_delivery(json::Value::object({{"event", "canceled"}}));
  log_result();
  delivery_.finish(Clock::now(), result.bytes);
  pump();
}

void ActiveJob::log_result() const {
  auto line = fields(identity_, runner_);
  double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  line.emplace_back("duration_s", fmt::format("{:.9g}", seconds));
  if (result_->success) return base::log::info("Job succeeded", line);
  std::string why(gitlab::to_string(result_->failure_reason));
  line.emplace_back("failure_reason", why);
  line.emplace_back("exit_code", std::to_string(result_->exit_code));
  if (result_->failure_reason == gitlab::FailureReason::kJobCanceled) why = "canceled";
  if (result_->failure_reason == gitlab::FailureReason::kScriptFailure && result_->exit_code != 0)
    why = fmt::format("exit status {}", result_->exit_code);
  base::log::warning("Job failed: " + why, line);
}

void ActiveJob::free_slot() {
  if (slot_freed_) return;
  slot_freed_ = true;
  hooks_.slot_free(*this);
}

void ActiveJob::drop() {
  ended_ = true;
  dropped_ = true;
  if (auto removed = directory_.remove(); !removed)
    base::log::warning("Cannot remove a job's directory",
                       {{"directory", directory_.path()}, {"error", removed.error().message()}});
  free_slot();
  // Whoever called us may still be on the stack.
  loop_.post([hooks = hooks_, this] { hooks.gone(*this); });
}

} // namespace manager
