// `verify [--delete]`: asks the server about configured runners.
#include <fmt/format.h>

#include "base/log.hpp"
#include "cli/command.hpp"
#include "cli/server_calls.hpp"
#include "config/editor.hpp"
#include "gitlab/system_id.hpp"

namespace cli {

namespace {

struct Filter {
  std::string name;
  std::string url;
  std::string token;

  bool empty() const { return name.empty() && url.empty() && token.empty(); }
  bool matches(const config::Runner& runner) const {
    if (empty() || (!name.empty() && runner.name == name)) return true;
    if (token.empty()) return false;
    const bool same_url = url.empty() || url == "*" || runner.url.empty() || runner.url == "*" || runner.url == url;
    return runner.token.reveal() == token && same_url;
  }
};

} // namespace

int run_verify(const GlobalOptions& global, const Arguments& arguments) {
  std::string path = default_config_path();
  Filter filter;
  bool remove = false;
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &path);
  options.text("n,name", "", "Name of the runner to verify", &filter.name);
  // No variables for these two, on purpose: CI_SERVER_URL is set in every job.
  options.text("u,url", "", "GitLab instance URL of the runner to verify", &filter.url);
  options.text("t,token", "", "Token of the runner to verify", &filter.token);
  options.flag("delete", "", "Delete the entries of runners that the server does not know", &remove);
  if (const Parsed parsed = parse_options(global, "verify", options, arguments); parsed.leave) return parsed.status;

  print_mode_banner(true);
  auto editor = config::Editor::open(path);
  if (!editor) return fatal(editor.error());
  const auto system_id = gitlab::load_system_id(path);
  if (!system_id) return fatal(system_id.error());

  std::size_t matched = 0;
  std::size_t unknown = 0;
  std::vector<std::size_t> gone;
  const std::vector<config::Runner> runners = editor->config().runners;
  for (std::size_t i = 0; i < runners.size(); ++i) {
    if (!filter.matches(runners[i])) continue;
    ++matched;
    switch (ServerCalls(runners[i], path).verify(*system_id).verified) {
      case Verified::kYes:
        break;
      case Verified::kGone:
        gone.push_back(i);
        break;
      case Verified::kUnknown:
        ++unknown;
        break;
    }
  }
  if (matched == 0) return fatal("mutate config: no runner matches the filtering parameters");
  // Upstream counts these as verified. A server that is down must not delete anything, but it verified nothing either.
  if (unknown > 0) base::log::warning(fmt::format("{} runner(s) could not be verified", unknown));
  if (!gone.empty() && !remove) return fatal("Failed to verify runners");
  if (gone.empty()) return 0;

  for (auto it = gone.rbegin(); it != gone.rend(); ++it) {
    if (const auto status = editor->remove_runner(*it); !status) return fatal(status.error());
  }
  if (const auto status = editor->save(); !status) return fatal(status.error());
  base::log::info("Updated " + path);
  return 0;
}

} // namespace cli
