// `list`: the configured runners, one log line each. Tokens are shortened unless asked for.
#include "base/log.hpp"
#include "cli/command.hpp"
#include "config/config.hpp"
#include "gitlab/wire.hpp"

namespace cli {

int run_list(const GlobalOptions& global, const Arguments& arguments) {
  std::string path = default_config_path();
  bool show_tokens = false;
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &path);
  options.flag("show-tokens", "", "Print the tokens whole", &show_tokens);
  if (const Parsed parsed = parse_options(global, "list", options, arguments); parsed.leave) return parsed.status;

  const auto config = config::load(path);
  if (!config) {
    base::log::warning(config.error().message());
    return 0; // as upstream: scripts rely on it
  }
  base::log::info("Listing configured runners", {{"ConfigFile", path}});
  for (const config::Runner& runner : config->runners) {
    const std::string& token = runner.token.reveal();
    base::log::info(runner.name, {{"Executor", runner.executor},
                                  {"Token", show_tokens ? token : gitlab::short_token(token)},
                                  {"URL", runner.url}});
  }
  return 0;
}

} // namespace cli
