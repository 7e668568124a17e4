// The job directory `<state dir>/jobs/<short token>-<job id>/`: the hand-over between manager and worker, and the truth
// after a crash of either.
//
// payload.json, context.json: the manager's, written before the worker starts. trace, journal: the worker's.
// delivery: the manager's. lock: held by the worker for its life. control: the worker's socket. Directory 0700, files
// 0600. A JobDirectory is a path with functions, cheap to copy; blocking; every function may fail with kIo.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "gitlab/wire.hpp"
#include "json/json.hpp"
#include "sys/lock.hpp"
#include "sys/unix_socket.hpp"

namespace job {

// What the worker has to know besides the payload.
struct Context {
  json::Value runner;      // the [[runners]] entry, config::to_json, without its token
  std::string short_token; // gitlab::short_token of the runner's token; empty: none
  std::string system_id;
  std::string config_dir;                 // of config.toml, for error texts and relative paths
  std::string working_directory;          // `run --working-directory`; empty: the worker's own
  std::string user;                       // `run --user`
  std::string runner_command;             // this program, absolute; what scripts call for artifacts and caches
  std::int64_t concurrent_id = 0;         // CI_CONCURRENT_ID
  std::int64_t concurrent_project_id = 0; // CI_CONCURRENT_PROJECT_ID
  std::string correlation_id;             // X-Request-Id of the request that brought the job
  std::string tls_ca_chain;               // PEM: CI_SERVER_TLS_CA_FILE; empty: the variable does not exist
  std::string tls_certificate;            // PEM, with tls_key: CI_SERVER_TLS_CERT_FILE, …_KEY_FILE
  base::Secret tls_key;
};
json::Value to_json(const Context& context);
base::Result<Context> context_from_json(const json::Value& value);

// How the job ended, before gitlab::map_failure_reason.
struct JobResult {
  bool success = false;
  gitlab::FailureReason failure_reason = gitlab::FailureReason::kNone;
  std::int64_t exit_code = 0;
  std::uint64_t bytes = 0; // of the trace; nothing is appended after the result
  std::uint32_t crc32 = 0;
  bool aborted = false; // the server had already given the job up: no final update is due
};

struct Journal {
  std::optional<pid_t> worker;     // from "started"
  std::string stage;               // the last one begun
  std::optional<JobResult> result; // the first one; nothing counts after it
};

class JobDirectory {
 public:
  // `directory` need not exist.
  explicit JobDirectory(std::string directory) : path_(std::move(directory)) {}
  static std::string name_for(std::string_view short_token, std::int64_t job_id);
  // <state dir>/jobs, made when missing.
  static base::Result<std::string> jobs_directory(const std::string& state_dir);

  // Manager: makes the directory with payload and context, both on the disk when this returns. kConflict when that job
  // is there already.
  static base::Result<JobDirectory> create(const std::string& state_dir, std::string_view short_token,
                                           std::int64_t job_id, std::string_view payload_json, const Context& context);
  // Manager, at start: every job directory, sorted by name. Halfway made ones (no context) are removed.
  static base::Result<std::vector<JobDirectory>> list(const std::string& state_dir);

  const std::string& path() const { return path_; }
  std::string payload_path() const { return path_ + "/payload.json"; }
  std::string context_path() const { return path_ + "/context.json"; }
  std::string trace_path() const { return path_ + "/trace"; }
  std::string journal_path() const { return path_ + "/journal"; }
  std::string delivery_path() const { return path_ + "/delivery"; }
  std::string lock_path() const { return path_ + "/lock"; }

  base::Result<std::string> read_payload() const;
  base::Result<Context> read_context() const;

  // Either side. A last line without its newline (a crash while writing) is ignored, an unknown event skipped.
  base::Result<Journal> read_journal() const;
  // Manager's own notes: one JSON object a line, flushed to the disk. {"t":unix_ms} is added in front.
  base::Status append_delivery(const json::Value& object) const;
  base::Result<std::vector<json::Value>> read_delivery() const; // empty when there are none

  // Manager: whether a worker lives. A worker that was just forked takes the lock within milliseconds: ask again
  // before concluding anything of a directory whose journal is empty.
  base::Result<bool> worker_alive() const;
  // Manager, when the worker is dead without a result: appends the reason to the trace after its last whole line
  // (ERROR: Job failed (system failure): <reason>) and journals the result, so that doing it twice is the same as once.
  base::Result<JobResult> append_epilogue(std::string_view reason) const;
  // Removes the directory; a crash in the middle leaves one that list() removes.
  base::Status remove() const;

  // Manager: kNotFound/kUnavailable when the worker does not listen (not yet, or not any more). Lines to the worker:
  // `cancel`, `abort`, `interrupt <signal name>`; from it: `log <size>`, `stage <name>`, `done`.
  base::Result<sys::LineChannel> connect_control() const;

 private:
  friend class JournalWriter;
  std::string path_;
};

// Worker: appends to the journal, each event with one write(2).
class JournalWriter {
 public:
  static base::Result<JournalWriter> open(const JobDirectory& directory);
  base::Status started(pid_t pid);
  base::Status stage(std::string_view name);
  base::Status result(const JobResult& result); // on the disk when this returns

 private:
  explicit JournalWriter(sys::Fd fd) : fd_(std::move(fd)) {}
  base::Status append(json::Value event);
  sys::Fd fd_;
};

} // namespace job
