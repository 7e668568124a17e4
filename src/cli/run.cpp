// `run` and `run-single`: options; the work is the manager's.
#include <fmt/format.h>

#include "base/log.hpp"
#include "cli/command.hpp"
#include "cli/runner_options.hpp"
#include "config/config.hpp"
#include "config/executor_names.hpp"
#include "gitlab/wire.hpp"
#include "manager/run.hpp"
#include "sys/files.hpp"

namespace cli {

namespace {

// The runner of the file, or the one that the flags describe.
base::Result<config::Runner> choose_runner(const std::string& config_path, const std::string& name,
                                           const RunnerOptions& given) {
  if (name.empty()) return config::runner_from_json(given.tree);
  const auto config = config::load(config_path);
  if (!config) return base::fail_context("Error loading config", config.error());
  for (const config::Runner& runner : config->runners) {
    if (runner.name == name) return runner;
  }
  return base::fail(base::ErrorKind::kNotFound,
                    fmt::format("Error loading runner by name: could not find a runner with the name '{}'", name));
}

base::Status check_runner(const config::Runner& runner) {
  const auto fail = [](std::string message) { return base::fail(base::ErrorKind::kInvalidInput, std::move(message)); };
  if (runner.url.empty()) return fail("Missing URL");
  if (runner.token.empty()) return fail("Missing Token");
  if (runner.executor.empty()) return fail("Missing Executor");
  if (!config::is_known_executor(runner.executor)) return fail("Unknown executor: " + runner.executor);
  return {};
}

} // namespace

int run_run(const GlobalOptions& global, const Arguments& arguments) {
  manager::RunOptions run;
  run.config_path = default_config_path();
  run.log_level_given = global.debug || !global.log_level.empty();
  run.log_format_given = !global.log_format.empty();
  std::string listen_address;
  std::string service = "gitlab-runner";
  bool syslog = false;
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &run.config_path);
  options.text("listen-address", "LISTEN_ADDRESS", "Metrics / pprof server listening address", &listen_address);
  options.text("n,service", "", "Use a different name for the service", &service);
  options.text("d,working-directory", "", "Specify custom working directory", &run.working_directory);
  options.text("u,user", "", "Use specific user to execute shell scripts", &run.user);
  options.text("state-dir", "FORERUNNER_STATE_DIR", "Directory of the jobs that are running", &run.state_dir);
  options.flag("syslog", "LOG_SYSLOG", "Log to the system's log as well", &syslog);
  if (const Parsed parsed = parse_options(global, "run", options, arguments); parsed.leave) return parsed.status;

  base::log::info(fmt::format("Starting multi-runner from {}...", run.config_path));
  print_mode_banner(false);
  if (!listen_address.empty()) base::log::warning("--listen-address: the metrics server is not supported yet");
  if (syslog) base::log::warning("--syslog is not supported yet; the log goes to stderr");
  return manager::run(run);
}

int run_run_single(const GlobalOptions& global, const Arguments& arguments) {
  manager::SingleOptions single;
  std::string name;
  RunnerOptions runner;
  std::int64_t wait_timeout = 0;
  std::int64_t shutdown_timeout = single.shutdown_timeout.count();
  Options options;
  add_runner_options(options, &runner);
  options.text("c,config", "CONFIG_FILE", "Config file", &single.config_path);
  options.text("r,runner", "", "Runner name from the config file to use instead of command-line arguments", &name);
  options.integer("wait-timeout", "", "How long to wait in seconds before receiving the first job", &wait_timeout);
  options.integer("max-builds", "", "How many builds to process before exiting", &single.max_builds);
  options.integer("shutdown-timeout", "", "Number of seconds after which the forceful shutdown operation times out",
                  &shutdown_timeout);
  options.text("state-dir", "FORERUNNER_STATE_DIR", "Directory of the jobs that are running", &single.state_dir);
  if (const Parsed parsed = parse_options(global, "run-single", options, arguments); parsed.leave) return parsed.status;

  auto chosen = choose_runner(single.config_path.empty() ? default_config_path() : single.config_path, name, runner);
  if (!chosen) return fatal(chosen.error());
  if (const auto status = check_runner(*chosen); !status) return fatal(status.error());
  single.runner = std::move(*chosen);
  single.wait_timeout = std::chrono::seconds(wait_timeout);
  single.shutdown_timeout = std::chrono::seconds(shutdown_timeout > 0 ? shutdown_timeout : 30);
  base::log::info(fmt::format("Starting runner for {} with token {} ...", single.runner.url,
                              gitlab::short_token(single.runner.token.reveal())));
  return manager::run_single(single);
}

} // namespace cli
