// The job half of the runner contract: POST /jobs/request, PUT /jobs/:id, PATCH /jobs/:id/trace
// (protocol digest §7, §9, §11 and §18).

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "ci/reports.hpp"
#include "ci/status.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/queue/payload.hpp"
#include "coordinator/runner_api/job_auth.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"

namespace coordinator {
namespace {

constexpr std::size_t kRequestLimit = 32 << 10; // a job request
constexpr std::size_t kPatchLimit = 8 << 20;

// --- POST /jobs/request -------------------------------------------------------------------------------------------

struct Request {
  queue::Poller poller;
  std::string last_update;
  std::int64_t long_poll_seconds = 0;
  bool token_replaced = false; // by another host's rotation
};

Outcome<Request> read_request(Call& call) {
  Request result;
  result.last_update = call.params.text("last_update").value_or("");
  std::string key = token_digest(call.params.text("token").value_or("") + call.params.text("system_id").value_or(""));
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Request> {
    // Counted for one manager, so that many of them may share a token.
    auto limit = API_TRY(model::setting_integer(tx, "runner_jobs_request_api_limit"));
    if (int wait = call.app.limiter.hit("jobs/request", key, limit, call.now()); wait > 0)
      return std::unexpected(too_many_requests(wait));
    auto known = API_TRY(model::authenticate_runner(tx, call));
    result.poller.manager =
        API_TRY(model::record_contact(tx, call.app, known.runner, model::contact_from(call, known, true)));
    result.long_poll_seconds = API_TRY(model::setting_integer(tx, "long_poll_seconds"));
    result.poller.runner = known.runner;
    result.token_replaced = known.replaced();
    result.poller.features = call.params.raw("info")["features"];
    return result;
  });
}

void request_job(const std::shared_ptr<Work>& work, const std::shared_ptr<Call>& call, net::Responder responder) {
  auto request = read_request(*call);
  if (!request) return respond(*call, responder, std::move(request.error()));
  queue::Poller& poller = request->poller;
  poller.request_id = call->request_id;
  // Before the scan, so that nothing that becomes pending meanwhile is slept through.
  std::string version = work->queue.version();
  auto nothing = [&] {
    Reply reply = std::move(empty_reply(204)).header("X-GitLab-Last-Update", version);
    // Our own agents fetch the new one at once, so that the old one soon counts no more.
    if (request->token_replaced) (void)std::move(reply).header("X-Forerunner-Token-Replaced", "1");
    respond(*call, responder, std::move(reply));
  };
  if (!poller.runner.active) return nothing();
  if (request->last_update == version) {
    if (request->long_poll_seconds <= 0 || request->token_replaced) return nothing();
    return work->queue.wait(std::move(poller), std::move(responder), version, request->long_poll_seconds);
  }
  auto payload = work->queue.acquire(poller);
  if (!payload) return respond(*call, responder, Reply(std::move(payload.error())));
  if (*payload) return work->queue.answer(poller, responder, **payload);
  nothing();
}

// --- PUT /jobs/:id ------------------------------------------------------------------------------------------------

Reply with_status(int code, std::string_view status) {
  return text_reply(code, std::to_string(code), "application/json").header("Job-Status", status);
}

std::int64_t update_interval(const std::shared_ptr<Work>& work, std::int64_t job_id, std::int64_t running) {
  // Somebody looks, or few jobs run: the log stays live and a cancellation arrives soon. Else spare the server.
  return work->traces.watched(job_id) || running < 100 ? 3 : 30;
}

base::Status acknowledge(Transaction& tx, const std::shared_ptr<Work>& work, const Row& job) {
  std::int64_t now = work->service.app().now();
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = 'running', acknowledged_at = ?, started_at = ?, contacted_at = ?, "
                 "updated_at = ? WHERE id = ?",
                 {now, now, now, now, job.integer("id")}));
  return work->service.started(tx, job.integer("pipeline_id"));
}

void note_checksum(std::int64_t job_id, Call& call, std::uint64_t stored) {
  const json::Value& output = call.params.raw("output");
  auto size = output["bytesize"].integer_or(-1);
  if (size >= 0 && static_cast<std::uint64_t>(size) != stored)
    base::log::warning(
        "the log is not as long as its runner says",
        {{"job", std::to_string(job_id)}, {"stored", std::to_string(stored)}, {"announced", std::to_string(size)}});
}

// Read out of the log before the job ends, outside of any transaction: the log may be long.
base::Result<std::optional<double>> find_coverage(const std::shared_ptr<Work>& work, Call& call, std::int64_t id) {
  auto row = FR_TRY(call.app.store.read([&](Transaction& tx) {
    return tx.query_one("SELECT definition FROM jobs WHERE id = ? AND status IN ('running', 'canceling')", {id});
  }));
  if (!row) return std::optional<double>();
  auto definition = FR_TRY(ci::job_from_json(FR_TRY(json::parse(row->text("definition")))));
  if (definition.coverage.empty()) return std::optional<double>();
  return ci::extract_coverage(FR_TRY(work->traces.read(id)), definition.coverage);
}

Outcome<Reply> end_job(Transaction& tx, const std::shared_ptr<Work>& work, Call& call, const Row& job,
                       const std::string& state, std::optional<double> coverage, std::uint64_t log_size) {
  std::int64_t id = job.integer("id");
  std::optional<int> exit_code;
  if (auto code = call.params.integer("exit_code"))
    exit_code = static_cast<int>(std::clamp<std::int64_t>(*code, 0, 32767));
  std::string reason = call.params.text("failure_reason").value_or("unknown_failure");
  bool known = false;
  static const json::Value reasons = queue::failure_reasons();
  for (const auto& name : reasons.as_array()) known = known || name.as_string() == reason;
  if (!known) reason = "unknown_failure";
  std::string end = job.text("status") == "canceling" ? "canceled" : state;
  API_CHECK(
      tx.execute("UPDATE jobs SET trace_checksum = ?, trace_size = ?, contacted_at = ?, "
                 "coverage = coalesce(?, coverage) WHERE id = ?",
                 {call.params.raw("output")["checksum"].string_or(""), static_cast<std::int64_t>(log_size), call.now(),
                  coverage, id}));
  API_CHECK(work->service.finish(tx, id, {.status = end, .failure_reason = reason, .exit_code = exit_code}));
  return with_status(200, end);
}

Outcome<Reply> update_job(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  std::string state = call.params.text("state").value_or("");
  API_CHECK(call.params.finish());
  std::optional<double> coverage;
  std::uint64_t log_size = 0;
  if (state == "success" || state == "failed") {
    coverage = find_coverage(work, call, id).value_or(std::nullopt);
    log_size = API_TRY(work->traces.size(id));
  }
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto job = API_TRY(authenticate_job(tx, call, id, AllowPending::kYes));
    API_CHECK(model::touch_contact(tx, job.integer("runner_id"), job.optional_integer("manager_id"),
                                   call.request.remote_address, call.now()));
    std::string status = job.text("status");
    bool waiting = status == "pending";
    if (state == "pending") {
      if (!waiting) return std::unexpected(conflict().header("Job-Status", status));
      API_CHECK(tx.execute("UPDATE jobs SET contacted_at = ? WHERE id = ?", {call.now(), id}));
      return with_status(200, status);
    }
    if (state == "running") {
      if (waiting) {
        API_CHECK(acknowledge(tx, work, job));
        status = "running";
      }
      API_CHECK(tx.execute("UPDATE jobs SET contacted_at = ? WHERE id = ?", {call.now(), id}));
      return with_status(200, status);
    }
    if (state != "success" && state != "failed")
      return std::unexpected(bad_request("Unknown state").header("Job-Status", status));
    // A runner that was told to cancel before it began reports the failure without having acknowledged.
    if (waiting && state == "success")
      return std::unexpected(bad_request("Job is waiting for acknowledgement").header("Job-Status", status));
    note_checksum(id, call, log_size);
    return end_job(tx, work, call, job, state, coverage, log_size);
  });
}

// --- PATCH /jobs/:id/trace ----------------------------------------------------------------------------------------

Outcome<Reply> append_trace(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  auto range = call.header("Content-Range");
  auto start = base::parse_int(range.substr(0, range.find('-')));
  bool debug = base::parse_go_bool(call.params.text("debug_trace").value_or("")).value_or(false);
  std::int64_t running = 0;
  std::uint64_t limit = 0; // of the log
  auto job = API_TRY(call.app.store.write([&](Transaction& tx) -> Outcome<Row> {
    auto row = API_TRY(authenticate_job(tx, call, id, AllowPending::kNo));
    API_CHECK(tx.execute("UPDATE jobs SET contacted_at = ?, debug_trace = max(debug_trace, ?) WHERE id = ?",
                         {call.now(), debug, id}));
    API_CHECK(model::touch_contact(tx, row.integer("runner_id"), row.optional_integer("manager_id"),
                                   call.request.remote_address, call.now()));
    limit = static_cast<std::uint64_t>(API_TRY(model::setting_integer(tx, "ci_max_trace_size"))) << 20;
    running = API_TRY(tx.count("SELECT count(*) FROM jobs WHERE status IN ('running', 'canceling')"));
    return row;
  }));
  std::string status = job.text("status");
  if (!start || *start < 0 || range.find('-') == std::string_view::npos)
    return std::unexpected(message_reply(400, "400 Missing header Content-Range").header("Job-Status", status));
  const std::string& body = call.request.body;
  auto offset = static_cast<std::uint64_t>(*start);
  if (limit > 0 && offset + body.size() > limit) {
    API_CHECK(call.app.store.write([&](Transaction& tx) -> base::Status {
      return work->service.finish(tx, id,
                                  {.status = "failed", .failure_reason = "trace_size_exceeded", .exit_code = {}});
    }));
    return std::unexpected(forbidden("Job's log is too long").header("Job-Status", "failed"));
  }
  auto size = API_TRY(work->traces.append(id, offset, body));
  // A chunk that was stored already and is sent again ends where the log ends: that is success, too.
  bool fits = offset + body.size() == size;
  return text_reply(fits ? 202 : 416, fits ? "202" : "416 Range Not Satisfiable")
      .header("Job-Status", status)
      .header("Range", fmt::format("0-{}", size))
      .header("X-GitLab-Trace-Update-Interval", std::to_string(update_interval(work, id, running)));
}

} // namespace

Outcome<Row> authenticate_job(Transaction& tx, Call& call, std::int64_t job_id, AllowPending allow) {
  std::string token = call.params.text("token").value_or("");
  if (token.empty()) token = call.header("JOB-TOKEN");
  if (token.empty()) return std::unexpected(invalid_parameters({"token is missing"}));
  auto job = API_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ?", {job_id}));
  // 403 and never 404: to a runner, 404 may come from any proxy, 403 means that the job is not its own any more.
  if (!job || !base::constant_time_equal(job->text("token_digest"), token_digest(token)))
    return std::unexpected(forbidden());
  std::string status = job->text("status");
  bool waiting = status == "pending" && !job->is_null("runner_id");
  bool alive = status == "running" || status == "canceling" || (waiting && allow == AllowPending::kYes);
  if (!alive || !job->is_null("erased_at")) return std::unexpected(forbidden().header("Job-Status", status));
  return *job;
}

void register_runner_jobs(Api& api, const std::shared_ptr<Work>& work) {
  api.add_async(
      "POST", "/jobs/request",
      [work](std::shared_ptr<Call> call, net::Responder responder) { request_job(work, call, std::move(responder)); },
      {.auth = Auth::kNone,
       .max_body = kRequestLimit,
       .summary = "Ask for a job (by runners)",
       .params = "token:text system_id:text last_update:text info:object session:object",
       .answers = "201:object 204 403 409 422 429"});
  api.put("/jobs/:id", [work](Call& call) { return update_job(work, call); },
          {.auth = Auth::kNone,
           .summary = "Report a job's state (by runners)",
           .params = "token:text state:text failure_reason:text exit_code:int output:object info:object checksum:text",
           .answers = "200:any 403 409"});
  api.patch("/jobs/:id/trace", [work](Call& call) { return append_trace(work, call); },
            {.auth = Auth::kNone,
             .max_body = kPatchLimit,
             .parse_body = false,
             .summary = "Append to a job's log (by runners)",
             .params = "token:text debug_trace:text",
             .answers = "202:any 403 416"});
}

} // namespace coordinator
