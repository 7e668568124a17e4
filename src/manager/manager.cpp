// Manager: assembly, configuration, signals. Polling is in polling.cpp, jobs in jobs.cpp.
#include "manager/manager.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "executor/executor.hpp"
#include "sys/host.hpp"

namespace manager {
namespace {
constexpr std::chrono::seconds kConfigCheck{3};
} // namespace

Manager::Manager(Loop& loop, sys::Spawner& spawner, sys::SignalFd& signals, ManagerOptions options,
                 config::Config config)
    : loop_(loop),
      spawner_(spawner),
      signals_(signals),
      options_(std::move(options)),
      transport_(loop),
      idle_since_(Clock::now()) {
  runner_command_ = sys::executable_path().value_or("forerunner");
  stamp_ = config_stamp();
  apply(std::move(config));
}

Manager::~Manager() = default;

void Manager::run() {
  loop_.watch(signals_.fd(), [this] { on_signal(); });
  loop_.watch(spawner_.events_fd(), [this] { worker_exits(); });
  adopt_all();
  if (!options_.config_path.empty()) watch_config();
  schedule();
  check_single_run();
  loop_.run();
  save_finally();
}

// ---- configuration ------------------------------------------------------------------------------------------------

std::string Manager::config_stamp() const {
  struct stat info{};
  if (options_.config_path.empty() || ::stat(options_.config_path.c_str(), &info) != 0) return "";
  return fmt::format("{}.{}:{}:{}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size, info.st_ino);
}

// The states of runners as they were, for entries that are still there. A runner whose token alone has changed, as
// `reset-token` does, is still the same: its jobs count on.
std::vector<Manager::RunnerRef> Manager::known_states(const config::Config& config) {
  std::vector<RunnerRef> before = runners_;
  std::vector<RunnerRef> kept(config.runners.size());
  auto find = [&](auto is_same) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]) continue;
      auto known = std::find_if(before.begin(), before.end(),
                                [&](const RunnerRef& state) { return is_same(state->runner, config.runners[i]); });
      if (known == before.end()) continue;
      kept[i] = *known;
      before.erase(known);
    }
  };
  find([](const config::Runner& a, const config::Runner& b) { return a.url == b.url && a.token == b.token; });
  find([](const config::Runner& a, const config::Runner& b) { return a.url == b.url && a.id != 0 && a.id == b.id; });
  for (const RunnerRef& gone : before) {
    gone->removed = true;
    cancel_polls(*gone);
  }
  return kept;
}

void Manager::apply(config::Config config) {
  keep_unsaved(config);
  auto kept = known_states(config);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const config::Runner& runner = config.runners[i];
    if (kept[i] && kept[i]->runner.token != runner.token) take_token(runner.url, kept[i]->runner.token, runner);
  }
  runners_.clear();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    config::Runner& runner = config.runners[i];
    RunnerRef state = std::move(kept[i]);
    if (!state) {
      state = std::make_shared<RunnerState>();
      state->rotation_jitter = static_cast<unsigned char>(base::random_bytes(1)[0]) / 256.0;
    }
    auto tls = config::tls_files(runner, options_.config_dir);
    state->endpoint = {.url = runner.url,
                       .tls = {.ca_file = tls.ca_file, .cert_file = tls.cert_file, .key_file = tls.key_file}};
    if (state->runner.token_expires_at != runner.token_expires_at) state->told_expiry = false;
    state->runner = runner;
    state->health = Health();
    runners_.push_back(std::move(state));
  }
  config_ = std::move(config);
  transport_.set_connection_max_age(config_.connection_max_age);
  warn_about(config_);
  schedule_rotation();
}

void Manager::warn_about(const config::Config& config) const {
  for (const std::string& warning : config.warnings) base::log::warning(warning);
  for (const config::Runner& runner : config.runners) {
    base::log::Fields fields = {{"runner", gitlab::short_token(runner.token.reveal())}, {"runner_name", runner.name}};
    if (base::trim(runner.token.reveal()).empty())
      base::log::warning("Runner token is empty or whitespace; this runner will be skipped during job polling.",
                         fields);
    if (base::trim(runner.url).ends_with("/ci"))
      base::log::warning("The runner URL ends in /ci: submodules with relative URLs cannot authenticate", fields);
  }
}

void Manager::watch_config() {
  loop_.after(kConfigCheck, [this] {
    if (stopping_ == Stopping::kNo) reload(false);
    watch_config();
  });
}

void Manager::reload(bool forced) {
  std::string stamp = config_stamp();
  if (!forced && stamp == stamp_) return;
  stamp_ = stamp;
  if (stamp.empty())
    return base::log::error("Failed to load config", {{"error", options_.config_path + " cannot be read"}});
  auto loaded = config::load(options_.config_path);
  if (!loaded) return base::log::error("Failed to load config", {{"error", loaded.error().message()}});
  if (loaded->concurrent < 1) {
    base::log::fatal(fmt::format("Current configuration 'concurrent = {}' means that no jobs will be processed",
                                 loaded->concurrent));
    exit_code_ = 1;
    return begin_graceful("configuration");
  }
  apply(std::move(*loaded));
  base::log::info("Configuration loaded");
  schedule();
}

// ---- stopping -----------------------------------------------------------------------------------------------------

void Manager::on_signal() {
  while (auto signal = signals_.next()) {
    if (*signal == SIGHUP) {
      if (!options_.config_path.empty() && stopping_ == Stopping::kNo) reload(true);
    } else if (*signal == SIGQUIT && stopping_ == Stopping::kNo) {
      begin_graceful(sys::signal_name(*signal));
    } else if (stopping_ == Stopping::kForceful) {
      base::log::warning("Stopping at once; jobs in progress are left to the next process");
      exit_code_ = 1;
      loop_.stop();
    } else {
      begin_forceful(sys::signal_name(*signal));
    }
  }
}

void Manager::cancel_polls() {
  for (const RunnerRef& state : runners_) cancel_polls(*state);
}

void Manager::begin_graceful(std::string_view name) {
  stopping_ = Stopping::kGraceful;
  if (!name.empty())
    base::log::warning("Starting graceful shutdown, waiting for builds to finish", {{"StopSignal", std::string(name)}});
  cancel_polls();
  check_stopped();
}

void Manager::begin_forceful(std::string_view name) {
  stopping_ = Stopping::kForceful;
  stop_signal_ = name;
  base::log::warning("Starting forceful shutdown",
                     {{"StopSignal", std::string(name)},
                      {"shutdown-timeout", base::format_go_duration(config_.effective_shutdown_timeout())}});
  cancel_polls();
  for (auto& job : jobs_) job->interrupt(name);
  loop_.after(config_.effective_shutdown_timeout(), [this] {
    base::log::warning("Forceful shutdown not finished properly; what is left will be taken over by the next process",
                       {{"error", "shutdown timed out"}});
    exit_code_ = 1;
    loop_.stop();
  });
  check_stopped();
}

void Manager::check_stopped() {
  // An answer on its way may hold the only token that counts.
  if (stopping_ == Stopping::kNo || !parked_.empty() || rotations_open()) return;
  for (const RunnerRef& state : runners_)
    if (!state->polls.empty()) return;
  // A final update that the server will not take is on the disk: the next process delivers it.
  bool busy = std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& job) { return !job->postponed(); });
  if (!busy) loop_.stop();
}

void Manager::check_single_run() {
  if (stopping_ != Stopping::kNo || (options_.max_builds == 0 && options_.wait_timeout.count() == 0)) return;
  bool idle =
      parked_.empty() && std::all_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->postponed(); });
  if (options_.max_builds > 0 && received_ >= options_.max_builds && idle) {
    base::log::info("This runner has processed its build limit, so now exiting");
    return begin_graceful("");
  }
  if (options_.wait_timeout.count() > 0 && idle && Clock::now() - idle_since_ > options_.wait_timeout) {
    base::log::info(
        fmt::format("This runner has not received a job in {} seconds, so now exiting", options_.wait_timeout.count()));
    return begin_graceful("");
  }
  loop_.after(std::chrono::milliseconds(200), [this] { check_single_run(); });
}

} // namespace manager
