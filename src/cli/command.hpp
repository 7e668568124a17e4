// A command of the program and the table of all of them; and what commands share.
//
// Commands run on the main thread and return the exit status. Everything they say goes to stderr through the log, as
// upstream's; only --version, help and the help commands write to stdout.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/options.hpp"

namespace cli {

using Arguments = std::vector<std::string>;

struct GlobalOptions {
  std::string program;   // base name of argv[0]
  std::string log_level; // as given by flag or environment; empty: config.toml decides
  std::string log_format;
  bool debug = false;
};

struct Command {
  std::string_view name;
  std::string_view usage; // one line for the help
  int (*run)(const GlobalOptions& global, const Arguments& arguments);
  bool hidden = false;
  bool quiet = false; // no "Runtime platform" line
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

// Parses, answers --help, reports wrong usage. nullopt: `status` is the exit status to leave with.
struct Parsed {
  std::vector<std::string> positional;
  bool leave = false;
  int status = 0;
};
Parsed parse_options(const GlobalOptions& global, std::string_view command, Options& options,
                     const Arguments& arguments);

// FATAL with the message; returns 1.
int fatal(std::string_view message);
int fatal(const base::Error& error);
// PANIC with the message; returns 1.
int panic(std::string_view message);

// "Running in system-mode." and its companions. `with_run`: also how to start the runner by hand.
void print_mode_banner(bool with_run);

// Default for -c/--config.
std::string default_config_path();

// ---- the commands, one file each ------------------------------------------------------------------------------------

int run_list(const GlobalOptions& global, const Arguments& arguments);
int run_lint(const GlobalOptions& global, const Arguments& arguments);
int run_register(const GlobalOptions& global, const Arguments& arguments);
int run_verify(const GlobalOptions& global, const Arguments& arguments);
int run_unregister(const GlobalOptions& global, const Arguments& arguments);
int run_reset_token(const GlobalOptions& global, const Arguments& arguments);
int run_run(const GlobalOptions& global, const Arguments& arguments);
int run_run_single(const GlobalOptions& global, const Arguments& arguments);
int run_job_worker(const GlobalOptions& global, const Arguments& arguments);
int run_coordinator(const GlobalOptions& global, const Arguments& arguments);
int run_coordinator_backup(const GlobalOptions& global, const Arguments& arguments);
int run_coordinator_restore(const GlobalOptions& global, const Arguments& arguments);
int run_artifacts_uploader(const GlobalOptions& global, const Arguments& arguments);
int run_artifacts_downloader(const GlobalOptions& global, const Arguments& arguments);
int run_cache_archiver(const GlobalOptions& global, const Arguments& arguments);
int run_cache_extractor(const GlobalOptions& global, const Arguments& arguments);
int run_cache_init(const GlobalOptions& global, const Arguments& arguments);

} // namespace cli
