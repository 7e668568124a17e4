#include "manager/run.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "gitlab/system_id.hpp"
#include "gitlab/wire.hpp"
#include "job/worker.hpp"
#include "manager/manager.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/lock.hpp"
#include "sys/process.hpp"

namespace manager {
namespace {

constexpr int kMostSlots = 64;

// A state directory that no other process of ours uses: two managers on one configuration each get their own, and a
// restarted one gets back the one it had (the lowest that is free). Jobs in the directories of others that are gone
// are taken over as well.
struct StateDirectory {
  std::string path;
  std::vector<std::string> abandoned;
  std::vector<sys::FileLock> locks; // of all of them
};

base::Result<StateDirectory> claim_state(const std::string& wanted) {
  StateDirectory state;
  for (int slot = 0; slot < kMostSlots; ++slot) {
    std::string path = slot == 0 ? wanted : fmt::format("{}-{}", wanted, slot);
    if (!state.path.empty() && sys::list_directory(path + "/jobs").value_or(std::vector<std::string>()).empty())
      continue; // nothing to take over
    FR_CHECK(sys::make_directories(path, 0700));
    auto lock = FR_TRY(sys::FileLock::try_acquire(path + "/manager.lock"));
    if (!lock) continue;
    state.locks.push_back(std::move(*lock));
    if (state.path.empty()) {
      state.path = path;
    } else {
      state.abandoned.push_back(path);
    }
  }
  if (!state.path.empty()) return state;
  return base::fail(base::ErrorKind::kConflict,
                    fmt::format("{} processes already use the state directory {}", kMostSlots, wanted));
}

base::Result<sys::Spawner> start_spawner() {
  // The standard error stays ours: whoever reads it must see its end when this process ends, not when the last job
  // does.
  return sys::Spawner::start(
      [](const std::string& directory) { return job::worker_main(directory); },
      {.process_name = "forerunner-spwn", .worker_name = "forerunner-job", .keep_stderr = false});
}

base::Status apply_logging(const config::Config& config, const RunOptions& options) {
  if (!options.log_level_given && config.log_level) {
    auto level = base::log::parse_level(*config.log_level);
    if (!level) return base::fail(base::ErrorKind::kInvalidInput, "failed to parse log level: " + *config.log_level);
    base::log::set_level(*level);
  }
  if (!options.log_format_given && config.log_format) {
    auto format = base::log::parse_format(*config.log_format);
    if (!format)
      return base::fail(
          base::ErrorKind::kInvalidInput,
          fmt::format("unknown log format \"{}\", expected one of: [runner text json]", *config.log_format));
    base::log::set_format(*format);
  }
  return {};
}

base::Result<int> serve(ManagerOptions options, config::Config config, sys::Spawner& spawner, sys::SignalFd& signals) {
  auto loop = FR_TRY(Loop::create());
  Manager manager(loop, spawner, signals, std::move(options), std::move(config));
  manager.run();
  return manager.exit_code();
}

base::Result<int> run_checked(const RunOptions& options, sys::Spawner& spawner, sys::SignalFd& signals) {
  std::string config_path = sys::absolute_path(options.config_path);
  if (!options.working_directory.empty() && ::chdir(options.working_directory.c_str()) != 0)
    return base::fail_errno("change to the working directory " + options.working_directory, errno);
  auto config = FR_TRY(config::load(config_path));
  FR_CHECK(apply_logging(config, options));
  base::log::info("Configuration loaded", {{"builds", "0"}, {"max_builds", std::to_string(config.concurrent)}});
  if (config.concurrent < 1)
    return base::fail(
        base::ErrorKind::kInvalidInput,
        fmt::format("Current configuration 'concurrent = {}' means that no jobs will be processed", config.concurrent));
  if (!config.listen_address.empty())
    base::log::warning("listen_address: the metrics listener is not supported yet; it is not started");
  if (!config.session_server.listen_address.empty())
    base::log::warning("session_server: the session server is not supported yet; it is not started");
  ManagerOptions manager{.config_path = config_path,
                         .config_dir = sys::parent_path(config_path),
                         .system_id = FR_TRY(gitlab::load_system_id(config_path)),
                         .working_directory = FR_TRY(sys::current_directory()),
                         .user = options.user};
  auto state = FR_TRY(claim_state(default_state_directory(options.state_dir, config_path)));
  manager.state_dir = state.path;
  manager.abandoned = state.abandoned;
  return serve(std::move(manager), std::move(config), spawner, signals);
}

base::Result<int> run_single_checked(const SingleOptions& options, sys::Spawner& spawner, sys::SignalFd& signals) {
  config::Config config;
  config.concurrent = 1;
  config.shutdown_timeout = options.shutdown_timeout.count();
  config.runners = {options.runner};
  std::string config_path = options.config_path.empty() ? "" : sys::absolute_path(options.config_path);
  std::string identity = "run-single\n" + config_path + "\n" + options.runner.url + "\n" +
                         gitlab::short_token(options.runner.token.reveal());
  ManagerOptions manager{
      .config_path = {},
      .config_dir = config_path.empty() ? config::default_directory() : sys::parent_path(config_path),
      .system_id = config_path.empty() ? gitlab::generate_system_id(sys::machine_id())
                                       : FR_TRY(gitlab::load_system_id(config_path)),
      .working_directory = FR_TRY(sys::current_directory()),
      .user = options.user,
      .max_builds = options.max_builds,
      .wait_timeout = options.wait_timeout};
  auto state = FR_TRY(claim_state(default_state_directory(options.state_dir, identity)));
  manager.state_dir = state.path;
  manager.abandoned = state.abandoned;
  return serve(std::move(manager), std::move(config), spawner, signals);
}

// Everything that must happen before the first thread: the spawner, then the signals.
template <class Body>
int with_processes(const char* failure, Body body) {
  sys::ignore_sigpipe();
  auto spawner = start_spawner();
  if (!spawner) {
    base::log::fatal(failure, {{"error", spawner.error().message()}});
    return 1;
  }
  std::signal(SIGUSR1, SIG_IGN); // upstream's survives it
  auto signals = sys::SignalFd::create({SIGTERM, SIGINT, SIGQUIT, SIGHUP});
  if (!signals) {
    base::log::fatal(failure, {{"error", signals.error().message()}});
    return 1;
  }
  base::Result<int> result = body(*spawner, *signals);
  if (!result) {
    base::log::fatal(failure, {{"error", result.error().message()}});
    return 1;
  }
  return *result;
}

} // namespace

std::string default_state_directory(const std::string& configured, const std::string& identity) {
  if (!configured.empty()) return sys::absolute_path(configured);
  if (auto given = sys::get_env("FORERUNNER_STATE_DIR"); given && !given->empty()) return sys::absolute_path(*given);
  std::string name = base::sha256_hex(identity).substr(0, 12);
  if (sys::is_root()) return "/var/lib/forerunner/" + name;
  auto xdg = sys::get_env("XDG_STATE_HOME");
  std::string base = xdg && !xdg->empty() ? *xdg : sys::home_directory() + "/.local/state";
  return base + "/forerunner/" + name;
}

int run(const RunOptions& options) {
  return with_processes("Service run failed", [&](sys::Spawner& spawner, sys::SignalFd& signals) {
    return run_checked(options, spawner, signals);
  });
}

int run_single(const SingleOptions& options) {
  return with_processes("Runner cannot start", [&](sys::Spawner& spawner, sys::SignalFd& signals) {
    return run_single_checked(options, spawner, signals);
  });
}

} // namespace manager
