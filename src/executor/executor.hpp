// Executor: where a job's stages run. One object per job, made by create(), used from the job's thread.
//
// run() blocks until the stage has ended and nothing that it started is left. A stage that ends badly is a value
// (ExitResult), not an error; errors are what the agent itself could not do.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sys/cancel.hpp"

namespace executor {

struct StageScript {
  std::string stage;       // prepare_script, get_sources, step_script, …
  std::string script;      // text for the shell, fed to its stdin, never seen on a command line
  bool predefined = false; // ours, may run in a helper; false: the user's
};

// The job's side of the streams: it masks and writes to the log. Called from the thread that called run().
class Output {
 public:
  virtual ~Output() = default;
  virtual void write_stdout(std::string_view bytes) = 0;
  virtual void write_stderr(std::string_view bytes) = 0;
};

struct ExitResult {
  int exit_code = 0;            // -1 when ended by a signal
  std::string message;          // "exit status 3", "signal: killed"; empty on success
  bool could_not_start = false; // message: "failed to start process: …", a system failure
  bool interrupted = false;     // the cancel token was raised before the main process ended by itself
  // For the job log, each a line after "WARNING: ": what could not be killed, output that was cut off.
  std::vector<std::string> warnings;

  bool success() const { return exit_code == 0 && !could_not_start && !interrupted; }
};

// How the shell generator has to write scripts for this executor, and what the job may assume of it.
struct Info {
  std::string name;               // "shell"
  std::string display_name;       // in "Using <display_name> executor...", e.g. "Shell (bash)"
  std::string shell;              // the shell in use: bash, sh, pwsh, powershell
  bool shared_environment = true; // build directories outlive the job and are shared by jobs of this host
  bool show_hostname = false;     // "Running on <container> via <host>..."
  std::string default_builds_dir; // absolute; used when the configuration names none
  std::string default_cache_dir;
  std::string runner_command; // the program that scripts call for artifacts and caches, absolute path
};

struct PrepareContext {
  std::string shell;                                   // `shell` of config.toml; empty: the executor's default
  std::string user;                                    // `run --user`: stages run as this user
  std::string working_directory;                       // of the runner; stages start here. Empty: the current one
  std::optional<std::vector<std::string>> environment; // of the stages' processes; unset: this process's
  std::chrono::milliseconds graceful_kill_timeout{std::chrono::seconds(10)}; // SIGTERM, then this, then SIGKILL
  std::chrono::milliseconds force_kill_timeout{std::chrono::seconds(10)};    // SIGKILL, then this, then give up
  // After the main process has ended: how long to go on reading from what it left behind. Killed meanwhile.
  std::chrono::milliseconds drain_timeout{500};
  bool use_cgroup = true;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Once, before run(). kInvalidInput: the configuration is wrong ("shell x not found"), kCanceled/kTimeout.
  virtual base::Status prepare(const PrepareContext& context, const sys::CancelToken& cancel) = 0;
  // Of a prepared executor.
  virtual Info info() const = 0;
  virtual base::Result<ExitResult> run(const StageScript& stage, Output& output, const sys::CancelToken& cancel) = 0;
  // After the last run(); never fails loudly. Also called when prepare() failed.
  virtual void cleanup() = 0;
};

// kInvalidInput for an unknown name and for one that this build does not have, with a message for the user.
base::Result<std::unique_ptr<Executor>> create(std::string_view name);
// Whether create() would succeed.
bool available(std::string_view name);
// Every name that config.toml may hold, in the order of upstream's list.
const std::vector<std::string_view>& known_names();

} // namespace executor
