#include "cli/server_calls.hpp"

#include <chrono>

#include "sys/files.hpp"

namespace cli {

namespace {

using base::log::Level;
using gitlab::CallOutcome;
using gitlab::CallResult;

net::TlsOptions tls_options(const config::Runner& runner, const std::string& config_path) {
  const config::TlsFiles files = config::tls_files(runner, sys::parent_path(config_path));
  return {.ca_file = files.ca_file, .cert_file = files.cert_file, .key_file = files.key_file};
}

gitlab::VersionInfo info_of(const config::Runner& runner) {
  const std::string gpus(runner.tables["docker"]["gpus"].string_or(""));
  return gitlab::version_info(runner.executor, runner.shell, runner.labels, gpus);
}

std::string_view failure_text(CallOutcome outcome, std::string_view forbidden) {
  switch (outcome) {
    case CallOutcome::kForbidden:
      return forbidden;
    case CallOutcome::kClientError:
      return "client error";
    case CallOutcome::kOk:
    case CallOutcome::kFailed:
      break;
  }
  return "failed";
}

} // namespace

ServerCalls::ServerCalls(const config::Runner& runner, const std::string& config_path)
    : runner_(runner), client_(runner.url, tls_options(runner, config_path)) {}

void ServerCalls::log(Level level, const std::string& message, const CallResult& result) {
  base::log::Fields fields = {{"correlation_id", result.correlation_id},
                              {"runner", gitlab::short_token(runner_.token.reveal())}};
  if (!runner_.name.empty()) fields.emplace_back("runner_name", runner_.name);
  if (level == Level::kError) fields.emplace_back("status", result.status);
  base::log::write(level, message, fields);
}

std::optional<gitlab::RegisterAnswer> ServerCalls::register_runner(const gitlab::RegisterRequest& request) {
  CallResult result = client_.register_runner(request);
  if (result.outcome == CallOutcome::kOk) {
    log(Level::kInfo, "Registering runner... succeeded", result);
    return std::move(result.answer);
  }
  const std::string_view why = failure_text(result.outcome, "forbidden (check registration token)");
  log(Level::kError, "Registering runner... " + std::string(why), result);
  return std::nullopt;
}

VerifyReply ServerCalls::verify(const std::string& system_id) {
  const bool created = gitlab::is_created_runner_token(runner_.token.reveal());
  CallResult result = client_.verify({.info = info_of(runner_), .token = runner_.token, .system_id = system_id});
  switch (result.outcome) {
    case CallOutcome::kOk:
      log(Level::kInfo, created ? "Verifying runner... is valid" : "Verifying runner... is alive", result);
      return {Verified::kYes, std::move(result.answer)};
    case CallOutcome::kForbidden:
      if (created) {
        log(Level::kInfo, "Verifying runner... is not valid", result);
      } else {
        log(Level::kError, "Verifying runner... is removed", result);
      }
      return {Verified::kGone, {}};
    case CallOutcome::kClientError:
    case CallOutcome::kFailed:
      break;
  }
  log(Level::kError, "Verifying runner... " + std::string(failure_text(result.outcome, "")), result);
  return {};
}

bool ServerCalls::unregister(const std::string& system_id) {
  const std::string& token = runner_.token.reveal();
  const bool created = gitlab::is_created_runner_token(token);
  const std::string prefix =
      created ? "Unregistering runner manager from GitLab " : "Unregistering runner from GitLab ";
  const CallResult result = created ? client_.unregister_manager(token, system_id) : client_.unregister_runner(token);
  if (result.outcome == CallOutcome::kOk) {
    log(Level::kInfo, prefix + "succeeded", result);
    return true;
  }
  log(Level::kError, prefix + std::string(failure_text(result.outcome, "forbidden")), result);
  return false;
}

std::optional<gitlab::RegisterAnswer> ServerCalls::reset_token(const std::string& access_token) {
  CallResult result = access_token.empty() ? client_.reset_token(runner_.token.reveal())
                                           : client_.reset_token_of(runner_.id, access_token);
  if (result.outcome == CallOutcome::kOk) {
    log(Level::kInfo, "Resetting runner authentication token... succeeded", result);
    return std::move(result.answer);
  }
  const std::string_view why = failure_text(result.outcome, "failed (check used token)");
  log(Level::kError, "Resetting runner authentication token... " + std::string(why), result);
  return std::nullopt;
}

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace cli
