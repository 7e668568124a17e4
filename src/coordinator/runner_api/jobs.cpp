// The job half of the runner contract: POST /jobs/request, PUT /jobs/:id, PATCH /jobs/:id/trace
// (protocol digest §7, §9, §11 and §18).

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "ci/reports.hpp"
#include "ci/status.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/queue/payload.hpp"
#include "coordinator/runner_api/job_auth.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"

namespace coordinator {
namespace {

constexpr std::uint64_t kTraceLimit = 100u << 20; // ci_jobs_trace_size_limit
constexpr std::size_t kRequestLimit = 32 << 10;   // a job request
constexpr std::size_t kPatchLimit = 8 << 20;
constexpr std::int64_t kRequestsPerMinute = 2000; // of one runner manager

// --- POST /jobs/request -------------------------------------------------------------------------------------------

struct Request {
  queue::Poller poller;
  std::string last_update;
};

Outcome<Request> read_request(Call& call) {
  Request result;
  result.last_update = call.params.text("last_update").value_or("");
  std::string key = token_digest(call.params.text("token").value_or("") + call.params.text("system_id").value_or(""));
  if (int wait = call.app.limiter.hit("jobs/request", key, kRequestsPerMinute, call.now()); wait > 0)
    return std::unexpected(too_many_requests(wait));
  return call.app.store.write([&](Transaction& tx) -> Outcome<Request> {
    auto known = API_TRY(model::authenticate_runner(tx, call));
    model::Contact contact{.system_id = call.params.text("system_id"),
                           .info = call.params.raw("info"),
                           .ip_address = call.request.remote_address,
                           .polling = true};
    result.poller.manager = API_TRY(model::record_contact(tx, call.app, known.runner, contact));
    result.poller.runner = known.runner;
    result.poller.features = call.params.raw("info")["features"];
    return result;
  });
}

void request_job(const std::shared_ptr<Work>& work, const std::shared_ptr<Call>& call, net::Responder responder) {
  auto request = read_request(*call);
  if (!request) return responder.send(std::move(request.error()));
  // Before the scan, so that nothing that becomes pending meanwhile is slept through.
  std::string version = work->queue.version();
  auto nothing = [&] { return std::move(empty_reply(204)).header("X-GitLab-Last-Update", version); };
  if (!request->poller.runner.active) return responder.send(nothing());
  if (request->last_update == version) return work->queue.wait(std::move(request->poller), std::move(responder));
  auto payload = work->queue.acquire(request->poller);
  if (!payload) return responder.send(Reply(std::move(payload.error())));
  if (*payload) return responder.send(json_reply(201, **payload));
  responder.send(nothing());
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
  return work->service.advance(tx, job.integer("pipeline_id"));
}

void note_checksum(const std::shared_ptr<Work>& work, std::int64_t job_id, Call& call) {
  const json::Value& output = call.params.raw("output");
  auto size = output["bytesize"].integer_or(-1);
  auto stored = work->traces.size(job_id);
  if (size >= 0 && static_cast<std::uint64_t>(size) != stored)
    base::log::warning(
        "the log is not as long as its runner says",
        {{"job", std::to_string(job_id)}, {"stored", std::to_string(stored)}, {"announced", std::to_string(size)}});
}

base::Status note_coverage(Transaction& tx, const std::shared_ptr<Work>& work, const Row& job) {
  auto definition = FR_TRY(ci::job_from_json(FR_TRY(json::parse(job.text("definition")))));
  if (definition.coverage.empty()) return {};
  auto log = work->traces.read(job.integer("id"));
  if (!log) return {};
  if (auto coverage = ci::extract_coverage(*log, definition.coverage))
    FR_CHECK(tx.execute("UPDATE jobs SET coverage = ? WHERE id = ?", {*coverage, job.integer("id")}));
  return {};
}

Outcome<Reply> end_job(Transaction& tx, const std::shared_ptr<Work>& work, Call& call, const Row& job,
                       const std::string& state) {
  std::int64_t id = job.integer("id");
  std::optional<int> exit_code;
  if (auto code = call.params.integer("exit_code"))
    exit_code = static_cast<int>(std::clamp<std::int64_t>(*code, 0, 32767));
  std::string reason = call.params.text("failure_reason").value_or("unknown_failure");
  bool known = false;
  static const json::Value reasons = queue::failure_reasons();
  for (const auto& name : reasons.as_array()) known = known || name.as_string() == reason;
  // Raw reasons that a runner sends before its job begins are kept: they say more than "unknown".
  if (!known && reason != "job_canceled" && reason != "image_pull_failure") reason = "unknown_failure";
  std::string end = job.text("status") == "canceling" ? "canceled" : state;
  API_CHECK(note_coverage(tx, work, job));
  API_CHECK(tx.execute("UPDATE jobs SET trace_checksum = ?, trace_size = ?, contacted_at = ? WHERE id = ?",
                       {call.params.raw("output")["checksum"].string_or(""),
                        static_cast<std::int64_t>(work->traces.size(id)), call.now(), id}));
  API_CHECK(work->service.finish(tx, id, {.status = end, .failure_reason = reason, .exit_code = exit_code}));
  return with_status(200, end);
}

Outcome<Reply> update_job(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  std::string state = call.params.text("state").value_or("");
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
    note_checksum(work, id, call);
    return end_job(tx, work, call, job, state);
  });
}

// --- PATCH /jobs/:id/trace ----------------------------------------------------------------------------------------

Outcome<Reply> append_trace(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  auto range = call.header("Content-Range");
  auto start = base::parse_int(range.substr(0, range.find('-')));
  bool debug = base::parse_go_bool(call.params.text("debug_trace").value_or("")).value_or(false);
  std::int64_t running = 0;
  auto job = API_TRY(call.app.store.write([&](Transaction& tx) -> Outcome<Row> {
    auto row = API_TRY(authenticate_job(tx, call, id, AllowPending::kNo));
    API_CHECK(tx.execute("UPDATE jobs SET contacted_at = ?, debug_trace = max(debug_trace, ?) WHERE id = ?",
                         {call.now(), debug, id}));
    API_CHECK(model::touch_contact(tx, row.integer("runner_id"), row.optional_integer("manager_id"),
                                   call.request.remote_address, call.now()));
    running = API_TRY(tx.count("SELECT count(*) FROM jobs WHERE status IN ('running', 'canceling')"));
    return row;
  }));
  std::string status = job.text("status");
  if (!start || *start < 0 || range.find('-') == std::string_view::npos)
    return std::unexpected(message_reply(400, "400 Missing header Content-Range").header("Job-Status", status));
  const std::string& body = call.request.body;
  auto offset = static_cast<std::uint64_t>(*start);
  if (offset + body.size() > kTraceLimit) {
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
      {.auth = Auth::kNone, .max_body = kRequestLimit});
  api.put("/jobs/:id", [work](Call& call) { return update_job(work, call); }, {.auth = Auth::kNone});
  api.patch("/jobs/:id/trace", [work](Call& call) { return append_trace(work, call); },
            {.auth = Auth::kNone, .max_body = kPatchLimit, .parse_body = false});
}

} // namespace coordinator
