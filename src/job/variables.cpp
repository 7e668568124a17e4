#include "job/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/expand.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "job/git_urls.hpp"

namespace job {
namespace {

Variable internal(std::string key, std::string value, bool file = false) {
  return {.key = std::move(key), .value = std::move(value), .is_public = true, .file = file};
}

const Variable* find_last(const Variables& variables, std::string_view key) {
  for (const auto& variable : variables | std::views::reverse)
    if (variable.key == key) return &variable;
  return nullptr;
}

// What the shell would take for itself expands to nothing.
bool is_special_parameter(std::string_view name) {
  return name.size() == 1 && std::string_view("*#@!?-0123456789").find(name[0]) != std::string_view::npos;
}

Variables before_job(const VariableSources& sources) {
  Variables out;
  if (!sources.payload.image.name.empty()) out.push_back(internal("CI_JOB_IMAGE", sources.payload.image.name));
  out.push_back(internal("CI_RUNNER_SHORT_TOKEN", sources.context.short_token));
  for (const auto& entry : sources.runner.environment) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos) continue;
    out.push_back({.key = entry.substr(0, equals), .value = entry.substr(equals + 1)});
  }
  out.push_back(internal("CI_BUILDS_DIR", sources.builds_dir));
  out.push_back(internal("CI_PROJECT_DIR", sources.project_dir));
  out.push_back(internal("CI_CONCURRENT_ID", std::to_string(sources.context.concurrent_id)));
  out.push_back(internal("CI_CONCURRENT_PROJECT_ID", std::to_string(sources.context.concurrent_project_id)));
  out.push_back(internal("CI_SERVER", "yes"));
  out.push_back(internal("CI_JOB_STATUS", "running"));
  out.push_back(internal("CI_JOB_TIMEOUT", std::to_string(job_timeout(sources.payload).count())));
  const Context& context = sources.context;
  if (!context.tls_ca_chain.empty()) out.push_back(internal("CI_SERVER_TLS_CA_FILE", context.tls_ca_chain, true));
  if (!context.tls_certificate.empty() && !context.tls_key.empty()) {
    out.push_back(internal("CI_SERVER_TLS_CERT_FILE", context.tls_certificate, true));
    out.push_back(internal("CI_SERVER_TLS_KEY_FILE", context.tls_key.reveal(), true));
    out.back().is_public = false;
  }
  return out;
}

Variables after_job(const VariableSources& sources) {
  Variables out;
  out.push_back(internal(sources.shared_environment ? "CI_SHARED_ENVIRONMENT" : "CI_DISPOSABLE_ENVIRONMENT", "true"));
  out.push_back(internal("CI_RUNNER_VERSION", std::string(base::version())));
  out.push_back(internal("CI_RUNNER_REVISION", std::string(base::revision())));
  out.push_back(internal("CI_RUNNER_EXECUTABLE_ARCH", fmt::format("{}/{}", base::platform(), base::architecture())));
  out.push_back(internal(std::string(kTempDirectoryVariable), sources.project_dir + ".tmp"));
  return out;
}

void append(Variables& to, Variables more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

} // namespace

std::string value_of(const Variables& variables, std::string_view key) {
  const Variable* variable = find_last(variables, key);
  return variable != nullptr ? variable->value : std::string();
}

std::string expand(const Variables& variables, std::string_view text) {
  if (text.find('$') == std::string_view::npos) return std::string(text);
  return base::expand(text, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "$") return std::nullopt;
    if (is_special_parameter(name)) return std::string();
    const Variable* variable = find_last(variables, name);
    if (variable == nullptr) return std::nullopt;
    if (variable->file) return value_of(variables, kTempDirectoryVariable) + "/" + variable->key;
    return variable->value;
  });
}

Variables expand_all(const Variables& variables) {
  Variables out = variables;
  for (auto& variable : out)
    if (!variable.raw) variable.value = expand(variables, variable.value);
  return out;
}

void overwrite(Variables& variables, std::string_view key, std::string_view value) {
  const auto found = std::ranges::find(variables, key, &Variable::key);
  if (found != variables.end()) *found = internal(std::string(key), std::string(value));
}

bool is_truthy(std::string_view value) {
  if (const auto parsed = base::parse_go_bool(base::to_lower(value))) return *parsed;
  return base::parse_int(value) == 1;
}

std::chrono::seconds job_timeout(const gitlab::JobPayload& payload) {
  constexpr std::chrono::seconds kDefault{7200};
  return payload.runner_info.timeout > 0 ? std::chrono::seconds(payload.runner_info.timeout) : kDefault;
}

Variables variables_for_settings(const VariableSources& sources) {
  Variables out;
  for (const auto& flag : feature_flags())
    out.push_back(internal(std::string(flag.name), flag.default_value ? "true" : "false"));
  append(out, before_job(sources));
  append(out, sources.payload.variables);
  append(out, after_job(sources));
  return expand_all(out);
}

FlagSet resolve_flags(const VariableSources& sources, const Variables& variables, std::vector<std::string>& warnings) {
  FlagSet flags;
  for (const auto& flag : feature_flags()) {
    if (const auto configured = sources.runner.feature_flag(flag.name)) {
      flags.set(flag.name, *configured);
      continue;
    }
    const std::string raw = value_of(variables, flag.name);
    if (const auto parsed = base::parse_go_bool(raw))
      flags.set(flag.name, *parsed);
    else
      warnings.push_back(fmt::format("{}: could not parse feature flag, expected bool, got {}", flag.name, raw));
  }
  return flags;
}

Variables all_variables(const VariableSources& sources, const FlagSet& flags) {
  Variables out;
  for (const auto& flag : feature_flags())
    out.push_back(internal(std::string(flag.name), flags.on(flag.name) ? "true" : "false"));
  append(out, before_job(sources));
  for (const auto& variable : sources.payload.variables)
    if (!is_feature_flag(variable.key)) out.push_back(variable);
  append(out, after_job(sources));
  return expand_all(out);
}

std::vector<std::string> secret_values(const gitlab::JobPayload& payload, const Variables& variables) {
  // Nobody asked for these to be masked; a token this short is none, and would take half of the log with it.
  constexpr std::size_t kMinToken = 8;
  std::vector<std::string> out;
  for (const auto& variable : variables)
    if (variable.masked) out.push_back(variable.value);
  const auto add = [&out](const std::string& token) {
    if (token.size() >= kMinToken) out.push_back(token);
  };
  add(payload.token.reveal());
  for (const auto& dependency : payload.dependencies) add(dependency.token.reveal());
  for (const auto& credential : payload.credentials) add(credential.password.reveal());
  if (const auto url = parse_git_url(payload.git_info.repo_url)) add(url->password);
  std::erase_if(out, [](const std::string& value) { return base::trim(value).empty(); });
  return out;
}

} // namespace job
