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
  model::Runner runner;
  model::Contact contact;
  std::optional<std::int64_t> manager_id; // known, and nothing about it is new
  queue::Reach reach;
  std::int64_t long_poll_seconds = 0;
  bool token_replaced = false; // by another host's rotation
};

Outcome<Request> read_request(Transaction& tx, Limits& limits, Call& call) {
  auto known = API_TRY(model::authenticate_runner(tx, call));
  Request result;
  result.contact = model::contact_from(call, known, true);
  // Counted for one manager, so that many of them may share a token.
  auto limit = API_TRY(limits.get(tx, "runner_jobs_request_api_limit"));
  std::string key = fmt::format("{} {}", known.runner.id, result.contact.system_id.value_or("").substr(0, 64));
  if (int wait = call.app.limiter.hit("jobs/request", key, limit, call.now()); wait > 0)
    return std::unexpected(too_many_requests(wait));
  result.manager_id = API_TRY(model::unchanged_manager(tx, known.runner, result.contact, call.now()));
  result.reach = API_TRY(queue::reach_of(tx, known.runner));
  result.long_poll_seconds = API_TRY(limits.get(tx, "long_poll_seconds"));
  result.token_replaced = known.replaced();
  result.runner = std::move(known.runner);
  return result;
}

// The manager's id. A contact that brings news is written now, else its time is noted.
Outcome<std::int64_t> note_contact(const std::shared_ptr<Work>& work, Call& call, const Request& request) {
  if (!request.manager_id) {
    auto manager = API_TRY(call.app.store.write_shared([&](Transaction& tx) -> Outcome<model::Manager> {
      return model::record_contact(tx, call.app, request.runner, request.contact);
    }));
    return manager.id;
  }
  work->queue.contacts().runner(request.runner.id, call.now());
  work->queue.contacts().manager(*request.manager_id, call.now());
  return *request.manager_id;
}

void request_job(const std::shared_ptr<Work>& work, const std::shared_ptr<Call>& call, net::Responder responder) {
  if (responder.disconnected()) return; // it stood in line for too long
  auto last_update = call->params.text("last_update").value_or("");
  auto request = [&]() -> Outcome<Request> {
    (void)call->params.text("token");
    (void)call->params.text("system_id");
    API_CHECK(call->params.finish());
    return call->app.store.read([&](Transaction& tx) { return read_request(tx, work->limits, *call); });
  }();
  if (!request) return respond(*call, responder, std::move(request.error()));
  auto manager = note_contact(work, *call, *request);
  if (!manager) return respond(*call, responder, std::move(manager.error()));
  // A first request learns the value that later ones wait with. Those may wait whether it has changed meanwhile or not:
  // they are looked at before. Who comes with a replaced token is to fetch the new one first.
  bool may_wait = !last_update.empty() && request->runner.active && !request->token_replaced;
  work->queue.request({.runner_id = request->runner.id,
                       .manager_id = *manager,
                       .reach = std::move(request->reach),
                       .features = work->queue.intern(call->params.raw("info")["features"]),
                       .request_id = call->request_id,
                       .token_replaced = request->token_replaced},
                      std::move(responder), may_wait ? request->long_poll_seconds : 0);
}

// --- PUT /jobs/:id ------------------------------------------------------------------------------------------------

Reply with_status(int code, std::string_view status) {
  return text_reply(code, std::to_string(code), "application/json").header("Job-Status", status);
}

std::int64_t update_interval(const std::shared_ptr<Work>& work, std::int64_t job_id) {
  // Somebody looks, or few jobs run: the log stays live and a cancellation arrives soon. Else spare the server.
  return work->traces.watched(job_id) || work->queue.running() < 100 ? 3 : 30;
}

void note_contact(const std::shared_ptr<Work>& work, const Call& call, const Row& job) {
  auto& contacts = work->queue.contacts();
  contacts.runner(job.integer("runner_id"), call.now());
  if (auto manager = job.optional_integer("manager_id")) contacts.manager(*manager, call.now());
  contacts.job(job.integer("id"), call.now());
}

base::Status acknowledge(Transaction& tx, const std::shared_ptr<Work>& work, const Row& job) {
  std::int64_t now = work->service.app().now();
  FR_CHECK(
      tx.execute("UPDATE jobs SET status = 'running', acknowledged_at = ?, started_at = ?, contacted_at = ?, "
                 "updated_at = ?, losses = 0 WHERE id = ?",
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

// What is read of a job's log before the job ends, outside of any transaction: the log may be long.
struct Ending {
  std::uint64_t log_size = 0;
  bool searched = false; // for the coverage; most jobs have none to be searched for
  std::optional<double> coverage;
};

// The pattern to search the job's log with, empty when there is none.
base::Result<std::string> coverage_pattern(const Row& job) {
  auto definition = FR_TRY(ci::job_from_json(FR_TRY(json::parse(job.text("definition")))));
  return definition.coverage;
}

Outcome<Reply> end_job(Transaction& tx, const std::shared_ptr<Work>& work, Call& call, const Row& job,
                       const std::string& state, const Ending& ending) {
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
                 {call.params.raw("output")["checksum"].string_or(""), static_cast<std::int64_t>(ending.log_size),
                  call.now(), ending.coverage, id}));
  API_CHECK(work->service.finish(tx, id, {.status = end, .failure_reason = reason, .exit_code = exit_code}));
  return with_status(200, end);
}

// Not done, with `pattern` set, when the log is to be searched before.
Outcome<Reply> report_state(Transaction& tx, const std::shared_ptr<Work>& work, Call& call, const Row& job,
                            const std::string& state, const Ending& ending, std::string& pattern) {
  std::int64_t id = job.integer("id");
  std::string status = job.text("status");
  bool waiting = status == "pending";
  if (state == "pending") {
    if (!waiting) return std::unexpected(conflict().header("Job-Status", status));
    API_CHECK(tx.execute("UPDATE jobs SET contacted_at = ? WHERE id = ?", {call.now(), id}));
    return with_status(200, status);
  }
  if (state == "running") {
    if (waiting) API_CHECK(acknowledge(tx, work, job));
    return with_status(200, waiting ? "running" : status);
  }
  if (state != "success" && state != "failed")
    return std::unexpected(bad_request("Unknown state").header("Job-Status", status));
  // A runner that was told to cancel before it began reports the failure without having acknowledged.
  if (waiting && state == "success")
    return std::unexpected(bad_request("Job is waiting for acknowledgement").header("Job-Status", status));
  if (!ending.searched && !waiting) pattern = API_TRY(coverage_pattern(job));
  if (!ending.searched && !pattern.empty()) return std::unexpected(conflict());
  note_checksum(id, call, ending.log_size);
  return end_job(tx, work, call, job, state, ending);
}

Outcome<Reply> update_job(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  std::string state = call.params.text("state").value_or("");
  API_CHECK(call.params.finish());
  if (state == "running") {
    // Most updates say that the job goes on: nothing to write.
    auto status = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<std::string> {
      auto job = API_TRY(authenticate_job(tx, call, work->limits, id, AllowPending::kYes));
      if (job.text("status") != "pending") note_contact(work, call, job);
      return job.text("status");
    }));
    if (status != "pending") return with_status(200, status);
  }
  Ending ending;
  if (state == "success" || state == "failed") ending.log_size = API_TRY(work->traces.size(id));
  std::string pattern; // found on the way: the log is to be searched, then all begins anew
  auto report = [&] {
    return call.app.store.write_shared([&](Transaction& tx) -> Outcome<Reply> {
      bool counted = state == "running" || ending.searched;
      auto job = API_TRY(authenticate_job(tx, call, work->limits, id, AllowPending::kYes,
                                          counted ? JobCall::kCounted : JobCall::kEndpoint));
      note_contact(work, call, job);
      return report_state(tx, work, call, job, state, ending, pattern);
    });
  };
  auto reply = report();
  if (reply || pattern.empty()) return reply;
  ending.searched = true;
  if (auto log = work->traces.read(id)) ending.coverage = ci::extract_coverage(*log, pattern);
  return report();
}

// --- PATCH /jobs/:id/trace ----------------------------------------------------------------------------------------

Outcome<Reply> append_trace(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  auto range = call.header("Content-Range");
  auto start = base::parse_int(range.substr(0, range.find('-')));
  bool debug = base::parse_go_bool(call.params.text("debug_trace").value_or("")).value_or(false);
  std::uint64_t limit = 0; // of the log
  auto job = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<Row> {
    limit = static_cast<std::uint64_t>(API_TRY(work->limits.get(tx, "ci_max_trace_size"))) << 20;
    return authenticate_job(tx, call, work->limits, id, AllowPending::kNo, JobCall::kTrace);
  }));
  note_contact(work, call, job);
  if (debug && !job.boolean("debug_trace"))
    API_CHECK(call.app.store.write(
        [&](Transaction& tx) { return tx.execute("UPDATE jobs SET debug_trace = 1 WHERE id = ?", {id}); }));
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
      .header("X-GitLab-Trace-Update-Interval", std::to_string(update_interval(work, id)));
}

} // namespace

Outcome<Row> authenticate_job(Transaction& tx, Call& call, Limits& limits, std::int64_t job_id, AllowPending allow,
                              JobCall kind) {
  std::string token = call.params.text("token").value_or("");
  if (token.empty()) token = call.header("JOB-TOKEN");
  if (token.empty()) return std::unexpected(invalid_parameters({"token is missing"}));
  // Calls for one job follow one another, in whichever process: what is decided here holds until the commit.
  auto job = API_TRY(tx.query_one(
      tx.writing() ? "SELECT * FROM jobs WHERE id = ? FOR NO KEY UPDATE" : "SELECT * FROM jobs WHERE id = ?",
      {job_id}));
  // 403 and never 404: to a runner, 404 may come from any proxy, 403 means that the job is not its own any more.
  if (!job || !base::constant_time_equal(job->text("token_digest"), token_digest(token)))
    return std::unexpected(forbidden());
  if (kind != JobCall::kCounted) {
    bool trace = kind == JobCall::kTrace;
    auto limit =
        API_TRY(limits.get(tx, trace ? "runner_jobs_patch_trace_api_limit" : "runner_jobs_endpoints_api_limit"));
    std::string_view what = trace ? "jobs/trace" : "jobs";
    if (int wait = call.app.limiter.hit(what, std::to_string(job_id), limit, call.now()); wait > 0)
      return std::unexpected(too_many_requests(wait));
  }
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
           .answers = "200:any 403 409 429"});
  api.patch("/jobs/:id/trace", [work](Call& call) { return append_trace(work, call); },
            {.auth = Auth::kNone,
             .max_body = kPatchLimit,
             .parse_body = false,
             .summary = "Append to a job's log (by runners)",
             .params = "token:text debug_trace:text",
             .answers = "202:any 403 416 429"});
}

} // namespace coordinator
