// Manager: when each runner is asked for jobs, and what the answers mean (protocol digest §7 and §14).
//
// No job is asked for that could not be started: there are never more open polls than free slots. Yet a poll that waits
// at the server must not keep a slot from other runners, so polls wait only while there is a slot for each runner.
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

constexpr std::chrono::seconds kMaxNetworkBackoff{15};
// An unanswered poll of this age is one that the server holds until there is news.
constexpr std::chrono::seconds kWaiting{1};

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

std::int64_t Manager::open_polls() const {
  std::size_t open = 0;
  for (const RunnerRef& state : runners_) open += state->polls.size();
  return static_cast<std::int64_t>(open);
}

Clock::time_point Manager::due(const RunnerState& state) const {
  return std::max(state.next_poll, state.health.off_until());
}

// Whether there is a slot for whatever any runner could bring. If so, each may wait at the server for news; if not, a
// waiting poll would keep its slot from the others, so all ask in turn and are answered at once.
bool Manager::polls_may_wait() const {
  Clock::time_point now = Clock::now();
  auto wanting = std::count_if(runners_.begin(), runners_.end(), [&](const RunnerRef& state) {
    return !state->polls.empty() || (state->health.may_ask(now) && may_poll(*state));
  });
  return wanting <= free_slots();
}

void Manager::schedule() {
  if (poll_timer_) loop_.cancel(*poll_timer_);
  poll_timer_.reset();
  if (stopping_ != Stopping::kNo || free_slots() <= 0) return;
  std::optional<Clock::time_point> first;
  for (const RunnerRef& state : runners_)
    if (may_poll(*state) && (!first || due(*state) < *first)) first = due(*state);
  if (!first) return;
  // Every slot is spoken for: look again when one of the open polls counts as a waiting one.
  if (open_polls() >= free_slots()) first = std::max(*first, Clock::now() + kWaiting);
  poll_timer_ = loop_.at(*first, [this] {
    poll_timer_.reset();
    poll_due();
  });
}

void Manager::poll_due() {
  Clock::time_point now = Clock::now();
  std::vector<RunnerRef> wanting;
  for (const RunnerRef& state : runners_)
    if (due(*state) <= now && may_poll(*state)) wanting.push_back(state);
  // Whoever has waited longest comes first.
  std::stable_sort(wanting.begin(), wanting.end(),
                   [](const RunnerRef& a, const RunnerRef& b) { return a->last_poll < b->last_poll; });
  for (const RunnerRef& state : wanting) {
    if (open_polls() >= free_slots() && !end_a_waiting_poll(now)) break;
    if (open_polls() < free_slots()) poll(state);
  }
  schedule();
}

// True when one was ended; its answer comes in a moment and makes room.
bool Manager::end_a_waiting_poll(Clock::time_point now) {
  for (const RunnerRef& state : runners_) {
    for (OpenPoll& open : state->polls) {
      if (open.canceled || now - open.asked < kWaiting) continue;
      open.canceled = true;
      transport_.cancel(open.id);
      return true;
    }
  }
  return false;
}

void Manager::cancel_polls(RunnerState& state) {
  for (OpenPoll& open : state.polls) {
    open.canceled = true;
    transport_.cancel(open.id);
  }
}

// But for the time: token, limits, and what run-single still wants.
bool Manager::may_poll(const RunnerState& state) const {
  const config::Runner& runner = state.runner;
  if (stopping_ != Stopping::kNo || base::trim(runner.token.reveal()).empty()) return false;
  if (options_.max_builds > 0 && received_ + open_polls() >= options_.max_builds) return false;
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
                             .system_id = options_.system_id};
  // Without it the server answers at once.
  if (polls_may_wait()) request.last_update = state->last_update;
  bool hinted = !request.last_update.empty();
  ++tokens_[token_key(runner)].polls;
  state->last_poll = Clock::now();
  auto id = std::make_shared<Transport::Id>();
  *id = transport_.send(state->endpoint,
                        {.method = "POST",
                         .path = "jobs/request",
                         .token_header = "Runner-Token",
                         .token = runner.token,
                         .content_type = "application/json",
                         .body = gitlab::encode(request),
                         .accept_json = true,
                         .want_certificates = runner.url.starts_with("https:")},
                        [this, state, id, hinted](const Outcome& outcome) { answered(state, *id, hinted, outcome); });
  state->polls.push_back({.id = *id, .asked = state->last_poll, .token = runner.token});
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

void Manager::answered(const RunnerRef& state, Transport::Id id, bool hinted, Outcome outcome) {
  using gitlab::JobRequestOutcome;
  OpenPoll poll;
  std::erase_if(state->polls, [&](const OpenPoll& open) {
    if (open.id == id) poll = open;
    return open.id == id;
  });
  const config::Runner& runner = state->runner;
  if (state->network_failures > 0 && outcome.answer.status != 0)
    for (auto& job : jobs_)
      if (job->runner().url == runner.url) job->server_is_back();
  TokenState& token = tokens_[token_key(runner)];
  --token.polls;
  JobRequestOutcome kind = gitlab::classify_job_request(outcome.answer);
  bool got = kind == JobRequestOutcome::kJob || kind == JobRequestOutcome::kUnreadable;
  if (!outcome.answer.last_update.empty()) state->last_update = outcome.answer.last_update;
  if (outcome.answer.token_replaced && poll.token == runner.token && !state->token_replaced) {
    base::log::info("Another host has rotated this runner's token; fetching the new one", fields(runner));
    state->token_replaced = true;
    schedule_rotation();
  }
  if (got || !poll.canceled) token.requests.finished(got, outcome.retried, runner.effective_request_concurrency());
  if (got) {
    // Whatever else is going on (a shutdown, a removed runner): a job that was handed out is not lost.
    state->network_failures = 0;
    state->conflicts = 0;
    state->asked_again = false;
    state->health.mark_healthy();
    state->next_poll = runner.strict_check_interval ? poll.asked + config_.effective_check_interval() : Clock::now();
    received(state, outcome);
  } else if (stopping_ != Stopping::kNo || state->removed) {
    return check_stopped();
  } else if (poll.canceled && outcome.answer.status == 0) {
    state->next_poll = Clock::now() + config_.effective_check_interval();
  } else {
    got_nothing(*state, poll, hinted, outcome);
  }
  schedule();
  check_stopped();
}

void Manager::got_nothing(RunnerState& state, const OpenPoll& poll, bool hinted, const Outcome& outcome) {
  using gitlab::JobRequestOutcome;
  const config::Runner& runner = state.runner;
  JobRequestOutcome kind = gitlab::classify_job_request(outcome.answer);
  bool no_answer = outcome.answer.status == 0;
  state.next_poll = after_nothing(state, poll.asked, no_answer && !outcome.client_error);
  if (outcome.client_error) {
    base::log::error("Checking for jobs... client error", fields(runner, &outcome));
    return mark_unhealthy(state);
  }
  bool asked_again = std::exchange(state.asked_again, false);
  switch (kind) {
    case JobRequestOutcome::kNone:
      base::log::debug("Checking for jobs...no content", fields(runner));
      // GitLab's front end ends a held poll so when the queue has changed, and leaves it to the next one to look.
      if (hinted && outcome.answer.last_update.empty() && !asked_again && !runner.strict_check_interval) {
        state.asked_again = true;
        state.next_poll = Clock::now();
      }
      break;
    case JobRequestOutcome::kForbidden:
      if (poll.token != runner.token) { // it was replaced while this poll was open
        state.next_poll = Clock::now();
        return;
      }
      base::log::error("Checking for jobs... forbidden", fields(runner, &outcome));
      return mark_unhealthy(state);
    case JobRequestOutcome::kConflict:
      // "Ask again": somebody else was faster. At once, but not for ever.
      if (++state.conflicts <= 3) state.next_poll = Clock::now();
      break;
    case JobRequestOutcome::kUnavailable:
      base::log::warning("Checking for jobs... GitLab instance currently unavailable", fields(runner, &outcome));
      break;
    default:
      base::log::warning("Checking for jobs... failed", fields(runner, &outcome));
      break;
  }
  if (kind != JobRequestOutcome::kConflict) state.conflicts = 0;
  if (!no_answer) state.health.mark_healthy();
}

} // namespace manager
