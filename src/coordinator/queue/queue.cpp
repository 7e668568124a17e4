#include "coordinator/queue/queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/hash.hpp"
#include "base/log.hpp"

namespace coordinator::queue {
namespace {

constexpr std::size_t kBatch = 32;       // hand-overs of one transaction: others wait for the writer meanwhile
constexpr std::size_t kSharedBatch = 8;  // … where a statement is a trip to a server, and back
constexpr std::int64_t kTendSeconds = 1; // of the machine's own clock: clients go away in real time
constexpr std::size_t kFeatureSets = 1000;

net::Response no_content(const std::string& version, const std::string& request_id, bool token_replaced) {
  Reply reply = empty_reply(204);
  reply.headers.set("X-GitLab-Last-Update", version);
  reply.headers.set("X-Request-Id", request_id);
  // Our own agents fetch the new one at once, so that the old one soon counts no more.
  if (token_replaced) reply.headers.set("X-Forerunner-Token-Replaced", "1");
  return reply;
}

} // namespace

bool accepts(const model::Runner& runner, bool is_protected, const std::vector<std::string>& tags) {
  Reach reach{.type = runner.type,
              .owners = {},
              .active = runner.active,
              .run_untagged = runner.run_untagged,
              .ref_protected = runner.ref_protected,
              .tags = runner.tag_list};
  std::ranges::sort(reach.tags);
  return reach.accepts(is_protected, tags);
}

Queue::Queue(pipelines::Service& service)
    : service_(service),
      app_(service.app()),
      born_(app_.now()),
      contacts_(app_),
      instance_(base::random_hex(16)),
      pending_jobs_(app_.store.subscribe(
          std::string(pipelines::Service::kPendingJobs), [this](const std::string&) { wake(); },
          [this] { look_at_everything(); })),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Queue::~Queue() { stop(); }

void Queue::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  thread_.request_stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (Arrival& arrival : arrivals_)
    arrival.waiter.responder.send(no_content(version(), arrival.waiter.request_id, false));
  arrivals_.clear();
  for (std::uint64_t ticket : waiters_.all()) send_away(ticket);
  if (auto written = contacts_.flush(); !written)
    base::log::error("cannot write contacts", {{"error", written.error().message()}});
}

std::string Queue::version() const {
  std::lock_guard lock(mutex_);
  return fmt::format("{}{:016x}", instance_, version_);
}

void Queue::wake() {
  {
    std::lock_guard lock(mutex_);
    ++version_;
    woken_ = true;
  }
  changed_.notify_all();
}

void Queue::runner_changed(std::int64_t runner_id) {
  {
    std::lock_guard lock(mutex_);
    ++version_;
    woken_ = true;
    changed_runners_.insert(runner_id);
  }
  changed_.notify_all();
}

void Queue::look_at_everything() {
  {
    std::lock_guard lock(mutex_);
    all_runners_changed_ = true;
  }
  wake();
}

std::shared_ptr<const json::Value> Queue::intern(const json::Value& features) {
  std::string key = features.dump();
  std::lock_guard lock(mutex_);
  if (features_.size() > kFeatureSets)
    std::erase_if(features_, [](const auto& entry) { return entry.second.expired(); });
  auto& known = features_[std::move(key)];
  auto value = known.lock();
  if (!value) known = value = std::make_shared<const json::Value>(features);
  return value;
}

void Queue::request(Poller poller, net::Responder responder, std::int64_t seconds) {
  {
    std::lock_guard lock(mutex_);
    if (!stopped_) {
      arrivals_.push_back({.waiter = {.runner_id = poller.runner_id,
                                      .manager_id = poller.manager_id,
                                      .features = std::move(poller.features),
                                      .request_id = std::move(poller.request_id),
                                      .token_replaced = poller.token_replaced,
                                      .responder = std::move(responder),
                                      .until = app_.now() + seconds * 1000,
                                      .line = nullptr},
                           .reach = std::move(poller.reach)});
      if (arrivals_.size() == 1) changed_.notify_all();
      return;
    }
  }
  responder.send(no_content(version(), poller.request_id, poller.token_replaced));
}

// --- the queue's thread ---------------------------------------------------------------------------------------------

void Queue::run(const std::stop_token& stop) {
  next_housekeeping_ = app_.now() + kHousekeepingSeconds * 1000;
  while (!stop.stop_requested()) {
    std::vector<Arrival> arrivals;
    std::set<std::int64_t> changed_runners;
    bool woken = false;
    bool all = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, std::chrono::seconds(kTendSeconds),
                        [&] { return woken_ || !arrivals_.empty() || app_.now() >= next_housekeeping_; });
      if (stop.stop_requested()) return;
      std::swap(arrivals, arrivals_);
      std::swap(changed_runners, changed_runners_);
      std::swap(woken, woken_);
      std::swap(all, all_runners_changed_);
    }
    std::vector<std::uint64_t> impatient; // those that only ask
    std::int64_t now = app_.now();
    for (Arrival& arrival : arrivals) {
      bool asks = arrival.waiter.until <= now;
      std::uint64_t ticket = waiters_.add(std::move(arrival.waiter), arrival.reach);
      if (asks) impatient.push_back(ticket);
    }
    if (all) changed_runners = waiters_.runners();
    if (!changed_runners.empty()) look_at_runners(changed_runners);
    if (woken) nothing_pending_ = false;
    if (woken || !arrivals.empty()) assign();
    for (std::uint64_t ticket : impatient) send_away(ticket);
    tend();
    waiting_ = waiters_.size();
  }
}

// What wants looking at from time to time.
void Queue::tend() {
  std::int64_t passed = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
  std::int64_t now = app_.now();
  if (passed < next_tending_ && now < next_housekeeping_) return;
  next_tending_ = passed + kTendSeconds * 1000;
  for (std::uint64_t ticket : waiters_.over(now)) send_away(ticket);
  if (now < next_housekeeping_) return;
  next_housekeeping_ = now + kHousekeepingSeconds * 1000;
  housekeeping();
  nothing_pending_ = false;
  assign();
}

void Queue::send_away(std::uint64_t ticket) {
  if (auto waiter = waiters_.take(ticket))
    waiter->responder.send(no_content(version(), waiter->request_id, waiter->token_replaced));
}

void Queue::look_at_runners(const std::set<std::int64_t>& runners) {
  for (std::int64_t id : runners) {
    auto tickets = waiters_.of_runner(id);
    if (tickets.empty()) continue;
    auto reach = app_.store.read([&](Transaction& tx) -> base::Result<std::optional<Reach>> {
      auto runner = FR_TRY(model::find_runner(tx, id));
      if (!runner) return std::optional<Reach>();
      return std::optional(FR_TRY(reach_of(tx, *runner)));
    });
    if (!reach) base::log::error("cannot look at a runner", {{"error", reach.error().message()}});
    for (std::uint64_t ticket : tickets) {
      if (reach && *reach) {
        waiters_.move(ticket, **reach);
      } else {
        send_away(ticket); // deleted: its next request is told so
      }
    }
  }
}

void Queue::assign() {
  if (nothing_pending_) return;
  while (assign_some()) {
  }
}

// True when there may be more to hand out.
bool Queue::assign_some() {
  if (waiters_.size() == 0) return false;
  // Most looks find nothing: they must not take the writer's lock.
  auto possible = app_.store.read([&](Transaction& tx) -> base::Result<bool> {
    if (FR_TRY(tx.count("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = 'pending' AND runner_id IS NULL "
                        "LIMIT 1) AS one")) == 0) {
      nothing_pending_ = true;
      return false;
    }
    return Assignment(tx, service_, waiters_).possible();
  });
  if (!possible) base::log::error("cannot look for jobs", {{"error", possible.error().message()}});
  if (!possible || !*possible) return false;
  std::vector<Assignment::Handed> handed;
  std::set<std::int64_t> outdated;
  auto more = app_.store.write_shared([&](Transaction& tx) -> base::Result<bool> {
    // Forgotten, it is made again: whoever got the job is refused, or acknowledges it with a commit that waits.
    FR_CHECK(tx.relax());
    Assignment assignment(tx, service_, waiters_);
    bool left = FR_TRY(assignment.run(app_.store.shared() ? kSharedBatch : kBatch));
    handed = std::move(assignment.handed);
    outdated = std::move(assignment.outdated);
    return left;
  });
  if (!more) {
    base::log::error("cannot hand out jobs", {{"error", more.error().message()}});
    return false;
  }
  for (const auto& one : handed) answer(one);
  look_at_runners(outdated);
  return (*more && !handed.empty()) || !outdated.empty();
}

void Queue::answer(const Assignment::Handed& handed) {
  auto waiter = waiters_.take(handed.ticket);
  if (!waiter || waiter->responder.disconnected()) return give_back(handed);
  Reply reply = json_reply(201, handed.payload);
  reply.headers.set("X-Request-Id", waiter->request_id);
  waiter->responder.send(std::move(reply));
}

// The runner went away between asking and being answered.
void Queue::give_back(const Assignment::Handed& handed) {
  auto done = app_.store.write_shared([&](Transaction& tx) -> base::Status {
    auto job =
        FR_TRY(tx.query_one("SELECT id, pipeline_id FROM jobs WHERE id = ? AND token_digest = ? AND "
                            "acknowledged_at IS NULL AND status IN ('pending', 'running')",
                            {handed.job_id, handed.token_digest}));
    if (!job) return {};
    FR_CHECK(release(tx, handed.job_id));
    FR_CHECK(service_.advance(tx, job->integer("pipeline_id")));
    return tx.publish(pipelines::Service::kPendingJobs);
  });
  if (!done) base::log::error("cannot take a job back", {{"error", done.error().message()}});
}

base::Status Queue::release(Transaction& tx, std::int64_t job_id) {
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = 'pending', runner_id = NULL, manager_id = NULL, on_instance = 0, "
                 "token_digest = NULL, handed_out_at = NULL, started_at = NULL, runner_features = NULL, updated_at = ? "
                 "WHERE id = ?",
                 {app_.now(), job_id}));
  return {};
}

} // namespace coordinator::queue
