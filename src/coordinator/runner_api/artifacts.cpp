// The artifact half of the runner contract: POST and GET /jobs/:id/artifacts (protocol digest §13).

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <map>
#include <set>

#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "ci/duration.hpp"
#include "ci/pipeline.hpp"
#include "ci/reports.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/runner_api/job_auth.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"
#include "net/multipart.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr std::size_t kUploadLimit = std::size_t{5} << 30;
constexpr std::size_t kFrame = 1u << 20; // what a form may have around its file
constexpr std::size_t kLongestName = 255;

const std::set<std::string, std::less<>> kGzipTypes = {
    "junit",  "metrics",   "metrics_referee", "network_referee", "dotenv",         "cobertura",
    "jacoco", "cyclonedx", "annotations",     "repository_xray", "coverage_report"};
const std::set<std::string, std::less<>> kZipTypes = {"archive", "lsif", "scip"};
const std::set<std::string, std::less<>> kRawTypes = {"sast",
                                                      "secret_detection",
                                                      "dependency_scanning",
                                                      "container_scanning",
                                                      "cluster_image_scanning",
                                                      "dast",
                                                      "license_scanning",
                                                      "accessibility",
                                                      "codequality",
                                                      "performance",
                                                      "browser_performance",
                                                      "load_performance",
                                                      "terraform",
                                                      "requirements",
                                                      "requirements_v2",
                                                      "coverage_fuzzing",
                                                      "api_fuzzing",
                                                      "sarif"};

// nullopt: kept for ever.
base::Result<std::optional<std::int64_t>> expiry(Transaction& tx, std::string expire_in, std::int64_t now) {
  if (base::trim(expire_in).empty())
    expire_in = FR_TRY(model::setting(tx, "default_artifacts_expire_in")).string_or("");
  auto seconds = ci::parse_duration(expire_in);
  // "never", and "0" of the setting
  return seconds && *seconds > 0 ? std::optional(now + *seconds * 1000) : std::nullopt;
}

struct Upload {
  std::string type;
  std::string format;
  std::string expire_in;
  std::string filename;
};

Outcome<std::monostate> check_format(const Upload& upload) {
  bool fits = kGzipTypes.contains(upload.type) ? upload.format == "gzip"
              : kZipTypes.contains(upload.type)
                  ? upload.format == "zip" || upload.format == "zipzstd" || upload.format == "tarzstd"
                  : kRawTypes.contains(upload.type) && upload.format == "raw";
  if (!fits) return std::unexpected(message_reply(400, "Invalid format for " + upload.type + " artifact"));
  return std::monostate();
}

// A gzip report that the server itself reads; small by rule (5 KiB for dotenv), so in memory and with a cap.
base::Result<std::string> inflate_report(const std::string& file, const net::FormPart& part) {
  sys::Fd fd = FR_TRY(sys::open_fd(file, O_RDONLY));
  if (::lseek(fd.get(), static_cast<off_t>(part.offset), SEEK_SET) < 0)
    return base::fail_errno("read the report", errno);
  gzFile stream = ::gzdopen(fd.get(), "rb"); // stops at the end of the compressed data, in front of the boundary
  if (stream == nullptr) return base::fail(base::ErrorKind::kIo, "cannot read the report");
  (void)fd.release();
  std::string text(64 << 10, '\0');
  int got = ::gzread(stream, text.data(), static_cast<unsigned>(text.size()));
  bool packed = ::gzdirect(stream) == 0;
  ::gzclose(stream);
  if (got < 0 || !packed) return base::fail(base::ErrorKind::kInvalidInput, "Invalid Format");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

Outcome<std::string> read_dotenv(Call& call, const net::FormPart& part) {
  auto text = inflate_report(call.request.body_file, part);
  auto variables = text ? ci::parse_dotenv(*text) : std::unexpected(text.error());
  if (!variables) return std::unexpected(message_reply(400, variables.error().message()));
  return ci::variables_json(*variables).dump();
}

// Who may download, as the job's definition says: all, developer, maintainer, none.
base::Result<std::string> access_of(const Row& job) {
  auto definition = FR_TRY(ci::job_from_json(FR_TRY(json::parse(job.text("definition")))));
  return definition.artifacts ? definition.artifacts->access : "all";
}

Outcome<Reply> record(Transaction& tx, const std::shared_ptr<Work>& work, Call& call, const Upload& upload,
                      const objects::Artifacts::Stored& stored, const std::string& dotenv) {
  auto id = call.path_id("id").value_or(0);
  auto job = API_TRY(authenticate_job(tx, call, work->limits, id, AllowPending::kNo, JobCall::kCounted));
  auto before =
      API_TRY(tx.query_one("SELECT id, sha256 FROM artifacts WHERE job_id = ? AND file_type = ?", {id, upload.type}));
  if (before) {
    if (before->text("sha256") != stored.sha256)
      return std::unexpected(message_reply(400, "another artifact of the same type already exists"));
    // Sent again: the first stays.
    tx.after_commit([&artifacts = call.app.artifacts, location = stored.location] { artifacts.drop(location); });
    return json_reply(201, json::Value::object({{"id", id}}));
  }
  auto expires = API_TRY(expiry(tx, upload.expire_in, call.now()));
  API_CHECK(tx.insert(
      "INSERT INTO artifacts (job_id, project_id, file_type, file_format, filename, location, size, sha256, access, "
      "created_at, expire_at, entries, unpacked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {id, job.integer("project_id"), upload.type, upload.format, upload.filename, stored.location,
       static_cast<std::int64_t>(stored.size), stored.sha256, API_TRY(access_of(job)), call.now(), expires,
       stored.entries, stored.unpacked}));
  if (upload.type == "archive")
    API_CHECK(tx.execute("UPDATE jobs SET artifacts_expire_at = ? WHERE id = ?", {expires, id}));
  if (!dotenv.empty()) API_CHECK(tx.execute("UPDATE jobs SET dotenv = ? WHERE id = ?", {dotenv, id}));
  return json_reply(201, json::Value::object({{"id", id}}));
}

Outcome<Reply> save(const std::shared_ptr<Work>& work, Call& call, const Upload& upload, const net::FormPart& part) {
  std::string dotenv;
  if (upload.type == "dotenv") dotenv = API_TRY(read_dotenv(call, part));
  auto& artifacts = call.app.artifacts;
  auto stored = API_TRY(
      artifacts.put(call.path_id("id").value_or(0), upload.type, call.request.body_file, part.offset, part.size));
  auto reply = call.app.store.write_shared([&](Transaction& tx) -> Outcome<Reply> {
    API_CHECK(tx.lock("artifacts", call.path_id("id").value_or(0)));
    return record(tx, work, call, upload, stored, dotenv);
  });
  // After an error of ours the row may be there all the same (a commit without an answer): the sweep knows.
  if (!reply && reply.error().status < 500) artifacts.drop(stored.location);
  return reply;
}

// The most bytes of a file; nullopt: no limit.
Outcome<std::optional<std::uint64_t>> largest_file(Transaction& tx, const std::shared_ptr<Work>& work) {
  const std::int64_t megabytes = API_TRY(work->limits.get(tx, "max_artifacts_size"));
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (megabytes <= 0) return std::optional<std::uint64_t>();
  return std::optional(static_cast<std::uint64_t>(std::min(megabytes, kMost)) << 20);
}

// Who may not upload, or wants to upload too much, is told before the body is taken in.
Outcome<std::optional<std::size_t>> admit_upload(const std::shared_ptr<Work>& work, Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<std::optional<std::size_t>> {
    API_CHECK(authenticate_job(tx, call, work->limits, call.path_id("id").value_or(0), AllowPending::kNo));
    const auto limit = API_TRY(largest_file(tx, work));
    return limit ? std::optional<std::size_t>(*limit + kFrame) : std::nullopt;
  });
}

// The uploader's word for the file: a last segment that any database and header can hold.
std::string shown_name(const std::string& given) {
  std::string name = base::repair_utf8(sys::base_name(given));
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.size() > kLongestName) name = base::repair_utf8(name.substr(0, kLongestName));
  return name.empty() ? "file" : name;
}

Outcome<Reply> upload(const std::shared_ptr<Work>& work, Call& call) {
  auto id = call.path_id("id").value_or(0);
  auto limit = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<std::optional<std::uint64_t>> {
    API_CHECK(authenticate_job(tx, call, work->limits, id, AllowPending::kNo, JobCall::kCounted));
    return API_TRY(largest_file(tx, work));
  }));
  auto parts = net::parse_multipart_file(call.request.body_file, call.header("Content-Type"));
  if (!parts) return std::unexpected(bad_request(parts.error().message()));
  const net::FormPart* file = nullptr;
  std::map<std::string, std::string> fields;
  for (const auto& part : *parts) {
    if (part.header.name == "file" && part.header.has_filename) file = &part;
    if (!part.header.has_filename) fields[part.header.name] = part.value;
  }
  if (file == nullptr) return std::unexpected(bad_request("Missing artifacts file!"));
  if (limit && file->size > *limit) return std::unexpected(too_large());
  auto field = [&](const char* name, std::string fallback) {
    auto value = call.params.text(name);
    if (value && !value->empty()) return *value;
    return fields.contains(name) ? fields[name] : fallback;
  };
  Upload request{.type = field("artifact_type", "archive"),
                 .format = field("artifact_format", "zip"),
                 .expire_in = field("expire_in", ""),
                 .filename = shown_name(file->header.filename)};
  if (!kGzipTypes.contains(request.type) && !kZipTypes.contains(request.type) && !kRawTypes.contains(request.type))
    return std::unexpected(invalid_parameters({"artifact_type does not have a valid value"}));
  API_CHECK(check_format(request));
  return save(work, call, request, *file);
}

// Who may download with a job token: a running job of the same project (or of one whose user may read it).
Outcome<Row> downloader(Transaction& tx, Call& call) {
  std::string token = call.params.text("token").value_or("");
  if (token.empty()) token = call.header("JOB-TOKEN");
  if (token.empty()) return std::unexpected(unauthorized());
  auto job = API_TRY(tx.query_one("SELECT * FROM jobs WHERE token_digest = ?", {token_digest(token)}));
  if (!job) return std::unexpected(unauthorized());
  if (job->text("status") != "running" && job->text("status") != "canceling") return std::unexpected(forbidden());
  return *job;
}

Outcome<Reply> download(Call& call) {
  auto id = call.path_id("id").value_or(0);
  auto artifact = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<Row> {
    auto asking = API_TRY(downloader(tx, call));
    auto source = API_TRY(tx.query_one("SELECT project_id FROM jobs WHERE id = ?", {id}));
    if (!source) return std::unexpected(not_found(""));
    if (source->integer("project_id") != asking.integer("project_id")) {
      auto project = API_TRY(model::find_project(tx, source->integer("project_id")));
      Identity identity{.kind = Identity::Kind::kUser, .user_id = asking.integer("user_id")};
      if (!project || !allowed(Ability::kReadCode, API_TRY(model::access_to(tx, identity, *project, call.now()))))
        return std::unexpected(forbidden());
    }
    auto found = API_TRY(tx.query_one("SELECT * FROM artifacts WHERE job_id = ? AND file_type = 'archive'", {id}));
    if (!found) return std::unexpected(not_found(""));
    return *found;
  }));
  return call.app.artifacts.reply(call, artifact);
}

} // namespace

void register_runner_artifacts(Api& api, const std::shared_ptr<Work>& work) {
  api.post("/jobs/:id/artifacts", [work](Call& call) { return upload(work, call); },
           {.auth = Auth::kNone,
            .max_body = kUploadLimit,
            .spool = true,
            .parse_body = false,
            .admit = [work](Call& call) { return admit_upload(work, call); },
            .slow = true,
            .summary = "Upload artifacts (by runners)",
            .params = "token:text file:file artifact_type:text artifact_format:text expire_in:text accessibility:text",
            .answers = "201:any 403 413 429"});
  api.get("/jobs/:id/artifacts", [](Call& call) { return download(call); },
          {.auth = Auth::kNone,
           .slow = true,
           .summary = "Download a job's artifacts (by runners)",
           .params = "token:text direct_download:bool",
           .answers = "200:binary 206:binary 401 403 404 416 429"});
}

} // namespace coordinator
