// Queue: which pending job a runner gets, and the long polls that wait for one.
//
// A hand-over is one write transaction, so that a job goes to exactly one runner. With two-phase commit (the runner
// says so in its features) the job stays `pending` with its runner set until PUT state=running; a hand-over nobody
// acknowledges is taken back by reclaim(). Thread-safe. Waiting polls are served by one thread of the queue.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/pipelines/service.hpp"
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

// Rules 3 to 5 of the runner-tokens digest §13: protection and tags.
bool accepts(const model::Runner& runner, bool is_protected, const std::vector<std::string>& tags);
std::vector<std::string> tags_of(const Row& job); // from the column tag_list

struct Poller {
  model::Runner runner;
  model::Manager manager;
  json::Value features; // of the request's info
  std::string request_id;
};

class Queue {
 public:
  explicit Queue(pipelines::Service& service);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // The payload of the job that the runner gets now, nullopt when there is none.
  base::Result<std::optional<json::Value>> acquire(const Poller& poller);
  // 201 with the payload; when the client is gone, the job goes back to the queue.
  void answer(const Poller& poller, const net::Responder& responder, const json::Value& payload);
  // Keeps the request until there is a job for it or `seconds` have passed; answers 201 or 204. `version` is what the
  // caller read before it decided to wait.
  void wait(Poller poller, net::Responder responder, const std::string& version, std::int64_t seconds);
  // Something may have become available; cheap, from any thread.
  void wake();
  // The opaque value of X-GitLab-Last-Update; it changes with every wake().
  std::string version() const;
  void stop();

  // Periodic: hand-overs that were never acknowledged, jobs nobody updates, timeouts, stuck and scheduled jobs.
  void housekeeping();

 private:
  struct Waiter {
    Poller poller;
    net::Responder responder;
    std::int64_t until = 0;
    std::uint64_t seen = 0; // the version it was last looked at for
    bool look = false;
  };
  void run(const std::stop_token& stop);
  void serve(std::deque<Waiter> ready);
  void give_back(const json::Value& payload);
  base::Status release(Transaction& tx, std::int64_t job_id);
  base::Result<std::optional<std::int64_t>> pick(Transaction& tx, const Poller& poller, json::Value& payload);
  base::Result<bool> hand_over(Transaction& tx, const Poller& poller, const Row& job, const model::Project& project,
                               json::Value& payload);
  base::Status reclaim(Transaction& tx);
  base::Status end_overdue(Transaction& tx);
  base::Status end_stuck(Transaction& tx);
  base::Status expire_artifacts(Transaction& tx);

  pipelines::Service& service_;
  App& app_;
  std::int64_t born_;                  // nobody is blamed for silence while the server was away
  std::map<std::int64_t, int> losses_; // job → hand-overs in a row that nobody acknowledged; by housekeeping only
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Waiter> waiters_;
  std::uint64_t version_ = 1;
  bool stopped_ = false;
  std::string instance_; // random: versions of an earlier process never match
  std::jthread thread_;
};

} // namespace coordinator::queue
