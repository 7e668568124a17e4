// Git over HTTP against a real server: pushes, what they print and make, who may do what, the pinned commits.

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

constexpr const char* kOneJob = "build: {script: [make]}\n";

class Push : public TestProject {
 public:
  bool has_ref(const std::string& ref) {
    return git({"--git-dir=" + git::repository_path(server.app(), project), "rev-parse", "--verify", "--quiet", ref})
               .code == 0;
  }
};

TEST_F(Push, MakesAPipelineAndPrintsItsUrl) {
  auto done = push(kOneJob, "first commit\n\nwith a body");
  EXPECT_EQ(done.code, 0) << done.text;
  auto made = latest();
  EXPECT_NE(done.text.find(fmt::format("/root/demo/-/pipelines/{}", made["id"].as_integer())), std::string::npos)
      << done.text;
  EXPECT_EQ(made["status"].as_string(), "pending");
  EXPECT_EQ(made["source"].as_string(), "push");
  EXPECT_EQ(made["ref"].as_string(), "main");
  EXPECT_EQ(made["sha"].as_string(), base::trim(git({"rev-parse", "HEAD"}).text));
  EXPECT_TRUE(has_ref(fmt::format("refs/pipelines/{}", made["id"].as_integer())));
  auto job = jobs(made["id"].as_integer())["build"];
  EXPECT_EQ(job["commit"]["title"].as_string(), "first commit");
  EXPECT_EQ(job["commit"]["author_email"].as_string(), "ann@example.org");
  EXPECT_FALSE(server.get("/projects/" + std::to_string(project)).body["empty_repo"].bool_or(true));
}

TEST_F(Push, WithoutConfigurationMakesNone) {
  commit("", "no pipeline", {{"a.txt", "a"}});
  auto done = git({"push", url(), "HEAD:refs/heads/main"});
  EXPECT_EQ(done.code, 0) << done.text;
  EXPECT_TRUE(latest().is_null());
  EXPECT_EQ(done.text.find("remote:"), std::string::npos) << done.text;
}

TEST_F(Push, SkipsWhenAsked) {
  auto done = push(kOneJob, "docs only [ci skip]");
  EXPECT_EQ(latest()["status"].as_string(), "skipped");
  EXPECT_NE(done.text.find("skipped"), std::string::npos) << done.text;
  done = push(kOneJob, "again", {"-o", "ci.skip", "HEAD:refs/heads/main"});
  EXPECT_EQ(done.code, 0) << done.text;
  EXPECT_EQ(latest()["status"].as_string(), "skipped");
  EXPECT_EQ(latest()["iid"].as_integer(), 2);
  EXPECT_TRUE(jobs(latest()["id"].as_integer()).empty());
}

TEST_F(Push, TakesVariablesFromPushOptions) {
  auto done = push(kOneJob, "m", {"-o", "ci.variable=COLOUR=blue=ish", "HEAD:refs/heads/main"});
  EXPECT_EQ(done.code, 0) << done.text;
  auto variables = server.get(fmt::format("{}/pipelines/{}/variables", base(), latest()["id"].as_integer())).body;
  ASSERT_EQ(variables.size(), 1u);
  EXPECT_EQ(variables.as_array()[0]["key"].as_string(), "COLOUR");
  EXPECT_EQ(variables.as_array()[0]["value"].as_string(), "blue=ish");
}

TEST_F(Push, ShowsErrorsOfTheConfiguration) {
  auto done = push("build:\n  script: [make]\n  trigger: other\n");
  EXPECT_EQ(done.code, 0) << done.text;
  auto made = show(latest()["id"].as_integer());
  EXPECT_EQ(made["status"].as_string(), "failed");
  EXPECT_EQ(made["failure_reason"].string_or(""), "config_error");
  EXPECT_NE(made["yaml_errors"].string_or("").find("trigger"), std::string::npos);
  EXPECT_NE(done.text.find("trigger"), std::string::npos) << done.text;
}

TEST_F(Push, ManyErrorsDoNotStickTheHook) {
  std::string yaml;
  for (int i = 0; i < 3000; ++i) yaml += fmt::format("job-with-a-rather-long-name-{}: {{nonsense: {}}}\n", i, i);
  auto done = push(yaml);
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(latest()["status"].as_string(), "failed");
}

TEST_F(Push, NeedsCredentialsAndRights) {
  commit(kOneJob);
  EXPECT_NE(git({"push", url("root", "wrong"), "HEAD:refs/heads/main"}).code, 0);
  auto reporter = server.user("reporter");
  server.member(base(), reporter.id, kReporter);
  auto refused = git({"push", url("reporter", reporter.token), "HEAD:refs/heads/main"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.text.find("403"), std::string::npos) << refused.text;
  auto reads = server.user("reads", {"read_repository"});
  server.member(base(), reads.id, kMaintainer);
  EXPECT_NE(git({"push", url("reads", reads.token), "HEAD:refs/heads/main"}).code, 0);
  auto writes = server.user("writes", {"write_repository"});
  server.member(base(), writes.id, kMaintainer);
  auto done = git({"push", url("writes", writes.token), "HEAD:refs/heads/main"});
  EXPECT_EQ(done.code, 0) << done.text;
  EXPECT_EQ(git({"ls-remote", url("reads", reads.token)}).code, 0);
  auto stranger = server.user("stranger");
  EXPECT_NE(git({"ls-remote", url("stranger", stranger.token)}).text.find("not found"), std::string::npos);
  EXPECT_NE(git({"ls-remote", server.server().address() + "/root/demo.git"}).code, 0);
  EXPECT_NE(git({"ls-remote", url("root", TestServer::kRoot, "root/none")}).code, 0);
}

TEST_F(Push, ProtectedBranchesAreProtected) {
  ASSERT_EQ(push(kOneJob).code, 0);
  auto developer = server.user("developer");
  server.member(base(), developer.id, kDeveloper);
  server.post(base() + "/protected_branches", json::Value::object({{"name", "main"}})); // by default there may be one
  commit(kOneJob, "mine");
  auto refused = git({"push", url("developer", developer.token), "HEAD:refs/heads/main"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.text.find("GitLab: You are not allowed to push code to protected branches on this project."),
            std::string::npos)
      << refused.text;
  EXPECT_EQ(git({"push", url("developer", developer.token), "HEAD:refs/heads/mine"}).code, 0);
  // Not even its maintainers rewind or delete it.
  EXPECT_EQ(git({"push", url(), "HEAD:refs/heads/main"}).code, 0);
  EXPECT_NE(git({"push", "--force", url(), "HEAD~1:refs/heads/main"}).code, 0);
  EXPECT_EQ(git({"push", "--force", url(), "HEAD~1:refs/heads/mine"}).code, 0);
  EXPECT_NE(git({"push", url(), ":refs/heads/main"}).code, 0);
  EXPECT_EQ(git({"push", url(), ":refs/heads/mine"}).code, 0);
  EXPECT_NE(git({"push", url(), "HEAD:refs/pipelines/77"}).code, 0);
  EXPECT_NE(git({"push", url(), "HEAD:refs/other/thing"}).code, 0);
}

// git's own client refuses a line break in an option, another client may not: what the hook hands on is looked at.
TEST_F(Push, PushOptionsCannotForgeRefs) {
  sys::TempDir channel = *sys::TempDir::create("channel");
  ASSERT_TRUE(sys::write_file(channel.path("down"), "|a line\nok\n"));
  sys::SpawnOptions options;
  options.argv = {server.app().path("hooks/post-receive")};
  options.env = {"PATH=" + *sys::get_env("PATH"), "FORERUNNER_HOOKS=" + channel.path(), "GIT_PUSH_OPTION_COUNT=2",
                 "GIT_PUSH_OPTION_0=x\nend\n0 1 refs/heads/main plain", "GIT_PUSH_OPTION_1=$(touch /tmp/forged) `id`"};
  auto output = sys::run_command(options, {}, "aaaa bbbb refs/heads/side\n");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->status.code, 0) << output->err;
  EXPECT_EQ(output->out, "a line\n");
  EXPECT_EQ(*sys::read_file(channel.path("up")),
            "post-receive\noption x end 0 1 refs/heads/main plain\noption $(touch /tmp/forged) `id`\n"
            "aaaa bbbb refs/heads/side plain\nend\n");
}

TEST_F(Push, TagsMakeTagPipelines) {
  ASSERT_EQ(push(kOneJob).code, 0);
  ASSERT_EQ(git({"tag", "-a", "v1", "-m", "the first release"}).code, 0);
  ASSERT_EQ(git({"push", url(), "v1"}).code, 0);
  auto made = latest();
  EXPECT_EQ(made["ref"].as_string(), "v1");
  EXPECT_EQ(made["sha"].as_string(), base::trim(git({"rev-parse", "HEAD"}).text));
  EXPECT_TRUE(show(made["id"].as_integer())["tag"].as_bool());
}

TEST_F(Push, UrlsWithoutSuffixAndEmptyClones) {
  sys::TempDir other = *sys::TempDir::create("clone");
  std::string plain = url();
  plain.resize(plain.size() - 4);
  auto empty = git({"clone", "-q", plain, other.path("empty")});
  EXPECT_EQ(empty.code, 0) << empty.text;
  ASSERT_EQ(push(kOneJob).code, 0);
  auto cloned = git({"clone", "-q", plain, other.path("full")});
  EXPECT_EQ(cloned.code, 0) << cloned.text;
  EXPECT_TRUE(sys::is_regular_file(other.path("full/.gitlab-ci.yml")));
}

TEST_F(Push, JobTokensFetchButOnlyWhileTheJobRuns) {
  pipeline("a: {script: [a]}\nb: {script: [b]}\n");
  Handed job = poll();
  ASSERT_TRUE(job);
  std::string repository = job.payload["git_info"]["repo_url"].as_string();
  EXPECT_NE(git({"ls-remote", repository}).code, 0); // handed out, not acknowledged
  ASSERT_EQ(update(job, "running").status, 200);
  sys::TempDir other = *sys::TempDir::create("clone");
  ASSERT_EQ(git({"init", "-q", other.path()}).code, 0);
  std::vector<std::string> fetch = {"fetch", "-q", "--depth", "20", repository};
  for (const auto& refspec : job.payload["git_info"]["refspecs"].as_array()) fetch.push_back(refspec.as_string());
  auto fetched = git(fetch, other.path());
  EXPECT_EQ(fetched.code, 0) << fetched.text;
  EXPECT_EQ(git({"checkout", "-q", job.payload["git_info"]["sha"].as_string()}, other.path()).code, 0);
  commit(kOneJob, "by a job");
  EXPECT_NE(git({"push", repository, "HEAD:refs/heads/from-job"}).code, 0);
  server.project("secret");
  std::string elsewhere = base::replace_all(repository, "root/demo", "root/secret");
  EXPECT_NE(git({"ls-remote", elsewhere}).code, 0);
  ASSERT_EQ(update(job, "success").status, 200);
  EXPECT_NE(git({"ls-remote", repository}).code, 0);
}

// What a pipeline runs on outlives its branch and any clean-up, and a retry finds it again.
TEST_F(Push, PipelinesKeepTheirCommits) {
  ASSERT_EQ(push("{}", "base").code, 0);
  commit(kOneJob, "will vanish");
  ASSERT_EQ(git({"push", url(), "HEAD:refs/heads/side"}).code, 0);
  std::int64_t id = latest()["id"].as_integer();
  std::string sha = latest()["sha"].as_string();
  ASSERT_EQ(git({"push", url(), ":refs/heads/side"}).code, 0);
  std::string repository = git::repository_path(server.app(), project);
  auto clean = [&] {
    auto cleaned = git({"--git-dir=" + repository, "gc", "--quiet", "--prune=now"});
    EXPECT_EQ(cleaned.code, 0) << cleaned.text;
    return git({"--git-dir=" + repository, "cat-file", "-e", sha}).code == 0;
  };
  EXPECT_TRUE(clean());
  EXPECT_TRUE(has_ref(fmt::format("refs/pipelines/{}", id)));
  run("build", "failed");
  EXPECT_TRUE(eventually([&] { return !has_ref(fmt::format("refs/pipelines/{}", id)); }));
  EXPECT_TRUE(clean());
  ASSERT_EQ(act(job_id(id, "build"), "retry").status, 201);
  EXPECT_TRUE(has_ref(fmt::format("refs/pipelines/{}", id)));
  Handed job = start();
  sys::TempDir other = *sys::TempDir::create("clone");
  ASSERT_EQ(git({"init", "-q", other.path()}).code, 0);
  auto fetched = git({"fetch", "-q", job.payload["git_info"]["repo_url"].as_string(),
                      job.payload["git_info"]["refspecs"].as_array()[0].as_string()},
                     other.path());
  EXPECT_EQ(fetched.code, 0) << fetched.text;
}

TEST_F(Push, APlayedJobFindsItsCommitAfterThePipelineHasPassed) {
  std::int64_t id = pipeline("a: {script: [a]}\ngate: {script: [b], when: manual}\n");
  run("a", "success");
  std::string ref = fmt::format("refs/pipelines/{}", id);
  EXPECT_TRUE(eventually([&] { return !has_ref(ref); }));
  ASSERT_EQ(act(job_id(id, "gate"), "play").status, 200);
  EXPECT_TRUE(has_ref(ref));
  run("gate", "success");
  EXPECT_TRUE(eventually([&] { return !has_ref(ref); }));
}

TEST_F(Push, RenamedAndDeletedProjects) {
  std::int64_t id = pipeline("a: {script: [a]}\nb: {script: [b]}\n");
  Handed job = start();
  ASSERT_EQ(server.put(base(), json::Value::object({{"path", "renamed"}})).status, 200);
  EXPECT_EQ(git({"ls-remote", url("root", TestServer::kRoot, "root/renamed")}).code, 0);
  EXPECT_NE(git({"ls-remote", url()}).code, 0);
  EXPECT_EQ(patch(job, "log\n", "0-3").status, 202);
  EXPECT_EQ(upload(job, "PK").status, 201);
  std::string repository = git::repository_path(server.app(), project);
  std::string trace = server.app().path(fmt::format("traces/0/{}.log", job.id));
  EXPECT_TRUE(sys::is_regular_file(trace));
  auto gone = server.remove(base());
  EXPECT_EQ(gone.status, 202) << gone.text;
  EXPECT_EQ(patch(job, "more", "4-7").status, 403);
  EXPECT_EQ(update(job, "success").status, 403);
  EXPECT_FALSE(poll());
  EXPECT_TRUE(eventually([&] { return !sys::exists(repository) && !sys::exists(trace); }));
  EXPECT_EQ(server.get(fmt::format("{}/pipelines/{}", base(), id)).status, 404);
}

} // namespace
} // namespace coordinator
