// REST: /projects/:id/jobs…: list, show, log, artifacts, cancel, retry, play, erase; GET /job for a job token.

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/git/repository.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/objects/answer.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/pipelines/find.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/runner_api/work.hpp"

namespace coordinator {
namespace {

using pipelines::find_archive;
using pipelines::find_job;
using pipelines::job_json;
using pipelines::jobs_in_scope;
using pipelines::readable_project;

Outcome<Reply> list_jobs(Call& call) {
  auto page = API_TRY(read_page(call.params));
  auto where = jobs_in_scope(call.params);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(readable_project(tx, call));
    where.add("project_id = ?", {found.project.id});
    auto total = API_TRY(tx.count("SELECT count(*) FROM jobs WHERE " + where.sql, where.binds));
    auto binds = where.binds;
    binds.emplace_back(page.per_page);
    binds.emplace_back(page.offset());
    json::Value list = json::Value::array();
    for (const Row& row :
         API_TRY(tx.query("SELECT * FROM jobs WHERE " + where.sql + " ORDER BY id DESC LIMIT ? OFFSET ?", binds)))
      list.push_back(API_TRY(job_json(tx, call.app, found.project, row)));
    return call.page_reply(std::move(list), page, total);
  });
}

Outcome<Reply> show_job(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_job(tx, call));
    return json_reply(200, API_TRY(job_json(tx, call.app, found.project, found.row)));
  });
}

Outcome<Reply> show_trace(const std::shared_ptr<Work>& work, Call& call) {
  auto found = API_TRY(call.app.store.read([&](Transaction& tx) { return find_job(tx, call); }));
  // A log written with debug tracing shows every variable: only those who may change jobs read it.
  if (found.row.boolean("debug_trace") && !allowed(Ability::kReadDebugTrace, found.access))
    return std::unexpected(forbidden());
  std::int64_t id = found.row.integer("id");
  work->traces.watch(id);
  auto reply = API_TRY(objects::ranged_reply(call, API_TRY(work->traces.size(id)),
                                             [&](net::Response& response, std::uint64_t offset, std::uint64_t length) {
                                               return work->traces.fill(response, id, offset, length);
                                             }));
  reply.headers.set("Content-Type", "text/plain; charset=utf-8");
  return reply;
}

Outcome<Row> archive_of_job(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Row> {
    auto found = API_TRY(find_job(tx, call));
    return find_archive(tx, found.access, found.row.integer("id"));
  });
}

// Of the latest successful pipeline.
Outcome<Row> archive_of_ref(Call& call, const std::string& ref) {
  auto name = call.params.text("job", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Row> {
    auto found = API_TRY(readable_project(tx, call));
    auto job = API_TRY(tx.query_one(
        "SELECT j.id FROM jobs j JOIN pipelines p ON p.id = j.pipeline_id WHERE p.project_id = ? AND p.ref = ? AND "
        "p.status = 'success' AND j.name = ? AND j.retried = 0 ORDER BY p.id DESC LIMIT 1",
        {found.project.id, ref, name}));
    if (!job) return std::unexpected(not_found(""));
    return find_archive(tx, found.access, job->integer("id"));
  });
}

// A file out of an archive; `inline` shows text and images instead of saving them.
Outcome<Reply> archived_file(Call& call, const Row& artifact, const std::string& path) {
  return call.app.artifacts.file(call, artifact, path, call.params.boolean("inline").value_or(false));
}

// What cannot be understood is refused before anything is looked for.
Outcome<std::monostate> check_flags(Call& call, std::initializer_list<std::string_view> names) {
  for (const auto name : names) (void)call.params.boolean(name);
  return call.params.finish();
}

// GET /projects/:id/jobs/artifacts/*: a ref may have slashes, so what follows it is looked for from the end and from
// the start.
Outcome<Reply> artifacts_of_ref(Call& call) {
  API_CHECK(check_flags(call, {"direct_download", "inline"}));
  const std::string& rest = call.path("*");
  constexpr std::string_view kDownload = "/download";
  if (rest.ends_with(kDownload))
    return call.app.artifacts.reply(call,
                                    API_TRY(archive_of_ref(call, rest.substr(0, rest.size() - kDownload.size()))));
  auto raw = rest.find("/raw/");
  if (raw == std::string::npos) return std::unexpected(not_found(""));
  return archived_file(call, API_TRY(archive_of_ref(call, rest.substr(0, raw))), rest.substr(raw + 5));
}

Route reading(std::string_view summary, std::string_view params) {
  return {.auth = Auth::kOptional,
          .job_token = true,
          .slow = true,
          .summary = summary,
          .params = params,
          .answers = "200:binary 206:binary 302 416 422"};
}

void register_artifacts(Api& api) {
  const std::string job = "/projects/:id/jobs/:job_id/artifacts";
  const std::string ref = "/projects/:id/jobs/artifacts/";
  api.get(
      job,
      [](Call& call) -> Outcome<Reply> {
        API_CHECK(check_flags(call, {"direct_download"}));
        return call.app.artifacts.reply(call, API_TRY(archive_of_job(call)));
      },
      reading("A job's artifacts archive", "direct_download:bool"));
  api.get(
      job + "/*",
      [](Call& call) -> Outcome<Reply> {
        API_CHECK(check_flags(call, {"inline"}));
        return archived_file(call, API_TRY(archive_of_job(call)), call.path("*"));
      },
      reading("A file out of a job's artifacts archive", "inline:bool"));
  api.get(
      ref + ":ref/download",
      [](Call& call) -> Outcome<Reply> {
        API_CHECK(check_flags(call, {"direct_download"}));
        return call.app.artifacts.reply(call, API_TRY(archive_of_ref(call, call.path("ref"))));
      },
      reading("The artifacts of a ref's latest successful job of that name", "job!:text direct_download:bool"));
  api.get(
      ref + ":ref/raw/*",
      [](Call& call) -> Outcome<Reply> {
        API_CHECK(check_flags(call, {"inline"}));
        return archived_file(call, API_TRY(archive_of_ref(call, call.path("ref"))), call.path("*"));
      },
      reading("A file out of these artifacts", "job!:text inline:bool"));
  api.get(ref + "*", artifacts_of_ref,
          reading("Both of the above for a ref with slashes", "job!:text direct_download:bool inline:bool"));
}

// Runs `change` on a job that the caller may update, and answers with the job `change` names.
template <class Change>
Outcome<Reply> change_job(Call& call, int status, Change change) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_job(tx, call));
    if (!allowed(Ability::kUpdateBuilds, found.access)) return std::unexpected(forbidden());
    std::int64_t id = API_TRY(change(tx, found.row));
    auto row = API_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ?", {id}));
    return json_reply(status, API_TRY(job_json(tx, call.app, found.project, *row)));
  });
}

Outcome<ci::Variables> played_variables(Call& call) {
  ci::Variables variables;
  const json::Value& list = call.params.raw("job_variables_attributes");
  if (!list.is_array()) return variables;
  for (const auto& item : list.as_array()) {
    std::string key = item["key"].string_or("");
    if (key.empty()) return std::unexpected(invalid_parameters({"job_variables_attributes[0][key] is missing"}));
    variables.push_back({.key = key, .value = item["value"].string_or("")});
  }
  return variables;
}

Outcome<Reply> erase_job(const std::shared_ptr<Work>& work, Call& call) {
  return change_job(call, 201, [&](Transaction& tx, const Row& row) -> Outcome<std::int64_t> {
    std::int64_t id = row.integer("id");
    std::string status = row.text("status");
    if ((status != "success" && status != "failed" && status != "canceled") || !row.is_null("erased_at"))
      return std::unexpected(forbidden("Job is not erasable!"));
    API_CHECK(call.app.artifacts.erase_job(tx, id));
    API_CHECK(tx.execute("UPDATE jobs SET erased_at = ?, trace_size = 0, artifacts_expire_at = NULL WHERE id = ?",
                         {call.now(), id}));
    API_CHECK(work->traces.erase(tx, id));
    return id;
  });
}

// GET /job: what a job learns about itself with its token.
Outcome<Reply> own_job(Call& call) {
  if (call.identity.kind != Identity::Kind::kJob) return std::unexpected(unauthorized());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto row = API_TRY(tx.query_one("SELECT * FROM jobs WHERE id = ?", {call.identity.job_id}));
    auto project = API_TRY(model::find_project(tx, call.identity.project_id));
    if (!row || !project) return std::unexpected(not_found(""));
    return json_reply(200, API_TRY(job_json(tx, call.app, *project, *row)));
  });
}

} // namespace

void register_jobs(Api& api, const std::shared_ptr<Work>& work) {
  api.get("/job", own_job, {.job_token = true, .summary = "The job of this job token", .answers = "200:Job 404"});
  api.get(
      "/projects/:id/jobs", list_jobs,
      {.auth = Auth::kOptional, .summary = "A project's jobs", .params = "@page scope:list", .answers = "200:[Job]"});
  api.get("/projects/:id/jobs/:job_id", show_job,
          {.auth = Auth::kOptional, .summary = "One job", .answers = "200:Job"});
  api.get("/projects/:id/jobs/:job_id/trace", [work](Call& call) { return show_trace(work, call); },
          {.auth = Auth::kOptional, .slow = true, .summary = "A job's log", .answers = "200:plain 206:plain 416"});
  register_artifacts(api);
  api.remove("/projects/:id/jobs/:job_id/artifacts",
             [](Call& call) {
               auto done = change_job(call, 200, [&](Transaction& tx, const Row& row) -> Outcome<std::int64_t> {
                 API_CHECK(call.app.artifacts.erase_job(tx, row.integer("id")));
                 return row.integer("id");
               });
               if (done) return Outcome<Reply>(empty_reply(204));
               return done;
             },
             {.summary = "Delete a job's artifacts", .answers = "204"});
  api.post("/projects/:id/jobs/:job_id/artifacts/keep",
           [](Call& call) {
             return change_job(call, 200, [&](Transaction& tx, const Row& row) -> Outcome<std::int64_t> {
               std::int64_t id = row.integer("id");
               if (row.is_null("artifacts_expire_at")) return std::unexpected(not_found(""));
               API_CHECK(tx.execute("UPDATE artifacts SET expire_at = NULL WHERE job_id = ?", {id}));
               API_CHECK(tx.execute("UPDATE jobs SET artifacts_expire_at = NULL WHERE id = ?", {id}));
               return id;
             });
           },
           {.summary = "Keep a job's artifacts for ever", .answers = "200:Job"});
  api.post("/projects/:id/jobs/:job_id/cancel",
           [work](Call& call) {
             return change_job(call, 201, [&](Transaction& tx, const Row& row) -> Outcome<std::int64_t> {
               API_CHECK(work->service.cancel_job(tx, row.integer("id")));
               return row.integer("id");
             });
           },
           {.summary = "Cancel a job", .answers = "201:Job"});
  api.post("/projects/:id/jobs/:job_id/retry",
           [work](Call& call) {
             return change_job(call, 201, [&](Transaction& tx, const Row& row) {
               return work->service.retry_job(tx, row.integer("id"), call.identity.user_id);
             });
           },
           {.summary = "Run a job again", .answers = "201:Job"});
  api.post("/projects/:id/jobs/:job_id/play",
           [work](Call& call) {
             return change_job(call, 200, [&](Transaction& tx, const Row& row) -> Outcome<std::int64_t> {
               auto variables = API_TRY(played_variables(call));
               API_CHECK(work->service.play_job(tx, row.integer("id"), call.identity.user_id, variables));
               return row.integer("id");
             });
           },
           {.summary = "Start a manual job", .params = "job_variables_attributes:[any]", .answers = "200:Job"});
  api.post("/projects/:id/jobs/:job_id/erase", [work](Call& call) { return erase_job(work, call); },
           {.summary = "Erase a job's log and artifacts", .answers = "201:Job"});
}

} // namespace coordinator
