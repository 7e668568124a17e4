#include "config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/duration.hpp"
#include "base/expand.hpp"
#include "base/strings.hpp"
#include "config/internal.hpp"
#include "config/validate.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "toml/toml.hpp"

namespace config {

namespace {

using json::Value;

std::string expand_environment(const std::string& text) {
  return base::expand(text, [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::string() : std::string(value);
  });
}

void read_globals(const Value& tree, Config& out) {
  out.concurrent = tree["concurrent"].integer_or(out.concurrent);
  out.check_interval = tree["check_interval"].integer_or(0);
  if (tree["log_level"].is_string()) out.log_level = tree["log_level"].as_string();
  if (tree["log_format"].is_string()) out.log_format = tree["log_format"].as_string();
  const auto age = base::parse_go_duration(tree["connection_max_age"].string_or(""));
  out.connection_max_age = age.value_or(out.connection_max_age);
  out.listen_address = tree["listen_address"].string_or("");
  out.shutdown_timeout = tree["shutdown_timeout"].integer_or(0);
  if (tree["labels"].is_object()) {
    for (const auto& [key, value] : tree["labels"].as_object()) out.labels[key] = value.string_or("");
  }
  const Value& session = tree["session_server"];
  out.session_server.listen_address = session["listen_address"].string_or("");
  out.session_server.advertise_address = session["advertise_address"].string_or("");
  const std::int64_t timeout = session["session_timeout"].integer_or(0);
  if (timeout > 0) out.session_server.session_timeout = timeout;
}

Runner read_runner(const Value& tree, const std::map<std::string, std::string>& global_labels) {
  Runner runner = runner_from_tree(tree);
  runner.url = expand_environment(runner.url);
  runner.token = base::Secret(expand_environment(runner.token.reveal()));
  runner.labels.insert(global_labels.begin(), global_labels.end()); // the runner's own win
  return runner;
}

base::Result<Config> from_document(const toml::Value& document, const std::string& path) {
  Config config;
  config.loaded = true;
  std::vector<Finding> unknown;
  const Value globals = FR_TRY(normalize_globals(document, path, unknown));
  read_globals(globals, config);
  if (const toml::Value* runners = document.find("runners"); runners != nullptr) {
    if (!runners->is_table_array()) {
      return base::fail(base::ErrorKind::kInvalidInput,
                        fmt::format("{}:{}:{}: runners: expected an array of tables, got {}", path,
                                    runners->position.line, runners->position.column, toml::describe(runners->type)));
    }
    for (const toml::Value& table : runners->array) {
      const Value tree = FR_TRY(normalize_runner(table, path, unknown));
      FR_CHECK(validate_runner_tree(tree, globals["labels"]));
      Runner& runner = config.runners.emplace_back(read_runner(tree, config.labels));
      runner.line = table.position.line;
    }
  }
  for (const Finding& finding : unknown) {
    config.unknown_keys.push_back(finding.path);
    config.warnings.push_back(fmt::format("{}:{}: unknown key \"{}\" is ignored", path, finding.line, finding.path));
  }
  append_warnings(config, path);
  return config;
}

} // namespace

std::chrono::seconds Config::effective_check_interval() const {
  return std::chrono::seconds(check_interval > 0 ? check_interval : 3);
}

std::chrono::seconds Config::effective_shutdown_timeout() const {
  return std::chrono::seconds(shutdown_timeout > 0 ? shutdown_timeout : 30);
}

std::string default_directory() {
  if (sys::is_root()) return "/etc/gitlab-runner";
  const std::string home = sys::home_directory();
  return home.empty() ? sys::current_directory().value_or(".") : sys::join_path(home, ".gitlab-runner");
}

std::string default_path() { return sys::join_path(default_directory(), "config.toml"); }

base::Result<Config> parse(std::string_view text, const std::string& path) {
  const auto document = toml::parse_document(text, path);
  if (!document) return base::fail_context("decoding configuration file", document.error());
  auto config = from_document(*document, path);
  if (!config) return base::fail_context("decoding configuration file", config.error());
  return config;
}

base::Result<Config> load(const std::string& path) {
  const auto text = sys::read_file(path);
  if (text) return parse(*text, path);
  if (text.error().kind() == base::ErrorKind::kNotFound) return Config{};
  return base::fail(text.error());
}

TlsFiles tls_files(const Runner& runner, const std::string& config_directory) {
  std::string host = runner.url.substr(runner.url.contains("://") ? runner.url.find("://") + 3 : 0);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string::npos) host.erase(0, at + 1);
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  const auto pick = [&](const std::string& configured, std::string_view suffix) -> std::string {
    if (!configured.empty() || host.empty() || host.contains("..")) return configured;
    for (const std::string& directory : {config_directory, default_directory()}) {
      const std::string path = sys::join_path(directory, fmt::format("certs/{}{}", host, suffix));
      if (sys::is_regular_file(path)) return path;
    }
    return {};
  };
  return {.ca_file = pick(runner.tls_ca_file, ".crt"),
          .cert_file = pick(runner.tls_cert_file, ".auth.crt"),
          .key_file = pick(runner.tls_key_file, ".auth.key")};
}

} // namespace config
