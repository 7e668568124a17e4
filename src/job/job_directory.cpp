#include "job/job_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "trace/job_log.hpp"
#include "trace/spool.hpp"

namespace job {
namespace {

using base::ErrorKind;

std::int64_t now_millis() { return base::SystemClock().unix_micros() / 1000; }

std::string stamped(const json::Value& object) {
  json::Object members{{"t", json::Value(now_millis())}};
  if (object.is_object())
    for (const auto& member : object.as_object()) members.push_back(member);
  return json::Value(std::move(members)).dump() + "\n";
}

// Whole lines that are JSON objects; anything else is what a crash left.
std::vector<json::Value> parse_lines(std::string_view text) {
  std::vector<json::Value> out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (auto value = json::parse(text.substr(0, end)); value && value->is_object()) out.push_back(std::move(*value));
    text.remove_prefix(end + 1);
  }
  return out;
}

base::Result<std::vector<json::Value>> read_lines(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text && text.error().kind() == ErrorKind::kNotFound) return std::vector<json::Value>{};
  if (!text) return base::fail(std::move(text.error()));
  return parse_lines(*text);
}

JobResult result_from_json(const json::Value& event) {
  JobResult result;
  result.success = event["state"].string_or("") == "success";
  result.failure_reason =
      gitlab::parse_failure_reason(event["failure_reason"].string_or("")).value_or(gitlab::FailureReason::kNone);
  result.exit_code = event["exit_code"].integer_or(0);
  result.bytes = static_cast<std::uint64_t>(event["bytes"].integer_or(0));
  const std::string crc = event["crc32"].string_or("");
  std::from_chars(crc.data(), crc.data() + crc.size(), result.crc32, 16);
  result.aborted = event["aborted"].bool_or(false);
  return result;
}

json::Value to_event(const JobResult& result) {
  return json::Value::object({{"event", "result"},
                              {"state", result.success ? "success" : "failed"},
                              {"failure_reason", std::string(gitlab::to_string(result.failure_reason))},
                              {"exit_code", result.exit_code},
                              {"bytes", result.bytes},
                              {"crc32", fmt::format("{:08x}", result.crc32)},
                              {"aborted", result.aborted}});
}

// One write(2): a reader never sees half a line unless the machine died.
base::Status append_line(int fd, const std::string& line) {
  const auto written = ::write(fd, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return {};
  return base::fail_errno("writing the journal", written < 0 ? errno : ENOSPC);
}

// "2026-01-02T03:04:05.000001Z 00O " at the start: FF_TIMESTAMPS was on.
bool has_time_stamps(std::string_view head) {
  return head.size() >= 32 && head[10] == 'T' && head[26] == 'Z' && head[27] == ' ' && head[31] == ' ';
}

} // namespace

json::Value to_json(const Context& c) {
  return json::Value::object({{"runner", c.runner},
                              {"short_token", c.short_token},
                              {"system_id", c.system_id},
                              {"config_dir", c.config_dir},
                              {"working_directory", c.working_directory},
                              {"user", c.user},
                              {"runner_command", c.runner_command},
                              {"concurrent_id", c.concurrent_id},
                              {"concurrent_project_id", c.concurrent_project_id},
                              {"correlation_id", c.correlation_id},
                              {"tls_ca_chain", c.tls_ca_chain},
                              {"tls_certificate", c.tls_certificate},
                              {"tls_key", c.tls_key.reveal()}});
}

base::Result<Context> context_from_json(const json::Value& value) {
  if (!value.is_object()) return base::fail(ErrorKind::kInvalidInput, "context.json is no object");
  Context c;
  c.runner = value["runner"];
  c.short_token = value["short_token"].string_or("");
  c.system_id = value["system_id"].string_or("");
  c.config_dir = value["config_dir"].string_or("");
  c.working_directory = value["working_directory"].string_or("");
  c.user = value["user"].string_or("");
  c.runner_command = value["runner_command"].string_or("");
  c.concurrent_id = value["concurrent_id"].integer_or(0);
  c.concurrent_project_id = value["concurrent_project_id"].integer_or(0);
  c.correlation_id = value["correlation_id"].string_or("");
  c.tls_ca_chain = value["tls_ca_chain"].string_or("");
  c.tls_certificate = value["tls_certificate"].string_or("");
  c.tls_key = base::Secret(value["tls_key"].string_or(""));
  return c;
}

std::string JobDirectory::name_for(std::string_view short_token, std::int64_t job_id) {
  std::string name;
  for (char c : short_token) name += (base::percent_encode(std::string_view(&c, 1)).size() == 1 && c != '.') ? c : '_';
  return fmt::format("{}-{}", name.empty() ? "runner" : name, job_id);
}

base::Result<std::string> JobDirectory::jobs_directory(const std::string& state_dir) {
  const std::string path = sys::join_path(state_dir, "jobs");
  FR_CHECK(sys::make_directories(path, 0700));
  return path;
}

base::Result<JobDirectory> JobDirectory::create(const std::string& state_dir, std::string_view short_token,
                                                std::int64_t job_id, std::string_view payload_json,
                                                const Context& context) {
  JobDirectory directory(sys::join_path(FR_TRY(jobs_directory(state_dir)), name_for(short_token, job_id)));
  if (::mkdir(directory.path_.c_str(), 0700) != 0) return base::fail_errno("making " + directory.path_, errno);
  FR_CHECK(sys::atomic_write_file(directory.payload_path(), payload_json, 0600));
  // Written last: a directory without it is not complete.
  FR_CHECK(sys::atomic_write_file(directory.context_path(), to_json(context).dump(), 0600));
  return directory;
}

base::Result<std::vector<JobDirectory>> JobDirectory::list(const std::string& state_dir) {
  const std::string jobs = FR_TRY(jobs_directory(state_dir));
  std::vector<JobDirectory> out;
  for (const auto& name : FR_TRY(sys::list_directory(jobs))) {
    JobDirectory directory(sys::join_path(jobs, name));
    if (!sys::is_directory(directory.path_)) continue;
    if (sys::exists(directory.context_path()))
      out.push_back(std::move(directory));
    else
      FR_CHECK(sys::remove_tree(directory.path_));
  }
  return out;
}

base::Result<std::string> JobDirectory::read_payload() const { return sys::read_file(payload_path()); }

base::Result<Context> JobDirectory::read_context() const {
  return context_from_json(FR_TRY(json::parse(FR_TRY(sys::read_file(context_path())))));
}

base::Result<Journal> JobDirectory::read_journal() const {
  Journal journal;
  for (const auto& event : FR_TRY(read_lines(journal_path()))) {
    const std::string kind = event["event"].string_or("");
    if (kind == "started") journal.worker = static_cast<pid_t>(event["pid"].integer_or(0));
    if (kind == "stage") journal.stage = event["name"].string_or("");
    if (kind != "result") continue;
    journal.result = result_from_json(event);
    break;
  }
  return journal;
}

base::Status JobDirectory::append_delivery(const json::Value& object) const {
  const sys::Fd fd = FR_TRY(sys::open_fd(delivery_path(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  FR_CHECK(append_line(fd.get(), stamped(object)));
  if (::fdatasync(fd.get()) != 0) return base::fail_errno("flushing " + delivery_path(), errno);
  return {};
}

base::Result<std::vector<json::Value>> JobDirectory::read_delivery() const { return read_lines(delivery_path()); }

base::Result<bool> JobDirectory::worker_alive() const { return sys::FileLock::is_held(lock_path()); }

base::Result<JobResult> JobDirectory::append_epilogue(std::string_view reason) const {
  if (auto journal = FR_TRY(read_journal()); journal.result) return *journal.result;
  const auto spool = FR_TRY(trace::FileSpool::open(trace_path()));
  const auto reader = FR_TRY(trace::SpoolReader::open(trace_path()));
  const std::uint64_t size = spool->size();
  if (size > 0 && FR_TRY(reader.read_at(size - 1, 1)) != "\n") spool->append("\n");
  {
    trace::JobLogOptions options;
    options.timestamps = has_time_stamps(FR_TRY(reader.read_at(0, 64)));
    trace::JobLog log(*spool, std::move(options));
    log.error(fmt::format("Job failed (system failure): {}", reason));
  }
  spool->flush();

  JobResult result;
  result.failure_reason = gitlab::FailureReason::kRunnerSystemFailure;
  result.bytes = spool->size();
  result.crc32 = spool->crc32();
  auto journal = FR_TRY(JournalWriter::open(*this));
  FR_CHECK(journal.result(result));
  return result;
}

base::Status JobDirectory::remove() const {
  FR_CHECK(sys::remove_file(context_path()));
  return sys::remove_tree(path_);
}

base::Result<sys::LineChannel> JobDirectory::connect_control() const {
  return sys::LineChannel(FR_TRY(sys::connect_unix(path_, "control")));
}

base::Result<JournalWriter> JournalWriter::open(const JobDirectory& directory) {
  sys::Fd fd = FR_TRY(sys::open_fd(directory.journal_path(), O_RDWR | O_CREAT | O_APPEND, 0600));
  // What a crash cut off must not swallow the next event.
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(fd.get(), &last, 1, size - 1) == 1 && last != '\n') FR_CHECK(append_line(fd.get(), "\n"));
  return JournalWriter(std::move(fd));
}

base::Status JournalWriter::append(json::Value event) { return append_line(fd_.get(), stamped(event)); }

base::Status JournalWriter::started(pid_t pid) {
  return append(json::Value::object({{"event", "started"}, {"pid", pid}}));
}

base::Status JournalWriter::stage(std::string_view name) {
  return append(json::Value::object({{"event", "stage"}, {"name", name}}));
}

base::Status JournalWriter::result(const JobResult& result) {
  FR_CHECK(append(to_event(result)));
  if (::fdatasync(fd_.get()) != 0) return base::fail_errno("flushing the journal", errno);
  return {};
}

} // namespace job
