// Manager: authentication tokens that expire are replaced in time (protocol digest §5.5), and tokens that somebody else
// replaced are taken over. Jobs have tokens of their own and notice nothing.
//
// The old token is dead, or as good as dead, from the moment the server answers: so whatever can be known to be wrong
// with the file is found before, and a new token that could not be written is kept and written later.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "config/editor.hpp"
#include "manager/manager.hpp"

namespace manager {
namespace {

constexpr std::chrono::seconds kLongestSleep{600}; // clocks are set, laptops wake up
constexpr std::chrono::seconds kSaveAgain{10};
constexpr double kJitter = 0.02; // of the time that is left when it is due

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double random_fraction() { return static_cast<unsigned char>(base::random_bytes(1)[0]) / 256.0; }

base::log::Fields fields(const config::Runner& runner) {
  return {{"runner", gitlab::short_token(runner.token.reveal())}, {"runner_name", runner.name}};
}

std::string token_key(const std::string& url, const base::Secret& token) { return url + "\n" + token.reveal(); }

bool same_token(const config::Runner& runner, const std::string& url, const base::Secret& token) {
  return runner.url == url && runner.token == token;
}

} // namespace

// ---- when ---------------------------------------------------------------------------------------------------------

std::optional<std::int64_t> Manager::rotation_due(const RunnerState& state) const {
  const config::Runner& runner = state.runner;
  if (state.token_replaced) return state.no_rotation_before;
  auto due = gitlab::token_rotation_due(runner.token_obtained_at, runner.token_expires_at);
  if (!due || state.told_expiry) return std::nullopt;
  auto left = static_cast<double>(*runner.token_expires_at - *due);
  return std::max(*due + static_cast<std::int64_t>(left * kJitter * state.rotation_jitter), state.no_rotation_before);
}

void Manager::schedule_rotation() {
  if (rotation_timer_) loop_.cancel(*rotation_timer_);
  rotation_timer_.reset();
  // Without a file there is no place for a new token (run-single).
  if (stopping_ != Stopping::kNo || options_.config_path.empty()) return;
  std::optional<std::int64_t> first;
  for (const RunnerRef& state : runners_) {
    auto due = rotation_due(*state);
    auto known = tokens_.find(token_key(state->runner.url, state->runner.token));
    if (known != tokens_.end() && known->second.rotating) continue;
    if (due && (!first || *due < *first)) first = due;
  }
  if (!first) return;
  auto wait = std::clamp<std::int64_t>(*first - unix_now(), 0, kLongestSleep.count());
  rotation_timer_ = loop_.after(std::chrono::seconds(wait), [this] {
    rotation_timer_.reset();
    rotate_due();
  });
}

void Manager::rotate_due() {
  std::int64_t now = unix_now();
  for (const RunnerRef& state : runners_) {
    auto due = rotation_due(*state);
    if (due && *due <= now && !tokens_[token_key(state->runner.url, state->runner.token)].rotating) rotate(state);
  }
  schedule_rotation();
}

bool Manager::rotations_open() const {
  return std::any_of(tokens_.begin(), tokens_.end(), [](const auto& entry) { return entry.second.rotating; });
}

// ---- asking -------------------------------------------------------------------------------------------------------

void Manager::rotate(const RunnerRef& state) {
  const config::Runner& runner = state->runner;
  if (runner.feature_flag("FF_DISABLE_AUTOMATIC_TOKEN_ROTATION").value_or(false)) {
    base::log::warning(
        fmt::format("Automatic token rotation is disabled for runner: {}-{}. Your token is about to expire",
                    gitlab::short_token(runner.token.reveal()), options_.system_id),
        fields(runner));
    state->told_expiry = true;
    state->token_replaced = false;
    return;
  }
  if (::access(options_.config_path.c_str(), W_OK) != 0)
    return rotation_failed(*state, {.error = fmt::format("{}: {}", options_.config_path, std::strerror(errno))});
  tokens_[token_key(runner.url, runner.token)].rotating = true;
  transport_.send(state->endpoint,
                  {.method = "POST",
                   .path = "runners/reset_authentication_token",
                   .content_type = "application/json",
                   .body = gitlab::encode_reset_token(runner.token.reveal()),
                   .accept_json = true},
                  [this, state, url = runner.url, token = runner.token](const Outcome& outcome) {
                    tokens_[token_key(url, token)].rotating = false;
                    // Meanwhile the user may have put another token into the file.
                    if (same_token(state->runner, url, token)) rotated(state, outcome);
                    schedule_rotation();
                    check_stopped();
                  });
}

void Manager::rotated(const RunnerRef& state, const Outcome& outcome) {
  bool made = outcome.answer.status == 201 && gitlab::is_json(outcome.answer.content_type);
  auto answer = gitlab::parse_register_answer(made ? outcome.answer.body : std::string());
  if (!made || !answer || answer->token.empty()) return rotation_failed(*state, outcome);
  auto line = fields(state->runner);
  line.emplace_back("correlation_id", outcome.correlation_id);
  base::log::info("Resetting runner authentication token... succeeded", line);
  Unsaved token{.url = state->runner.url,
                .before = state->runner.token,
                .after = answer->token,
                .obtained_at = unix_now(),
                .expires_at = answer->token_expires_at};
  config::Runner changed = state->runner;
  changed.token = token.after;
  changed.token_obtained_at = token.obtained_at;
  changed.token_expires_at = token.expires_at;
  take_token(token.url, token.before, changed);
  save_token(std::move(token));
}

void Manager::rotation_failed(RunnerState& state, const Outcome& outcome) {
  std::int64_t now = unix_now();
  auto wait =
      gitlab::token_rotation_retry(++state.rotation_failures, state.runner.token_expires_at, now, random_fraction());
  state.no_rotation_before = now + std::max<std::int64_t>(1, wait.count() / 1000);
  auto line = fields(state.runner);
  if (!outcome.correlation_id.empty()) line.emplace_back("correlation_id", outcome.correlation_id);
  if (outcome.answer.status != 0)
    line.emplace_back("status", gitlab::error_text("POST", "runners/reset_authentication_token", outcome.answer));
  if (!outcome.error.empty()) line.emplace_back("error", outcome.error);
  line.emplace_back("next_try_in", base::format_go_duration(wait));
  std::string_view why = outcome.answer.status == 403 ? "failed (check used token)"
                         : outcome.client_error       ? "client error"
                                                      : "failed";
  base::log::error(fmt::format("Resetting runner authentication token... {}", why), line);
  if (state.runner.token_expires_at && *state.runner.token_expires_at <= now)
    base::log::error("The token has expired: `reset-token --pat` gets a new one", fields(state.runner));
}

// ---- the new token ------------------------------------------------------------------------------------------------

// Everything that goes by the token goes by the new one: entries that share it, counts of jobs and polls.
void Manager::take_token(const std::string& url, base::Secret before, const config::Runner& changed) {
  for (const RunnerRef& state : runners_) {
    if (!same_token(state->runner, url, before)) continue;
    state->runner.token = changed.token;
    state->runner.token_obtained_at = changed.token_obtained_at;
    state->runner.token_expires_at = changed.token_expires_at;
    state->rotation_failures = 0;
    state->no_rotation_before = 0;
    state->token_replaced = false;
    state->told_expiry = false;
    state->health.mark_healthy();
  }
  auto take = [&](ActiveJob& job) {
    if (same_token(job.runner(), url, before)) job.runner_token_changed(changed.token);
  };
  for (auto& job : jobs_) take(*job);
  for (auto& parked : parked_) take(*parked.job);
  auto counts = tokens_.extract(token_key(url, before));
  if (counts.empty()) return;
  TokenState& there = tokens_[token_key(url, changed.token)];
  there.polls += counts.mapped().polls;
  there.builds += counts.mapped().builds;
  there.requests = counts.mapped().requests;
}

void Manager::save_token(Unsaved token) {
  auto done = write_token(token);
  if (done) return;
  base::log::error("A new authentication token could not be saved; it is used, and saved as soon as that is possible",
                   {{"runner", gitlab::short_token(token.after.reveal())}, {"error", done.error().message()}});
  for (Unsaved& earlier : unsaved_) {
    if (earlier.url != token.url || earlier.after != token.before) continue;
    token.before = earlier.before;
    earlier = std::move(token);
    return;
  }
  unsaved_.push_back(std::move(token));
  if (unsaved_.size() == 1) loop_.after(kSaveAgain, [this] { save_again(); });
}

base::Status Manager::write_token(const Unsaved& token) {
  bool ours = config_stamp() == stamp_; // nobody has changed the file since it was read
  auto editor = FR_TRY(config::Editor::open(options_.config_path));
  auto changed = FR_TRY(editor.replace_token(token.url, token.before.reveal(),
                                             {token.after.reveal(), token.obtained_at, token.expires_at}));
  if (changed == 0) return {}; // the entry is gone, or has another token by now
  FR_CHECK(editor.save());
  if (ours) stamp_ = config_stamp();
  return {};
}

void Manager::save_again() {
  std::erase_if(unsaved_, [this](const Unsaved& token) { return write_token(token).has_value(); });
  if (!unsaved_.empty()) loop_.after(kSaveAgain, [this] { save_again(); });
}

// Before the process ends, and the tokens with it.
void Manager::save_finally() {
  for (const Unsaved& token : unsaved_) {
    if (auto done = write_token(token); !done)
      base::log::error("A new authentication token was never saved: `reset-token --pat` gets another",
                       {{"runner", gitlab::short_token(token.after.reveal())}, {"error", done.error().message()}});
  }
}

// The file still has the old token where the new one could not be written.
void Manager::keep_unsaved(config::Config& config) const {
  for (const Unsaved& token : unsaved_) {
    for (config::Runner& runner : config.runners) {
      if (!same_token(runner, token.url, token.before)) continue;
      runner.token = token.after;
      runner.token_obtained_at = token.obtained_at;
      runner.token_expires_at = token.expires_at;
    }
  }
}

} // namespace manager
