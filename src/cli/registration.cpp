#include "cli/registration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/duration.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "cli/server_calls.hpp"
#include "config/editor.hpp"
#include "config/executor_names.hpp"
#include "config/schema.hpp"
#include "config/template.hpp"
#include "gitlab/system_id.hpp"
#include "sys/host.hpp"

namespace cli {

namespace {

using base::ErrorKind;

constexpr std::string_view kReserved =
    "--locked, --access-level, --run-untagged, --maximum-timeout, --paused, --tag-list, and --maintenance-note";
constexpr std::string_view kMoreInformation =
    "For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/"
    "#changes-to-the-gitlab-runner-register-command-syntax";

std::unexpected<base::Error> panic_error(std::string message) {
  return base::fail(ErrorKind::kInvalidInput, std::move(message));
}

// Tables that belong to the executors, and which of them each executor keeps.
constexpr std::array<std::string_view, 7> kExecutorTables = {"kubernetes", "machine",    "docker", "ssh",
                                                             "parallels",  "virtualbox", "custom"};

bool keeps_table(std::string_view executor, std::string_view table) {
  if (table == executor) return true;
  if (table == "docker") return executor.starts_with("docker");
  if (table == "machine") return executor == "docker+machine";
  return table == "ssh" && (executor == "parallels" || executor == "virtualbox");
}

bool is_docker(std::string_view executor) { return executor.starts_with("docker"); }

struct ExecutorQuestion {
  std::string_view path;
  Question question;
};

std::vector<ExecutorQuestion> questions_for(std::string_view executor) {
  constexpr ExecutorQuestion kSshHost{"ssh.host",
                                      {"ssh-host", "Enter the SSH server address (for example, my.server.com):"}};
  constexpr ExecutorQuestion kSshPort{"ssh.port", {"ssh-port", "Enter the SSH server port (for example, 22):", true}};
  constexpr ExecutorQuestion kSshUser{"ssh.user", {"ssh-user", "Enter the SSH user (for example, root):"}};
  constexpr ExecutorQuestion kSshPassword{
      "ssh.password", {"ssh-password", "Enter the SSH password (for example, docker.io):", true, true}};
  constexpr ExecutorQuestion kSshKey{
      "ssh.identity_file",
      {"ssh-identity-file", "Enter the path to the SSH identity file (for example, /home/user/.ssh/id_rsa):", true}};
  if (executor == "docker-windows") {
    return {
        {"docker.image",
         {"docker-image", "Enter the default Docker image (for example, mcr.microsoft.com/windows/servercore:1809):"}}};
  }
  if (is_docker(executor)) {
    return {{"docker.image", {"docker-image", "Enter the default Docker image (for example, ruby:3.3):"}}};
  }
  if (executor == "ssh") return {kSshHost, kSshPort, kSshUser, kSshPassword, kSshKey};
  if (executor == "parallels") {
    return {{"parallels.base_name", {"parallels-base-name", "Enter the Parallels VM (for example, my-vm):"}},
            kSshHost,
            kSshPort};
  }
  if (executor == "virtualbox") {
    return {{"virtualbox.base_name", {"virtualbox-base-name", "Enter the VirtualBox VM (for example, my-vm):"}},
            kSshUser,
            kSshPassword,
            kSshKey};
  }
  return {};
}

} // namespace

std::string Registration::text(std::string_view path) const { return config::at_path(tree_, path).string_or(""); }

config::Runner Registration::runner() const {
  return config::runner_from_json(tree_).value(); // the tree is an object from the start
}

std::unexpected<base::Error> Registration::fatal_error(std::string message, std::string field) {
  is_fatal_ = true;
  error_field_ = std::move(field);
  return base::fail(ErrorKind::kInvalidInput, std::move(message));
}

int Registration::run() {
  base::Status status = prepare();
  if (status) {
    status = ask_and_register();
    if (status) status = save();
    if (!status && registered_ && !options_.leave_runner) undo();
  }
  if (status) return 0;
  const bool interrupted = status.error().kind() == ErrorKind::kCanceled;
  base::log::Fields fields;
  if (!error_field_.empty()) fields.emplace_back("error", error_field_);
  base::log::write(is_fatal_ || interrupted ? base::log::Level::kFatal : base::log::Level::kPanic,
                   status.error().message(), fields);
  return 1;
}

base::Status Registration::prepare() {
  const std::string& level = options_.access_level;
  if (!level.empty() && level != "not_protected" && level != "ref_protected") {
    return panic_error("Given access-level is not valid. Refer to gitlab-runner register -h for the correct options.");
  }
  FR_CHECK(merge_template());
  if (text("name").empty()) tree_.set("name", sys::hostname());
  if (!tree_["cache"].is_object()) tree_.set("cache", json::Value::object());
  // Before anything is asked: a file that cannot be read cannot be added to.
  FR_TRY(config::load(options_.config_path));
  system_id_ = FR_TRY(gitlab::load_system_id(options_.config_path));
  return {};
}

base::Status Registration::merge_template() {
  if (options_.template_path.empty()) return {};
  base::log::info(fmt::format("Merging configuration from template file \"{}\"", options_.template_path));
  const auto tree = config::load_template(options_.template_path);
  if (!tree) {
    return fatal_error("Could not handle configuration merging from template file", tree.error().message());
  }
  config::merge_template(tree_, *tree);
  return {};
}

base::Status Registration::ask_into(std::string_view path, const Question& question) {
  std::string answer = FR_TRY(prompt_.ask(question, text(path)));
  if (!answer.empty() || !config::at_path(tree_, path).is_null()) config::set_path(tree_, path, std::move(answer));
  return {};
}

base::Status Registration::ask_and_register() {
  FR_CHECK(ask_into("url", {"url", "Enter the GitLab instance URL (for example, https://gitlab.com/):"}));
  if (!text("token").empty() && !gitlab::is_created_runner_token(text("token"))) {
    FR_CHECK(verify_given_token());
  } else {
    if (text("token").empty()) {
      const Question question{"registration-token", "Enter the registration token:", false, true};
      tree_.set("token", FR_TRY(prompt_.ask(question, options_.registration_token)));
    }
    FR_CHECK(gitlab::is_created_runner_token(text("token")) ? register_created_runner()
                                                            : register_with_registration_token());
  }
  FR_CHECK(ask_executor());
  return ask_executor_options();
}

base::Status Registration::verify_given_token() {
  base::log::info("Token specified trying to verify runner...");
  base::log::warning("If you want to register use the '-r' instead of '-t'.");
  if (ServerCalls(runner(), options_.config_path).verify(system_id_).verified == Verified::kGone) {
    return panic_error("Failed to verify the runner. You may be having network problems.");
  }
  return {};
}

// What can be found wrong here is found before the server makes a runner that would have to be taken off again.
base::Status Registration::check_ahead() {
  if (prompt_.interactive()) return {};
  if (!config::is_known_executor(text("executor"))) return panic_error("Invalid executor specified");
  for (const ExecutorQuestion& item : questions_for(text("executor")))
    FR_TRY(prompt_.ask(item.question, text(item.path)));
  return {};
}

base::Status Registration::register_with_registration_token() {
  FR_CHECK(check_ahead());
  FR_CHECK(ask_into("name", {"name", "Enter a description for the runner:"}));
  options_.tag_list =
      FR_TRY(prompt_.ask({"tag-list", "Enter tags for the runner (comma-separated):", true}, options_.tag_list));
  options_.maintenance_note = FR_TRY(prompt_.ask(
      {"maintenance-note", "Enter optional maintenance note for the runner:", true}, options_.maintenance_note));
  base::log::warning(
      "Support for registration tokens and runner parameters in the 'register' command has been deprecated in GitLab "
      "Runner 15.6 and will be replaced with support for authentication tokens. For more information, see "
      "https://docs.gitlab.com/ci/runners/new_creation_workflow/");
  const auto answer = ServerCalls(runner(), options_.config_path)
                          .register_runner({.info = gitlab::version_info("", ""),
                                            .token = base::Secret(text("token")),
                                            .description = text("name"),
                                            .maintenance_note = options_.maintenance_note,
                                            .tag_list = options_.tag_list,
                                            .run_untagged = options_.run_untagged || options_.tag_list.empty(),
                                            .locked = options_.locked,
                                            .access_level = options_.access_level,
                                            .maximum_timeout = options_.maximum_timeout,
                                            .paused = options_.paused});
  if (!answer) return panic_error("Failed to register the runner.");
  registered_ = true;
  Prompter::catch_interrupts();
  tree_.set("id", answer->id);
  tree_.set("token", answer->token.reveal());
  tree_.set("token_obtained_at", base::format_utc_seconds(unix_now()));
  if (answer->token_expires_at) tree_.set("token_expires_at", base::format_utc_seconds(*answer->token_expires_at));
  return {};
}

base::Status Registration::check_reserved_options() {
  const bool clean = options_.locked && options_.access_level.empty() && !options_.run_untagged &&
                     options_.maximum_timeout == 0 && !options_.paused && options_.tag_list.empty() &&
                     options_.maintenance_note.empty();
  if (clean) return {};
  if (options_.registration_token == text("token")) {
    base::log::warning(fmt::format(
        "You have specified an authentication token in the legacy parameter --registration-token. This has triggered "
        "the 'legacy-compatible registration process' which has resulted in the following command line parameters "
        "being ignored: {}. {} These parameters and the legacy-compatible registration process will be removed in a "
        "future GitLab Runner release.",
        kReserved, kMoreInformation));
    return {};
  }
  return fatal_error(fmt::format(
      "Runner configuration other than name and executor configuration is reserved (specifically {}) and cannot be "
      "specified when registering with a runner authentication token. This configuration is specified on the GitLab "
      "server. Please try again without specifying any of those arguments. {}",
      kReserved, kMoreInformation));
}

base::Status Registration::register_created_runner() {
  const config::Config present = FR_TRY(config::load(options_.config_path));
  const bool known = std::any_of(present.runners.begin(), present.runners.end(),
                                 [&](const config::Runner& r) { return r.token.reveal() == text("token"); });
  if (known) base::log::warning("A runner with this system ID and token has already been registered.");
  FR_CHECK(check_reserved_options());
  FR_CHECK(check_ahead());
  const VerifyReply reply = ServerCalls(runner(), options_.config_path).verify(system_id_);
  if (reply.verified != Verified::kYes || reply.answer.id == 0) return panic_error("Failed to verify the runner.");
  registered_ = true;
  Prompter::catch_interrupts();
  tree_.set("id", reply.answer.id);
  tree_.set("token_obtained_at", base::format_utc_seconds(unix_now()));
  if (reply.answer.token_expires_at) {
    tree_.set("token_expires_at", base::format_utc_seconds(*reply.answer.token_expires_at));
  }
  return ask_into("name", {"name", "Enter a name for the runner. This is stored only in the local config.toml file:"});
}

base::Status Registration::ask_executor() {
  std::vector<std::string> names(config::kExecutorNames.begin(), config::kExecutorNames.end());
  const std::string prompt = "Enter an executor: " + base::join(names, ", ") + ":";
  for (;;) {
    const std::string answer = FR_TRY(prompt_.ask({"executor", prompt, true}, text("executor")));
    tree_.set("executor", answer);
    if (config::is_known_executor(answer)) return {};
    if (!prompt_.interactive()) return panic_error("Invalid executor specified");
    base::log::error("Invalid executor specified");
    tree_.set("executor", "");
  }
}

base::Status Registration::ask_executor_options() {
  const std::string executor = text("executor");
  for (const ExecutorQuestion& item : questions_for(executor)) FR_CHECK(ask_into(item.path, item.question));
  drop_other_executors();
  if (is_docker(executor)) add_volume(executor);
  if (executor == "docker-windows" && text("shell").empty()) tree_.set("shell", "pwsh");
  return {};
}

void Registration::drop_other_executors() {
  const std::string executor = text("executor");
  std::erase_if(tree_.as_object(), [&](const json::Member& member) {
    if (member.first == "referees") return true;
    const bool of_an_executor =
        std::find(kExecutorTables.begin(), kExecutorTables.end(), member.first) != kExecutorTables.end();
    return of_an_executor && !keeps_table(executor, member.first);
  });
  for (const std::string_view table : kExecutorTables) {
    if (keeps_table(executor, table) && !tree_[table].is_object()) tree_.set(table, json::Value::object());
  }
}

// Without a volume for it, caches would live in the container and end with it.
void Registration::add_volume(std::string_view executor) {
  const bool windows = executor == "docker-windows";
  constexpr std::string_view kWindowsCache = "c:\\cache";
  json::Value volumes = config::at_path(tree_, "docker.volumes");
  if (volumes.is_array()) {
    for (const json::Value& volume : volumes.as_array()) {
      const std::string item = volume.string_or("");
      if (windows ? item.contains(kWindowsCache) : base::split(item, ':').back() == "/cache") return;
    }
  }
  if (!windows && config::at_path(tree_, "docker.disable_cache").bool_or(false)) return;
  volumes.push_back(windows ? kWindowsCache : "/cache");
  config::set_path(tree_, "docker.volumes", std::move(volumes));
}

base::Status Registration::save() {
  auto editor = FR_TRY(config::Editor::open(options_.config_path));
  FR_CHECK(editor.append_runner(tree_));
  FR_CHECK(editor.save());
  warn_about_concurrency(editor.config());
  base::log::info(
      "Runner registered successfully. Feel free to start it, but if it's running already the config should be "
      "automatically reloaded!\n");
  base::log::info(
      fmt::format("Configuration (with the authentication token) was saved in \"{}\"", options_.config_path));
  return {};
}

void Registration::warn_about_concurrency(const config::Config& config) {
  const auto warn = [&](std::string_view path, std::string_view what) {
    const std::int64_t value = tree_[path].integer_or(0);
    if (value <= config.concurrent) return;
    base::log::warning(
        fmt::format("The specified runner {} ({}) is larger than {}current global concurren{} limit ({}). "
                    "The global concurrent limit will not be increased and takes precedence.",
                    what, value, path == "limit" ? "" : "the ", path == "limit" ? "cy" : "t", config.concurrent));
  };
  warn("limit", "job concurrency limit");
  warn("request_concurrency", "request concurrency");
}

void Registration::undo() { ServerCalls(runner(), options_.config_path).unregister(system_id_); }

} // namespace cli
