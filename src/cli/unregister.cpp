// `unregister`: takes runners (or, for created ones, this machine's manager) off the server and out of the file.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "cli/command.hpp"
#include "cli/server_calls.hpp"
#include "config/editor.hpp"
#include "gitlab/system_id.hpp"

namespace cli {

namespace {

using config::Runner;

struct Selection {
  std::string name;
  std::string token;
  std::string url; // accepted, but the file's entry decides
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  bool all = false;
  bool force = false;
};

bool same_credentials(const Runner& a, const Runner& b) {
  const auto url_matches = [](const std::string& x, const std::string& y) {
    return x == y || x.empty() || y.empty() || x == "*" || y == "*";
  };
  return a.token.reveal() == b.token.reveal() && url_matches(a.url, b.url);
}

base::Result<Runner> find_runner(const std::vector<Runner>& runners, const Selection& selection) {
  const bool by_name = !selection.name.empty();
  const bool by_token = !selection.token.empty();
  std::string missing;
  if (by_name && by_token) {
    missing = fmt::format("could not find a runner with the Name '{}' and Token '{}'", selection.name,
                          gitlab::short_token(selection.token));
  } else if (by_token) {
    missing = fmt::format("could not find a runner with the token '{}'", gitlab::short_token(selection.token));
  } else if (by_name) {
    missing = fmt::format("could not find a runner with the name '{}'", selection.name);
  } else {
    return base::fail(base::ErrorKind::kInvalidInput, "at least one of --name or --token must be specified");
  }
  const auto it = std::find_if(runners.begin(), runners.end(), [&](const Runner& runner) {
    return (!by_name || runner.name == selection.name) && (!by_token || runner.token.reveal() == selection.token);
  });
  if (it == runners.end()) return base::fail(base::ErrorKind::kNotFound, missing);
  return *it;
}

class Unregistration {
 public:
  Unregistration(config::Editor& editor, std::string path, std::string system_id, const Selection& selection)
      : editor_(editor), path_(std::move(path)), system_id_(std::move(system_id)), selection_(selection) {}

  // Whether the entry may go.
  bool off_the_server(Runner runner) {
    if (!selection_.tls_ca_file.empty()) runner.tls_ca_file = selection_.tls_ca_file;
    if (!selection_.tls_cert_file.empty()) runner.tls_cert_file = selection_.tls_cert_file;
    if (!selection_.tls_key_file.empty()) runner.tls_key_file = selection_.tls_key_file;
    return ServerCalls(runner, path_).unregister(system_id_) || selection_.force;
  }

  // Every entry with these credentials: one runner on the server may stand in the file more than once.
  base::Status out_of_the_file(const Runner& gone) {
    for (std::size_t i = editor_.config().runners.size(); i-- > 0;) {
      if (same_credentials(editor_.config().runners[i], gone)) FR_CHECK(editor_.remove_runner(i));
    }
    return {};
  }

 private:
  config::Editor& editor_;
  std::string path_;
  std::string system_id_;
  const Selection& selection_;
};

int save(config::Editor& editor, const std::string& path, std::size_t before) {
  if (editor.config().runners.size() == before) return 0;
  if (const auto status = editor.save(); !status) return fatal(status.error());
  base::log::info("Updated " + path);
  return 0;
}

int unregister_all(config::Editor& editor, Unregistration& work, const std::string& path) {
  base::log::warning("Unregistering all runners");
  const std::vector<Runner> runners = editor.config().runners;
  bool all_done = true;
  for (const Runner& runner : runners) {
    const auto present = [&](const Runner& r) { return same_credentials(r, runner); };
    if (std::none_of(editor.config().runners.begin(), editor.config().runners.end(), present)) continue;
    if (!work.off_the_server(runner)) {
      all_done = false;
      continue;
    }
    if (const auto status = work.out_of_the_file(runner); !status) return fatal(status.error());
  }
  if (!all_done) base::log::error("Failed to unregister runners");
  const int status = save(editor, path, runners.size());
  return all_done ? status : 1;
}

} // namespace

int run_unregister(const GlobalOptions& global, const Arguments& arguments) {
  std::string path = default_config_path();
  Selection selection;
  Options options;
  options.text("c,config", "CONFIG_FILE", "Config file", &path);
  options.text("n,name", "", "Name of the runner you wish to unregister", &selection.name);
  options.flag("all-runners", "", "Unregister all runners", &selection.all);
  options.flag("force", "", "Drop the entry even when the server refuses or cannot be reached", &selection.force);
  options.text("u,url", "CI_SERVER_URL", "GitLab instance URL", &selection.url);
  options.text("t,token", "CI_SERVER_TOKEN", "Runner token", &selection.token);
  options.text("tls-ca-file", "CI_SERVER_TLS_CA_FILE", "CA certificates in PEM", &selection.tls_ca_file);
  options.text("tls-cert-file", "CI_SERVER_TLS_CERT_FILE", "Client certificate in PEM", &selection.tls_cert_file);
  options.text("tls-key-file", "CI_SERVER_TLS_KEY_FILE", "Client key in PEM", &selection.tls_key_file);
  if (const Parsed parsed = parse_options(global, "unregister", options, arguments); parsed.leave) return parsed.status;

  print_mode_banner(false);
  auto editor = config::Editor::open(path);
  if (!editor) return fatal(editor.error());
  const auto system_id = gitlab::load_system_id(path);
  if (!system_id) return fatal(system_id.error());

  Unregistration work(*editor, path, *system_id, selection);
  if (selection.all) return unregister_all(*editor, work, path);
  const auto runner = find_runner(editor->config().runners, selection);
  if (!runner) return fatal(runner.error());
  const std::size_t before = editor->config().runners.size();
  if (!work.off_the_server(*runner)) return fatal("Failed to unregister runner");
  if (const auto status = work.out_of_the_file(*runner); !status) return fatal(status.error());
  return save(*editor, path, before);
}

} // namespace cli
