// `lint`: everything that can be said about a configuration file without running it. Any finding is an error.
#include <fmt/format.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "cli/command.hpp"
#include "config/config.hpp"
#include "sys/files.hpp"

namespace cli {

int run_lint(const GlobalOptions& global, const Arguments& arguments) {
  std::string path = default_config_path();
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &path);
  if (const Parsed parsed = parse_options(global, "lint", options, arguments); parsed.leave) return parsed.status;

  if (!sys::exists(path)) return fatal(fmt::format("config file not found: {}", path));
  const auto config = config::load(path);
  if (!config) return fatal("decoding config: " + config.error().message());
  for (const std::string& warning : config->warnings) base::log::warning(warning);
  if (!config->unknown_keys.empty()) {
    return fatal(fmt::format("{} unknown key(s) found in {}:\n  unknown key: {}", config->unknown_keys.size(), path,
                             base::join(config->unknown_keys, "\n  unknown key: ")));
  }
  if (!config->warnings.empty()) return fatal("config schema validation failed: see the warnings above");
  base::log::info("Configuration file is valid.");
  return 0;
}

} // namespace cli
