#include "cli/command.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "base/log.hpp"
#include "config/config.hpp"
#include "sys/host.hpp"

namespace cli {

namespace {

// A command of upstream that this program does not have.
int run_unsupported(const GlobalOptions& global, const Arguments&) {
  return fatal(fmt::format("this command is not supported by {} yet", global.program));
}

constexpr std::array kCommands = std::to_array<Command>({
    {"list", "List all configured runners", run_list},
    {"lint", "check the configuration file", run_lint},
    {"run", "run multi runner service", run_run},
    {"register", "register a new runner", run_register},
    {"reset-token", "reset a runner's token", run_reset_token},
    {"install", "install service (not supported yet)", run_unsupported},
    {"uninstall", "uninstall service (not supported yet)", run_unsupported},
    {"start", "start service (not supported yet)", run_unsupported},
    {"stop", "stop service (not supported yet)", run_unsupported},
    {"restart", "restart service (not supported yet)", run_unsupported},
    {"status", "get status of a service (not supported yet)", run_unsupported},
    {"run-single", "start single runner", run_run_single},
    {"unregister", "unregister specific runner", run_unregister},
    {"verify", "verify all registered runners", run_verify},
    {"coordinator", "run a small GitLab-compatible coordinator", run_coordinator},
    {"wrapper", "start multi runner service wrapped with gRPC manager server (not supported yet)", run_unsupported},
    {"fleeting", "manage fleeting plugins (not supported yet)", run_unsupported},
    {"artifacts-downloader", "download and extract build artifacts (internal)", run_artifacts_downloader},
    {"artifacts-uploader", "create and upload build artifacts (internal)", run_artifacts_uploader},
    {"cache-archiver", "create and upload cache artifacts (internal)", run_cache_archiver},
    {"cache-extractor", "download and extract cache artifacts (internal)", run_cache_extractor},
    {"cache-init", "changed permissions for cache paths (internal)", run_cache_init},
    {"coordinator backup", "write a coordinator's data into one file, also while it runs", run_coordinator_backup,
     true},
    {"coordinator restore", "make a data directory of such a file", run_coordinator_restore, true},
    {"job-worker", "run the job in a job directory (internal)", run_job_worker, true, true},
    {"health-check", "check health for a specific address (not supported yet)", run_unsupported, true},
    {"proxy-exec", "execute internal commands (not supported yet)", run_unsupported, true},
    {"read-logs", "read job logs from a file (not supported yet)", run_unsupported, true},
    {"steps", "step runner (not supported yet)", run_unsupported, true, true},
});

} // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

Parsed parse_options(const GlobalOptions& global, std::string_view command, Options& options,
                     const Arguments& arguments) {
  auto parsed = options.parse(arguments);
  if (parsed) return {.positional = std::move(*parsed)};

  const bool help = parsed.error().kind() == base::ErrorKind::kCanceled;
  std::string out;
  if (!help) out += fmt::format("Incorrect Usage: {}\n\n", parsed.error().message());
  const Command* entry = find_command(command);
  out +=
      fmt::format("NAME:\n   {0} {1} - {2}\n\nUSAGE:\n   {0} {1} [command options] [arguments...]\n\nOPTIONS:\n{3}\n",
                  global.program, command, entry == nullptr ? "" : entry->usage, options.describe());
  std::fputs(out.c_str(), stdout);
  std::fflush(stdout);
  if (!help) fatal(parsed.error());
  return {.leave = true, .status = help ? 0 : 1};
}

int fatal(std::string_view message) {
  base::log::fatal(message);
  return 1;
}

int fatal(const base::Error& error) { return fatal(error.message()); }

int panic(std::string_view message) {
  base::log::write(base::log::Level::kPanic, message);
  return 1;
}

void print_mode_banner(bool with_run) {
  const bool system_mode = sys::is_root();
  if (system_mode) {
    base::log::info("Running in system-mode.");
  } else {
    base::log::warning("Running in user-mode.");
    if (with_run) {
      base::log::warning("The user-mode requires you to manually start builds processing:");
      base::log::warning("$ gitlab-runner run");
    }
    base::log::warning("Use sudo for system-mode:");
    base::log::warning("$ sudo gitlab-runner...");
  }
  base::log::info("");
}

std::string default_config_path() { return config::default_path(); }

} // namespace cli
