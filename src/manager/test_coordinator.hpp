// For tests: a coordinator by script, and a worker that does what the job's variable MODE says.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/strings.hpp"
#include "gitlab/payload.hpp"
#include "job/job_directory.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"
#include "sys/files.hpp"
#include "sys/lock.hpp"
#include "sys/unix_socket.hpp"

namespace manager {

// ---- the worker ---------------------------------------------------------------------------------------------------

inline void end_test_job(job::JournalWriter& journal, const job::JobDirectory& directory, job::JobResult result,
                         const std::string& log) {
  (void)sys::append_file(directory.trace_path(), log, 0600);
  result.bytes = log.size();
  result.crc32 = base::crc32(log);
  (void)journal.result(result);
}

// Waits for an order from the manager.
inline std::string test_order(int listener) {
  while (true) {
    auto peer = sys::accept_unix(listener, {});
    if (!peer) return "";
    sys::LineChannel channel(std::move(*peer));
    auto line = channel.receive({});
    if (line && *line) return **line;
  }
}

inline int test_worker(const std::string& path) {
  job::JobDirectory directory(path);
  auto lock = sys::FileLock::try_acquire(directory.lock_path());
  if (!lock || !*lock) return 1;
  auto journal = job::JournalWriter::open(directory);
  auto payload = gitlab::parse_payload(directory.read_payload().value_or("{}"));
  if (!journal || !payload) return 1;
  auto listener = sys::listen_unix(path, "control");
  (void)journal->started(getpid());
  auto* variable = payload->find_variable("MODE");
  std::string mode = variable != nullptr ? variable->value : "ok";
  using gitlab::FailureReason;
  if (mode == "die") {
    (void)sys::append_file(directory.trace_path(), "one whole line\nhalf a", 0600);
    raise(SIGKILL);
  }
  if (mode == "fail") {
    end_test_job(*journal, directory, {.failure_reason = FailureReason::kScriptFailure, .exit_code = 3}, "no\n");
  } else if (mode == "big") {
    end_test_job(*journal, directory, {.success = true}, std::string(3'500'000, 'b'));
  } else if (mode == "wait") {
    (void)sys::append_file(directory.trace_path(), "waiting\n", 0600);
    std::string order = test_order(listener->get());
    std::string log = "waiting\n" + order + "\n";
    (void)sys::append_file(directory.trace_path(), order + "\n", 0600);
    job::JobResult result{.failure_reason = order == "cancel"   ? FailureReason::kJobCanceled
                                            : order == "finish" ? FailureReason::kNone
                                                                : FailureReason::kRunnerInterrupted,
                          .bytes = log.size(),
                          .crc32 = base::crc32(log),
                          .aborted = order == "abort"};
    result.success = order == "finish";
    (void)journal->result(result);
  } else {
    end_test_job(*journal, directory, {.success = true}, "hello\n");
  }
  return 0;
}

// ---- the coordinator ----------------------------------------------------------------------------------------------

class TestCoordinator {
 public:
  struct Job {
    std::string log;
    std::string status = "pending";
    std::string failure_reason;
    std::string checksum;
    std::int64_t exit_code = 0;
  };
  // Called for each call ("PUT 1 running", "PATCH 1 0-5", "request"), may answer in the coordinator's place.
  using Hook = std::function<std::optional<net::Response>(const std::string& call)>;

  TestCoordinator() {
    server_.route("POST", "/api/v4/jobs/request", {},
                  [this](net::Request request, net::Responder responder) { take_request(request, responder); });
    server_.route("POST", "/api/v4/runners/reset_authentication_token", {},
                  [this](net::Request request, const net::Responder& responder) { responder.send(rotate(request)); });
    server_.route("PUT", "/api/v4/jobs/:id", {},
                  [this](net::Request request, const net::Responder& responder) { responder.send(update(request)); });
    server_.route("PATCH", "/api/v4/jobs/:id/trace", {.max_body = 2 << 20},
                  [this](net::Request request, const net::Responder& responder) { responder.send(patch(request)); });
    port_ = server_.listen("127.0.0.1:0").value();
    server_.start();
  }
  ~TestCoordinator() { server_.stop(); }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  void add_job(std::int64_t id, const std::string& mode) {
    add_payload(fmt::format(R"({{"id":{0},"token":"glcbt-{0}","job_info":{{"name":"j","project_id":7}},)"
                            R"("variables":[{{"key":"MODE","value":"{1}"}}],"steps":[]}})",
                            id, mode));
  }
  void add_payload(std::string payload) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(payload));
  }
  void set_hook(Hook hook) {
    std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }
  // Polls without a job are held instead of answered.
  void hold_polls() {
    std::lock_guard lock(mutex_);
    holding_ = true;
  }
  Job job(std::int64_t id) {
    std::lock_guard lock(mutex_);
    return jobs_[id];
  }
  std::vector<std::string> calls() {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  std::vector<json::Value> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  // The most jobs that were running at a time.
  std::size_t peak() {
    std::lock_guard lock(mutex_);
    return peak_;
  }

 private:
  std::optional<net::Response> note(const std::string& call) { // with the mutex held
    calls_.push_back(call);
    return hook_ ? hook_(call) : std::nullopt;
  }

  void take_request(const net::Request& request, const net::Responder& responder) {
    std::lock_guard lock(mutex_);
    requests_.push_back(json::parse(request.body).value_or(json::Value()));
    if (auto answer = note("request")) return responder.send(std::move(*answer));
    if (!queue_.empty()) {
      net::Response response{.status = 201, .headers = {{"Content-Type", "application/json"}}, .body = queue_.front()};
      queue_.pop_front();
      return responder.send(std::move(response));
    }
    if (holding_) return held_.push_back(responder);
    responder.send({.status = 204, .headers = {{"X-GitLab-Last-Update", "v1"}}});
  }

  net::Response update(const net::Request& request) {
    std::lock_guard lock(mutex_);
    auto id = base::parse_int(request.path_params[0]).value_or(0);
    auto body = json::parse(request.body).value_or(json::Value());
    std::string state = body["state"].string_or("");
    if (auto answer = note(fmt::format("PUT {} {}", id, state))) return std::move(*answer);
    Job& job = jobs_[id];
    if (request.header("Job-Token") != fmt::format("glcbt-{}", id)) return {.status = 403};
    if (job.status == "success" || job.status == "failed") return with_status(403, job);
    job.status = state;
    job.failure_reason = body["failure_reason"].string_or("");
    job.checksum = body["output"]["checksum"].string_or("");
    job.exit_code = body["exit_code"].integer_or(0);
    std::size_t running = 0;
    for (const auto& [number, other] : jobs_) running += other.status == "running" ? 1 : 0;
    peak_ = std::max(peak_, running);
    return with_status(200, job);
  }

  net::Response patch(const net::Request& request) {
    std::lock_guard lock(mutex_);
    auto id = base::parse_int(request.path_params[0]).value_or(0);
    std::string range(request.header("Content-Range"));
    if (auto answer = note(fmt::format("PATCH {} {}", id, range))) return std::move(*answer);
    Job& job = jobs_[id];
    auto start = static_cast<std::size_t>(base::parse_int(range.substr(0, range.find('-'))).value_or(-1));
    bool fits = start + request.body.size() == job.log.size() && start < job.log.size();
    if (start == job.log.size()) {
      job.log += request.body;
      fits = true;
    }
    auto response = with_status(fits ? 202 : 416, job);
    response.headers.add("Range", fmt::format("0-{}", job.log.size()));
    return response;
  }

  // The successor of "glrt-a" is "glrt-a+", good for an hour.
  net::Response rotate(const net::Request& request) {
    std::lock_guard lock(mutex_);
    auto body = json::parse(request.body);
    std::string token = body ? (*body)["token"].string_or("") : "";
    if (auto answer = note("reset " + token)) return std::move(*answer);
    net::Response response{.status = 201, .headers = {{"Content-Type", "application/json"}}};
    auto expires = std::chrono::system_clock::now().time_since_epoch() + std::chrono::hours(1);
    response.body =
        json::Value::object(
            {{"token", token + "+"},
             {"token_expires_at",
              base::format_utc_millis(std::chrono::duration_cast<std::chrono::milliseconds>(expires).count())}})
            .dump();
    return response;
  }

  static net::Response with_status(int status, const Job& job) {
    return {.status = status, .headers = {{"Job-Status", job.status}}};
  }

  std::mutex mutex_;
  std::deque<std::string> queue_;
  std::map<std::int64_t, Job> jobs_;
  std::vector<std::string> calls_;
  std::vector<json::Value> requests_;
  std::vector<net::Responder> held_;
  std::size_t peak_ = 0;
  Hook hook_;
  bool holding_ = false;
  int port_ = 0;
  net::HttpServer server_;
};

} // namespace manager
