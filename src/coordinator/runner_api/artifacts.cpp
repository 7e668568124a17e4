// The artifact half of the runner contract: POST and GET /jobs/:id/artifacts (protocol digest §13).

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "ci/duration.hpp"
#include "ci/reports.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/runner_api/job_auth.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"
#include "net/multipart.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr std::size_t kUploadLimit = std::size_t{5} << 30;

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

struct Stored {
  std::uint64_t size = 0;
  std::string sha256;
};

// Copies the part out of the spooled body to its place, hashing on the way.
base::Result<Stored> store_part(const std::string& body_file, const net::FormPart& part, const std::string& target) {
  FR_CHECK(sys::make_directories(sys::parent_path(target), 0700));
  sys::Fd in(::open(body_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return base::fail_errno("open the upload", errno);
  sys::Fd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return base::fail_errno("open " + target, errno);
  base::Sha256 hash;
  std::string buffer(256 << 10, '\0');
  std::uint64_t done = 0;
  while (done < part.size) {
    ssize_t got = ::pread(in.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), part.size - done),
                          static_cast<off_t>(part.offset + done));
    if (got <= 0) return base::fail_errno("read the upload", got < 0 ? errno : EIO);
    std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
    hash.update(rest);
    while (!rest.empty()) {
      ssize_t written = ::write(out.get(), rest.data(), rest.size());
      if (written < 0) return base::fail_errno("write " + target, errno);
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    done += static_cast<std::uint64_t>(got);
  }
  return Stored{.size = part.size, .sha256 = hash.hex()};
}

// nullopt: kept for ever.
base::Result<std::optional<std::int64_t>> expiry(Transaction& tx, std::string expire_in, std::int64_t now) {
  if (base::trim(expire_in).empty())
    expire_in = FR_TRY(model::setting(tx, "default_artifacts_expire_in")).string_or("");
  auto seconds = ci::parse_duration(expire_in);
  // "never", and "0" of the setting
  return seconds && *seconds > 0 ? std::optional(now + *seconds * 1000) : std::nullopt;
}

// An uploaded file on its way to its place; gone at the end unless it was kept.
class Fresh {
 public:
  explicit Fresh(const std::string& target) : path_(target + ".new-" + base::random_hex(8)) {}
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  ~Fresh() { (void)sys::remove_file(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Upload {
  std::string type;
  std::string format;
  std::string expire_in;
  std::string access;
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
base::Result<std::string> inflate_report(const std::string& path) {
  gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return base::fail(base::ErrorKind::kIo, "cannot read the report");
  std::string text(64 << 10, '\0');
  int got = ::gzread(file, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(file);
  if (got < 0) return base::fail(base::ErrorKind::kInvalidInput, "Invalid Format");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

base::Result<ci::Variables> read_dotenv(const std::string& path) {
  return ci::parse_dotenv(FR_TRY(inflate_report(path)));
}

Outcome<Reply> save(Call& call, const Upload& upload, const net::FormPart& part) {
  auto id = call.path_id("id").value_or(0);
  std::string target = artifact_path(call.app, id, upload.type);
  Fresh fresh(target);
  auto stored = API_TRY(store_part(call.request.body_file, part, fresh.path()));
  std::string dotenv;
  if (upload.type == "dotenv") {
    auto variables = read_dotenv(fresh.path());
    if (!variables) return std::unexpected(message_reply(400, variables.error().message()));
    dotenv = ci::variables_json(*variables).dump();
  }
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto job = API_TRY(authenticate_job(tx, call, id, AllowPending::kNo));
    auto before =
        API_TRY(tx.query_one("SELECT id, sha256 FROM artifacts WHERE job_id = ? AND file_type = ?", {id, upload.type}));
    if (before) {
      if (before->text("sha256") == stored.sha256) return json_reply(201, json::Value::object({{"id", id}}));
      return std::unexpected(message_reply(400, "another artifact of the same type already exists"));
    }
    API_CHECK(sys::rename_file(fresh.path(), target));
    auto expires = API_TRY(expiry(tx, upload.expire_in, call.now()));
    API_CHECK(tx.insert(
        "INSERT INTO artifacts (job_id, project_id, file_type, file_format, filename, location, size, sha256, access, "
        "created_at, expire_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {id, job.integer("project_id"), upload.type, upload.format, upload.filename, target,
         static_cast<std::int64_t>(stored.size), stored.sha256, upload.access, call.now(), expires}));
    if (upload.type == "archive")
      API_CHECK(tx.execute("UPDATE jobs SET artifacts_expire_at = ? WHERE id = ?", {expires, id}));
    if (!dotenv.empty()) API_CHECK(tx.execute("UPDATE jobs SET dotenv = ? WHERE id = ?", {dotenv, id}));
    return json_reply(201, json::Value::object({{"id", id}}));
  });
}

Outcome<Reply> upload(Call& call) {
  auto id = call.path_id("id").value_or(0);
  // The right to upload is checked before the body is looked at.
  auto limit = API_TRY(call.app.store.read([&](Transaction& tx) -> Outcome<std::int64_t> {
    API_CHECK(authenticate_job(tx, call, id, AllowPending::kNo));
    return model::setting_integer(tx, "max_artifacts_size");
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
  if (limit > 0 && file->size > static_cast<std::uint64_t>(limit) << 20) return std::unexpected(too_large());
  auto field = [&](const char* name, std::string fallback) {
    auto value = call.params.text(name);
    if (value && !value->empty()) return *value;
    return fields.contains(name) ? fields[name] : fallback;
  };
  Upload request{.type = field("artifact_type", "archive"),
                 .format = field("artifact_format", "zip"),
                 .expire_in = field("expire_in", ""),
                 .access = field("accessibility", "public"),
                 .filename = sys::base_name(file->header.filename)};
  if (!kGzipTypes.contains(request.type) && !kZipTypes.contains(request.type) && !kRawTypes.contains(request.type))
    return std::unexpected(invalid_parameters({"artifact_type does not have a valid value"}));
  API_CHECK(check_format(request));
  return save(call, request, *file);
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
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto asking = API_TRY(downloader(tx, call));
    auto source = API_TRY(tx.query_one("SELECT project_id FROM jobs WHERE id = ?", {id}));
    if (!source) return std::unexpected(not_found(""));
    if (source->integer("project_id") != asking.integer("project_id")) {
      auto project = API_TRY(model::find_project(tx, source->integer("project_id")));
      Identity identity{.kind = Identity::Kind::kUser, .user_id = asking.integer("user_id")};
      bool allowed = project && can_read_code(API_TRY(model::access_to(tx, identity, *project, call.now())));
      if (!allowed) return std::unexpected(forbidden());
    }
    auto artifact = API_TRY(tx.query_one("SELECT * FROM artifacts WHERE job_id = ? AND file_type = 'archive'", {id}));
    if (!artifact || !sys::is_regular_file(artifact->text("location"))) return std::unexpected(not_found(""));
    return artifact_reply(call, *artifact);
  });
}

} // namespace

Reply artifact_reply(const Call& call, const Row& artifact) {
  Reply reply = empty_reply(200);
  reply.file = net::FileBody{.path = artifact.text("location"), .offset = 0, .length = std::nullopt};
  auto size = static_cast<std::uint64_t>(artifact.integer("size"));
  // One range, as interrupted downloads ask for it; anything else gets the whole.
  std::string_view range = call.header("Range");
  if (range.starts_with("bytes=") && range.find(',') == std::string_view::npos) {
    range.remove_prefix(6);
    auto dash = range.find('-');
    auto first = base::parse_int(range.substr(0, dash));
    auto last = dash == std::string_view::npos ? std::nullopt : base::parse_int(range.substr(dash + 1));
    if (!first && last) { // the last n bytes
      first = static_cast<std::int64_t>(size) - std::min<std::int64_t>(*last, static_cast<std::int64_t>(size));
      last.reset();
    }
    if (first && *first >= 0 && (!last || *last >= *first)) {
      auto begin = static_cast<std::uint64_t>(*first);
      if (begin >= size) return text_reply(416, "").header("Content-Range", fmt::format("bytes */{}", size));
      std::uint64_t end = last ? std::min<std::uint64_t>(static_cast<std::uint64_t>(*last), size - 1) : size - 1;
      reply.status = 206;
      reply.file->offset = begin;
      reply.file->length = end - begin + 1;
      reply.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", begin, end, size));
    }
  }
  reply.headers.set("Accept-Ranges", "bytes");
  reply.headers.set("Content-Type", artifact.text("file_format") == "zip"    ? "application/zip"
                                    : artifact.text("file_format") == "gzip" ? "application/gzip"
                                                                             : "application/octet-stream");
  std::string name = artifact.text("filename");
  std::erase_if(name, [](unsigned char c) { return c < ' ' || c == '"' || c == '\\'; });
  reply.headers.set("Content-Disposition",
                    fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", name, base::percent_encode(name)));
  return reply;
}

void register_runner_artifacts(Api& api) {
  api.post("/jobs/:id/artifacts", [](Call& call) { return upload(call); },
           {.auth = Auth::kNone, .max_body = kUploadLimit, .spool = true, .parse_body = false});
  api.get("/jobs/:id/artifacts", [](Call& call) { return download(call); }, {.auth = Auth::kNone});
}

} // namespace coordinator
