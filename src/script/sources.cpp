// get_sources: the repository as the job wants it, whatever an earlier job left in the directory.
//
// Steps and messages are upstream's (shells/abstract.go). Different on purpose: the token is in the environment alone,
// a credential helper hands it to git; nothing that an earlier job wrote into .git acts in this one; a repository that
// is broken is replaced once; configuration is written as text instead of by a dozen `git config` processes.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "script/stages.hpp"
#include "script/submodules.hpp"
#include "script/writer.hpp"

namespace script {
namespace {

// Reads the variable when git asks, so that no file and no command line holds it.
std::string credential_helper(std::string_view variable) {
  return fmt::format("!f() {{ test \"$1\" = get && printf 'password=%s\\n' \"${{{}}}\"; }}; f", variable);
}

std::string credential_section(const GitCredential& credential) {
  return fmt::format("[credential {}]\n\thelper = \n\thelper = {}\n\tusername = {}\n", git_config_quote(credential.url),
                     git_config_quote(credential_helper(credential.password_variable)),
                     git_config_quote(credential.username));
}

// What git has to know wherever it runs in this job, submodules included: .gitlab-runner.cred.conf. Both files go when
// the job ends.
std::string access_config(const GitSources& git) {
  std::string out;
  if (!git.tls.empty() && !git.host_url.empty()) {
    out += fmt::format("[http {}]\n", git_config_quote(git.host_url));
    for (const auto& [key, path] : git.tls) out += fmt::format("\t{} = {}\n", key, git_config_quote(path));
  }
  for (const auto& [to, from] : git.instead_of)
    out += fmt::format("[url {}]\n\tinsteadOf = {}\n", git_config_quote(to), git_config_quote(from));
  for (const auto& credential : git.credentials) out += credential_section(credential);
  return out;
}

// The file that .git/config includes.
std::string extension_config(const BuildInfo& info) {
  const GitSources& git = info.git;
  std::string out;
  if (git.correlation_id)
    out += fmt::format("[http]\n\textraHeader = {}\n",
                       git_config_quote("X-Gitaly-Correlation-ID: " + *git.correlation_id));
  if (git.bundle_uris) out += "[transfer]\n\tbundleURI = true\n";
  return out + fmt::format("[include]\n\tpath = {}\n", git_config_quote(info.temp_file(kAccessConfig)));
}

std::string template_config(const BuildInfo& info, const std::string& extension_file) {
  return fmt::format(
      "[init]\n\tdefaultBranch = none\n[fetch]\n\trecurseSubmodules = false\n[credential]\n\tinteractive = never\n"
      "[gc]\n\tautoDetach = false\n[include]\n\tpath = {}\n"
      "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
      git_config_quote(extension_file), git_config_quote(info.git.remote_url));
}

void write_config_file(Writer& w, const std::string& path, const std::string& content) {
  w.line(fmt::format("rm -rf {0} && printf '%s' {1} > {0}", w.quote(path), w.quote(content)));
}

// What an earlier job may have left in .git to act in this one, or to make git fail. Objects, refs and the index stay,
// so that a checkout touches only what changed.
void write_repository_hygiene(Writer& w, const BuildInfo& info) {
  const GitSources& git = info.git;
  const std::string dot_git = info.project_dir + "/.git";
  const auto at = [&](std::string_view name) { return w.quote(dot_git + "/" + std::string(name)); };

  w.begin(fmt::format("[ -L {} ]", w.quote(info.project_dir)));
  w.warning(fmt::format("{} is a symbolic link left by an earlier job; removing it.", info.project_dir));
  w.line(fmt::format("rm -f {}", w.quote(info.project_dir)));
  w.end();
  w.line("fr_fresh=1");
  w.begin(fmt::format("[ -d {0} ] && ! [ -L {0} ]", w.quote(dot_git)));
  w.line(fmt::format("find {} -type d ! -perm -700 -exec chmod u+rwx {{}} \\;", w.quote(dot_git)));
  w.line(fmt::format("find {} -path {} -prune -o -name '*.lock' -type f -exec rm -f {{}} +", w.quote(dot_git),
                     at("objects")));
  // Where git looks for its data, for programs to run and for views of history other than the real one.
  w.line(fmt::format("rm -rf {} {} {} {} {} {} {} {} {} {} {} {} {} {}", at("commondir"), at("gitdir"),
                     at("config.worktree"), at("worktrees"), at("info"), at("gc.pid"), at("objects/info/alternates"),
                     at("objects/info/http-alternates"), at("objects/maintenance.lock"), at("refs/replace"),
                     at("rebase-merge"), at("rebase-apply"), at("sequencer"), at("hooks/post-checkout")));
  if (!git.keep_config) {
    w.line(fmt::format("rm -rf {} {}", at("config"), at("hooks")));
    w.begin(fmt::format("[ -d {} ]", at("modules")));
    w.line(
        fmt::format("find {} \\( -name config -o -name config.worktree -o -name commondir -o -name alternates -o "
                    "-name attributes -o -name sparse-checkout -o -name grafts \\) -type f -exec rm -f {{}} +",
                    at("modules")));
    w.line(fmt::format("find {} -name hooks -type d -prune -exec rm -rf {{}} +", at("modules")));
    w.end();
  }
  w.begin(fmt::format("[ -e {} ]", at("HEAD")));
  w.line("fr_fresh=0");
  w.end();
  w.otherwise();
  w.line(fmt::format("rm -rf {}", w.quote(dot_git)));
  w.end();
  w.begin(fmt::format("[ -d {0} ] && ! {{ [ -w {0} ] && [ -x {0} ]; }}", w.quote(info.project_dir)));
  w.line(fmt::format("chmod u+rwx {}", w.quote(info.project_dir)));
  w.end();
}

std::vector<std::string> fetch_arguments(const GitSources& git) {
  std::vector<std::string> arguments = {"fr_git"};
  if (git.proactive_auth && !git.host_url.empty())
    arguments.insert(arguments.end(), {"-c", fmt::format("http.{}.proactiveAuth=basic", git.host_url)});
  arguments.insert(arguments.end(), {"fetch", "origin", "--no-recurse-submodules"});
  arguments.insert(arguments.end(), git.refspecs.begin(), git.refspecs.end());
  if (git.depth > 0) arguments.insert(arguments.end(), {"--depth", std::to_string(git.depth)});
  arguments.insert(arguments.end(), git.fetch_flags.begin(), git.fetch_flags.end());
  return arguments;
}

// fr_git: git with what it must never take from a repository's or a user's configuration.
void write_functions(Writer& w, const BuildInfo& info, const std::string& extension_file) {
  const GitSources& git = info.git;
  w.line(fmt::format("fr_git() {{ git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c {} \"$@\"; }}",
                     w.quote("http.userAgent=" + git.user_agent)));

  // Once more, after directories that an earlier job made read-only were opened, if there are any. Walks the tree, so
  // only after something failed.
  w.line("fr_with_access() {");
  w.line("  \"$@\" && return");
  w.line("  fr_status=$?");
  w.line(
      fmt::format("  [ -n \"$(find {} -path {} -prune -o -type d ! -perm -700 -exec chmod u+rwx {{}} \\; -print)\" ] "
                  "|| return \"$fr_status\"",
                  w.quote(info.project_dir), w.quote(info.project_dir + "/.git")));
  w.line("  \"$@\"");
  w.line("}");

  // Whether the other side has what was asked for: then a failure is the fault of the repository here.
  w.line("fr_remote_has_it() {");
  bool asked = false;
  const std::string ls_remote = fmt::format("(cd / && fr_git -c {} ls-remote --exit-code {}",
                                            w.quote("include.path=" + extension_file), w.quote(git.remote_url));
  for (std::string_view refspec : git.refspecs) {
    if (refspec.starts_with('+')) refspec.remove_prefix(1);
    const std::string_view source = refspec.substr(0, refspec.find(':'));
    if (source.empty() || source.find('*') != std::string_view::npos) continue;
    w.line(fmt::format("  {} {}) >/dev/null 2>&1 || return 1", ls_remote, w.quote(source)));
    asked = true;
  }
  if (!asked) w.line(fmt::format("  {}) >/dev/null 2>&1 || return 1", ls_remote));
  w.line("}");

  w.line("fr_fetch() {");
  const std::string fetch = w.words(fetch_arguments(git));
  if (git.depth > 0)
    w.line("  " + fetch);
  else
    w.line(fmt::format("  if [ -e .git/shallow ]; then {0} --unshallow; else {0}; fi", fetch));
  w.line("}");
}

void write_init(Writer& w, const BuildInfo& info, const std::string& template_dir, const std::string& extension_file) {
  const GitSources& git = info.git;
  std::vector<std::string> init = {"git", "init", info.project_dir, "--template", template_dir};
  if (git.object_format != "sha1") init.insert(init.end(), {"--object-format", git.object_format});
  w.line(fmt::format("{} || return", w.words(init)));
  w.line(fmt::format("cd {} || return", w.quote(info.project_dir)));
  w.line("[ -d .git/info ] || mkdir .git/info || return");
  if (git.keep_config) {
    w.line(fmt::format("git remote set-url origin {0} 2>/dev/null || git remote add origin {0} || return",
                       w.quote(git.remote_url)));
    w.line(fmt::format("git config --replace-all include.path {} '\\.gitlab-runner\\.ext\\.conf$' || return",
                       w.quote(extension_file)));
  }
  // With its configuration always thrown away, a repository counts as new each time.
  if (git.clean_config_after) w.notice("Created fresh repository.");
  w.begin("[ \"$fr_fresh\" = 1 ]");
  if (git.clean_config_after)
    w.line(":");
  else
    w.notice("Created fresh repository.");
  w.otherwise();
  // As upstream says it where there was no configuration any more.
  if (git.clean_config_after) w.notice("Created fresh repository.");
  // An index that cannot be read, or that tells git to look away from files, makes way for a new one.
  const std::string flags = w.quote(info.temp_file("git-index-flags"));
  w.line(fmt::format("fr_git ls-files -v > {0} 2>/dev/null && ! grep -q '^[a-zS] ' {0} || rm -f .git/index", flags));
  w.line(fmt::format("rm -f {}", flags));
  w.begin("grep -q ' refs/replace/' .git/packed-refs 2>/dev/null");
  w.line("fr_git for-each-ref --format='delete %(refname)' refs/replace | fr_git update-ref --stdin");
  w.end();
  w.end();
}

void write_checkout(Writer& w, const GitSources& git) {
  w.line("fr_step=checkout");
  w.notice(fmt::format("Checking out {} as detached HEAD (ref is {})...", git.sha.substr(0, 8), git.ref));
  std::vector<std::string> checkout = {"fr_with_access", "fr_git", "-c", "submodule.recurse=false"};
  if (git.proactive_auth && !git.host_url.empty())
    checkout.insert(checkout.end(), {"-c", fmt::format("http.{}.proactiveAuth=basic", git.host_url)});
  checkout.insert(checkout.end(), {"checkout", "-f", "-q", git.sha});
  w.line(w.words(checkout) + " || return");
  if (git.clean_flags.empty()) return;
  std::vector<std::string> clean = {"fr_with_access", "fr_git", "clean"};
  clean.insert(clean.end(), git.clean_flags.begin(), git.clean_flags.end());
  w.line("fr_step=clean");
  w.line(w.words(clean) + " || return");
}

// fr_sources: from whatever is there to a checked out tree; returns at the first failure.
void write_sources_function(Writer& w, const BuildInfo& info, const std::string& template_dir,
                            const std::string& extension_file) {
  const GitSources& git = info.git;
  w.line("fr_sources() {");
  w.line("fr_step=fetch");
  const bool native = git.native_clone && git.strategy == GitStrategy::kClone;
  if (native) {
    // --revision came with git 2.49.
    w.begin(
        "[ \"$(printf '%s\\n%s\\n' 2.49 \"$(git version | cut -d ' ' -f 3)\" | "
        "sort -t . -k 1,1n -k 2,2n -k 3,3n | sed -n 1p)\" = 2.49 ]");
    const std::string depth = git.depth > 0 ? fmt::format(" with git depth set to {}", git.depth) : "";
    w.notice(git.ref.empty() ? "Cloning repository..." : fmt::format("Cloning repository for {}{}...", git.ref, depth));
    std::vector<std::string> clone = {"fr_git",         "clone",      "--no-checkout", git.remote_url,
                                      info.project_dir, "--template", template_dir};
    if (git.depth > 0) clone.insert(clone.end(), {"--depth", std::to_string(git.depth)});
    if (git.ref.starts_with("refs/"))
      clone.insert(clone.end(), {"--revision", git.ref});
    else if (!git.ref.empty())
      clone.insert(clone.end(), {"--branch", git.ref});
    clone.insert(clone.end(), git.clone_flags.begin(), git.clone_flags.end());
    w.line(w.words(clone) + " || return");
    w.line(fmt::format("cd {} || return", w.quote(info.project_dir)));
    w.otherwise();
  }
  w.notice(git.depth > 0 ? fmt::format("Fetching changes with git depth set to {}...", git.depth)
                         : "Fetching changes...");
  write_init(w, info, template_dir, extension_file);
  w.line("fr_fetch || return");
  if (native) w.end();
  if (git.checkout) write_checkout(w, git);
  w.line("}");
}

void write_clone_or_fetch(Writer& w, const BuildInfo& info) {
  const GitSources& git = info.git;
  const std::string template_dir = info.temp_file("git-template");
  const std::string extension_file = info.temp_file(".gitlab-runner.ext.conf");
  if (!git.lfs_skip_smudge) w.export_variable("GIT_LFS_SKIP_SMUDGE", "1");

  write_repository_hygiene(w, info);
  if (git.strategy == GitStrategy::kClone) {
    w.remove_directory(info.project_dir);
    w.line("fr_fresh=1");
  }
  w.line(fmt::format("rm -rf {0} && mkdir -p {0}", w.quote(template_dir)));
  write_config_file(w, template_dir + "/config", template_config(info, extension_file));
  write_config_file(w, extension_file, extension_config(info));
  write_config_file(w, info.temp_file(kAccessConfig), access_config(git));
  w.export_variable("GLR_EXT_GIT_CONFIG_PATH", extension_file);
  if (git.correlation_id) w.notice(fmt::format("Gitaly correlation ID: {}", *git.correlation_id));
  if (git.safe_directory) w.command({"git", "config", "--global", "--add", "safe.directory", info.project_dir});

  write_functions(w, info, extension_file);
  write_sources_function(w, info, template_dir, extension_file);
  w.begin("fr_sources");
  w.line(":");
  w.otherwise();
  w.line("fr_status=$?");
  // Neither flags of the user that git does not know nor a server that failed once are the repository's fault.
  w.line("[ \"$fr_fresh\" = 0 ] && [ $fr_step != clean ] && fr_remote_has_it || exit \"$fr_status\"");
  w.begin(fmt::format("[ $fr_step = fetch ] && (cd {} && GIT_DIR=.git fr_fetch) >/dev/null 2>&1",
                      w.quote(info.project_dir)));
  w.line("exit \"$fr_status\"");
  w.end();
  w.warning("The repository left by an earlier job cannot be used; replacing it by a fresh one.");
  w.line(fmt::format("rm -rf {}", w.quote(info.project_dir + "/.git")));
  w.line("fr_fresh=1");
  w.line("fr_sources");
  w.end();

  if (!git.checkout) {
    w.notice("Skipping Git checkout");
    return;
  }
  if (git.lfs_skip_smudge) return;
  w.begin("git lfs version >/dev/null 2>&1");
  w.line("fr_git lfs pull");
  w.check_for_errors();
  w.empty_line();
  w.end();
}

// For GIT_STRATEGY none and empty, and for directories outside of the project: FF_GIT_URLS_WITHOUT_TOKENS makes the
// credential helper known to every git of the job. The user's own configuration is chained in, as GIT_CONFIG_GLOBAL
// hides it.
void write_global_config(Writer& w, const BuildInfo& info) {
  const std::string extension_file = info.temp_file(".gitlab-runner.ext.conf");
  const std::string seed = w.quote(info.temp_file(".glr.gconf"));
  w.line(fmt::format("rm -f {}", seed));
  for (std::string_view config : {"$HOME/.gitconfig", "$HOME/.config/git/config"})
    w.line(fmt::format("if [ -r \"{0}\" ]; then printf '[include]\\n\\tpath = \"%s\"\\n' \"{0}\" >> {1}; fi", config,
                       seed));
  w.line(fmt::format("printf '%s' {} >> {}",
                     w.quote(fmt::format("[include]\n\tpath = {}\n", git_config_quote(extension_file))), seed));
  if (info.git.strategy != GitStrategy::kNone && info.git.strategy != GitStrategy::kEmpty) return;
  std::string sections;
  for (const auto& credential : info.git.credentials) sections += credential_section(credential);
  write_config_file(w, extension_file, sections);
}

} // namespace

Text get_sources(const BuildInfo& info) {
  const GitSources& git = info.git;
  Writer w(info);
  w.exports();
  w.export_variable("GIT_TERMINAL_PROMPT", "0");
  w.export_variable("GCM_INTERACTIVE", "Never");
  if (info.tokenless_git_everywhere) write_global_config(w, info);

  const bool uses_git = git.strategy == GitStrategy::kClone || git.strategy == GitStrategy::kFetch;
  if (uses_git) {
    w.user_commands(git.pre_script, "pre_clone_script");
    write_clone_or_fetch(w, info);
    FR_CHECK(write_submodules(w, info));
    w.user_commands(git.post_script, "post_clone_script");
    return w.finish();
  }
  if (git.strategy == GitStrategy::kNone) {
    w.notice("Skipping Git repository setup");
    w.make_directory(info.project_dir);
  } else {
    w.notice("Skipping Git repository setup and creating an empty build directory");
    w.remove_directory(info.project_dir);
    w.make_directory(info.project_dir);
  }
  w.notice("Skipping Git checkout");
  w.notice("Skipping Git submodules setup");
  return w.finish();
}

Text clear_worktree(const BuildInfo& info) {
  Writer w(info);
  w.notice("Deleting tracked and untracked files...");
  w.begin(fmt::format("[ -d {} ]", w.quote(info.project_dir)));
  w.cd(info.project_dir);
  w.command({"git", "rm", "-rf", "--ignore-unmatch", "--quiet", "."});
  w.command({"git", "clean", "-ffdx", "-q"});
  w.end();
  return w.finish();
}

} // namespace script
