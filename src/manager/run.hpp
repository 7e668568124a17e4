// `forerunner run` and `forerunner run-single`: process set-up around Manager. Call from main() before any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "config/config.hpp"

namespace manager {

struct RunOptions {
  std::string config_path;       // absolute or relative to the directory we are started in
  std::string working_directory; // empty: stay; else chdir there first
  std::string user;              // run jobs of the shell executor as this user
  std::string state_dir;         // empty: FORERUNNER_STATE_DIR, else the default for this configuration
  bool log_level_given = false;  // on the command line or in the environment: the file's is ignored
  bool log_format_given = false;
};
// Returns the exit status.
int run(const RunOptions& options);

struct SingleOptions {
  config::Runner runner;       // from the command line, or the file's entry of that name
  std::string config_path;     // for the system ID and the state directory; empty: none
  std::string state_dir;       // as above
  std::string user;            // as above
  std::int64_t max_builds = 0; // 0: no end
  std::chrono::seconds wait_timeout{0};
  std::chrono::seconds shutdown_timeout{30};
};
int run_single(const SingleOptions& options);

// `<explicit, or FORERUNNER_STATE_DIR>`, else /var/lib/forerunner/<hash of the path> as root and
// ~/.local/state/forerunner/<hash> (XDG_STATE_HOME) for others.
std::string default_state_directory(const std::string& configured, const std::string& identity);

} // namespace manager
