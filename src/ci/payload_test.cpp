#include "ci/payload.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ci/reports.hpp"
#include "ci/testing.hpp"

namespace ci {
namespace {
std::string value(const Variables& variables, std::string_view key) {
  const Variable* variable = find(variables, key);
  return variable == nullptr ? "(absent)" : variable->value;
}

TEST(Expand, Collection) {
  auto expanded = expand_collection({{.key = "A", .value = "$B-${C}-%B%"},
                                     {.key = "B", .value = "b$C"},
                                     {.key = "C", .value = "c"},
                                     {.key = "RAW", .value = "$A", .raw = true},
                                     {.key = "FILE", .value = "x", .file = true},
                                     {.key = "KEEP", .value = "$RAW $FILE $NOPE $$A %%A%% $ ${ %"},
                                     {.key = "SELF", .value = "$SELF:x"}});
  ASSERT_TRUE(expanded);
  EXPECT_EQ(value(*expanded, "A"), "bc-c-bc");
  EXPECT_EQ(value(*expanded, "RAW"), "$A");
  EXPECT_EQ(value(*expanded, "KEEP"), "$RAW $FILE $NOPE $$A %%A%% $ ${ %");
  EXPECT_EQ(value(*expanded, "SELF"), "$SELF:x");
  auto cycle = expand_collection({{.key = "A", .value = "$B"}, {.key = "B", .value = "$A"}});
  ASSERT_FALSE(cycle);
  EXPECT_EQ(cycle.error().message(), "circular variable reference detected: [\"A\", \"B\"]");
}

TEST(Expand, CollectionHasALimit) {
  Variables bomb{{.key = "V0", .value = "xxxxxxxxxxxxxxxx"}};
  for (int i = 1; i < 64; ++i) {
    std::string previous = "$V" + std::to_string(i - 1);
    bomb.push_back({.key = "V" + std::to_string(i), .value = previous + previous});
  }
  EXPECT_EQ(expand_collection(bomb).error().kind(), base::ErrorKind::kLimit);
}

TEST(Expand, Text) {
  Variables variables{{.key = "A", .value = "$B"}};
  EXPECT_EQ(expand_text("$A/${A}/%A%/$NO/$$A", variables), "$B/$B/$B//$$B");
  EXPECT_EQ(expand_text("$A $NO", variables, true), "$B $NO");
}

TEST(Slugs, Vectors) {
  EXPECT_EQ(ref_slug("feature//X_y"), "feature--x-y");
  EXPECT_EQ(ref_slug("-Main-"), "main");
  EXPECT_EQ(environment_slug("production"), "production");
  EXPECT_EQ(environment_slug("review/feature-1"), "review-feature-1-1q251u");
  EXPECT_EQ(environment_slug("Staging"), "staging-p75vhx");
  EXPECT_EQ(environment_slug("1test"), "env-1test-90izw6");
  EXPECT_EQ(environment_slug("review/a-very-long-branch-name-here"), "review-a-very-lon-l8iu0a");
}

TEST(JobVariables, OrderAndVisibility) {
  Context context = test_context();
  context.pipeline.id = 11;
  context.pipeline.iid = 2;
  context.variables.instance = {{.key = "V", .value = "instance"}};
  context.variables.groups = {{{.key = "V", .value = "group"}}};
  context.variables.project = {{.key = "V", .value = "project"},
                               {.key = "SECRET", .value = "s", .is_protected = true},
                               {.key = "SCOPED", .value = "exact", .environment_scope = "review/a"},
                               {.key = "SCOPED", .value = "wide", .environment_scope = "review/*"},
                               {.key = "SCOPED", .value = "all"}};
  Job job;
  job.name = "test: [a]";
  job.stage = "test";
  job.node_index = 1;
  job.node_total = 2;
  job.variables = {{.key = "V", .value = "yaml", .is_public = true},
                   {.key = "GITLAB_USER_LOGIN", .value = "mallory", .is_public = true}};
  JobFacts facts{.id = 5, .token = base::Secret("glcbt-secret"), .runner = {3, "host", {"a", "b"}}};
  Variables plain = job_variables(job, context, facts).value();
  EXPECT_EQ(value(plain, "V"), "project");
  EXPECT_EQ(value(plain, "SECRET"), "(absent)");
  EXPECT_EQ(value(plain, "SCOPED"), "all");
  EXPECT_EQ(value(plain, "GITLAB_USER_LOGIN"), "ann");
  EXPECT_EQ(value(plain, "CI_ENVIRONMENT_NAME"), "(absent)");
  EXPECT_EQ(value(plain, "CI_COMMIT_TAG"), "(absent)");
  EXPECT_EQ(value(plain, "CI_JOB_GROUP_NAME"), "test");
  EXPECT_EQ(value(plain, "CI_NODE_INDEX"), "1");
  EXPECT_EQ(value(plain, "CI_RUNNER_TAGS"), "[\"a\", \"b\"]");
  EXPECT_EQ(value(plain, "CI_REPOSITORY_URL"),
            "https://gitlab-ci-token:glcbt-secret@ci.example.com:8443/group/sub/app.git");
  EXPECT_EQ(value(plain, "CI_SERVER_FQDN"), "ci.example.com:8443");
  EXPECT_EQ(value(plain, "CI_SERVER_HOST"), "ci.example.com");
  EXPECT_EQ(value(plain, "CI_PROJECT_NAMESPACE"), "group/sub");
  EXPECT_EQ(value(plain, "CI_PROJECT_ROOT_NAMESPACE"), "group");
  EXPECT_EQ(value(plain, "CI_COMMIT_TITLE"), "Title of it");
  EXPECT_EQ(value(plain, "CI_COMMIT_DESCRIPTION"), "\nBody.");
  EXPECT_EQ(value(plain, "CI_PIPELINE_URL"), "https://ci.example.com:8443/group/sub/app/-/pipelines/11");
  EXPECT_TRUE(find(plain, "CI_JOB_TOKEN")->masked);
  EXPECT_FALSE(find(plain, "CI_JOB_TOKEN")->is_public);

  context.pipeline.ref_protected = true;
  context.variables.pipeline = {{.key = "V", .value = "pipeline"}};
  job.environment = Environment{.name = "review/a", .url = "https://$CI_ENVIRONMENT_SLUG.example.com"};
  facts.job_run = {{.key = "V", .value = "played"}};
  Variables deployed = job_variables(job, context, facts).value();
  EXPECT_EQ(value(deployed, "V"), "played");
  EXPECT_EQ(value(deployed, "SECRET"), "s");
  EXPECT_EQ(value(deployed, "SCOPED"), "exact");
  EXPECT_EQ(value(deployed, "CI_ENVIRONMENT_TIER"), "development");
  EXPECT_EQ(value(deployed, "CI_ENVIRONMENT_URL"), "https://" + environment_slug("review/a") + ".example.com");
}

TEST(Payload, CacheSuffixes) {
  Job job;
  job.caches = {{.key = "k", .paths = {"p"}, .fallback_keys = {"f"}}};
  ProjectFacts project;
  auto key = [&](bool privileged) { return cache_json(job, project, privileged).as_array()[0]["key"].as_string(); };
  EXPECT_EQ(key(true), "k-protected");
  EXPECT_EQ(key(false), "k-non_protected");
  project.cache_index = 2;
  EXPECT_EQ(key(true), "k-2-protected");
  EXPECT_EQ(cache_json(job, project, true).as_array()[0]["fallback_keys"].as_array()[0].as_string(), "f-2-protected");
  job.caches[0].unprotect = true;
  EXPECT_EQ(key(true), "k-2-non_protected");
  project.separate_protected_caches = false;
  project.cache_index = 0;
  EXPECT_EQ(key(true), "k");
}

TEST(Payload, GitDepthAndRefspecs) {
  EXPECT_EQ(git_depth({}), 20);
  EXPECT_EQ(git_depth({{.key = "GIT_DEPTH", .value = "5"}}), 5);
  EXPECT_EQ(git_depth({{.key = "GIT_DEPTH", .value = "3x"}}), 3);
  EXPECT_EQ(git_depth({{.key = "GIT_DEPTH", .value = "all"}}), 0);
  using Specs = std::vector<std::string>;
  EXPECT_EQ(refspecs(9, "main", RefType::kBranch, 20),
            (Specs{"+refs/pipelines/9:refs/pipelines/9", "+refs/heads/main:refs/remotes/origin/main"}));
  EXPECT_EQ(refspecs(9, "v1", RefType::kTag, 20),
            (Specs{"+refs/pipelines/9:refs/pipelines/9", "+refs/tags/v1:refs/tags/v1"}));
  EXPECT_EQ(refspecs(9, "v1", RefType::kTag, 0).size(), 3u);
}

TEST(Payload, ArtifactSources) {
  auto make = [](const char* name, int stage) {
    Job job;
    job.name = name;
    job.stage_index = stage;
    return job;
  };
  std::vector<Job> all{make("a", 1), make("b", 1), make("c", 2), make("d", 2)};
  using Names = std::vector<std::string>;
  Job job = all[2];
  EXPECT_EQ(artifact_sources(job, all), (Names{"a", "b"}));
  job.dependencies = Names{"b"};
  EXPECT_EQ(artifact_sources(job, all), Names{"b"});
  job.needs = {{.job = "a"}, {.job = "d", .artifacts = false}};
  EXPECT_EQ(artifact_sources(job, all), Names{});
  job.dependencies.reset();
  EXPECT_EQ(artifact_sources(job, all), Names{"a"});
  job.dependencies = Names{};
  EXPECT_EQ(artifact_sources(job, all), Names{});
}

TEST(Dotenv, FollowsTheServersRules) {
  auto parsed = parse_dotenv("A=1\nB = two words \nA=3\nC=\"quoted=yes\"\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(value(*parsed, "A"), "3");
  EXPECT_EQ(value(*parsed, "B"), "two words");
  EXPECT_EQ(value(*parsed, "C"), "\"quoted=yes\"");
  EXPECT_EQ(parsed->size(), 3u);
  EXPECT_TRUE(parse_dotenv("")->empty());
  EXPECT_EQ(value(*parse_dotenv(std::string_view("\xff\xfe"
                                                 "A\0=\0\xe9\0",
                                                 8)),
                  "A"),
            "\xc3\xa9");
  for (const char* bad : {"A=1\n\nB=2", "# comment", "A", "=x", "A-B=1"}) EXPECT_FALSE(parse_dotenv(bad)) << bad;
  EXPECT_EQ(parse_dotenv(std::string(5120, 'a')).error().message(),
            "Dotenv Artifact Too Big. Maximum Allowable Size: 5120");
  std::string many;
  for (int i = 0; i < 21; ++i) many += "K" + std::to_string(i) + "=1\n";
  EXPECT_EQ(parse_dotenv(many).error().message(), "Dotenv files cannot have more than 20 variables");
  rc::check([](const std::string& text) { (void)parse_dotenv(text); });
}

TEST(Coverage, LastMatchingLine) {
  EXPECT_EQ(extract_coverage("Cov 10%\nCov 20.5% and 30%\nend", R"(\d+(\.\d+)?%)"), std::nullopt);
  EXPECT_EQ(extract_coverage("TOTAL 10%\nTOTAL 87.5%\nend\n", R"(TOTAL.*?(\d+(?:\.\d+)?)%)"), 87.5);
  EXPECT_EQ(extract_coverage("nothing", R"(\d+%)"), std::nullopt);
  EXPECT_EQ(extract_coverage("x", "("), std::nullopt);
}

TEST(Masking, Values) {
  EXPECT_TRUE(can_be_masked("abcd1234", false));
  EXPECT_FALSE(can_be_masked("short", false));
  EXPECT_FALSE(can_be_masked("with space 123", false));
  EXPECT_FALSE(can_be_masked("dollar$1234", false));
  EXPECT_TRUE(can_be_masked("dollar$1234", true));
}
} // namespace
} // namespace ci
