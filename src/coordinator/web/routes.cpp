#include "coordinator/web/routes.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.hpp"
#include "base/utf8.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kLongestPath = 2048;

// Literal patterns stand before those with parameters that would match them as well.
constexpr std::array kRules = {
    PageRule{"projects", Place::kInstance, ""},
    PageRule{"projects", Place::kInstance, "dashboard/projects"},
    PageRule{"groups", Place::kInstance, "dashboard/groups"},
    PageRule{"project_new", Place::kInstance, "projects/new"},
    PageRule{"group_new", Place::kInstance, "groups/new"},
    PageRule{"user_access_tokens", Place::kInstance, "-/user_settings/personal_access_tokens"},
    PageRule{"user_profile", Place::kInstance, "-/user_settings/profile"},
    PageRule{"help", Place::kInstance, "-/help/runner_registration"},
    PageRule{"admin", Place::kInstance, "admin", Ability::kAdminInstance},
    PageRule{"admin_runners", Place::kInstance, "admin/runners", Ability::kAdminInstance},
    PageRule{"admin_runner_new", Place::kInstance, "admin/runners/new", Ability::kCreateInstanceRunners},
    PageRule{"admin_runner", Place::kInstance, "admin/runners/:runner", Ability::kReadRunner},
    PageRule{"admin_runner_register", Place::kInstance, "admin/runners/:runner/register", Ability::kReadRunner},
    PageRule{"admin_runner_edit", Place::kInstance, "admin/runners/:runner/edit", Ability::kUpdateRunner},
    PageRule{"admin_users", Place::kInstance, "admin/users", Ability::kAdminInstance},
    PageRule{"admin_user_new", Place::kInstance, "admin/users/new", Ability::kAdminInstance},
    PageRule{"admin_user", Place::kInstance, "admin/users/:username", Ability::kAdminInstance},
    PageRule{"admin_settings_ci_cd", Place::kInstance, "admin/application_settings/ci_cd", Ability::kAdminInstance},
    PageRule{"admin_audit_log", Place::kInstance, "admin/audit_log", Ability::kAdminInstance},
    PageRule{"admin_group", Place::kInstance, "admin/groups/*", Ability::kAdminInstance},

    PageRule{"group", Place::kGroup, "", Ability::kRead},
    PageRule{"group_runners", Place::kGroup, "-/runners", Ability::kReadRunners},
    PageRule{"group_runner_new", Place::kGroup, "-/runners/new", Ability::kCreateRunners},
    PageRule{"group_runner", Place::kGroup, "-/runners/:runner", Ability::kReadRunner},
    PageRule{"group_runner_register", Place::kGroup, "-/runners/:runner/register", Ability::kReadRunner},
    PageRule{"group_runner_edit", Place::kGroup, "-/runners/:runner/edit", Ability::kUpdateRunner},
    PageRule{"group_settings_ci_cd", Place::kGroup, "-/settings/ci_cd", Ability::kAdmin},
    PageRule{"group_access_tokens", Place::kGroup, "-/settings/access_tokens", Ability::kManageAccessTokens},
    PageRule{"group_members", Place::kGroup, "-/group_members", Ability::kReadMembers},
    PageRule{"group_edit", Place::kGroup, "-/edit", Ability::kAdmin},

    PageRule{"project", Place::kProject, "", Ability::kRead},
    PageRule{"project_pipelines", Place::kProject, "-/pipelines", Ability::kReadBuilds},
    PageRule{"project_pipeline_new", Place::kProject, "-/pipelines/new", Ability::kCreatePipeline},
    PageRule{"project_pipeline", Place::kProject, "-/pipelines/:pipeline", Ability::kReadBuilds},
    PageRule{"project_jobs", Place::kProject, "-/jobs", Ability::kReadBuilds},
    PageRule{"project_job", Place::kProject, "-/jobs/:job", Ability::kReadBuilds},
    PageRule{"", Place::kProject, "-/jobs/:job/raw", Ability::kReadBuilds, "trace"},
    PageRule{"", Place::kProject, "-/jobs/:job/artifacts/download", Ability::kReadBuilds, "artifacts"},
    PageRule{"project_artifacts", Place::kProject, "-/jobs/:job/artifacts/browse/*", Ability::kReadBuilds},
    PageRule{"project_settings_ci_cd", Place::kProject, "-/settings/ci_cd", Ability::kAdmin},
    PageRule{"", Place::kProject, "-/runners", Ability::kReadRunners, "-/settings/ci_cd#js-runners-settings"},
    PageRule{"project_runner_new", Place::kProject, "-/runners/new", Ability::kCreateRunners},
    PageRule{"project_runner", Place::kProject, "-/runners/:runner", Ability::kReadRunner},
    PageRule{"project_runner_register", Place::kProject, "-/runners/:runner/register", Ability::kReadRunner},
    PageRule{"project_runner_edit", Place::kProject, "-/runners/:runner/edit", Ability::kUpdateRunner},
    PageRule{"project_access_tokens", Place::kProject, "-/settings/access_tokens", Ability::kManageAccessTokens},
    PageRule{"project_members", Place::kProject, "-/project_members", Ability::kReadMembers},
    PageRule{"project_edit", Place::kProject, "-/edit", Ability::kAdmin},
    PageRule{"project_edit", Place::kProject, "edit", Ability::kAdmin},
};

using Segments = std::vector<std::string>;

// Decoded segments without a trailing slash; nullopt when they are no names of ours (empty, "..", control characters).
std::optional<Segments> segments_of(std::string_view path) {
  if (path.size() > kLongestPath || !path.starts_with('/') || path.starts_with("//")) return std::nullopt;
  path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return Segments();
  Segments out;
  for (const auto& segment : base::split(path, '/')) {
    auto text = base::percent_decode(segment);
    const bool name = !text.empty() && text != "." && text != ".." && base::is_valid_utf8(text) &&
                      std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/'; });
    if (!name) return std::nullopt;
    out.push_back(std::move(text));
  }
  return out;
}

bool take_parameter(std::string_view name, const std::string& segment, PagePath& out) {
  if (name == "username") {
    out.rest = segment;
    return true;
  }
  const auto number = base::parse_int(segment);
  if (!number || *number <= 0 || segment[0] == '+') return false;
  out.id = *number;
  out.id_name = name;
  return true;
}

bool matches(std::string_view pattern, std::span<const std::string> segments, PagePath& out) {
  const auto parts = pattern.empty() ? std::vector<std::string>() : base::split(pattern, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "*") {
      out.rest = base::join(Segments(segments.begin() + static_cast<std::ptrdiff_t>(i), segments.end()), "/");
      return true;
    }
    // A last "*" also matches nothing: "…/browse".
    if (i >= segments.size()) return false;
    if (parts[i].starts_with(':')) {
      if (!take_parameter(std::string_view(parts[i]).substr(1), segments[i], out)) return false;
    } else if (parts[i] != segments[i]) {
      return false;
    }
  }
  return parts.size() == segments.size();
}

std::optional<PagePath> find(Place place, std::span<const std::string> segments, std::string full_path) {
  for (const auto& rule : kRules) {
    if (rule.place != place) continue;
    PagePath out{.rule = &rule, .full_path = full_path};
    if (matches(rule.pattern, segments, out)) return out;
  }
  return std::nullopt;
}

struct Split {
  std::string full_path;
  Segments rest; // from "-" on, or "edit"
};

Split split_namespace(std::span<const std::string> segments, bool project) {
  auto end = std::ranges::find(segments, "-");
  // "edit" cannot be a project's name beside a group and a name.
  if (project && end == segments.end() && segments.size() >= 3 && segments.back() == "edit") --end;
  return {base::join(Segments(segments.begin(), end), "/"), Segments(end, segments.end())};
}

bool is_instance_root(const Segments& segments) {
  static constexpr std::string_view roots[] = {"-", "admin", "dashboard", "projects", "users", "api", "assets"};
  return segments.empty() || std::ranges::find(roots, segments[0]) != std::end(roots);
}

} // namespace

std::span<const PageRule> page_rules() { return kRules; }

std::optional<PagePath> parse_page(std::string_view path) {
  const auto segments = segments_of(path);
  if (!segments) return std::nullopt;
  if (auto page = find(Place::kInstance, *segments, "")) return page;
  if (is_instance_root(*segments)) return std::nullopt;
  if ((*segments)[0] == "groups") {
    const auto parts = split_namespace(std::span(*segments).subspan(1), false);
    if (parts.full_path.empty()) return std::nullopt;
    return find(Place::kGroup, parts.rest, parts.full_path);
  }
  const auto parts = split_namespace(*segments, true);
  if (parts.full_path.empty()) return std::nullopt;
  auto page = find(Place::kProject, parts.rest, parts.full_path);
  if (!page) page = find(Place::kGroup, parts.rest, parts.full_path);
  if (page) page->any_namespace = true;
  return page;
}

std::optional<PagePath> as_group(std::string_view path) {
  const auto segments = segments_of(path);
  if (!segments || segments->empty()) return std::nullopt;
  const auto parts = split_namespace(*segments, false);
  return find(Place::kGroup, parts.rest, parts.full_path);
}

} // namespace coordinator::web
