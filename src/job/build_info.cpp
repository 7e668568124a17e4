#include "job/build_info.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "job/git_urls.hpp"
#include "sys/files.hpp"
#include "transfer/cache_key.hpp"

namespace job {
namespace {

using gitlab::JobPayload;
using script::BuildInfo;

bool fits(std::string_view when, bool succeeded) {
  if (when == "always") return true;
  return succeeded ? when.empty() || when == "on_success" : when == "on_failure";
}

// Lexically, from one absolute directory to a path.
std::string relative_path(const std::string& from, const std::string& to) {
  const auto a = base::split(from, '/');
  const auto b = base::split(to, '/');
  const auto [in_a, in_b] = std::ranges::mismatch(a, b);
  std::vector<std::string> parts(static_cast<std::size_t>(a.end() - in_a), "..");
  parts.insert(parts.end(), in_b, b.end());
  return base::join(parts, "/");
}

class CacheBuilder {
 public:
  explicit CacheBuilder(const BuildInfoSources& sources)
      : sources_(sources), payload_(sources.variable_sources.payload) {}

  script::Cache build(const gitlab::Cache& in) const {
    script::Cache out;
    out.paths = in.paths;
    out.untracked = in.untracked;
    out.on_success = fits(in.when, true);
    out.on_failure = fits(in.when, false);
    const std::string raw = in.key.empty() ? transfer::default_cache_key(payload_.job_info.name, payload_.git_info.ref)
                                           : expand(sources_.variables, in.key);
    const auto own = candidate(raw, out.notices_before);
    if (!own) {
      out.skip_reason = "empty cache key";
      return out;
    }
    out.candidates.push_back(*own);
    set_policy(out, expand(sources_.variables, in.policy));
    add_fallbacks(in, out);
    return out;
  }

 private:
  std::optional<script::CacheCandidate> candidate(const std::string& raw, std::vector<std::string>& notices) const {
    const bool hash = sources_.settings.on("FF_HASH_CACHE_KEYS");
    const transfer::CacheKey key = transfer::make_cache_key(raw, hash);
    if (!key.warning.empty()) notices.push_back(key.warning);
    if (key.human.empty()) return std::nullopt;
    const std::string& directory = sources_.directories.cache_dir;
    const auto file = [&](const std::string& path_key) {
      return relative_path(sources_.directories.project_dir,
                           sys::clean_path(fmt::format("{}/{}/cache.zip", directory, path_key)));
    };
    return script::CacheCandidate{key.human, file(key.path_key), file(key.alternate_path_key)};
  }

  static void set_policy(script::Cache& cache, const std::string& policy) {
    cache.pull = policy.empty() || policy == "pull-push" || policy == "pull";
    cache.push = policy.empty() || policy == "pull-push" || policy == "push";
    if (!cache.pull && !cache.push)
      cache.policy_error = fmt::format("unknown cache policy {} for {}", policy, cache.candidates.front().key);
  }

  void add_fallbacks(const gitlab::Cache& in, script::Cache& out) const {
    for (const auto& key : in.fallback_keys) {
      const std::string raw = expand(sources_.variables, key);
      if (raw.empty()) continue;
      if (auto fallback = candidate(raw, out.fallback_notices)) out.candidates.push_back(std::move(*fallback));
    }
    const std::string global = value_of(sources_.variables, "CACHE_FALLBACK_KEY");
    if (global.empty()) return;
    auto fallback = candidate(expand(sources_.variables, global), out.fallback_notices);
    if (!fallback) return;
    if (transfer::is_reserved_fallback_key(fallback->key))
      out.fallback_notices.push_back(
          fmt::format("CACHE_FALLBACK_KEY \"{}\" not allowed to end in \"-protected\"", fallback->key));
    else
      out.candidates.push_back(std::move(*fallback));
  }

  const BuildInfoSources& sources_;
  const JobPayload& payload_;
};

void append_text(std::vector<std::string>& to, const std::string& text) {
  if (!text.empty()) to.push_back(text);
}
void append_all(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

bool is_commit_name(std::string_view sha) {
  return sha.size() >= 8 && std::ranges::all_of(sha, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

// Credentials of the remote, with their passwords put where the helper finds them.
void set_credentials(BuildInfo& info, const GitRemote& remote) {
  std::string job_token;
  for (const auto& variable : info.variables)
    if (variable.key == "CI_JOB_TOKEN") job_token = variable.value;
  for (std::size_t i = 0; i < remote.logins.size(); ++i) {
    const auto& login = remote.logins[i];
    std::string name = "CI_JOB_TOKEN";
    if (login.password != job_token) {
      name = i == 0 ? std::string(kGitPasswordVariable) : fmt::format("{}_{}", kGitPasswordVariable, i);
      info.variables.push_back({name, login.password, false});
    }
    info.git.credentials.push_back({login.host_url, login.user, name});
  }
}

void set_tls(BuildInfo& info, const GitRemote& remote) {
  if (remote.host_url.empty()) return;
  const std::pair<std::string_view, std::string_view> keys[] = {{"CI_SERVER_TLS_CA_FILE", "sslCAInfo"},
                                                                {"CI_SERVER_TLS_CERT_FILE", "sslCert"},
                                                                {"CI_SERVER_TLS_KEY_FILE", "sslKey"}};
  for (const auto& [variable, key] : keys)
    if (std::ranges::find(info.variables, variable, &script::Variable::key) != info.variables.end())
      info.git.tls.emplace_back(key, info.temp_file(variable));
}

base::Status set_git(BuildInfo& info, const BuildInfoSources& sources) {
  const auto& [payload, runner, context, builds_dir, project_dir, shared] = sources.variable_sources;
  const Settings& settings = sources.settings;
  script::GitSources& git = info.git;
  git.strategy = settings.git_strategy;
  git.checkout = settings.git_checkout;
  git.ref = payload.git_info.ref;
  git.sha = payload.git_info.sha;
  if (!payload.git_info.repo_object_format.empty()) git.object_format = payload.git_info.repo_object_format;
  git.refspecs = payload.git_info.refspecs;
  git.depth = payload.git_info.depth;
  git.clean_flags = settings.clean_flags;
  git.fetch_flags = settings.fetch_flags;
  git.clone_flags = settings.clone_flags;
  git.lfs_skip_smudge = settings.lfs_skip_smudge;
  git.submodules = settings.submodule_strategy;
  git.submodule_depth = settings.submodule_depth;
  git.submodule_paths = settings.submodule_paths;
  git.submodule_update_flags = settings.submodule_update_flags;
  if (settings.on("FF_USE_GITALY_CORRELATION_ID")) git.correlation_id = context.correlation_id;
  git.bundle_uris = settings.on("FF_USE_GIT_BUNDLE_URIS");
  git.user_agent =
      fmt::format("{} {} {}/{}", base::kProgramName, base::version(), base::platform(), base::architecture());
  git.proactive_auth = settings.on("FF_USE_GIT_PROACTIVE_AUTH");
  git.native_clone = settings.on("FF_USE_GIT_NATIVE_CLONE");
  git.safe_directory = runner.safe_directory_checkout.value_or(false);
  git.keep_config = !runner.clean_git_config.value_or(true);
  git.clean_config_after = runner.clean_git_config.value_or(false);
  append_text(git.pre_script, runner.pre_get_sources_script);
  append_all(git.pre_script, payload.hook_script("pre_get_sources_script"));
  append_all(git.post_script, payload.hook_script("post_get_sources_script"));
  append_text(git.post_script, runner.post_get_sources_script);

  const bool uses_git = git.strategy == script::GitStrategy::kClone || git.strategy == script::GitStrategy::kFetch;
  if (uses_git && git.checkout && !is_commit_name(git.sha))
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("git_info.sha is no commit: \"{}\"", git.sha));
  std::string ssh_host = value_of(sources.variables, "CI_SERVER_SHELL_SSH_HOST");
  if (ssh_host.empty()) ssh_host = value_of(sources.variables, "CI_SERVER_HOST");
  auto remote = git_remote({.repo_url = payload.git_info.repo_url,
                            .clone_url = runner.clone_url,
                            .runner_url = runner.url,
                            .project_path = value_of(sources.variables, "CI_PROJECT_PATH"),
                            .job_token = payload.token.reveal(),
                            .force_https = settings.submodule_force_https,
                            .ssh_host = ssh_host,
                            .ssh_port = value_of(sources.variables, "CI_SERVER_SHELL_SSH_PORT")});
  if (!remote) {
    if (uses_git) return base::fail(std::move(remote.error()));
    return {};
  }
  git.remote_url = remote->url;
  git.host_url = remote->host_url;
  git.instead_of = remote->instead_of;
  set_credentials(info, *remote);
  set_tls(info, *remote);
  return {};
}

void set_steps(BuildInfo& info, const BuildInfoSources& sources) {
  for (const auto& step : sources.variable_sources.payload.steps) {
    info.steps.push_back({step.name, step.script});
    // The server made these lines from the `release` keyword; references in it are to job variables.
    if (step.name == "release")
      for (auto& text : info.steps.back().script) text = expand(sources.variables, text);
  }
  append_text(info.pre_build_script, sources.variable_sources.runner.pre_build_script);
  append_text(info.post_build_script, sources.variable_sources.runner.post_build_script);
}

void set_transfers(BuildInfo& info, const BuildInfoSources& sources) {
  const auto& payload = sources.variable_sources.payload;
  const auto& runner = sources.variable_sources.runner;
  const CacheBuilder caches(sources);
  for (const auto& cache : payload.cache) info.caches.push_back(caches.build(cache));
  if (!runner.cache.type.empty())
    for (auto& cache : info.caches)
      cache.notices_before.push_back(fmt::format(
          "Caches in object storage (type {}) are not supported yet; using the local cache.", runner.cache.type));
  for (const auto& artifact : payload.artifacts)
    info.artifacts.push_back({.name = artifact.name,
                              .paths = artifact.paths,
                              .exclude = artifact.exclude,
                              .untracked = artifact.untracked,
                              .on_success = fits(artifact.when, true),
                              .on_failure = fits(artifact.when, false),
                              .type = artifact.artifact_type,
                              .format = artifact.artifact_format,
                              .expire_in = artifact.expire_in});
  for (const auto& dependency : payload.dependencies)
    if (!dependency.artifacts_filename.empty())
      info.dependencies.push_back({dependency.id, dependency.name, dependency.token.reveal()});
  info.cache_timeout_minutes = sources.settings.cache_request_timeout;
  info.max_uploaded_cache_size = runner.cache.max_uploaded_archive_size;
  const auto duration = [](base::Nanoseconds configured, base::Nanoseconds fallback) {
    return base::format_go_duration(configured > base::Nanoseconds::zero() ? configured : fallback);
  };
  info.artifact_upload_timeout = duration(runner.artifact_upload_timeout, std::chrono::hours(1));
  info.artifact_response_header_timeout = duration(runner.artifact_response_header_timeout, std::chrono::minutes(10));
}

} // namespace

void set_variables(BuildInfo& info, const Variables& variables) {
  std::vector<script::Variable> own;
  for (auto& variable : info.variables)
    if (variable.key.starts_with(kGitPasswordVariable)) own.push_back(std::move(variable));
  info.variables.clear();
  for (const auto& variable : variables) info.variables.push_back({variable.key, variable.value, variable.file});
  info.variables.insert(info.variables.end(), own.begin(), own.end());
}

base::Result<BuildInfo> make_build_info(const BuildInfoSources& sources) {
  const auto& payload = sources.variable_sources.payload;
  const Settings& settings = sources.settings;
  BuildInfo info;
  info.shell = FR_TRY(script::shell_from_name(sources.executor.shell));
  info.hostname = sources.executor.show_hostname ? "" : sources.hostname;
  info.via = sources.executor.show_hostname ? sources.hostname : "";
  info.builds_dir = sources.directories.builds_dir;
  info.project_dir = sources.directories.project_dir;
  info.cache_dir = sources.directories.cache_dir;
  info.temp_dir = sources.directories.temp_dir();
  info.runner_command = sources.variable_sources.context.runner_command.empty()
                            ? sources.executor.runner_command
                            : sources.variable_sources.context.runner_command;
  info.runner_url = sources.variable_sources.runner.url;
  info.job_id = payload.id;
  info.job_token = payload.token.reveal();
  set_variables(info, sources.variables);
  set_steps(info, sources);
  set_transfers(info, sources);
  info.debug_trace = settings.debug_trace;
  info.exit_code_check = settings.on("FF_ENABLE_BASH_EXIT_CODE_CHECK");
  info.legacy_eval = settings.on("FF_USE_LEGACY_BASH_EVAL");
  info.posix_escapes = settings.on("FF_POSIXLY_CORRECT_ESCAPES");
  info.script_sections = settings.on("FF_SCRIPT_SECTIONS") && payload.features.trace_sections;
  info.job_cleanup = settings.on("FF_ENABLE_JOB_CLEANUP");
  info.clean_failed_extract = settings.on("FF_CLEAN_UP_FAILED_CACHE_EXTRACT");
  info.tokenless_git_everywhere = settings.on("FF_GIT_URLS_WITHOUT_TOKENS");
  FR_CHECK(set_git(info, sources));
  return info;
}

} // namespace job
