#include "job/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"

namespace job {
namespace {

using script::GitStrategy;
using script::SubmoduleStrategy;

class Reader {
 public:
  Reader(const Variables& variables, std::vector<std::string>& warnings) : variables_(variables), warnings_(warnings) {}

  std::string text(std::string_view name) const { return value_of(variables_, name); }

  bool boolean(std::string_view name, bool fallback) {
    const std::string raw = text(name);
    if (raw.empty()) return fallback;
    if (const auto parsed = base::parse_go_bool(raw)) return *parsed;
    warn(fmt::format("{}: expected bool got \"{}\", using default value: {}", name, raw, fallback));
    return fallback;
  }

  std::int64_t integer(std::string_view name, std::int64_t fallback) {
    const std::string raw = text(name);
    if (raw.empty()) return fallback;
    if (const auto parsed = base::parse_int(raw)) return *parsed;
    warn(fmt::format("{}: expected int got \"{}\", using default value: {}", name, raw, fallback));
    return fallback;
  }

  std::int64_t attempts(std::string_view name) {
    constexpr std::int64_t kMin = 1;
    constexpr std::int64_t kMax = 10;
    const std::int64_t wanted = integer(name, kMin);
    const std::int64_t allowed = std::clamp(wanted, kMin, kMax);
    if (wanted != allowed)
      attempt_warnings_.push_back(
          fmt::format("{}: number of attempts out of the range [{}, {}], clamping to: {}", name, kMin, kMax, allowed));
    return allowed;
  }

  std::vector<std::string> flags(std::string_view name, std::vector<std::string> fallback) const {
    const std::string raw = text(name);
    if (raw.empty()) return fallback;
    return raw == "none" ? std::vector<std::string>{} : base::split_fields(raw);
  }

  GitStrategy git_strategy(GitStrategy fallback) {
    const std::string raw = text("GIT_STRATEGY");
    if (raw == "clone") return GitStrategy::kClone;
    if (raw == "fetch") return GitStrategy::kFetch;
    if (raw == "none") return GitStrategy::kNone;
    if (raw == "empty") return GitStrategy::kEmpty;
    if (!raw.empty())
      warn(
          fmt::format("GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got \"{}\", using default "
                      "value '{}'",
                      raw, fallback == GitStrategy::kFetch ? "fetch" : "clone"));
    return fallback;
  }

  SubmoduleStrategy submodule_strategy() {
    const std::string raw = text("GIT_SUBMODULE_STRATEGY");
    if (raw.empty() || raw == "none") return SubmoduleStrategy::kNone;
    if (raw == "normal") return SubmoduleStrategy::kNormal;
    if (raw == "recursive") return SubmoduleStrategy::kRecursive;
    warn(fmt::format("GIT_SUBMODULE_STRATEGY: expected either 'normal', 'recursive' or 'none' got \"{}\"", raw));
    return SubmoduleStrategy::kInvalid;
  }

  void warn(std::string text) { warnings_.push_back(std::move(text)); }
  // Upstream names numbers out of range after everything else that is wrong.
  void flush_attempt_warnings() {
    warnings_.insert(warnings_.end(), attempt_warnings_.begin(), attempt_warnings_.end());
  }

 private:
  const Variables& variables_;
  std::vector<std::string>& warnings_;
  std::vector<std::string> attempt_warnings_;
};

void refuse_debug(Settings& settings) {
  if (settings.debug_trace) settings.warnings.emplace_back("CI_DEBUG_TRACE: usage is disabled on this Runner");
  if (settings.debug_services) settings.warnings.emplace_back("CI_DEBUG_SERVICES: usage is disabled on this Runner");
  settings.debug_trace = settings.debug_services = false;
}

} // namespace

Settings read_settings(const VariableSources& sources, const Variables& variables) {
  Settings s;
  Reader read(variables, s.warnings);
  s.debug_services = read.boolean("CI_DEBUG_SERVICES", false);
  s.debug_trace = read.boolean("CI_DEBUG_TRACE", false);
  s.git_clone_path = read.text("GIT_CLONE_PATH");
  s.git_strategy = read.git_strategy(sources.payload.allow_git_fetch ? GitStrategy::kFetch : GitStrategy::kClone);
  s.git_checkout = read.boolean("GIT_CHECKOUT", true);
  s.submodule_strategy = read.submodule_strategy();
  s.submodule_paths = base::split_fields(read.text("GIT_SUBMODULE_PATHS"));
  s.submodule_depth = read.integer("GIT_SUBMODULE_DEPTH", sources.payload.git_info.depth);
  s.clean_flags = read.flags("GIT_CLEAN_FLAGS", {"-ffdx"});
  s.clone_flags = read.flags("GIT_CLONE_EXTRA_FLAGS", {});
  s.fetch_flags = read.flags("GIT_FETCH_EXTRA_FLAGS", {"--prune", "--quiet"});
  s.submodule_update_flags = read.flags("GIT_SUBMODULE_UPDATE_FLAGS", {});
  s.lfs_skip_smudge = read.boolean("GIT_LFS_SKIP_SMUDGE", false);
  s.submodule_force_https = read.boolean("GIT_SUBMODULE_FORCE_HTTPS", false);
  s.executor_section_attempts = read.attempts("EXECUTOR_JOB_SECTION_ATTEMPTS");
  s.get_sources_attempts = read.attempts("GET_SOURCES_ATTEMPTS");
  s.download_artifacts_attempts = read.attempts("ARTIFACT_DOWNLOAD_ATTEMPTS");
  s.restore_cache_attempts = read.attempts("RESTORE_CACHE_ATTEMPTS");
  s.secrets_attempts = read.attempts("SECRETS_RETRIEVAL_ATTEMPTS");
  s.after_script_ignore_errors = read.boolean("AFTER_SCRIPT_IGNORE_ERRORS", true);
  s.cache_request_timeout = read.integer("CACHE_REQUEST_TIMEOUT", 10);
  if (sources.runner.debug_trace_disabled) refuse_debug(s);
  read.flush_attempt_warnings();
  s.flags = resolve_flags(sources, variables, s.warnings);
  if (is_truthy(read.text("RUNNER_GENERATE_ARTIFACTS_METADATA")))
    read.warn("RUNNER_GENERATE_ARTIFACTS_METADATA: provenance files are not supported yet");

  if (s.git_strategy == GitStrategy::kNone || s.git_strategy == GitStrategy::kEmpty) {
    s.git_checkout = false;
    s.submodule_strategy = SubmoduleStrategy::kNone;
  }
  return s;
}

} // namespace job
