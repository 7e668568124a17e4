// Manager: the whole of `forerunner run`: configuration, polling of every runner, slots, jobs, signals, take-over.
//
// Lives on the loop's thread. Created after the spawner, which must be the first thing of the process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "manager/active_job.hpp"
#include "manager/health.hpp"
#include "manager/loop.hpp"
#include "manager/request_limit.hpp"
#include "manager/transport.hpp"
#include "sys/signals.hpp"
#include "sys/spawner.hpp"

namespace manager {

struct ManagerOptions {
  std::string config_path;            // watched and reloaded; empty: `config` is all there is
  std::string config_dir;             // of certificates and error texts
  std::string state_dir;              // this process's own; job directories below it
  std::vector<std::string> abandoned; // state directories of processes that are gone, locked by us: their jobs go on
  std::string system_id;
  std::string working_directory;
  std::string user;
  std::int64_t max_builds = 0;          // run-single: stop after so many jobs; 0: no end
  std::chrono::seconds wait_timeout{0}; // run-single: stop when idle so long; 0: no end
};

class Manager {
 public:
  Manager(Loop& loop, sys::Spawner& spawner, sys::SignalFd& signals, ManagerOptions options, config::Config config);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  void run(); // until told to stop
  int exit_code() const { return exit_code_; }

 private:
  // State of one runner token; two [[runners]] with the same token share it, as upstream.
  struct TokenState {
    std::int64_t polls = 0;
    std::int64_t builds = 0;
    RequestLimit requests;
    bool rotating = false; // a new token has been asked for
  };
  // State of one [[runners]] entry, kept over reloads as long as URL and token stay.
  struct OpenPoll {
    Transport::Id id = 0;
    Clock::time_point asked;
    base::Secret token; // that it was asked with
    bool canceled = false;
  };
  struct RunnerState {
    config::Runner runner;
    Endpoint endpoint;
    Health health;
    Clock::time_point next_poll{};
    Clock::time_point last_poll{};
    int network_failures = 0;
    int conflicts = 0;
    std::string last_update;
    std::string certificates; // the server's chain as PEM, as of the last handshake
    std::vector<OpenPoll> polls;
    bool asked_again = false; // a poll was repeated at once because the server hinted at news
    bool removed = false;
    double rotation_jitter = 0; // hosts that share a token do not all come at once
    int rotation_failures = 0;
    std::int64_t no_rotation_before = 0; // Unix seconds, after a failure
    bool token_replaced = false;         // the server says that another host has rotated the token
    bool told_expiry = false;            // the warning of a runner whose rotation is switched off
  };
  // A rotated token that could not be written to the file yet.
  struct Unsaved {
    std::string url;
    base::Secret before;
    base::Secret after;
    std::int64_t obtained_at = 0;
    std::optional<std::int64_t> expires_at;
  };
  using RunnerRef = std::shared_ptr<RunnerState>;

  // Configuration.
  void apply(config::Config config);
  std::vector<RunnerRef> known_states(const config::Config& config);
  void watch_config();
  void reload(bool forced);
  void warn_about(const config::Config& config) const;
  std::string config_stamp() const;

  // Tokens: rotation.cpp.
  void schedule_rotation();
  std::optional<std::int64_t> rotation_due(const RunnerState& state) const;
  void rotate_due();
  void rotate(const RunnerRef& state);
  void rotated(const RunnerRef& state, const Outcome& outcome);
  void rotation_failed(RunnerState& state, const Outcome& outcome);
  void take_token(const std::string& url, base::Secret before, const config::Runner& changed);
  void save_token(Unsaved token);
  base::Status write_token(const Unsaved& token);
  void save_again();
  void save_finally();
  void keep_unsaved(config::Config& config) const;
  bool rotations_open() const;

  // Polling.
  void schedule();
  void poll_due();
  bool may_poll(const RunnerState& state) const;
  Clock::time_point due(const RunnerState& state) const;
  bool polls_may_wait() const;
  void poll(const RunnerRef& state);
  bool end_a_waiting_poll(Clock::time_point now);
  void cancel_polls(RunnerState& state);
  void answered(const RunnerRef& state, Transport::Id id, bool hinted, Outcome outcome);
  void got_nothing(RunnerState& state, const OpenPoll& poll, bool hinted, const Outcome& outcome);
  Clock::time_point after_nothing(RunnerState& state, Clock::time_point asked, bool network_failure) const;
  void mark_unhealthy(RunnerState& state);
  std::int64_t free_slots() const;
  std::int64_t open_polls() const;

  // Jobs.
  void received(const RunnerRef& state, const Outcome& outcome);
  base::Result<job::JobDirectory> make_directory(const job::Context& context, std::int64_t id,
                                                 std::string_view payload) const;
  void launch(std::unique_ptr<ActiveJob> job, std::optional<std::string> refusal);
  void start_parked();
  void adopt_all();
  void adopt_from(const std::string& state_dir);
  std::int64_t lowest_free_id(const std::string& token, std::optional<std::int64_t> project) const;
  ActiveJob::Hooks job_hooks();
  void slot_freed(ActiveJob& job);
  void job_gone(ActiveJob& job);
  void worker_exits();

  // Stopping.
  void on_signal();
  void begin_graceful(std::string_view name);
  void begin_forceful(std::string_view name);
  void cancel_polls();
  void check_stopped();
  void check_single_run();

  Loop& loop_;
  sys::Spawner& spawner_;
  sys::SignalFd& signals_;
  ManagerOptions options_;
  config::Config config_;
  Transport transport_;
  std::vector<RunnerRef> runners_;
  std::map<std::string, TokenState> tokens_; // by URL and token
  std::vector<std::unique_ptr<ActiveJob>> jobs_;
  struct Parked {
    std::unique_ptr<ActiveJob> job;
    std::optional<std::string> refusal;
  };
  std::vector<Parked> parked_; // received when every slot was taken: `concurrent` was lowered meanwhile
  std::string runner_command_;
  std::string stamp_;
  std::optional<Loop::TimerId> poll_timer_;
  std::optional<Loop::TimerId> rotation_timer_;
  std::vector<Unsaved> unsaved_;
  enum class Stopping { kNo, kGraceful, kForceful } stopping_ = Stopping::kNo;
  std::string stop_signal_;
  std::int64_t received_ = 0;
  Clock::time_point idle_since_;
  int exit_code_ = 0;
};

} // namespace manager
