// The pure parts of a job.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "job/build_info.hpp"
#include "job/directories.hpp"
#include "job/git_urls.hpp"
#include "job/inputs.hpp"
#include "job/job_cancel.hpp"
#include "job/timeouts.hpp"

namespace job {
namespace {

using gitlab::FailureReason;
using script::GitStrategy;
using script::SubmoduleStrategy;

struct Fixture {
  gitlab::JobPayload payload;
  config::Runner runner;
  Context context;
  std::string builds_dir = "/b";
  std::string project_dir = "/b/p";

  Fixture() {
    context.short_token = "abcdefghi";
    payload.job_info.project_id = 7;
    payload.git_info.repo_url = "https://gitlab-ci-token:tok@h/g/p.git";
  }
  VariableSources sources() { return {payload, runner, context, builds_dir, project_dir, true}; }
  void add(std::string key, std::string value, bool raw = false, bool file = false) {
    payload.variables.push_back({.key = std::move(key), .value = std::move(value), .file = file, .raw = raw});
  }
  Settings settings() { return read_settings(sources(), variables_for_settings(sources())); }
  Variables all() { return all_variables(sources(), settings().flags); }
};

TEST(Variables, ExpansionTable) {
  Variables list = {{.key = "A", .value = "1"},
                    {.key = "F", .value = "content", .file = true},
                    {.key = std::string(kTempDirectoryVariable), .value = "/t"}};
  const std::pair<const char*, const char*> cases[] = {
      {"$A", "1"},  {"${A}x", "1x"},          {"$Ax", ""},      {"$$", "$"},        {"$$A", "$A"},
      {"a$", "a$"}, {"$/x", "$/x"},           {"$1abc", "abc"}, {"$?", ""},         {"${X:-d}", ""},
      {"${}", ""},  {"$F ${F}", "/t/F /t/F"}, {"%A%", "%A%"},   {"$undefined", ""}, {"$*$#$@$!$-", ""}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(expand(list, text), expected) << text;
}

TEST(Variables, OrderAndPrecedence) {
  Fixture f;
  f.runner.environment = {"A=runner", "IGNORED", "CI_SERVER=runner", "B=a=b"};
  f.add("CI_PROJECT_DIR", "/payload");
  f.add("A", "job");
  f.add("CI_SHARED_ENVIRONMENT", "no");
  f.add("FF_SCRIPT_SECTIONS", "true");
  f.add("DUP", "first");
  f.add("DUP", "last");
  f.add("USES", "$DUP $A");
  const Variables all = f.all();
  EXPECT_EQ(value_of(all, "CI_PROJECT_DIR"), "/payload");
  EXPECT_EQ(value_of(all, "A"), "job");
  EXPECT_EQ(value_of(all, "B"), "a=b");
  EXPECT_EQ(value_of(all, "CI_SERVER"), "yes");
  EXPECT_EQ(value_of(all, "CI_SHARED_ENVIRONMENT"), "true");
  EXPECT_EQ(value_of(all, "USES"), "last job");
  EXPECT_EQ(value_of(all, "FF_SCRIPT_SECTIONS"), "true");
  EXPECT_EQ(std::ranges::count(all, "FF_SCRIPT_SECTIONS", &Variable::key), 1);
  EXPECT_EQ(all.front().key, "FF_TEST_FEATURE");
  EXPECT_EQ(value_of(all, "RUNNER_TEMP_PROJECT_DIR"), "/b/p.tmp");
  EXPECT_EQ(value_of(all, "CI_JOB_TIMEOUT"), "7200");
}

TEST(Variables, StatusIsReplacedInPlace) {
  Fixture f;
  f.add("CI_JOB_STATUS", "from the payload");
  Variables all = f.all();
  overwrite(all, "CI_JOB_STATUS", "failed");
  EXPECT_EQ(std::ranges::find(all, "CI_JOB_STATUS", &Variable::key)->value, "failed");
  EXPECT_EQ(value_of(all, "CI_JOB_STATUS"), "from the payload");
}

TEST(Variables, RunnerConfigurationDecidesFlags) {
  Fixture f;
  f.runner.feature_flags["FF_TIMESTAMPS"] = false;
  f.add("FF_TIMESTAMPS", "true");
  f.add("FF_SCRIPT_SECTIONS", "1");
  EXPECT_EQ(f.settings().flags.differences(), "FF_SCRIPT_SECTIONS:true, FF_TIMESTAMPS:false");
}

TEST(Variables, Truthy) {
  for (const char* yes : {"true", "TRUE", "tRuE", "1", "t"}) EXPECT_TRUE(is_truthy(yes)) << yes;
  for (const char* no : {"", "2", "yes", "false", "0"}) EXPECT_FALSE(is_truthy(no)) << no;
}

TEST(Settings, Defaults) {
  Fixture f;
  f.payload.git_info.depth = 20;
  Settings s = f.settings();
  EXPECT_EQ(s.git_strategy, GitStrategy::kClone);
  EXPECT_EQ(s.clean_flags, std::vector<std::string>{"-ffdx"});
  EXPECT_EQ(s.fetch_flags, (std::vector<std::string>{"--prune", "--quiet"}));
  EXPECT_EQ(s.submodule_depth, 20);
  EXPECT_TRUE(s.git_checkout);
  EXPECT_TRUE(s.warnings.empty());
  f.payload.allow_git_fetch = true;
  EXPECT_EQ(f.settings().git_strategy, GitStrategy::kFetch);
}

TEST(Settings, WarningsInUpstreamsWords) {
  Fixture f;
  f.payload.allow_git_fetch = true;
  f.add("GIT_STRATEGY", "copy");
  f.add("GIT_SUBMODULE_STRATEGY", "deep");
  f.add("GIT_SUBMODULE_DEPTH", "x");
  f.add("GIT_CLEAN_FLAGS", "none");
  f.add("GET_SOURCES_ATTEMPTS", "0");
  const Settings s = f.settings();
  EXPECT_EQ(s.git_strategy, GitStrategy::kFetch);
  EXPECT_EQ(s.submodule_strategy, SubmoduleStrategy::kInvalid);
  EXPECT_TRUE(s.clean_flags.empty());
  EXPECT_EQ(s.warnings,
            (std::vector<std::string>{
                "GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got \"copy\", using default value "
                "'fetch'",
                "GIT_SUBMODULE_STRATEGY: expected either 'normal', 'recursive' or 'none' got \"deep\"",
                "GIT_SUBMODULE_DEPTH: expected int got \"x\", using default value: 0",
                "GET_SOURCES_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 1"}));
}

TEST(Settings, NoCheckoutWithoutARepository) {
  Fixture f;
  f.add("GIT_STRATEGY", "none");
  f.add("GIT_SUBMODULE_STRATEGY", "recursive");
  EXPECT_FALSE(f.settings().git_checkout);
  EXPECT_EQ(f.settings().submodule_strategy, SubmoduleStrategy::kNone);
}

TEST(Directories, Table) {
  Fixture f;
  DirectoryOptions options{.builds_dir = "builds", .cache_dir = "$PWD/cache", .working_directory = "/w"};
  auto d = directories(f.sources(), f.settings(), options);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->project_dir, "/w/builds/abcdefghi/0/g/p");
  EXPECT_EQ(d->cache_dir, "/w/cache/g/p");
  EXPECT_EQ(d->temp_dir(), "/w/builds/abcdefghi/0/g/p.tmp");
  options.shared_builds_dir = false;
  EXPECT_EQ(directories(f.sources(), f.settings(), options)->project_dir, "/w/builds/g/p");
  f.add("GIT_STRATEGY", "empty");
  EXPECT_EQ(directories(f.sources(), f.settings(), options)->project_dir, "/w/builds/g/p-empty");
  f.add("GIT_CLONE_PATH", "/w/builds/x");
  EXPECT_EQ(directories(f.sources(), f.settings(), options).error().reason, FailureReason::kRunnerConfigurationError);
  options.custom_build_dir = true;
  EXPECT_EQ(directories(f.sources(), f.settings(), options)->project_dir, "/w/builds/x");
  f.add("GIT_CLONE_PATH", "/w/buildsx");
  EXPECT_EQ(directories(f.sources(), f.settings(), options).error().message,
            "the GIT_CLONE_PATH=\"/w/buildsx\" has to be within \"/w/builds\"");
  options.builds_dir.clear();
  EXPECT_EQ(directories(f.sources(), f.settings(), options).error().message, "the builds_dir is not configured");
}

TEST(Directories, Slugs) {
  EXPECT_EQ(*project_slug("https://h/group/sub/p.git"), "group/sub/p");
  EXPECT_EQ(*project_slug("ssh://git@h:22/g/p.git"), "g/p");
  EXPECT_EQ(*project_slug("https://h//g//p"), "g/p");
  for (const char* bad : {"/srv/p.git", "file:///srv/p.git", "https://h", "https://h/a..b", "git@h:g/p.git", ""})
    EXPECT_FALSE(project_slug(bad)) << bad;
}

TEST(GitUrls, CredentialsGoToTheHelperAndToNobodyElse) {
  auto remote = git_remote({.repo_url = "https://gitlab-ci-token:job%20tok@h:8443/g/p.git",
                            .runner_url = "https://runner.example/gitlab/",
                            .job_token = "job tok"});
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->url, "https://h:8443/g/p.git");
  ASSERT_EQ(remote->logins.size(), 2u);
  EXPECT_EQ(remote->logins[0].host_url, "https://h:8443");
  EXPECT_EQ(remote->logins[0].password, "job tok");
  EXPECT_EQ(remote->logins[1].host_url, "https://runner.example");

  remote = git_remote({.repo_url = "https://elsewhere/g/p.git", .runner_url = "https://h", .job_token = "t"});
  ASSERT_EQ(remote->logins.size(), 1u);
  EXPECT_EQ(remote->logins[0].host_url, "https://h") << "a repository that came without credentials gets none";
}

TEST(GitUrls, CloneUrl) {
  auto remote = git_remote({.repo_url = "https://gitlab-ci-token:t@h/g/p.git",
                            .clone_url = "http://inner:8080/",
                            .runner_url = "https://h",
                            .project_path = "g/p",
                            .job_token = "t"});
  EXPECT_EQ(remote->url, "http://inner:8080/g/p.git");
  EXPECT_EQ(remote->logins.front().host_url, "http://inner:8080");
  remote = git_remote(
      {.repo_url = "https://h/g/p.git", .clone_url = "ssh://inner", .project_path = "g/p", .job_token = "t"});
  EXPECT_EQ(remote->url, "ssh://git@inner/g/p.git");
  EXPECT_TRUE(remote->logins.empty());
}

TEST(GitUrls, ForceHttps) {
  GitUrlSources sources{.repo_url = "https://h/g/p.git",
                        .runner_url = "https://h/",
                        .job_token = "t",
                        .force_https = true,
                        .ssh_host = "ssh.h"};
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(git_remote(sources)->instead_of, (Pairs{{"https://h/", "git@ssh.h:"}, {"https://h", "ssh://git@ssh.h"}}));
  sources.ssh_port = "2222";
  EXPECT_EQ(git_remote(sources)->instead_of, (Pairs{{"https://h", "ssh://git@ssh.h:2222"}}));
}

TEST(GitUrls, LocalPathsAndNonsense) {
  EXPECT_EQ(git_remote({.repo_url = "/srv/git/p.git"})->url, "/srv/git/p.git");
  EXPECT_EQ(git_remote({.repo_url = "file:///srv/git/p.git"})->url, "file:///srv/git/p.git");
  EXPECT_FALSE(git_remote({.repo_url = "git@h:g/p.git"}));
  EXPECT_FALSE(git_remote({.repo_url = "https://h/\n"}));
  rc::check("no URL makes it crash, and no password stays", [](const std::string& text) {
    if (const auto url = parse_git_url("https://u:secretpassword@" + text)) {
      if (text.find("secretpassword") == std::string::npos)
        RC_ASSERT(url->without_password().find("secretpassword") == std::string::npos);
    }
    (void)project_slug(text);
  });
}

TEST(Timeouts, ScriptTimeouts) {
  const auto read = [](const char* script, const char* after) {
    return script_timeouts(
        {{.key = "RUNNER_SCRIPT_TIMEOUT", .value = script}, {.key = "RUNNER_AFTER_SCRIPT_TIMEOUT", .value = after}},
        std::chrono::minutes(10));
  };
  EXPECT_EQ(read("", "").after_script, base::Nanoseconds(kAfterScriptTimeout));
  EXPECT_FALSE(read("0", "0").script);
  EXPECT_EQ(read("90s", "0").script, base::Nanoseconds(std::chrono::seconds(90)));
  EXPECT_EQ(
      read("1h", "bogus").warnings,
      (std::vector<std::string>{"RUNNER_SCRIPT_TIMEOUT timeout: 1h is longer than job timeout. Setting to job timeout",
                                "Ignoring malformed RUNNER_AFTER_SCRIPT_TIMEOUT timeout: bogus"}));
  EXPECT_EQ(read("-1s", "").warnings,
            (std::vector<std::string>{"Ignoring relative RUNNER_SCRIPT_TIMEOUT timeout: -1s"}));
}

TEST(Timeouts, Configured) {
  std::vector<std::string> warnings;
  const base::Nanoseconds job = std::chrono::hours(1);
  EXPECT_EQ(configured_timeout("prepare_timeout", base::Nanoseconds(0), job, warnings), job);
  EXPECT_EQ(configured_timeout("prepare_timeout", std::chrono::minutes(1), job, warnings), std::chrono::minutes(1));
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(configured_timeout("prepare_timeout", std::chrono::hours(2), job, warnings), job);
  EXPECT_EQ(warnings.front(), "prepare_timeout (2h0m0s) exceeds job timeout (1h0m0s); using job timeout");
}

TEST(Timeouts, Backoff) {
  const auto all = [](bool exponential) {
    std::vector<std::int64_t> out;
    for (int i = 1; i <= 9; ++i) out.push_back(stage_backoff(i, exponential).count());
    return out;
  };
  EXPECT_EQ(all(true), (std::vector<std::int64_t>{5, 10, 20, 40, 80, 160, 300, 300, 300}));
  EXPECT_EQ(all(false), (std::vector<std::int64_t>{1, 2, 4, 5, 5, 5, 5, 5, 5}));
}

TEST(Inputs, Interpolation) {
  std::vector<gitlab::Input> inputs = {{"name", {"string", json::Value("world"), false}},
                                       {"age", {"number", json::Value(42), false}},
                                       {"list", {"array", *json::parse(R"(["a","b"])"), false}},
                                       {"map", {"struct", *json::parse(R"({"line1": "x", "n": {"m": true}})"), false}},
                                       {"secret", {"string", json::Value("s"), true}}};
  const std::pair<const char*, const char*> cases[] = {
      {"plain ${X} $Y", "plain ${X} $Y"},
      {"hello ${{ job.inputs.name }}!", "hello world!"},
      {"${{job.inputs.name}}${{ str(job.inputs.age) }}", "world42"},
      {"${{ job.inputs.list[1] }} ${{ job.inputs.map.line1 }} ${{ job.inputs[\"name\"] }}", "b x world"},
      {"${{ job.inputs.map.n.m }} ${{ job.inputs.list }}", "true [\"a\",\"b\"]"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(interpolate(inputs, text).value_or("error"), expected) << text;
  for (const char* bad : {"${{ job.inputs.nobody }}", "${{ 1 + 2 }}", "${{ job.inputs.name",
                          "${{ job.inputs.list[7] }}", "${{ job.inputs }}", "${{ job.inputs.name.x }}"})
    EXPECT_FALSE(interpolate(inputs, bad)) << bad;
  EXPECT_EQ(interpolate(inputs, "${{ job.inputs.secret }}").error().message(),
            "sensitive inputs are unsupported in interpolations yet");
  rc::check("never crashes",
            [&](const std::string& text) { (void)interpolate(inputs, "${{ job.inputs" + text + "}}"); });
}

TEST(Outcome, LinesAndStatus) {
  EXPECT_EQ(failure_line(system_failure("x")), "Job failed (system failure): x");
  EXPECT_EQ(failure_line({"exit status 1", FailureReason::kScriptFailure, 1}), "Job failed: exit status 1");
  EXPECT_EQ(job_status(std::nullopt), "success");
  EXPECT_EQ(job_status(canceled_failure()), "canceled");
  EXPECT_EQ(job_status(timeout_failure("x")), "timedout");
  EXPECT_EQ(job_status(system_failure("x")), "failed");
}

TEST(JobCancel, CancelEndsTheJobBeforeAndTheStepsAfterTheyBegan) {
  const auto far = std::chrono::steady_clock::now() + std::chrono::hours(1);
  JobCancel early(far, "timeout");
  early.cancel();
  EXPECT_EQ(early.job_failure(), canceled_failure());
  EXPECT_FALSE(early.aborted());

  JobCancel late(far, "timeout");
  const auto steps = late.begin_steps(std::nullopt);
  late.cancel();
  EXPECT_TRUE(steps.raised());
  EXPECT_FALSE(late.job_failure());
  late.abort();
  EXPECT_EQ(late.job_failure(), canceled_failure());
  EXPECT_TRUE(late.aborted());

  JobCancel stopped(far, "timeout");
  stopped.interrupt("terminated");
  stopped.abort();
  EXPECT_EQ(stopped.job_failure()->message, "aborted: terminated");
  JobCancel timed_out(std::chrono::steady_clock::now() - std::chrono::seconds(1), "took too long");
  EXPECT_EQ(timed_out.job_failure(), timeout_failure("took too long"));
}

TEST(BuildInfo, PasswordsThatAreNotTheJobTokenGetAVariableOfTheirOwn) {
  Fixture f;
  f.payload.token = base::Secret("tok");
  f.payload.git_info.sha = std::string(40, 'a');
  f.runner.url = "https://h";
  const auto make = [&] {
    const Settings settings = f.settings();
    const Variables variables = f.all();
    const Directories where{"/b", "/b/p", "/c"};
    executor::Info executor;
    executor.shell = "bash";
    const auto sources = f.sources();
    return *make_build_info({sources, settings, where, variables, executor, "host"});
  };
  f.add("CI_JOB_TOKEN", "tok");
  auto info = make();
  ASSERT_EQ(info.git.credentials.size(), 1u);
  EXPECT_EQ(info.git.credentials[0].password_variable, "CI_JOB_TOKEN");
  EXPECT_EQ(info.git.remote_url, "https://h/g/p.git");
  f.add("CI_JOB_TOKEN", "overridden");
  info = make();
  EXPECT_EQ(info.git.credentials[0].password_variable, kGitPasswordVariable);
  EXPECT_EQ(info.variables.back().value, "tok");
  set_variables(info, f.all());
  EXPECT_EQ(info.variables.back().key, kGitPasswordVariable) << "kept when the others change";
}

} // namespace
} // namespace job
