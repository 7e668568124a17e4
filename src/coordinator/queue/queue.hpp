// Queue: which pending job a runner gets, and the long polls that wait for one.
//
// Every job request becomes a waiter; one thread of the queue assigns jobs to waiters, many in one transaction, so that
// a job goes to exactly one runner. With two-phase commit (the runner says so in its features) the job stays `pending`
// with its runner set until PUT state=running; a hand-over nobody acknowledges is taken back by housekeeping().
// Thread-safe. Several processes may share the database: what one of them learns by itself, the others hear of by
// notices.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/pipelines/service.hpp"
#include "coordinator/queue/assignment.hpp"
#include "coordinator/queue/contacts.hpp"
#include "coordinator/queue/waiters.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"

namespace coordinator::queue {

inline constexpr std::int64_t kHousekeepingSeconds = 5;
inline constexpr std::int64_t kAcknowledgeSeconds = 120;  // a handed-out job waits this long for PUT running
inline constexpr std::int64_t kLostAfterSeconds = 10;     // … or this long, once its manager polls without it
inline constexpr int kMostLosses = 10;                    // … and so often in a row before it is failed
inline constexpr std::int64_t kNoUpdatesSeconds = 600;    // a running job without any call
inline constexpr std::int64_t kCancelingSeconds = 3600;   // a canceling job whose runner never reports
inline constexpr std::int64_t kTimeoutGraceSeconds = 900; // beyond the job's own timeout
inline constexpr std::int64_t kStuckSeconds = 24 * 3600;  // pending although a runner could take it
inline constexpr std::int64_t kStuckAloneSeconds = 3600;  // pending, and no runner could

// Whether a runner takes a job of that protection and these tags (runner-tokens digest §13, rules 3 to 5).
bool accepts(const model::Runner& runner, bool is_protected, const std::vector<std::string>& tags);

class Queue {
 public:
  explicit Queue(pipelines::Service& service);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Answers 201 with a job's payload, or 204: when there is none, at once, or after `seconds` of waiting for one.
  void request(Poller poller, net::Responder responder, std::int64_t seconds);
  // One value for all requests that announce the same features: thousands of managers do.
  std::shared_ptr<const json::Value> intern(const json::Value& features);
  // Jobs or settings changed: everybody who waits is looked at again. Cheap, from any thread.
  void wake();
  // A runner was edited, assigned or deleted.
  void runner_changed(std::int64_t runner_id);
  // The opaque value of X-GitLab-Last-Update: it changes with every wake().
  std::string version() const;
  void stop();

  Contacts& contacts() { return contacts_; }
  // How many jobs run, and how many polls wait, some moments ago.
  std::int64_t running() const { return running_; }
  std::size_t waiting() const { return waiting_; }

  // Periodic: hand-overs that were never acknowledged, jobs nobody updates, timeouts, stuck and scheduled jobs.
  void housekeeping();

 private:
  struct Arrival {
    Waiter waiter;
    Reach reach;
  };
  void look_at_everything(); // notices of other processes may have been missed
  void run(const std::stop_token& stop);
  void assign();
  bool assign_some();
  void answer(const Assignment::Handed& handed);
  void give_back(const Assignment::Handed& handed);
  void send_away(std::uint64_t ticket);
  void look_at_runners(const std::set<std::int64_t>& runners);
  void tend(); // once a second
  base::Status release(Transaction& tx, std::int64_t job_id);
  base::Status reclaim(Transaction& tx, std::int64_t now);
  base::Status end_overdue(Transaction& tx, std::int64_t now);
  base::Status end_stuck(Transaction& tx, std::int64_t now);
  base::Status expire_artifacts(Transaction& tx);

  pipelines::Service& service_;
  App& app_;
  std::int64_t born_; // nobody is blamed for silence while the server was away
  Contacts contacts_;
  std::atomic<std::int64_t> running_ = 0;
  std::atomic<std::size_t> waiting_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Arrival> arrivals_;
  std::set<std::int64_t> changed_runners_;
  bool woken_ = false;
  bool all_runners_changed_ = false;
  std::uint64_t version_ = 1;
  bool stopped_ = false;
  std::string instance_; // random: versions of an earlier process never match
  std::unordered_map<std::string, std::weak_ptr<const json::Value>> features_;

  // Of the queue's thread.
  Waiters waiters_;
  bool nothing_pending_ = false; // at the last look, and nobody has called since
  std::int64_t next_tending_ = 0;
  std::int64_t next_housekeeping_ = 0;

  database::Subscription pending_jobs_;
  std::jthread thread_; // last: it uses all of the above
};

} // namespace coordinator::queue
