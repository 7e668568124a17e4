// Waiters: the polls that wait for a job, found by what they may take, so that a new job looks at nobody else.
//
// Polls of runners that may take the same jobs stand in one Line, in the order they came. Plain data without a lock:
// it belongs to the queue's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "coordinator/model/runners.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"

namespace coordinator::queue {

// What decides which jobs a runner may take.
struct Reach {
  RunnerType type = RunnerType::kInstance;
  std::vector<std::int64_t> owners; // the group, or the assigned projects; none for an instance runner
  bool active = true;
  bool run_untagged = true;
  bool ref_protected = false;
  std::vector<std::string> tags; // sorted

  std::string key() const; // equal for equal reach
  // Rules 3 to 5 of the runner-tokens digest §13: protection and tags.
  bool accepts(bool is_protected, const std::vector<std::string>& job_tags) const;
};
base::Result<Reach> reach_of(Transaction& tx, const model::Runner& runner);

// Where a project's jobs may go (rule 2).
struct Place {
  std::int64_t project_id = 0;
  bool own = false;      // to the project's own runners
  bool instance = false; // … and to instance runners
  std::vector<std::int64_t> groups;
};
base::Result<Place> place_of(Transaction& tx, const model::Project& project);
bool serves(const Reach& reach, const Place& place);

struct Poller {
  std::int64_t runner_id = 0;
  std::int64_t manager_id = 0;
  Reach reach;
  std::shared_ptr<const json::Value> features; // of the request's info
  std::string request_id;
  bool token_replaced = false; // by another host's rotation
};

struct Line;

struct Waiter {
  std::int64_t runner_id = 0;
  std::int64_t manager_id = 0;
  std::shared_ptr<const json::Value> features;
  std::string request_id;
  bool token_replaced = false;
  net::Responder responder;
  std::int64_t until = 0;
  Line* line = nullptr;
};

struct Line {
  Reach reach;
  std::string key;
  std::set<std::uint64_t> tickets; // who stands here, first come first
};

class Waiters {
 public:
  // Tickets count up: a smaller one came earlier.
  std::uint64_t add(Waiter waiter, const Reach& reach);
  std::optional<Waiter> take(std::uint64_t ticket);
  const Waiter& at(std::uint64_t ticket) const { return waiters_.at(ticket); }
  std::size_t size() const { return waiters_.size(); }

  // Runners of these were edited: the waiter moves to another line and keeps its place in time.
  void move(std::uint64_t ticket, const Reach& reach);
  std::vector<std::uint64_t> of_runner(std::int64_t runner_id) const;
  // Whose time is up, and whose client is gone.
  std::vector<std::uint64_t> over(std::int64_t now) const;
  std::vector<std::uint64_t> all() const;
  std::set<std::int64_t> runners() const;

  // The lines that may take a job of that protection and these tags, wherever it may go: whether to look further.
  bool wanted(bool is_protected, const std::vector<std::string>& tags) const;
  std::vector<const Line*> lines_for(const Place& place, bool is_protected, const std::vector<std::string>& tags) const;

 private:
  // The lines of an owner, by what they take.
  struct Counter {
    std::vector<Line*> untagged;
    std::unordered_map<std::string, std::vector<Line*>> tagged;
  };
  static std::vector<Counter*> pick(std::unordered_map<std::string, Counter>& counters, const Reach& reach);
  Line* line_for(const Reach& reach);
  void leave(std::uint64_t ticket, Line* line);
  void collect(const std::string& owner, bool is_protected, const std::vector<std::string>& tags,
               std::vector<const Line*>& found) const;

  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Waiter> waiters_;
  std::unordered_map<std::string, std::unique_ptr<Line>> lines_; // by the reach's key
  std::unordered_map<std::string, Counter> counters_;            // by owner; "" has every line once
  std::unordered_map<std::int64_t, std::set<std::uint64_t>> by_runner_;
};

} // namespace coordinator::queue
