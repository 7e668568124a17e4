#include "script/stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/strings.hpp"
#include "json/json.hpp"
#include "script/writer.hpp"

namespace script {
namespace {

// Sections that call our own binary are skipped with a warning where there is none.
void with_runner_command(Writer& w, const BuildInfo& info, std::string_view action, const std::function<void()>& body) {
  if (info.runner_command.empty()) {
    w.warning(fmt::format("{} is not supported by this executor.", action));
    return;
  }
  w.begin(fmt::format("command -v {} >/dev/null 2>&1", w.quote(info.runner_command)));
  body();
  w.otherwise();
  w.warning(fmt::format("Missing {}. {} is disabled.", info.runner_command, action));
  w.end();
}

// The helper gets its token by environment: command lines are there for everybody to read.
std::string with_token(const Writer& w, std::string_view token, const std::vector<std::string>& arguments) {
  return fmt::format("CI_JOB_TOKEN={} {}", w.quote(token), w.words(arguments));
}

void append_content(std::vector<std::string>& arguments, const std::vector<std::string>& paths,
                    const std::vector<std::string>& exclude, bool untracked) {
  for (const auto& path : paths) arguments.insert(arguments.end(), {"--path", path});
  for (const auto& path : exclude) arguments.insert(arguments.end(), {"--exclude", path});
  if (untracked) arguments.emplace_back("--untracked");
}

void extract_candidates(Writer& w, const BuildInfo& info, const Cache& cache, std::size_t index) {
  const CacheCandidate& candidate = cache.candidates[index];
  w.notice(fmt::format("Checking cache for {}...", candidate.key));
  w.begin(w.words({info.runner_command, "cache-extractor", "--file", candidate.file, "--timeout",
                   std::to_string(info.cache_timeout_minutes)}));
  w.notice("Successfully extracted cache");
  w.otherwise();
  w.warning("Failed to extract cache");
  if (info.clean_failed_extract) {
    for (const auto& path : cache.paths) {
      w.plain(fmt::format("Removing {}", path));
      w.remove_directory(path);
    }
  }
  if (index + 1 < cache.candidates.size()) extract_candidates(w, info, cache, index + 1);
  w.end();
}

void write_artifact(Writer& w, const BuildInfo& info, const Artifact& artifact) {
  std::vector<std::string> arguments = {info.runner_command,
                                        "artifacts-uploader",
                                        "--url",
                                        info.runner_url,
                                        "--id",
                                        std::to_string(info.job_id),
                                        "--timeout",
                                        info.artifact_upload_timeout,
                                        "--response-header-timeout",
                                        info.artifact_response_header_timeout};
  append_content(arguments, artifact.paths, artifact.exclude, artifact.untracked);
  const auto option = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {std::string(name), value});
  };
  option("--name", artifact.name);
  option("--expire-in", artifact.expire_in);
  option("--artifact-format", artifact.format);
  option("--artifact-type", artifact.type);
  with_runner_command(w, info, "Uploading artifacts", [&] {
    w.notice("Uploading artifacts...");
    w.line(with_token(w, info.job_token, arguments));
    w.check_for_errors();
  });
}

void write_job_cleanup(Writer& w, const BuildInfo& info) {
  const GitSources& git = info.git;
  switch (git.strategy) {
    case GitStrategy::kNone:
      w.notice("Skipping build directory cleanup step");
      return;
    case GitStrategy::kClone:
    case GitStrategy::kEmpty:
      w.remove_directory(info.project_dir);
      return;
    case GitStrategy::kFetch:
      break;
  }
  std::vector<std::vector<std::string>> commands;
  if (!git.clean_flags.empty()) {
    commands.push_back({"git", "clean"});
    commands.back().insert(commands.back().end(), git.clean_flags.begin(), git.clean_flags.end());
  }
  commands.push_back({"git", "reset", "--hard"});
  w.cd(info.project_dir);
  for (const auto& command : commands) w.command(command);
  if (git.submodules != SubmoduleStrategy::kNormal && git.submodules != SubmoduleStrategy::kRecursive) return;
  for (const auto& command : commands) {
    std::vector<std::string> foreach = {"git", "submodule", "foreach"};
    if (git.submodules == SubmoduleStrategy::kRecursive)
      foreach
        .emplace_back("--recursive");
    foreach
      .insert(foreach.end(), command.begin(), command.end());
    w.command(foreach);
  }
}

} // namespace

Text prepare_script(const BuildInfo& info) {
  Writer w(info);
  const std::string via = info.via.empty() ? "" : fmt::format(" via {}", info.via);
  if (info.hostname.empty())
    w.line(fmt::format("echo \"Running on $(hostname)\"{}", w.quote(via + "...")));
  else
    w.line(fmt::format("echo {}", w.quote(fmt::format("Running on {}{}...", info.hostname, via))));
  // The directory for file variables must be one, ours, and where we think it is.
  w.line(fmt::format("if [ -L {0} ] || {{ [ -e {0} ] && ! [ -d {0} ]; }}; then rm -f {0}; fi", w.quote(info.temp_dir)));
  w.line(fmt::format("if [ -d {0} ] && ! {{ [ -w {0} ] && [ -x {0} ]; }}; then chmod u+rwx {0}; fi",
                     w.quote(info.temp_dir)));
  w.remove_file(info.temp_file("gitlab_runner_env"));
  w.remove_file(info.temp_file("masking.db"));
  return w.finish();
}

Text restore_cache(const BuildInfo& info) {
  if (std::ranges::none_of(info.caches, &Cache::has_content)) return std::nullopt;
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  for (const auto& cache : info.caches) {
    if (!cache.has_content()) continue;
    if (!cache.policy_error.empty()) return base::fail(base::ErrorKind::kInvalidInput, cache.policy_error);
    for (const auto& text : cache.notices_before) w.warning(text);
    if (!cache.skip_reason.empty()) {
      w.notice(fmt::format("Skipping cache extraction due to {}", cache.skip_reason));
    } else if (!cache.pull) {
      w.notice(fmt::format("Not downloading cache {} due to policy", cache.candidates.front().key));
    } else {
      for (const auto& text : cache.fallback_notices) w.warning(text);
      with_runner_command(w, info, "Extracting cache", [&] { extract_candidates(w, info, cache, 0); });
    }
  }
  return w.finish();
}

Text download_artifacts(const BuildInfo& info) {
  if (info.dependencies.empty()) return std::nullopt;
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  with_runner_command(w, info, "Artifacts downloading", [&] {
    for (const auto& job : info.dependencies) {
      w.notice(fmt::format("Downloading artifacts for {} ({})...", job.name, job.id));
      w.line(with_token(
          w, job.token,
          {info.runner_command, "artifacts-downloader", "--url", info.runner_url, "--id", std::to_string(job.id)}));
      w.check_for_errors();
    }
  });
  return w.finish();
}

Text user_step(const BuildInfo& info, std::size_t step) {
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  w.user_commands(info.pre_build_script, "pre_build_script");
  w.user_commands(info.steps[step].script, "script_step");
  w.user_commands(info.post_build_script, "post_build_script");
  return w.finish();
}

Text after_script(const BuildInfo& info) {
  const auto step = std::ranges::find(info.steps, "after_script", &Step::name);
  if (step == info.steps.end() || step->script.empty()) return std::nullopt;
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  w.notice("Running after script...");
  w.user_commands(step->script, "after_script_step");
  return w.finish();
}

Text archive_cache(const BuildInfo& info, bool job_succeeded) {
  const auto wanted = [&](const Cache& cache) {
    return cache.has_content() && (job_succeeded ? cache.on_success : cache.on_failure);
  };
  if (std::ranges::none_of(info.caches, wanted)) return std::nullopt;
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  for (const auto& cache : info.caches) {
    if (!wanted(cache)) continue;
    if (!cache.policy_error.empty()) return base::fail(base::ErrorKind::kInvalidInput, cache.policy_error);
    for (const auto& text : cache.notices_before) w.warning(text);
    if (!cache.skip_reason.empty()) {
      w.notice(fmt::format("Skipping cache archiving due to {}", cache.skip_reason));
      continue;
    }
    const CacheCandidate& own = cache.candidates.front();
    if (!cache.push) {
      w.notice(fmt::format("Not uploading cache {} due to policy", own.key));
      continue;
    }
    std::vector<std::string> arguments = {
        info.runner_command, "cache-archiver",   "--file",    own.file,
        "--alternate-file",  own.alternate_file, "--timeout", std::to_string(info.cache_timeout_minutes)};
    if (info.max_uploaded_cache_size > 0)
      arguments.insert(arguments.end(), {"--max-uploaded-archive-size", std::to_string(info.max_uploaded_cache_size)});
    append_content(arguments, cache.paths, {}, cache.untracked);
    const std::string metadata = json::Value::object({{"cachekey", own.key}}).dump();
    with_runner_command(w, info, "Creating cache", [&] {
      w.notice(fmt::format("Creating cache {}...", own.key));
      w.begin(fmt::format("CACHE_METADATA={} {}", w.quote(metadata), w.words(arguments)));
      w.notice("Created cache");
      w.otherwise();
      w.warning("Failed to create cache");
      w.end();
    });
  }
  return w.finish();
}

Text upload_artifacts(const BuildInfo& info, bool job_succeeded) {
  const auto wanted = [&](const Artifact& artifact) {
    return artifact.has_content() && (job_succeeded ? artifact.on_success : artifact.on_failure);
  };
  if (info.runner_url.empty() || std::ranges::none_of(info.artifacts, wanted)) return std::nullopt;
  Writer w(info);
  w.exports();
  w.cd(info.project_dir);
  for (const auto& artifact : info.artifacts)
    if (wanted(artifact)) write_artifact(w, info, artifact);
  return w.finish();
}

Text cleanup_file_variables(const BuildInfo& info) {
  Writer w(info);
  w.exports(false);
  for (const auto& path : temporary_files(info)) w.remove_file(path);
  if (info.job_cleanup) write_job_cleanup(w, info);
  if (info.git.clean_config_after) {
    w.remove_file(info.project_dir + "/.git/config");
    w.remove_directory(info.project_dir + "/.git/hooks");
  }
  return w.finish();
}

std::vector<std::string> temporary_files(const BuildInfo& info) {
  std::vector<std::string> paths;
  static constexpr std::string_view kNames[] = {"gitlab_runner_env", "masking.db", ".gitlab-runner.ext.conf",
                                                kAccessConfig,       ".glr.gconf", "gitlab_runner_cache_env",
                                                "git-index-flags"};
  for (std::string_view name : kNames) paths.push_back(info.temp_file(name));
  for (const auto& variable : info.variables)
    if (variable.file && variable.key.find('/') == std::string::npos) paths.push_back(info.temp_file(variable.key));
  return paths;
}

bool exports_are_harmless(const BuildInfo& info) {
  // Names that are read-only in bash, or decide how a shell works and finds programs.
  static constexpr std::array kSpecial = {"PATH", "IFS",  "ENV", "SHELLOPTS",     "BASHOPTS", "UID",
                                          "EUID", "PPID", "PS4", "BASH_VERSINFO", "TMOUT",    "POSIXLY_CORRECT"};
  constexpr std::size_t kMaxValue = 100 * 1024; // an argument or variable has to stay below 128 KiB
  constexpr std::size_t kMaxTotal = 1024 * 1024;
  std::size_t total = 0;
  return std::ranges::all_of(info.variables, [&](const Variable& variable) {
    const std::string& key = variable.key;
    const std::size_t size = key.size() + (variable.file ? 0 : variable.value.size());
    total += size;
    return !key.empty() && (key[0] < '0' || key[0] > '9') &&
           key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
               std::string::npos &&
           !key.starts_with("BASH") && !key.starts_with("LD_") && std::ranges::find(kSpecial, key) == kSpecial.end() &&
           size < kMaxValue && total < kMaxTotal;
  });
}

} // namespace script
