// The CI_* variables and the order in which all variables of a job stand.
#include <fmt/format.h>
#include <re2/re2.h>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "ci/glob.hpp"
#include "ci/scope.hpp"

namespace ci {
namespace {
constexpr std::string_view kNoCommit = "0000000000000000000000000000000000000000";

class List {
 public:
  void put(std::string_view key, std::string_view value) {
    list_.push_back({.key = std::string(key), .value = std::string(value), .is_public = true});
  }
  void put_if(std::string_view key, std::string_view value) {
    if (!value.empty()) put(key, value);
  }
  Variables take() { return std::move(list_); }

 private:
  Variables list_;
};

struct Url {
  std::string protocol = "http";
  std::string host;
  std::string port;
  std::string fqdn;
};
Url split_url(std::string_view text) {
  Url url;
  if (std::size_t at = text.find("://"); at != std::string_view::npos) {
    url.protocol = std::string(text.substr(0, at));
    text.remove_prefix(at + 3);
  }
  text = text.substr(0, text.find('/'));
  url.fqdn = std::string(text);
  std::size_t colon = text.rfind(':');
  bool has_port = colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos;
  url.host = std::string(has_port ? text.substr(0, colon) : text);
  std::string usual = url.protocol == "https" ? "443" : "80";
  url.port = has_port ? std::string(text.substr(colon + 1)) : usual;
  if (url.port == usual) url.fqdn = url.host;
  return url;
}

void put_server(List& list, const ServerFacts& server) {
  Url url = split_url(server.url);
  auto version = base::split(server.version, '.');
  version.resize(3);
  list.put("CI", "true");
  list.put("GITLAB_CI", "true");
  list.put("CI_SERVER_URL", server.url);
  list.put("CI_SERVER_HOST", url.host);
  list.put("CI_SERVER_PORT", url.port);
  list.put("CI_SERVER_PROTOCOL", url.protocol);
  list.put("CI_SERVER_SHELL_SSH_HOST", url.host);
  list.put("CI_SERVER_SHELL_SSH_PORT", "22");
  list.put("CI_SERVER_FQDN", url.fqdn);
  list.put("CI_SERVER_NAME", server.name);
  list.put("CI_SERVER_VERSION", server.version);
  list.put("CI_SERVER_VERSION_MAJOR", version[0]);
  list.put("CI_SERVER_VERSION_MINOR", version[1]);
  list.put("CI_SERVER_VERSION_PATCH", version[2]);
  list.put("CI_SERVER_REVISION", server.revision);
  list.put("GITLAB_FEATURES", "");
  list.put("CI_API_V4_URL", server.url + "/api/v4");
  list.put("CI_API_GRAPHQL_URL", server.url + "/api/graphql");
  list.put("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
}

void put_project(List& list, const ServerFacts& server, const ProjectFacts& project) {
  std::size_t slash = project.full_path.rfind('/');
  std::string name = slash == std::string::npos ? project.full_path : project.full_path.substr(slash + 1);
  std::string space = slash == std::string::npos ? "" : project.full_path.substr(0, slash);
  list.put("CI_PROJECT_ID", std::to_string(project.id));
  list.put("CI_PROJECT_NAME", name);
  list.put("CI_PROJECT_TITLE", project.title.empty() ? name : project.title);
  list.put("CI_PROJECT_DESCRIPTION", project.description);
  list.put("CI_PROJECT_PATH", project.full_path);
  list.put("CI_PROJECT_PATH_SLUG", ref_slug(project.full_path));
  list.put("CI_PROJECT_NAMESPACE", space);
  list.put("CI_PROJECT_NAMESPACE_ID", std::to_string(project.namespace_id));
  list.put("CI_PROJECT_NAMESPACE_SLUG", ref_slug(space));
  list.put("CI_PROJECT_ROOT_NAMESPACE", space.substr(0, space.find('/')));
  list.put("CI_PROJECT_URL", server.url + "/" + project.full_path);
  list.put("CI_PROJECT_VISIBILITY", project.visibility);
  list.put("CI_PROJECT_REPOSITORY_LANGUAGES", "");
  list.put("CI_PROJECT_CLASSIFICATION_LABEL", "");
  list.put("CI_PROJECT_TOPICS", base::to_lower(base::join(project.topics, ",")));
  list.put("CI_DEFAULT_BRANCH", project.default_branch);
  list.put("CI_DEFAULT_BRANCH_SLUG", ref_slug(project.default_branch));
  list.put("CI_CONFIG_PATH", project.config_path);
}

void put_commit_message(List& list, const std::string& message) {
  constexpr std::size_t kMaxMessage = 100'000;
  std::size_t end = message.find('\n');
  std::string title = message.substr(0, end);
  std::string description = end == std::string::npos ? "" : message.substr(end + 1);
  if (description.ends_with('\n')) description.pop_back();
  bool truncated = message.size() > kMaxMessage;
  std::size_t kept = base::utf8_prefix(message, kMaxMessage);
  list.put("CI_COMMIT_MESSAGE", std::string_view(message).substr(0, kept));
  list.put("CI_COMMIT_MESSAGE_IS_TRUNCATED", truncated ? "true" : "false");
  list.put("CI_COMMIT_TITLE", title);
  list.put("CI_COMMIT_DESCRIPTION", title.size() >= 100 ? message : description);
}

void put_pipeline(List& list, const Context& context) {
  const PipelineFacts& pipeline = context.pipeline;
  const CommitFacts& commit = context.commit;
  if (pipeline.iid != 0) list.put("CI_PIPELINE_IID", std::to_string(pipeline.iid));
  list.put("CI_PIPELINE_SOURCE", pipeline.source);
  list.put_if("CI_PIPELINE_CREATED_AT", pipeline.created_at);
  list.put_if("CI_PIPELINE_NAME", pipeline.name);
  list.put("CI_COMMIT_SHA", commit.sha);
  list.put("CI_COMMIT_SHORT_SHA", commit.sha.substr(0, 8));
  list.put("CI_COMMIT_BEFORE_SHA", commit.before_sha.empty() ? kNoCommit : std::string_view(commit.before_sha));
  list.put("CI_COMMIT_REF_NAME", pipeline.ref);
  list.put("CI_COMMIT_REF_SLUG", ref_slug(pipeline.ref));
  list.put("CI_COMMIT_REF_PROTECTED", pipeline.ref_protected ? "true" : "false");
  if (pipeline.ref_type == RefType::kBranch) list.put("CI_COMMIT_BRANCH", pipeline.ref);
  if (pipeline.ref_type == RefType::kTag) {
    list.put("CI_COMMIT_TAG", pipeline.ref);
    list.put("CI_COMMIT_TAG_MESSAGE", pipeline.tag_message);
  }
  put_commit_message(list, commit.message);
  list.put("CI_COMMIT_AUTHOR", commit.author);
  list.put("CI_COMMIT_TIMESTAMP", commit.timestamp);
}

// What GitLab takes an environment for when nobody says.
std::string guess_tier(const std::string& name) {
  static constexpr std::pair<std::string_view, const char*> kTiers[] = {
      {"development", "(?i)(dev|review|trunk)"},
      {"testing", "(?i)(test|tst|int|ac(ce|)pt|qa|qc|control|quality)"},
      {"staging", "(?i)(st(a|)g|mod(e|)l|pre|demo|non)"},
      {"production", "(?i)(pr(o|)d|live)"}};
  for (auto [tier, pattern] : kTiers)
    if (RE2::PartialMatch(name, pattern)) return std::string(tier);
  return "other";
}

// Visible on this ref and for this environment; the most specific scope of a key comes last and so wins.
void append_visible(Variables& out, const Variables& layer, bool protected_ref, std::string_view environment) {
  Variables visible;
  for (const Variable& variable : layer) {
    bool in_scope = variable.environment_scope == "*" ||
                    (!environment.empty() && scope_match(variable.environment_scope, environment));
    if (in_scope && (protected_ref || !variable.is_protected)) visible.push_back(variable);
  }
  auto rank = [&](const Variable& variable) {
    if (variable.environment_scope == environment) return std::string::npos;
    return variable.environment_scope == "*" ? 0 : variable.environment_scope.size();
  };
  std::stable_sort(visible.begin(), visible.end(),
                   [&](const Variable& a, const Variable& b) { return rank(a) < rank(b); });
  out.insert(out.end(), visible.begin(), visible.end());
}

void append(Variables& out, const Variables& more) { out.insert(out.end(), more.begin(), more.end()); }
} // namespace

std::string ref_slug(std::string_view text) {
  std::string slug = base::to_lower(text);
  // Each character that is not kept becomes one dash, however many bytes it has.
  std::string out;
  for (char c : slug) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    out += keep ? c : '-';
  }
  out = out.substr(0, 63);
  std::size_t first = out.find_first_not_of('-');
  if (first == std::string::npos) return "";
  return out.substr(first, out.find_last_not_of('-') - first + 1);
}

std::string environment_slug(std::string_view name) {
  std::string slug;
  for (char c : base::to_lower(name)) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    slug += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  }
  if (slug.empty() || slug.front() < 'a' || slug.front() > 'z') slug = "env-" + slug;
  slug.erase(std::unique(slug.begin(), slug.end(), [](char a, char b) { return a == '-' && b == '-'; }), slug.end());
  if (slug.size() <= 24 && slug == name) return slug;
  slug = slug.substr(0, 17);
  if (!slug.ends_with('-')) slug += '-';
  constexpr std::uint64_t kModulus = 2176782336; // 36^6
  std::uint64_t rest = 0;
  for (char c : base::sha256(name)) rest = (rest * 256 + static_cast<unsigned char>(c)) % kModulus;
  std::string digits;
  for (int i = 0; i < 6; ++i, rest /= 36)
    digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36]);
  return slug + digits;
}

Variables predefined_variables(const Context& context) {
  List list;
  put_server(list, context.server);
  put_project(list, context.server, context.project);
  put_pipeline(list, context);
  Variables all = list.take();
  append(all, context.variables.extra_predefined);
  return all;
}

Variables job_predefined(const Job& job) {
  List list;
  list.put("CI_JOB_NAME", job.name);
  list.put("CI_JOB_NAME_SLUG", ref_slug(job.name));
  list.put("CI_JOB_GROUP_NAME", group_name(job.name));
  list.put("CI_JOB_STAGE", job.stage);
  if (job.when == When::kManual) list.put("CI_JOB_MANUAL", "true");
  if (job.node_index != 0) list.put("CI_NODE_INDEX", std::to_string(job.node_index));
  list.put("CI_NODE_TOTAL", std::to_string(job.node_total));
  return list.take();
}

Variables environment_variables(const Job& job) {
  if (!job.environment) return {};
  const Environment& environment = *job.environment;
  List list;
  list.put("CI_ENVIRONMENT_NAME", environment.name);
  list.put("CI_ENVIRONMENT_SLUG", environment_slug(environment.name));
  list.put("CI_ENVIRONMENT_ACTION", environment.action);
  list.put("CI_ENVIRONMENT_TIER", environment.tier.empty() ? guess_tier(environment.name) : environment.tier);
  // Last: it may refer to all the others.
  list.put_if("CI_ENVIRONMENT_URL", environment.url);
  return list.take();
}

Variables user_variables(const UserFacts& user) {
  if (user.id == 0 && user.login.empty()) return {};
  List list;
  list.put("GITLAB_USER_ID", std::to_string(user.id));
  list.put("GITLAB_USER_EMAIL", user.email);
  list.put("GITLAB_USER_LOGIN", user.login);
  list.put("GITLAB_USER_NAME", user.name);
  return list.take();
}

Variables outside_variables(const Context& context, std::string_view environment) {
  Variables all;
  const VariableLayers& layers = context.variables;
  bool protected_ref = context.pipeline.ref_protected;
  append_visible(all, layers.instance, protected_ref, environment);
  for (const Variables& group : layers.groups) append_visible(all, group, protected_ref, environment);
  append_visible(all, layers.project, protected_ref, environment);
  append(all, layers.pipeline);
  return all;
}

Variables rule_scope(const Context& context, const Variables& predefined, const Variables& yaml, const Job* job) {
  Variables all;
  if (job != nullptr) append(all, job_predefined(*job));
  append(all, predefined);
  append(all, yaml);
  append(all, user_variables(context.user));
  append(all, outside_variables(context, job != nullptr && job->environment ? job->environment->name : ""));
  if (job != nullptr) append(all, environment_variables(*job));
  return all;
}

base::Lookup lookup_in(const Variables& variables) {
  return [&variables](std::string_view name) -> std::optional<std::string> {
    const Variable* variable = find(variables, name);
    return variable == nullptr ? std::nullopt : std::optional(variable->value);
  };
}

} // namespace ci
