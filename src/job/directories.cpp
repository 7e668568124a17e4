#include "job/directories.hpp"

#include <fmt/format.h>

#include "base/expand.hpp"
#include "job/git_urls.hpp"
#include "sys/files.hpp"

namespace job {
namespace {

std::string slug_of(const VariableSources& sources) {
  auto slug = project_slug(sources.payload.git_info.repo_url);
  return slug ? *slug : fmt::format("project-{}", sources.payload.job_info.project_id);
}

std::string unique_directory(const VariableSources& sources, const Settings& settings, bool shared) {
  std::string path = slug_of(sources);
  if (shared) path = fmt::format("{}/{}/{}", sources.context.short_token, sources.context.concurrent_project_id, path);
  if (settings.git_strategy == script::GitStrategy::kEmpty) path += "-empty";
  return path;
}

bool is_within(const std::string& path, const std::string& root) {
  return path == root || root == "/" || path.starts_with(root + "/");
}

} // namespace

std::string absolute_directory(std::string_view directory, std::string_view working_directory) {
  const std::string expanded = base::expand(directory, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "PWD") return std::string(working_directory);
    return std::nullopt;
  });
  return sys::clean_path(sys::join_path(working_directory, expanded));
}

std::expected<Directories, Failure> directories(const VariableSources& sources, const Settings& settings,
                                                const DirectoryOptions& options) {
  const auto refuse = [](std::string text) { return std::unexpected(configuration_failure(std::move(text))); };
  if (options.builds_dir.empty()) return refuse("the builds_dir is not configured");
  if (options.cache_dir.empty()) return refuse("the cache_dir is not configured");
  Directories out;
  out.builds_dir = absolute_directory(options.builds_dir, options.working_directory);
  out.cache_dir = sys::clean_path(sys::join_path(absolute_directory(options.cache_dir, options.working_directory),
                                                 unique_directory(sources, settings, false)));
  if (settings.git_clone_path.empty()) {
    out.project_dir =
        sys::clean_path(sys::join_path(out.builds_dir, unique_directory(sources, settings, options.shared_builds_dir)));
    return out;
  }
  if (!options.custom_build_dir)
    return refuse("setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir` feature");
  out.project_dir = absolute_directory(settings.git_clone_path, options.working_directory);
  if (!is_within(out.project_dir, out.builds_dir))
    return refuse(
        fmt::format("the GIT_CLONE_PATH=\"{}\" has to be within \"{}\"", settings.git_clone_path, out.builds_dir));
  return out;
}

} // namespace job
