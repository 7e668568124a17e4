// ActiveJob: one job from its payload to the last byte delivered: directory, worker, control socket, delivery.
//
// Owned by Manager, on the loop's thread. It never holds the log: patches are read from the file as they are sent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "config/config.hpp"
#include "gitlab/payload.hpp"
#include "job/job_directory.hpp"
#include "manager/delivery.hpp"
#include "manager/loop.hpp"
#include "manager/transport.hpp"
#include "sys/spawner.hpp"
#include "trace/spool.hpp"

namespace manager {

// What delivering needs to know, kept in the job directory so that a later manager can go on.
struct JobIdentity {
  std::int64_t id = 0;
  base::Secret token;
  std::int64_t project_id = 0;
  std::vector<std::string> failure_reasons; // that the server accepts
  bool debug_trace = false;
  bool dynamic_touch = false;
};

class ActiveJob {
 public:
  struct Hooks {
    std::function<void(ActiveJob&)> slot_free; // once: its worker has ended and the final update has been tried
    std::function<void()> postponed;           // once: the server takes no final update for now
    std::function<void(ActiveJob&)> gone;      // once, last: everything is delivered, or nobody wants it
  };
  enum class Origin { kFresh, kAdopted };

  ActiveJob(Loop& loop, Transport& transport, sys::Spawner& spawner, job::JobDirectory directory, JobIdentity identity,
            config::Runner runner, Endpoint endpoint, Hooks hooks);
  ~ActiveJob();
  ActiveJob(const ActiveJob&) = delete;
  ActiveJob& operator=(const ActiveJob&) = delete;

  // A job just received: tells the server that it runs, then starts the worker.
  void start();
  // A job that cannot be run: the server learns so, with the reason in the job's log.
  void start_refused(std::string reason);
  // A job of an earlier manager: finds out how far it came and goes on.
  void adopt();
  // The runner process was told to stop.
  void interrupt(std::string_view signal_name);
  void abort();
  // The server answers again after a time without.
  void server_is_back();
  void worker_ended(const sys::ExitStatus& status);
  void spawner_lost(); // nobody will tell any more when the worker ends

  const JobIdentity& identity() const { return identity_; }
  const config::Runner& runner() const { return runner_; }
  void runner_token_changed(const base::Secret& token) { runner_.token = token; } // jobs are counted by it
  pid_t worker() const { return worker_; }
  bool holds_slot() const { return !slot_freed_; }
  bool running() const { return !ended_; }
  bool postponed() const { return ended_ && delivery_.postponed(); }
  const job::JobDirectory& directory() const { return directory_; }
  std::int64_t concurrent_id = 0;
  std::int64_t concurrent_project_id = 0;

 private:
  void acknowledge();
  void acknowledged(const Outcome& outcome);
  bool acknowledge_later(const Outcome& outcome);
  void spawn();
  void pump(); // asks the delivery what to do, does it
  void send_patch(const Delivery::Action& action);
  void send_update(gitlab::JobState state);
  void after_answer();
  void end(const job::JobResult& result);
  void fail(std::string_view message); // system failure, with the message as the log's last line
  void settle(const std::string& how); // no worker has the job any more
  void control(const std::string& line);
  void use_channel(sys::LineChannel channel, void (ActiveJob::*when_ended)());
  void try_control();
  void watch_adopted();
  void free_slot();
  void drop(); // removes the directory and reports `gone`
  std::uint64_t log_size() const;
  void schedule(Clock::time_point time);
  void log_result() const;
  base::log::Fields answer_fields(const Outcome& outcome) const;
  void log_patch(const Outcome& outcome, const gitlab::PatchResult& result, std::uint64_t end) const;
  void log_update(const Outcome& outcome, const gitlab::UpdateResult& result, gitlab::JobState state) const;

  Loop& loop_;
  Transport& transport_;
  sys::Spawner& spawner_;
  job::JobDirectory directory_;
  JobIdentity identity_;
  config::Runner runner_;
  Endpoint endpoint_;
  Hooks hooks_;
  Delivery delivery_;
  pid_t worker_ = 0;
  sys::LineChannel channel_;
  std::vector<std::string> orders_; // for the worker, not sent yet
  std::optional<job::JobResult> result_;
  std::optional<Loop::TimerId> timer_;
  std::optional<Loop::TimerId> control_timer_;
  std::optional<Transport::Id> request_;
  Clock::time_point started_;
  std::string refused_;
  std::string interrupted_;   // the stop signal, when it came before the worker was started
  int acknowledge_tries_ = 0; // that failed
  bool ended_ = false;
  bool slot_freed_ = false;
  bool dropped_ = false;
  bool cancel_sent_ = false;
  bool abort_sent_ = false;
  bool postponed_told_ = false;
  bool canceled_early_ = false;
};

} // namespace manager
