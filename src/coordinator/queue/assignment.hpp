// Assignment: who of those that wait gets which pending job, decided and written in one transaction.
//
// The longest waiting first; each takes what its runner is to take next: of an instance runner the project with the
// fewest jobs on such runners (fair use), else the oldest job. Lives as long as the transaction; changes no waiter.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/pipelines/service.hpp"
#include "coordinator/queue/backlog.hpp"
#include "coordinator/queue/payload.hpp"
#include "coordinator/queue/waiters.hpp"

namespace coordinator::queue {

class Assignment {
 public:
  struct Handed {
    std::uint64_t ticket = 0;
    std::int64_t job_id = 0;
    std::string token_digest;
    json::Value payload;
  };

  Assignment(Transaction& tx, pipelines::Service& service, const Waiters& waiters)
      : tx_(tx), service_(service), waiters_(waiters), payloads_(tx, service) {}

  // Whether anybody who waits may take any job; reads only.
  base::Result<bool> possible();
  // Hands out at most so many jobs. True when there may be more to hand out.
  base::Result<bool> run(std::size_t most);

  std::vector<Handed> handed;
  std::set<std::int64_t> outdated; // runners that were edited since their polls came

 private:
  struct Choice {
    Group group;
    std::deque<std::int64_t> jobs;
    std::int64_t from = 0; // the next look-up starts here
    bool exhausted = false;
  };
  enum class Outcome { kHanded, kNotThis };

  base::Status match();
  base::Result<bool> serve(std::uint64_t ticket, const std::vector<std::size_t>& choices);
  base::Result<std::optional<std::size_t>> best(const model::Runner& runner, const std::vector<std::size_t>& choices);
  base::Result<Outcome> hand_over(std::uint64_t ticket, const model::Runner& runner, const model::Project& project,
                                  std::int64_t job_id);
  base::Result<std::int64_t> load_of(std::int64_t project_id);
  base::Result<const std::optional<model::Runner>*> runner(std::int64_t id);
  base::Result<const std::optional<model::Project>*> project(std::int64_t id);
  base::Result<bool> refill(Choice& choice);
  base::Status check_runner(const Waiter& waiter, bool& fits);

  Transaction& tx_;
  pipelines::Service& service_;
  const Waiters& waiters_;
  PayloadBuilder payloads_;
  std::vector<Choice> choices_;
  std::map<const Line*, std::vector<std::size_t>> lines_; // who may take what
  std::optional<bool> fair_;
  std::optional<std::map<std::int64_t, std::int64_t>> load_;
  std::optional<std::int64_t> pending_;
  std::map<std::int64_t, std::optional<model::Runner>> runners_;
  std::map<std::int64_t, bool> fits_; // by runner: its reach is still the one its polls stand for
  std::map<std::int64_t, std::optional<model::Project>> projects_;
  std::map<std::int64_t, Row> pipelines_;
  std::map<std::int64_t, bool> blocked_users_;
};

} // namespace coordinator::queue
