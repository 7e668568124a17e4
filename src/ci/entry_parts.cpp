// Keywords with a structure of their own: image, services, artifacts, cache, retry, environment.
#include <fmt/format.h>
#include <re2/re2.h>

#include "base/strings.hpp"
#include "ci/duration.hpp"
#include "ci/entry.hpp"

namespace ci {
namespace {
using yaml::Node;

struct ReportKind {
  std::string_view type;
  std::string_view format;
  std::string_view name;
};
// GitLab's table of report types: how the runner uploads them and under which file name.
constexpr ReportKind kReports[] = {
    {"accessibility", "raw", "gl-accessibility.json"},
    {"annotations", "gzip", "gl-annotations.json"},
    {"api_fuzzing", "raw", "gl-api-fuzzing-report.json"},
    {"browser_performance", "raw", "browser-performance.json"},
    {"cluster_image_scanning", "raw", "gl-cluster-image-scanning-report.json"},
    {"codequality", "raw", "gl-code-quality-report.json"},
    {"container_scanning", "raw", "gl-container-scanning-report.json"},
    {"coverage_fuzzing", "raw", "gl-coverage-fuzzing.json"},
    {"cyclonedx", "gzip", "gl-sbom.cdx.json"},
    {"dast", "raw", "gl-dast-report.json"},
    {"dependency_scanning", "raw", "gl-dependency-scanning-report.json"},
    {"dotenv", "gzip", ".env"},
    {"junit", "gzip", "junit.xml"},
    {"license_scanning", "raw", "gl-license-scanning-report.json"},
    {"load_performance", "raw", "load-performance.json"},
    {"lsif", "zip", "lsif.json"},
    {"metrics", "gzip", "metrics.txt"},
    {"repository_xray", "gzip", "gl-repository-xray.json"},
    {"requirements", "raw", "requirements.json"},
    {"requirements_v2", "raw", "requirements.json"},
    {"sarif", "raw", "gl-sarif-report.json"},
    {"sast", "raw", "gl-sast-report.json"},
    {"secret_detection", "raw", "gl-secret-detection-report.json"},
    {"terraform", "raw", "tfplan.json"},
};

constexpr std::initializer_list<std::string_view> kPullPolicies = {"always", "never", "if-not-present"};

std::vector<std::string> read_pull_policy(const Place& place) {
  auto policies = place.strings("pull_policy", true);
  for (const std::string& policy : policies)
    if (std::find(kPullPolicies.begin(), kPullPolicies.end(), policy) == kPullPolicies.end())
      place.error_at(place.child("pull_policy")->node(),
                     fmt::format("pull policy should be one of: {}", fmt::join(kPullPolicies, ", ")));
  return policies;
}

void read_executor_opts(const Place& place, Image& image) {
  if (auto docker = place.child("docker")) {
    if (!docker->node().is_mapping()) return docker->error("config should be a hash");
    docker->check_keys({"platform", "user"});
    image.docker_platform = docker->string("platform");
    image.docker_user = docker->string("user");
    if (image.docker_user.size() > 255) docker->error("user is too long (maximum is 255 characters)");
  }
  if (auto kubernetes = place.child("kubernetes")) {
    if (!kubernetes->node().is_mapping()) return kubernetes->error("config should be a hash");
    kubernetes->check_keys({"user"});
    const Node* user = kubernetes->node().find("user");
    if (user != nullptr && user->is_integer()) {
      image.kubernetes_user = user->text();
    } else {
      image.kubernetes_user = kubernetes->string("user");
    }
  }
}

void read_coverage_report(const Place& place, Artifacts& artifacts) {
  if (!place.node().is_mapping()) return place.error("config should be a hash");
  place.check_keys({"coverage_format", "path"});
  std::string format = place.choice("coverage_format", {"cobertura", "jacoco"}, "");
  std::string path = place.string("path");
  if (!place.child("coverage_format")) place.error("coverage format can't be blank");
  if (path.empty()) place.error("path can't be blank");
  artifacts.reports.push_back({format, "gzip", format + "-coverage.xml", {path}});
}

void read_reports(const Place& place, Artifacts& artifacts) {
  if (!place.node().is_mapping()) return place.error("config should be a hash");
  std::vector<std::string> unknown;
  for (const yaml::Entry& entry : place.node().entries()) {
    const std::string& type = entry.key.text();
    if (type == "coverage_report") {
      if (auto report = place.child(type)) read_coverage_report(*report, artifacts);
      continue;
    }
    auto kind =
        std::find_if(std::begin(kReports), std::end(kReports), [&](const ReportKind& k) { return k.type == type; });
    if (kind == std::end(kReports)) {
      unknown.push_back(type);
      continue;
    }
    auto paths = place.strings(type, true);
    if (!paths.empty())
      artifacts.reports.push_back({type, std::string(kind->format), std::string(kind->name), std::move(paths)});
  }
  if (!unknown.empty()) place.error(fmt::format("config contains unknown keys: {}", base::join(unknown, ", ")));
}

void check_expose_as(const Place& place, const Artifacts& artifacts) {
  static const RE2 pattern(R"(\w[-\w ]*)");
  if (!place.child("expose_as")) return;
  if (artifacts.expose_as.size() > 100) place.error("expose as is too long (maximum is 100 characters)");
  if (!RE2::FullMatch(artifacts.expose_as, pattern))
    place.error("expose as can contain only letters, digits, '-', '_' and spaces");
  if (artifacts.paths.empty()) place.error("paths can't be blank");
  for (const std::string& path : artifacts.paths)
    if (path.find('*') != std::string::npos) place.error("paths can't contain '*' when used with 'expose_as'");
}

void check_cache_key(const Place& place, const std::string& key) {
  std::string decoded = base::percent_decode(key);
  if (decoded.find('/') != std::string::npos) place.error("config cannot contain the \"/\" character");
  if (decoded == "." || decoded == "..") place.error("config cannot be \".\" or \"..\"");
}

void read_cache_key(const Place& place, CacheConfig& config) {
  if (place.node().is_string() || place.node().is_number() || place.node().is_bool()) {
    config.cache.key = place.node().text();
    return check_cache_key(place, config.cache.key);
  }
  if (!place.node().is_mapping()) return place.error("should be a hash, a string or a symbol");
  place.check_keys({"files", "files_commits", "prefix"});
  bool files = place.child("files").has_value();
  config.by_commit = place.child("files_commits").has_value();
  if (files == config.by_commit) return place.error("config must have either `files` or `files_commits`");
  const char* name = files ? "files" : "files_commits";
  config.key_files = place.strings(name);
  if (config.key_files.empty() || config.key_files.size() > 2)
    place.error(fmt::format("{} config must have between 1 and 2 items", files ? "files" : "files commits"));
  if (place.node().find("prefix") != nullptr) {
    config.key_prefix = place.string("prefix");
    check_cache_key(place, *config.key_prefix);
  }
}

CacheConfig read_cache(const Place& place) {
  static const RE2 policy(R"(pull-push|push|pull|\$\w{1,255})");
  CacheConfig config;
  Cache& cache = config.cache;
  cache.key = "default";
  if (!place.node().is_mapping()) {
    place.error("config should be a hash");
    return config;
  }
  place.check_keys({"key", "paths", "untracked", "when", "policy", "unprotect", "fallback_keys"});
  if (auto key = place.child("key")) read_cache_key(*key, config);
  cache.paths = place.strings("paths");
  cache.untracked = place.boolean("untracked", false);
  cache.unprotect = place.boolean("unprotect", false);
  cache.when = place.choice("when", {"on_success", "on_failure", "always"}, "on_success");
  cache.policy = place.string("policy", "pull-push");
  if (!RE2::FullMatch(cache.policy, policy))
    place.error_at(place.child("policy")->node(), "policy should be a variable or one of: pull-push, push, pull");
  cache.fallback_keys = place.strings("fallback_keys");
  if (cache.fallback_keys.size() > 5) place.error("fallback keys has to many entries (maximum 5)");
  for (const std::string& key : cache.fallback_keys) check_cache_key(place, key);
  return config;
}
} // namespace

Image read_image(const Place& place, bool service) {
  Image image;
  if (place.node().is_string()) {
    image.name = place.node().text();
    if (image.name.empty()) place.error("config can't be blank");
    return image;
  }
  if (!place.node().is_mapping()) {
    place.error("config should be a hash or a string");
    return image;
  }
  if (service) {
    place.check_keys({"name", "alias", "entrypoint", "command", "variables", "docker", "kubernetes", "pull_policy"},
                     {"ports"});
    image.alias = place.string("alias");
    image.command = place.strings("command");
    if (auto variables = place.child("variables")) image.variables = read_variables(*variables, {"value", "expand"});
  } else {
    place.check_keys({"name", "entrypoint", "docker", "kubernetes", "pull_policy"}, {"ports"});
  }
  image.name = place.string("name");
  if (image.name.empty()) place.error("name should be a string");
  image.entrypoint = place.strings("entrypoint");
  image.pull_policy = read_pull_policy(place);
  read_executor_opts(place, image);
  return image;
}

std::vector<Image> read_services(const Place& place) {
  std::vector<Image> services;
  if (!place.node().is_sequence()) {
    place.error("config should be a array");
    return services;
  }
  for (const Node& item : place.node().items()) {
    // A !reference leaves a list in the list.
    if (item.is_sequence()) {
      for (Image& image : read_services(place.part(item, "service"))) services.push_back(std::move(image));
    } else {
      services.push_back(read_image(place.part(item, "service"), true));
    }
  }
  return services;
}

Artifacts read_artifacts(const Place& place) {
  Artifacts artifacts;
  if (!place.node().is_mapping()) {
    place.error("config should be a hash");
    return artifacts;
  }
  place.check_keys(
      {"name", "untracked", "paths", "reports", "when", "expire_in", "expose_as", "exclude", "public", "access"});
  artifacts.name = place.string("name");
  artifacts.untracked = place.boolean("untracked", false);
  artifacts.paths = place.strings("paths");
  artifacts.exclude = place.strings("exclude");
  artifacts.when = place.choice("when", {"on_success", "on_failure", "always"}, "on_success");
  if (auto expire = place.child("expire_in")) {
    const Node& node = expire->node();
    bool ok = node.is_string() && (node.text() == "never" || parse_duration(node.text()));
    if (!ok) place.error_at(node, "expire in should be a duration");
    artifacts.expire_in = node.text();
  }
  artifacts.expose_as = place.string("expose_as");
  check_expose_as(place, artifacts);
  artifacts.access = place.choice("access", {"all", "developer", "maintainer", "none"}, "all");
  if (place.child("public") && place.child("access"))
    place.error("config these keys cannot be used together: public, access");
  if (!place.boolean("public", true)) artifacts.access = "developer";
  if (auto reports = place.child("reports")) read_reports(*reports, artifacts);
  return artifacts;
}

std::vector<CacheConfig> read_caches(const Place& place) {
  std::vector<CacheConfig> caches;
  if (!place.node().is_sequence()) {
    caches.push_back(read_cache(place));
    return caches;
  }
  if (place.node().size() > 4) place.error("config no more than 4 caches can be created");
  for (const Node& item : place.node().items()) caches.push_back(read_cache(place.part(item, "cache")));
  return caches;
}

Retry read_retry(const Place& place) {
  Retry retry;
  auto check_max = [&](const Node& node, const char* attribute) {
    if (!node.is_integer()) return place.error_at(node, fmt::format("{} is not a number", attribute));
    if (node.as_integer() < 0)
      return place.error_at(node, fmt::format("{} must be greater than or equal to 0", attribute));
    if (node.as_integer() > 2)
      return place.error_at(node, fmt::format("{} must be less than or equal to 2", attribute));
    retry.max = static_cast<int>(node.as_integer());
  };
  if (place.node().is_integer()) {
    check_max(place.node(), "config");
    retry.when = {"always"};
    return retry;
  }
  if (!place.node().is_mapping()) {
    place.error("config has to be either an integer or a hash");
    return retry;
  }
  static constexpr std::string_view kReasons[] = {"always",
                                                  "unknown_failure",
                                                  "script_failure",
                                                  "api_failure",
                                                  "stuck_or_timeout_failure",
                                                  "stuck_pending_with_matching_runners",
                                                  "stuck_pending_no_matching_runners",
                                                  "no_updates_running",
                                                  "no_updates_canceling",
                                                  "runner_system_failure",
                                                  "runner_configuration_error",
                                                  "runner_external_dependency_failure",
                                                  "runner_interrupted",
                                                  "runner_unsupported",
                                                  "stale_schedule",
                                                  "job_execution_timeout",
                                                  "server_timeout_running",
                                                  "server_timeout_canceling",
                                                  "archived_failure",
                                                  "unmet_prerequisites",
                                                  "scheduler_failure",
                                                  "data_integrity_failure",
                                                  "image_pull_failure",
                                                  "missing_dependency_failure",
                                                  "ci_quota_exceeded",
                                                  "no_matching_runner",
                                                  "forward_deployment_failure",
                                                  "environment_creation_failure",
                                                  "user_blocked",
                                                  "project_deleted",
                                                  "trace_size_exceeded",
                                                  "builds_disabled",
                                                  "protected_environment_failure",
                                                  "deployment_rejected",
                                                  "ip_restriction_failure",
                                                  "failed_outdated_deployment_job",
                                                  "secrets_provider_not_found",
                                                  "job_token_expired",
                                                  "reached_max_descendant_pipelines_depth",
                                                  "bridge_pipeline_is_child_pipeline",
                                                  "downstream_pipeline_creation_failed",
                                                  "upstream_bridge_project_not_found",
                                                  "insufficient_upstream_permissions",
                                                  "insufficient_bridge_permissions",
                                                  "downstream_bridge_project_not_found",
                                                  "invalid_bridge_trigger",
                                                  "reached_max_pipeline_hierarchy_size",
                                                  "pipeline_loop_detected",
                                                  "no_matching_runner_with_required_features"};
  place.check_keys({"max", "when", "exit_codes"});
  if (auto max = place.child("max")) check_max(max->node(), "max");
  retry.exit_codes = place.integers("exit_codes");
  retry.when = place.strings("when", true);
  for (const std::string& reason : retry.when)
    if (std::find(std::begin(kReasons), std::end(kReasons), reason) == std::end(kReasons))
      place.error_at(place.child("when")->node(), fmt::format("when contains unknown values: {}", reason));
  if (retry.when.empty() && retry.exit_codes.empty()) retry.when = {"always"};
  return retry;
}

Environment read_environment(const Place& place) {
  static const RE2 charset(R"([a-zA-Z0-9_/\${}. -]+)");
  Environment environment;
  if (place.node().is_string()) {
    environment.name = place.node().text();
  } else if (place.node().is_mapping()) {
    place.check_keys({"name", "url", "action", "deployment_tier"}, {"on_stop", "auto_stop_in", "kubernetes"});
    environment.name = place.string("name");
    environment.url = place.string("url");
    environment.action = place.choice("action", {"start", "stop", "prepare", "verify", "access"}, "start");
    environment.tier =
        place.choice("deployment_tier", {"production", "staging", "testing", "development", "other"}, "");
  } else {
    place.error("config should be a hash or a string");
    return environment;
  }
  if (environment.name.empty()) place.error("name can't be blank");
  if (environment.name.size() > 255) place.error("name is too long (maximum is 255 characters)");
  if (environment.url.size() > 255) place.error("url is too long (maximum is 255 characters)");
  bool slashes = environment.name.starts_with('/') || environment.name.ends_with('/');
  if (!environment.name.empty() && (slashes || !RE2::FullMatch(environment.name, charset)))
    place.error(
        "name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or "
        "end with '/'");
  return environment;
}

} // namespace ci
