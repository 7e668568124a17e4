// `reset-token`: a new authentication token from the server, put into the file.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "cli/command.hpp"
#include "cli/server_calls.hpp"
#include "config/editor.hpp"

namespace cli {

namespace {

struct Selection {
  std::string name;
  std::string url;
  std::int64_t id = 0;
  bool all = false;
  std::string access_token;
};

base::Result<std::size_t> find_runner(const std::vector<config::Runner>& runners, const Selection& selection) {
  for (std::size_t i = 0; i < runners.size(); ++i) {
    const bool found = selection.name.empty()
                           ? selection.id != 0 && runners[i].id == selection.id && runners[i].url == selection.url
                           : runners[i].name == selection.name;
    if (found) return i;
  }
  return base::fail(base::ErrorKind::kNotFound,
                    selection.name.empty() ? fmt::format("could not find a runner with the URL '{}' and ID '{}'",
                                                         selection.url, selection.id)
                                           : fmt::format("could not find a runner with the name '{}'", selection.name));
}

// Saved at once: the old token is dead from the moment the server answered.
base::Result<bool> reset(config::Editor& editor, std::size_t index, const Selection& selection,
                         const std::string& path) {
  const config::Runner runner = editor.config().runners.at(index);
  const auto answer = ServerCalls(runner, path).reset_token(selection.access_token);
  if (!answer || answer->token.empty()) return false;
  const config::NewToken successor{answer->token.reveal(), unix_now(), answer->token_expires_at};
  // Entries that share the token must go on working.
  FR_TRY(editor.replace_token(runner.url, runner.token.reveal(), successor));
  FR_CHECK(editor.save());
  return true;
}

} // namespace

int run_reset_token(const GlobalOptions& global, const Arguments& arguments) {
  std::string path = default_config_path();
  Selection selection;
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &path);
  options.text("n,name", "", "Name of the runner whose token is to be reset", &selection.name);
  options.text("u,url", "", "URL of the runner whose token is to be reset", &selection.url);
  options.integer("i,id", "", "ID of the runner whose token is to be reset", &selection.id);
  options.flag("all-runners", "", "Reset all runner authentication tokens", &selection.all);
  options.text("pat", "", "Personal access token to use in lieu of runner's old token", &selection.access_token);
  if (const Parsed parsed = parse_options(global, "reset-token", options, arguments); parsed.leave)
    return parsed.status;

  print_mode_banner(true);
  auto editor = config::Editor::open(path);
  if (!editor) return fatal(editor.error());

  std::vector<std::size_t> indexes;
  if (selection.all) {
    base::log::warning("Resetting all runner authentication tokens");
    for (std::size_t i = 0; i < editor->config().runners.size(); ++i) {
      // The second entry of a runner was changed with the first.
      const auto& runners = editor->config().runners;
      const auto same = [&](const config::Runner& r) { return r.token == runners[i].token && r.url == runners[i].url; };
      if (std::find_if(runners.begin(), runners.end(), same) == runners.begin() + static_cast<std::ptrdiff_t>(i))
        indexes.push_back(i);
    }
  } else {
    const auto index = find_runner(editor->config().runners, selection);
    if (!index) {
      base::log::fatal("Couldn't get runner credentials", {{"error", index.error().message()}});
      return 1;
    }
    indexes.push_back(*index);
  }

  bool all_done = true;
  for (const std::size_t index : indexes) {
    const config::Runner runner = editor->config().runners.at(index);
    const auto done = reset(*editor, index, selection, path);
    if (!done) return fatal(done.error());
    if (*done) continue;
    all_done = false;
    base::log::write(selection.all ? base::log::Level::kError : base::log::Level::kFatal,
                     "Failed to reset runner authentication token",
                     {{"name", runner.name}, {"id", std::to_string(runner.id)}});
  }
  if (all_done) base::log::info("Updated " + path);
  return all_done ? 0 : 1;
}

} // namespace cli
