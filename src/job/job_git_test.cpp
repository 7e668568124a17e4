// get_sources in whole jobs: strategies, what an earlier job left behind, submodules. Repositories are local.
#include <filesystem>

#include "job/job_harness.hpp"

namespace job::testing {
namespace {

class GitTest : public JobTest {
 protected:
  GitTest() {
    shell(
        "git init -q -b main upstream && cd upstream && git config user.email t@e && git config user.name t && "
        "echo one > file && mkdir dir && echo x > dir/inner && git add . && git commit -qm one && "
        "git branch '$(id>injected)'");
    variable("GIT_STRATEGY", "fetch");
    use("main");
  }

  std::string shell(const std::string& text) {
    const std::string out = temp_.path("shell-output");
    const std::string command = "cd " + temp_.path() + " && HOME=" + temp_.path("home") +
                                " GIT_ALLOW_PROTOCOL=file bash -c '" + base::replace_all(text, "'", "'\\''") + "' > " +
                                out + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << text << "\n" << sys::read_file(out).value_or("");
    return sys::read_file(out).value_or("");
  }
  std::string upstream() const { return temp_.path("upstream"); }
  // What the server would send for a branch.
  void use(const std::string& branch, int depth = 0) {
    json::Value& git = member("git_info");
    git.set("repo_url", upstream());
    git.set("ref", branch);
    git.set("sha", std::string(base::trim(shell("git -C upstream rev-parse '" + branch + "'"))));
    git.set("depth", depth);
    git.set("refspecs", json::Value(json::Array{json::Value("+refs/heads/*:refs/remotes/origin/*"),
                                                json::Value("+refs/tags/*:refs/tags/*")}));
  }
  void commit(const std::string& text) {
    shell("cd upstream && echo " + text + " > file && git commit -qam " + text);
    use("main");
  }
  std::string dir(const std::string& path = "") const {
    return temp_.path("work/builds/abcdefghi/0/project-7") + (path.empty() ? "" : "/" + path);
  }
  void expect_sources(const std::string& text) {
    EXPECT_TRUE(result_.success) << log();
    EXPECT_EQ(sys::read_file(dir("file")).value_or(""), text + "\n") << log();
  }
};

TEST_F(GitTest, FetchReusesTheRepository) {
  script({"git status --short --branch"});
  run();
  expect_sources("one");
  EXPECT_TRUE(
      has("\x1b[32;1mGitaly correlation ID: 01CORRELATION\x1b[0;m\n\x1b[32;1mFetching changes...\x1b[0;m\n"
          "Initialized empty Git repository in " +
          dir(".git/") + "\n\x1b[32;1mCreated fresh repository.\x1b[0;m\n\x1b[32;1mChecking out "))
      << log();
  EXPECT_TRUE(has(" as detached HEAD (ref is main)...\x1b[0;m\n"));
  EXPECT_TRUE(has("\n## HEAD (no branch)\n"));
  const auto before = std::filesystem::last_write_time(dir("dir/inner"));
  sys::write_file(dir("untracked"), "x");
  sys::write_file(dir("dir/inner2"), "x");
  commit("two");
  run();
  expect_sources("two");
  EXPECT_FALSE(has("Created fresh repository."));
  EXPECT_TRUE(has("Reinitialized existing Git repository in " + dir(".git/")));
  EXPECT_TRUE(has("\nRemoving untracked\n"));
  EXPECT_EQ(std::filesystem::last_write_time(dir("dir/inner")), before) << "unchanged files are left alone";
}

TEST_F(GitTest, CloneStartsAnew) {
  script({"true"});
  run();
  sys::write_file(dir(".git/marker"), "x");
  variable("GIT_STRATEGY", "clone");
  run();
  expect_sources("one");
  EXPECT_TRUE(has("Created fresh repository."));
  EXPECT_FALSE(sys::exists(dir(".git/marker")));
}

TEST_F(GitTest, DepthMakesAShallowRepositoryAndBack) {
  commit("two");
  variable("A", "");
  member("git_info").set("repo_url", "file://" + upstream());
  member("git_info").set("depth", 1);
  script({"git rev-list --count HEAD"});
  run();
  EXPECT_TRUE(has("Fetching changes with git depth set to 1...")) << log();
  EXPECT_TRUE(has("\n1\n")) << log();
  member("git_info").set("depth", 0);
  run();
  EXPECT_TRUE(has("\n2\n")) << log();
}

// S15
TEST_F(GitTest, BranchNamesAreNeverExecuted) {
  use("$(id>injected)");
  script({"true"});
  run();
  expect_sources("one");
  EXPECT_TRUE(has("(ref is $(id>injected))"));
  EXPECT_FALSE(sys::exists(temp_.path("work/injected")));
  EXPECT_FALSE(sys::exists(dir("injected")));
}

TEST_F(GitTest, WrongCommitFailsTheJob) {
  member("git_info").set("sha", "0123456789012345678901234567890123456789");
  script({"echo not reached"});
  after_script({"echo not reached"});
  run();
  EXPECT_EQ(reason(), "script_failure");
  EXPECT_EQ(result_.exit_code, 128) << log();
  EXPECT_TRUE(has("Getting sources failed: exit status 128."));
  EXPECT_FALSE(has("echo not reached"));
}

TEST_F(GitTest, CommitThatIsNoneIsASystemFailure) {
  member("git_info").set("sha", "abc");
  script({"true"});
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_TRUE(has("git_info.sha is no commit"));
}

TEST_F(GitTest, AttemptsAreRetried) {
  variable("GET_SOURCES_ATTEMPTS", "2");
  variable("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", "false");
  member("git_info").set("repo_url", temp_.path("nowhere"));
  script({"true"});
  run();
  EXPECT_FALSE(result_.success);
  EXPECT_TRUE(has("WARNING: Retrying..."));
  EXPECT_TRUE(has("Deleting all tracked and untracked files due to source fetch failure"));
}

TEST_F(GitTest, NoCheckout) {
  variable("GIT_CHECKOUT", "false");
  script({"ls"});
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("Skipping Git checkout"));
  EXPECT_FALSE(sys::exists(dir("file")));
}

// S14
TEST_F(GitTest, CleanFlags) {
  script({"true"});
  run();
  sys::write_file(dir("keep"), "x");
  sys::write_file(dir("cleanup_file"), "x");
  variable("GIT_CLEAN_FLAGS", "-ffdx cleanup_file");
  run();
  EXPECT_TRUE(sys::exists(dir("keep")));
  EXPECT_FALSE(sys::exists(dir("cleanup_file")));
}

TEST_F(GitTest, Hooks) {
  member("hooks") = *json::parse(R"([{"name": "pre_get_sources_script", "script": ["echo payload-pre in $PWD"]},
                                     {"name": "post_get_sources_script", "script": ["echo payload-post in $PWD"]}])");
  runner_.set("pre_get_sources_script", "echo config-pre");
  runner_.set("post_get_sources_script", "echo config-post");
  script({"true"});
  run();
  const std::string text = log();
  std::size_t at = 0;
  for (const std::string& line :
       {std::string("\nconfig-pre\n"), "\npayload-pre in " + temp_.path("work") + "\n", std::string("Created fresh"),
        "\npayload-post in " + dir() + "\n", std::string("\nconfig-post\n")}) {
    at = text.find(line, at);
    ASSERT_NE(at, std::string::npos) << line << text;
  }
}

// S5
TEST_F(GitTest, StaleLocksAndHooks) {
  script({"true"});
  run();
  for (const char* name : {"index.lock", "shallow.lock", "HEAD.lock", "config.lock", "refs/remotes/origin/main.lock",
                           "refs/heads/x.lock", "packed-refs.lock"}) {
    ASSERT_TRUE(sys::make_directories(dir(".git/refs/heads")));
    ASSERT_TRUE(sys::write_file(dir(std::string(".git/") + name), ""));
  }
  ASSERT_TRUE(sys::make_directories(dir(".git/hooks")));
  ASSERT_TRUE(sys::write_file(dir(".git/hooks/post-checkout"), "#!/bin/sh\nexit 1\n", 0755));
  commit("two");
  run();
  expect_sources("two");
}

// S19 and more: no token anywhere on the disk, and git knows it all the same.
TEST_F(GitTest, TheTokenIsNowhereButInTheEnvironment) {
  const std::string token = "glcbt-job-token-0123456789";
  runner_.set("pre_get_sources_script", "echo hook");
  runner_.set("url", "https://gitlab.invalid/");
  script({"grep -rF \"$CI_JOB_TOKEN\" .git ../project-7.tmp && exit 9 || true",
          "cat ../project-7.tmp/.gitlab-runner.*.conf",
          "git config --get-urlmatch credential.username https://gitlab.invalid/g/p.git",
          "printf 'protocol=https\\nhost=gitlab.invalid\\n\\n' | git credential fill | sed s/$CI_JOB_TOKEN/the-token/",
          "cd /; printf 'protocol=https\\nhost=gitlab.invalid\\n\\n' | git credential fill | grep -c password; cd - "
          ">/dev/null",
          "printf 'protocol=https\\nhost=elsewhere.invalid\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill || echo "
          "none",
          "git remote get-url origin"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\ngitlab-ci-token\n")) << log();
  EXPECT_TRUE(has("\npassword=the-token\n")) << log();
  EXPECT_TRUE(has("\n1\n")) << "outside of the project, too: " << log();
  EXPECT_TRUE(has("\nnone\n")) << log();
  EXPECT_FALSE(has(token));
  EXPECT_TRUE(sys::list_directory(dir() + ".tmp")->size() <= 1) << "gone with the job, but for the template";
}

TEST_F(GitTest, CredentialsOfTheUrlAreAnsweredByTheHelper) {
  // Never fetched: only what git would be told is of interest.
  member("git_info").set("repo_url", "https://someone:url-pass%40word@git.invalid/g/p.git");
  variable("GIT_STRATEGY", "fetch");
  runner_.set("pre_get_sources_script", "true");
  script({"true"});
  run();
  EXPECT_FALSE(result_.success);
  EXPECT_FALSE(has("url-pass"));
  const std::string git_dir = temp_.path("work/builds/abcdefghi/0/g/p/.git");
  const std::string config = sys::read_file(git_dir + "/config").value_or("");
  EXPECT_NE(config.find("url = \"https://git.invalid/g/p.git\""), std::string::npos) << config;
}

TEST_F(GitTest, GitKnowsTheTokenEverywhereWhenAsked) {
  runner_.set("url", "https://gitlab.invalid/");
  member("git_info").set("repo_url", "https://gitlab-ci-token:glcbt-job-token-0123456789@gitlab.invalid/g/p.git");
  shell(
      "git config --file home/.gitconfig alias.mine 'config --get user.name'; git config --file home/.gitconfig "
      "user.name from-home");
  variable("GIT_STRATEGY", "none");
  variable("FF_GIT_URLS_WITHOUT_TOKENS", "true");
  script({"cd /",
          "printf 'protocol=https\\nhost=gitlab.invalid\\n\\n' | git credential fill | sed "
          "s/$CI_JOB_TOKEN/the-token/",
          "git mine"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\npassword=the-token\n")) << log();
  EXPECT_TRUE(has("\nfrom-home\n")) << "the user's own configuration still counts";
}

TEST_F(GitTest, NativeCloneFallsBackToFetchWithAnOldGit) {
  variable("GIT_STRATEGY", "clone");
  variable("FF_USE_GIT_NATIVE_CLONE", "true");
  script({"git log --oneline | wc -l"});
  run();
  expect_sources("one");
}

TEST_F(GitTest, CleanGitConfig) {
  script({"git config my.key value"});
  run();
  member("steps") = json::Value::array();
  script({"git config --get my.key || echo gone", "git config --local --no-includes --get-all include.path | wc -l"});
  run();
  EXPECT_TRUE(has("\ngone\n")) << log();
  runner_.set("clean_git_config", false);
  member("steps") = json::Value::array();
  script({"git config --get my.key || echo gone", "git config my.key value",
          "git config --local --no-includes --get-all include.path | wc -l"});
  run();
  commit("two");
  run();
  expect_sources("two");
  EXPECT_TRUE(has("\nvalue\n")) << log();
  EXPECT_TRUE(has("\n1\n")) << log();
  runner_.set("clean_git_config", true);
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_FALSE(sys::exists(dir(".git/config")));
  run();
  expect_sources("two");
  EXPECT_TRUE(has("Created fresh repository."));
}

// S4, S21 and the like with the other escapes and evals.
TEST_F(GitTest, EveryQuotingAndEval) {
  for (const char* flag : {"FF_POSIXLY_CORRECT_ESCAPES", "FF_USE_LEGACY_BASH_EVAL", "FF_ENABLE_BASH_EXIT_CODE_CHECK"}) {
    variable(flag, "true");
    member("steps") = json::Value::array();
    script({"if true; then", "echo \"it's\" $CI_COMMIT_X", "fi"});
    variable("CI_COMMIT_X", "a'b\"c", R"("raw":true)");
    run();
    expect_sources("one");
    EXPECT_TRUE(has("\nit's a'b\"c\n")) << flag << log();
  }
  runner_.set("shell", "sh");
  run();
  expect_sources("one");
}

struct Hostile {
  const char* name;
  const char* script; // runs in the project directory of the first job
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileTest : public GitTest, public ::testing::WithParamInterface<Hostile> {};

// Whatever the first job did, the second one has the right sources, its own way, and nothing of the first one ran.
TEST_P(HostileTest, DoesNothingToTheNextJob) {
  script({"set +e", std::string("evil=") + temp_.path("evil"), GetParam().script, "rm -f $evil", "true"});
  run();
  ASSERT_TRUE(result_.success) << log();
  ASSERT_FALSE(sys::exists(temp_.path("evil")));
  member("steps") = json::Value::array();
  script({"git status --short", "git fetch -q origin main", "git checkout -q HEAD", "git log --oneline | cat"});
  commit("two");
  run();
  expect_sources("two");
  EXPECT_FALSE(sys::exists(temp_.path("evil"))) << log();
  EXPECT_EQ(sys::read_file(dir("dir/inner")).value_or(""), "x\n");
  EXPECT_FALSE(has("\n M ")) << log();
}

#define EVIL "printf '#!/bin/sh\\ntouch %s\\n' $evil > ../evil.sh; chmod +x ../evil.sh; "

INSTANTIATE_TEST_SUITE_P(
    Leavings, HostileTest,
    ::testing::Values(
        Hostile{"hooks", EVIL "mkdir -p .git/hooks; for h in post-checkout reference-transaction pre-auto-gc "
                              "post-index-change post-merge fsmonitor-watchman; do cp ../evil.sh .git/hooks/$h; done"},
        Hostile{"hooks_path", EVIL "mkdir h; cp ../evil.sh h/post-checkout; git config core.hooksPath $PWD/h"},
        Hostile{"fsmonitor", EVIL "git config core.fsmonitor $PWD/../evil.sh"},
        Hostile{"instead_of", "git config url./nowhere/.insteadOf /"},
        Hostile{"include", EVIL "printf '[core]\\nfsmonitor = %s\\n' $PWD/../evil.sh > ../inc; git config "
                                "--add include.path $PWD/../inc"},
        Hostile{"credential_helper", EVIL "git config credential.helper $PWD/../evil.sh"},
        Hostile{"worktree", "git config core.worktree /tmp"}, Hostile{"bare", "git config core.bare true"},
        Hostile{"ssh_command", EVIL "git config core.sshCommand $PWD/../evil.sh"},
        Hostile{"filter", EVIL "git config filter.x.smudge $PWD/../evil.sh; git config filter.x.required true; "
                               "mkdir -p .git/info; echo '* filter=x' > .git/info/attributes"},
        Hostile{"pack_hook", EVIL "git config uploadpack.packObjectsHook $PWD/../evil.sh"},
        Hostile{"worktree_config", EVIL "git config extensions.worktreeConfig true; git config --worktree "
                                        "core.fsmonitor $PWD/../evil.sh"},
        Hostile{"config_garbage", "echo '[[[' > .git/config"},
        Hostile{"config_directory", "rm .git/config; mkdir .git/config"},
        Hostile{"git_file", "mv .git ../moved; echo \"gitdir: $PWD/../moved\" > .git"},
        Hostile{"git_link", "mv .git ../moved; ln -s $PWD/../moved .git"}, Hostile{"no_git", "rm -rf .git"},
        Hostile{"common_dir", EVIL "cp -r .git ../common; git --git-dir ../common config core.fsmonitor "
                                   "$PWD/../evil.sh; echo $PWD/../common > .git/commondir"},
        Hostile{"alternates", "mkdir -p .git/objects/info; echo /nowhere > .git/objects/info/alternates"},
        Hostile{"objects_elsewhere",
                "mv .git/objects ../objects; mkdir -p .git/objects/info .git/objects/pack; echo "
                "$PWD/../objects > .git/objects/info/alternates"},
        Hostile{"objects_gone", "rm -rf .git/objects; mkdir .git/objects"},
        Hostile{"sparse",
                "mkdir -p .git/info; git config core.sparseCheckout true; echo /nothing > "
                ".git/info/sparse-checkout; git read-tree -mu HEAD"},
        Hostile{"replace", "git replace HEAD $(git commit-tree -m evil $(git mktree </dev/null)); git pack-refs --all"},
        Hostile{"grafts", "mkdir -p .git/info; git rev-parse HEAD > .git/info/grafts"},
        Hostile{"skip_worktree", "echo evil > dir/inner; git update-index --skip-worktree dir/inner file"},
        Hostile{"assume_unchanged", "echo evil > dir/inner; git update-index --assume-unchanged dir/inner"},
        Hostile{"index_garbage", "echo garbage > .git/index"}, Hostile{"head_garbage", "echo garbage > .git/HEAD"},
        Hostile{"head_gone", "rm .git/HEAD"}, Hostile{"refs_garbage", "echo zzz > .git/refs/remotes/origin/main"},
        Hostile{"ref_conflict",
                "rm -f .git/packed-refs; rm -rf .git/refs/remotes/origin; mkdir -p "
                ".git/refs/remotes/origin/main; git rev-parse HEAD > .git/refs/remotes/origin/main/x"},
        Hostile{"merge",
                "git config user.email a@b; git config user.name a; git checkout -qb x; echo x > file; git "
                "commit -qam x; git checkout -q -; echo y > file; git commit -qam y; git merge x"},
        Hostile{"read_only", "mkdir -p ro/sub; touch ro/sub/f; chmod -R a-w ro dir .git; chmod 000 ro/sub"},
        Hostile{"read_only_root", "chmod 555 . .git"},
        Hostile{"temp_directory",
                "rm -rf ../project-7.tmp; ln -s "
                "$evil"
                " ../project-7.tmp"},
        Hostile{"template", EVIL "mkdir -p ../project-7.tmp/git-template/hooks; cp ../evil.sh "
                                 "../project-7.tmp/git-template/hooks/post-checkout"},
        Hostile{"locks",
                "touch .git/index.lock .git/config.lock .git/HEAD.lock .git/packed-refs.lock "
                ".git/refs/remotes/origin/main.lock"},
        Hostile{"linked_worktree", "git worktree add ../linked -b linked"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(GitTest, ProjectDirectoryReplacedByALink) {
  shell("mkdir precious && echo precious > precious/file");
  script({"cd ..", "mv project-7 moved", "ln -s " + temp_.path("precious") + " project-7"});
  run();
  ASSERT_TRUE(result_.success);
  member("steps") = json::Value::array();
  script({"true"});
  run();
  expect_sources("one");
  EXPECT_EQ(sys::read_file(temp_.path("precious/file")).value_or(""), "precious\n");
}

class SubmoduleTest : public GitTest {
 protected:
  SubmoduleTest() {
    shell(
        "for r in deep sub; do git init -q -b main $r; (cd $r && git config user.email t@e && git config user.name t "
        "&& echo $r > name && git add . && git commit -qm $r); done; "
        "cd sub && git -c protocol.file.allow=always submodule --quiet add " +
        temp_.path("deep") +
        " nested && git commit -qm nested && cd ../upstream && git -c protocol.file.allow=always submodule --quiet "
        "add " +
        temp_.path("sub") + " mod && git commit -qm mod");
    use("main");
    variable("GIT_CONFIG_COUNT", "1");
    variable("GIT_CONFIG_KEY_0", "protocol.file.allow");
    variable("GIT_CONFIG_VALUE_0", "always");
    script({"true"});
  }
};

// S8
TEST_F(SubmoduleTest, Strategies) {
  run();
  EXPECT_TRUE(has("Skipping Git submodules setup"));
  EXPECT_FALSE(sys::exists(dir("mod/name")));
  variable("GIT_SUBMODULE_STRATEGY", "normal");
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("Updating/initializing submodules...")) << log();
  EXPECT_TRUE(has("Updated submodules"));
  EXPECT_TRUE(sys::exists(dir("mod/name")));
  EXPECT_FALSE(sys::exists(dir("mod/nested/name")));
  variable("GIT_SUBMODULE_STRATEGY", "recursive");
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("Updating/initializing submodules recursively..."));
  EXPECT_TRUE(sys::exists(dir("mod/nested/name")));
  run();
  EXPECT_TRUE(result_.success) << log();
}

// S9
TEST_F(SubmoduleTest, InvalidStrategyAndPaths) {
  variable("GIT_SUBMODULE_STRATEGY", "invalid");
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_TRUE(has("unknown GIT_SUBMODULE_STRATEGY"));
  variable("GIT_SUBMODULE_STRATEGY", "normal");
  variable("GIT_SUBMODULE_PATHS", ":(exclude) mod");
  run();
  EXPECT_TRUE(has("GIT_SUBMODULE_PATHS: invalid submodule pathspec [\":(exclude)\" \"mod\"]")) << log();
}

// S10, S11
TEST_F(SubmoduleTest, DirtySubmodulesDoNotBlock) {
  variable("GIT_SUBMODULE_STRATEGY", "recursive");
  run();
  ASSERT_TRUE(result_.success) << log();
  shell("cd " + dir("mod") +
        " && echo changed > name && touch untracked && git -c user.email=a@b -c user.name=a commit -qam x && echo "
        "again > name");
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_EQ(sys::read_file(dir("mod/name")).value_or(""), "sub\n");
  EXPECT_FALSE(sys::exists(dir("mod/untracked")));
}

TEST_F(SubmoduleTest, HostileSubmodules) {
  variable("GIT_SUBMODULE_STRATEGY", "recursive");
  run();
  ASSERT_TRUE(result_.success) << log();
  const std::string evil = temp_.path("evil");
  shell("printf '#!/bin/sh\\ntouch " + evil + "\\n' > evil.sh; chmod +x evil.sh; cd " + dir() +
        "; for m in .git/modules/mod .git/modules/mod/modules/nested; do mkdir -p $m/hooks; cp ../../../../../evil.sh "
        "$m/hooks/post-checkout; git --git-dir=$m config core.fsmonitor " +
        temp_.path("evil.sh") +
        "; done; rm mod/nested/.git; git init -q mod/nested; git -C mod/nested config core.fsmonitor " +
        temp_.path("evil.sh") + "; rm -f " + evil);
  member("steps") = json::Value::array();
  script({"git status --short", "git submodule foreach --recursive git status --short"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_FALSE(sys::exists(evil)) << log();
  EXPECT_EQ(sys::read_file(dir("mod/nested/name")).value_or(""), "deep\n") << log();
}

// S10
TEST_F(SubmoduleTest, UntrackedFilesInUninitialisedSubmodules) {
  run();
  ASSERT_TRUE(sys::write_file(dir("mod/untracked"), "x"));
  variable("GIT_SUBMODULE_STRATEGY", "recursive");
  variable("GET_SOURCES_ATTEMPTS", "2");
  variable("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", "false");
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(sys::exists(dir("mod/nested/name")));
  EXPECT_TRUE(has("Deleting tracked and untracked files..."));
  EXPECT_FALSE(has("\nrm '"));
}

// T9, T10
TEST_F(SubmoduleTest, JobCleanup) {
  variable("FF_ENABLE_JOB_CLEANUP", "true");
  variable("GIT_SUBMODULE_STRATEGY", "normal");
  member("steps") = json::Value::array();
  script({"touch made mod/made-too"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\nRemoving made\n"));
  EXPECT_TRUE(has("\nRemoving made-too\n"));
  EXPECT_TRUE(sys::exists(dir("file")));
  variable("GIT_STRATEGY", "clone");
  run();
  EXPECT_FALSE(sys::exists(dir())) << "T8";
}

} // namespace
} // namespace job::testing
