#include "script/submodules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"

namespace script {
namespace {

using Words = std::vector<std::string>;

Words concat(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Directories of submodules that carry a repository of their own, or point to one outside of .git/modules: an earlier
// job's, with configuration and hooks that we have not cleaned. Goes down into those that are in order.
constexpr std::string_view kCheckModules = R"sh(fr_modules=$(cd .git && pwd -P)/modules
fr_check_modules() {
  fr_git -C "$1" ls-files -s 2>/dev/null | grep '^160000 ' | cut -f 2- | while IFS= read -r fr_path; do
    fr_path=$1/$fr_path
    [ -e "$fr_path/.git" ] || [ -L "$fr_path/.git" ] || continue
    fr_target=
    if [ -f "$fr_path/.git" ] && ! [ -L "$fr_path/.git" ]; then
      IFS= read -r fr_target < "$fr_path/.git" || :
      fr_target=$(cd "$fr_path" 2>/dev/null && cd "${fr_target#gitdir: }" 2>/dev/null && pwd -P) || fr_target=
    fi
    case $fr_target in
      "$fr_modules"/*) fr_check_modules "$fr_path" ;;
      *) chmod -R u+rwX "$fr_path"; rm -rf "$fr_path"; mkdir -p "$fr_path" ;;
    esac
  done
}
)sh";

void write_check(Writer& w) {
  w.begin("[ -e .gitmodules ] || [ -d .git/modules ]");
  w.line(kCheckModules);
  w.line("fr_check_modules . || :");
  w.end();
}

std::string notice_text(bool recursive, std::int64_t depth) {
  return fmt::format("Updating/initializing submodules{}{}...", recursive ? " recursively" : "",
                     depth > 0 ? fmt::format(" with git depth set to {}", depth) : "");
}

base::Status write_update(Writer& w, const BuildInfo& info, bool recursive) {
  const GitSources& git = info.git;
  w.notice(notice_text(recursive, git.submodule_depth));
  if (std::ranges::find(git.submodule_paths, ":(exclude)") != git.submodule_paths.end()) {
    std::string list;
    for (const auto& path : git.submodule_paths) list += fmt::format("{}\"{}\"", list.empty() ? "" : " ", path);
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("GIT_SUBMODULE_PATHS: invalid submodule pathspec [{}]", list));
  }
  const Words paths = git.submodule_paths.empty() ? Words{} : concat({"--"}, git.submodule_paths);
  const Words deep = recursive ? Words{"--recursive"} : Words{};
  // Submodules do not read the configuration of the repository around them.
  const Words credentials = {"fr_git", "-c", "include.path=" + info.temp_file(".gitlab-runner.ext.conf")};
  const Words sync = concat(concat({"fr_git", "submodule", "sync"}, deep), paths);
  Words update = concat(concat(credentials, {"submodule", "update", "--init"}), deep);
  if (git.submodule_depth > 0) update = concat(update, {"--depth", std::to_string(git.submodule_depth)});
  update = concat(concat(update, git.submodule_update_flags), paths);
  const Words foreach = concat({"fr_git", "submodule", "foreach"}, deep);
  const Words foreach_authenticated = concat(concat(credentials, {"submodule", "foreach"}), deep);
  const Words clean =
      concat(concat(foreach, {"git", "clean"}), git.clean_flags.empty() ? Words{"-ffdx"} : git.clean_flags);
  const Words reset = concat(foreach, {"git", "reset", "--hard"});

  w.command({"fr_git", "submodule", "init"});
  w.command(sync);
  w.command(clean);
  w.command(reset);
  w.begin(w.words(update));
  w.notice("Updated submodules");
  w.command(sync);
  w.otherwise();
  w.warning("Updating submodules failed. Retrying...");
  const bool remote = std::ranges::any_of(git.submodule_update_flags,
                                          [](const auto& flag) { return base::equals_ignore_case(flag, "--remote"); });
  if (remote)
    w.command(concat(foreach_authenticated, {"git", "fetch", "origin", "+refs/heads/*:refs/remotes/origin/*"}));
  w.command(sync);
  w.command(update);
  w.command(reset);
  w.end();
  w.command(clean);
  w.notice("Configuring submodules to use parent git credentials...");
  w.command({"fr_git", "submodule", "foreach", "--recursive", "git", "config", "--replace-all", "include.path",
             info.temp_file(".gitlab-runner.ext.conf")});
  if (git.lfs_skip_smudge) return {};
  w.begin("git lfs version >/dev/null 2>&1");
  w.notice("Pulling LFS files...");
  w.command(concat(foreach_authenticated, {"git", "lfs", "pull"}));
  w.end();
  return {};
}

} // namespace

base::Status write_submodules(Writer& w, const BuildInfo& info) {
  if (info.git.checkout) write_check(w);
  switch (info.git.submodules) {
    case SubmoduleStrategy::kNone:
      w.notice("Skipping Git submodules setup");
      return {};
    case SubmoduleStrategy::kNormal:
      return write_update(w, info, false);
    case SubmoduleStrategy::kRecursive:
      return write_update(w, info, true);
    case SubmoduleStrategy::kInvalid:
      break;
  }
  return base::fail(base::ErrorKind::kInvalidInput, "unknown GIT_SUBMODULE_STRATEGY");
}

} // namespace script
