// Manager: when each runner is asked for jobs, and what the answers mean (protocol digest §7 and §14).
//
// A poll takes no job slot. While slots are free every runner may have polls open, as many as its limits allow; a poll
// may be a long one. Should more jobs arrive than there are slots, the surplus is kept, untouched, until one frees.
#include <fmt/format.h>

#include <algorithm>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "executor/executor.hpp"
#include "manager/manager.hpp"

namespace manager {
namespace {

constexpr std::chrono::seconds kMaxNetworkBackoff{60};

base::log::Fields fields(const config::Runner& runner, const Outcome* outcome = nullptr) {
  base::log::Fields list = {{"runner", gitlab::short_token(runner.token.reveal())}, {"runner_name", runner.name}};
  if (outcome != nullptr) {
    list.emplace_back("correlation_id", outcome->correlation_id);
    if (!outcome->error.empty()) list.emplace_back("error", outcome->error);
    if (outcome->answer.status != 0)
      list.emplace_back("status", fmt::format("{} {}", outcome->answer.status, outcome->answer.reason));
  }
  return list;
}

std::string token_key(const config::Runner& runner) { return runner.url + "\n" + runner.token.reveal(); }

} // namespace

std::int64_t Manager::free_slots() const {
  auto busy = std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->holds_slot(); });
  return config_.concurrent - static_cast<std::int64_t>(busy) - static_cast<std::int64_t>(parked_.size());
}

void Manager::schedule() {
  if (poll_timer_) loop_.cancel(*poll_timer_);
  poll_timer_.reset();
  if (stopping_ != Stopping::kNo || free_slots() <= 0) return;
  Clock::time_point now = Clock::now();
  std::optional<Clock::time_point> first;
  for (const RunnerRef& state : runners_) {
    Clock::time_point due = std::max(state->next_poll, state->health.off_until());
    if (!may_poll(*state, std::max(due, now))) continue;
    if (!first || due < *first) first = due;
  }
  if (!first) return;
  poll_timer_ = loop_.at(*first, [this] {
    poll_timer_.reset();
    poll_due();
  });
}

void Manager::poll_due() {
  Clock::time_point now = Clock::now();
  // Round robin: whoever comes first this time comes last the next.
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const RunnerRef& state = runners_[(next_runner_ + i) % runners_.size()];
    if (free_slots() > 0 && may_poll(*state, now)) poll(state);
  }
  if (!runners_.empty()) next_runner_ = (next_runner_ + 1) % runners_.size();
  schedule();
}

bool Manager::may_poll(const RunnerState& state, Clock::time_point now) const {
  const config::Runner& runner = state.runner;
  if (stopping_ != Stopping::kNo || base::trim(runner.token.reveal()).empty()) return false;
  if (options_.max_builds > 0 && received_ + state.polls >= options_.max_builds) return false;
  if (now < state.next_poll || !state.health.may_ask(now)) return false;
  auto known = tokens_.find(token_key(runner));
  if (known == tokens_.end()) return true;
  const TokenState& token = known->second;
  if (runner.limit > 0 && token.builds + token.polls >= runner.limit) return false;
  bool adaptive = runner.feature_flag("FF_USE_ADAPTIVE_REQUEST_CONCURRENCY").value_or(true);
  return token.polls < token.requests.limit(runner.effective_request_concurrency(), adaptive);
}

void Manager::mark_unhealthy(RunnerState& state) {
  const config::Runner& runner = state.runner;
  bool off = state.health.mark_unhealthy(Clock::now(), runner.effective_unhealthy_requests_limit(),
                                         runner.effective_unhealthy_interval());
  if (off)
    base::log::error(fmt::format("Runner \"{}\" is unhealthy and will be disabled for {} seconds!",
                                 gitlab::runner_key(runner.url, runner.token.reveal()),
                                 base::format_go_duration(state.health.off_for())));
}

void Manager::poll(const RunnerRef& state) {
  const config::Runner& runner = state->runner;
  if (!executor::available(runner.executor)) {
    auto why = executor::create(runner.executor);
    base::log::error(fmt::format("Executor \"{}\" is not known; marking Runner as unhealthy", runner.executor),
                     {{"runner", gitlab::short_token(runner.token.reveal())},
                      {"error", why ? std::string() : why.error().message()}});
    mark_unhealthy(*state);
    state->next_poll = Clock::now() + config_.effective_check_interval();
    return;
  }
  gitlab::JobRequest request{.info = gitlab::version_info(runner.executor, runner.shell, runner.labels),
                             .token = runner.token,
                             .system_id = options_.system_id,
                             .last_update = state->last_update};
  TokenState& token = tokens_[token_key(runner)];
  ++token.polls;
  ++state->polls;
  auto id = std::make_shared<Transport::Id>();
  Clock::time_point asked = Clock::now();
  *id = transport_.send(state->endpoint,
                        {.method = "POST",
                         .path = "jobs/request",
                         .token_header = "Runner-Token",
                         .token = runner.token,
                         .content_type = "application/json",
                         .body = gitlab::encode(request),
                         .accept_json = true,
                         .want_certificates = runner.url.starts_with("https:")},
                        [this, state, id, asked](Outcome outcome) { answered(state, *id, asked, std::move(outcome)); });
  state->requests.push_back(*id);
}

Clock::time_point Manager::after_nothing(RunnerState& state, Clock::time_point asked, bool network_failure) const {
  Clock::duration wait = config_.effective_check_interval();
  state.network_failures = network_failure ? state.network_failures + 1 : 0;
  if (network_failure) {
    // An unreachable server is not the runner's fault, but it need not be asked at full speed by all at once.
    for (int i = 1; i < state.network_failures && wait < kMaxNetworkBackoff; ++i) wait *= 2;
    wait = std::min<Clock::duration>(wait,
                                     std::max<Clock::duration>(kMaxNetworkBackoff, config_.effective_check_interval()));
    auto jitter = static_cast<unsigned char>(base::random_bytes(1)[0]);
    if (state.network_failures > 1) wait = wait / 2 + wait * jitter / 512;
  }
  // A long poll that waited at the server has done its waiting.
  return std::max(Clock::now(), asked + wait);
}

void Manager::answered(const RunnerRef& state, Transport::Id id, Clock::time_point asked, Outcome outcome) {
  using gitlab::JobRequestOutcome;
  std::erase(state->requests, id);
  --state->polls;
  const config::Runner& runner = state->runner;
  TokenState& token = tokens_[token_key(runner)];
  --token.polls;
  JobRequestOutcome kind = gitlab::classify_job_request(outcome.answer);
  bool got = kind == JobRequestOutcome::kJob || kind == JobRequestOutcome::kUnreadable;
  token.requests.finished(got, outcome.retried, runner.effective_request_concurrency());
  if (!outcome.answer.last_update.empty()) state->last_update = outcome.answer.last_update;
  if (got) {
    // Whatever else is going on (a shutdown, a removed runner): a job that was handed out is not lost.
    state->network_failures = 0;
    state->conflicts = 0;
    state->health.mark_healthy();
    state->next_poll = runner.strict_check_interval ? asked + config_.effective_check_interval() : Clock::now();
    received(state, outcome);
    schedule();
    return check_stopped();
  }
  if (stopping_ != Stopping::kNo || state->removed) return check_stopped();
  state->next_poll = after_nothing(*state, asked, outcome.answer.status == 0 && !outcome.client_error);
  if (outcome.client_error) {
    base::log::error("Checking for jobs... client error", fields(runner, &outcome));
    mark_unhealthy(*state);
    return schedule();
  }
  switch (kind) {
    case JobRequestOutcome::kNone:
      base::log::debug("Checking for jobs...no content", fields(runner));
      break;
    case JobRequestOutcome::kForbidden:
      base::log::error("Checking for jobs... forbidden", fields(runner, &outcome));
      mark_unhealthy(*state);
      return schedule();
    case JobRequestOutcome::kConflict:
      // "Ask again": somebody else was faster. At once, but not for ever.
      if (++state->conflicts <= 3) state->next_poll = Clock::now();
      break;
    case JobRequestOutcome::kUnavailable:
      base::log::warning("Checking for jobs... GitLab instance currently unavailable", fields(runner, &outcome));
      break;
    default:
      base::log::warning("Checking for jobs... failed", fields(runner, &outcome));
      break;
  }
  if (kind != JobRequestOutcome::kConflict) state->conflicts = 0;
  if (kind != JobRequestOutcome::kFailed || outcome.answer.status != 0) state->health.mark_healthy();
  schedule();
}

} // namespace manager
