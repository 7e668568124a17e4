// What compile() refuses, in GitLab's words, and what it decides.
#include "ci/compile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/hash.hpp"
#include "ci/testing.hpp"

namespace ci {

base::Result<std::optional<std::string>> MemoryFiles::blob_id(std::string_view path) {
  auto found = files.find(path);
  if (found == files.end()) return std::nullopt;
  std::string header = "blob " + std::to_string(found->second.size());
  return base::sha1_hex(header + std::string(1, '\0') + found->second);
}

namespace {
Compiled run(std::string text, const Context& context = test_context(), MemoryFiles* files = nullptr) {
  return compile({.text = std::move(text), .files = files}, context);
}
std::string first_error(const std::string& text) {
  Compiled result = run(text);
  return result.errors.empty() ? "(none)" : result.errors.front().message;
}
std::vector<std::string> names(const Compiled& result) {
  std::vector<std::string> out;
  for (const Job& job : result.pipeline.jobs) out.push_back(job.name);
  return out;
}
const Job& job_named(const Compiled& result, std::string_view name) {
  for (const Job& job : result.pipeline.jobs)
    if (job.name == name) return job;
  ADD_FAILURE() << "no job " << name;
  static const Job none;
  return none;
}
using Names = std::vector<std::string>;

TEST(CompileErrors, ReadLikeGitLabs) {
  std::vector<std::pair<std::string, std::string>> cases = {
      {"", "Please provide content of .gitlab-ci.yml"},
      {"- a", "Invalid configuration format"},
      {"variables: {A: b}", "jobs config should contain at least one visible job"},
      {"a: {script: x, foo: 1, bar: 2}", "jobs:a config contains unknown keys: foo, bar"},
      {"a: {stage: test}", "jobs a config should implement the script:, run:, or trigger: keyword"},
      {"a: 1", "jobs a config should implement the script:, run:, or trigger: keyword"},
      {"on: {script: x}", "jobs:true name should be a symbol"},
      {"a: {script: []}", "jobs:a script can't be blank"},
      {"a: {script: }", "jobs:a script can't be blank"},
      {"a: {script: [1]}", "jobs:a:script config should be a string or a nested array of strings up to 10 levels deep"},
      {"a: {script: x, when: never}", "jobs:a when should be one of: on_success, on_failure, always, manual, delayed"},
      {"a: {script: x, when: delayed}", "jobs:a start in should be a duration"},
      {"a: {script: x, start_in: 1 day}", "jobs:a start in must be blank"},
      {"a: {script: x, timeout: 3600}", "jobs:a timeout should be a duration"},
      {"a: {script: x, timeout: 2 months}", "jobs:a timeout should not exceed the limit"},
      {"a: {script: x, stage: nope}",
       "a job: chosen stage nope does not exist; available stages are .pre, build, test, deploy, .post"},
      {"a: {script: x, retry: 3}", "jobs:a:retry config must be less than or equal to 2"},
      {"a: {script: x, retry: often}", "jobs:a:retry config has to be either an integer or a hash"},
      {"a: {script: x, retry: {max: 1, when: nope}}", "jobs:a:retry when contains unknown values: nope"},
      {"a: {script: x, parallel: 201}", "jobs:a:parallel config must be less than or equal to 200"},
      {"a: {script: x, parallel: x}", "jobs:a parallel should be an integer or a hash"},
      {"a: {script: x, rules: []}", "jobs:a:rules config can't be blank"},
      {"a: {script: x, rules: [{if: 'x'}]}", "jobs:a:rules:rule if invalid expression syntax"},
      {"a: {script: x, rules: [{iff: x}]}", "jobs:a:rules:rule config contains unknown keys: iff"},
      {"a: {script: x, rules: [{when: always}], only: [main]}", "jobs:a config key may not be used with `rules`: only"},
      {"a: {script: x, needs: [b]}", "a job: undefined need: b"},
      {"a: {script: x, dependencies: [b]}", "a job: undefined dependency: b"},
      {"a: {script: x, needs: [a]}", "The pipeline has circular dependencies: self-dependency: a"},
      {"a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}", "The pipeline has circular dependencies: a, b"},
      {"a: {script: x, stage: build, needs: [b]}\nb: {script: x}",
       "a job: need b is not defined in current or prior stages"},
      {"a: {script: x, needs: 1}", "jobs:a:needs config can only be a hash or an array"},
      {"a: {script: x, needs: [b, b]}\nb: {script: x}", "a has the following needs duplicated: b."},
      {"a: {script: x, needs: [], dependencies: [b]}\nb: {script: x}",
       "jobs:a dependencies the b should be part of needs"},
      {"a: {script: x, extends: .b}", "a: unknown keys in `extends` (.b)"},
      {"a: {script: x, extends: b}\nb: {extends: a}", "a: circular dependency detected in `extends`"},
      {"a: {script: x, extends: .b}\n.b: 1", "a: invalid base hashes in `extends` (.b)"},
      {"a: {script: !reference [.b, script]}", "!reference [\".b\", \"script\"] could not be found"},
      {"a: {script: !reference [a, script]}", "!reference [\"a\", \"script\"] is part of a circular chain"},
      {"a: {script: x, variables: {A: [1]}}",
       "jobs:a:variables:A config variable definition must be either a string or a hash"},
      {"a: {script: x, variables: {A: {value: b, options: [c]}}}",
       "jobs:a:variables:A config uses invalid data keys: options"},
      {"variables: {A: {value: b, options: [c]}}\na: {script: x}",
       "variables:A config value must be present in options"},
      {"a: {script: x, rules: [{variables: {A: {value: b}}}]}",
       "jobs:a:rules:rule:variables:A config must be a string"},
      {"a: {script: x, artifacts: {expire_in: 10 parsecs}}", "jobs:a:artifacts expire in should be a duration"},
      {"a: {script: x, artifacts: {paths: x}}", "jobs:a:artifacts paths should be an array of strings"},
      {"a: {script: x, artifacts: {foo: x}}", "jobs:a:artifacts config contains unknown keys: foo"},
      {"a: {script: x, artifacts: {reports: {cobertura: x}}}",
       "jobs:a:artifacts:reports config contains unknown keys: cobertura"},
      {"a: {script: x, artifacts: {paths: ['*.x'], expose_as: y}}",
       "jobs:a:artifacts paths can't contain '*' when used with 'expose_as'"},
      {"a: {script: x, cache: {key: a/b}}", "jobs:a:cache:key config cannot contain the \"/\" character"},
      {"a: {script: x, cache: {policy: x}}",
       "jobs:a:cache policy should be a variable or one of: pull-push, push, pull"},
      {"a: {script: x, cache: [{}, {}, {}, {}, {}]}", "jobs:a:cache config no more than 4 caches can be created"},
      {"a: {script: x, coverage: abc}", "jobs:a:coverage config must be a regular expression"},
      {"a: {script: x, image: {entrypoint: [a]}}", "jobs:a:image name should be a string"},
      {"a: {script: x, environment: /x}",
       "jobs:a:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but "
       "it "
       "cannot start or end with '/'"},
      {"include: nope.yml\na: {script: x}", "Local file `nope.yml` does not exist!"},
      {"include: nope.txt\na: {script: x}", "Included file `nope.txt` does not have YAML extension!"},
      {"default: {script: x}\na: {script: x}", "default config contains unknown keys: script"},
      {"a: {script: x, variables: {A: $B, B: $A}, tags: [t]}",
       "a: circular variable reference detected: [\"A\", \"B\"]"},
      {"workflow: {rules: [{when: manual}]}\na: {script: x}",
       "workflow:rules:rule when should be one of: always, never"},
      {"a: {script: x, needs: [{job: b}]}\nb: {script: x, rules: [{when: never}]}",
       "'a' job needs 'b' job, but 'b' does not exist in the pipeline. This might be because of the only, except, or "
       "rules "
       "keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional."},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(first_error(text), message) << text;
}

TEST(CompileErrors, UnsupportedKeywordsAreNamed) {
  std::vector<std::pair<std::string, std::string>> cases = {
      {"a: {trigger: x}", "jobs:a `trigger` is not supported yet"},
      {"a: {script: x, release: {}}", "jobs:a `release` is not supported yet"},
      {"a: {script: x, secrets: {}}", "jobs:a `secrets` is not supported yet"},
      {"a: {script: x, id_tokens: {}}", "jobs:a `id_tokens` is not supported yet"},
      {"a: {script: x, resource_group: x}", "jobs:a `resource_group` is not supported yet"},
      {"a: {run: []}", "jobs:a `run` is not supported yet"},
      {"a: {script: x, pages: true}", "jobs:a `pages` is not supported yet"},
      {"a: {script: x, environment: {name: x, on_stop: y}}", "jobs:a:environment `on_stop` is not supported yet"},
      {"a: {script: x, needs: [{pipeline: x, job: y}]}", "jobs:a:needs:need `needs:pipeline` is not supported yet"},
      {"a: {script: x, only: {kubernetes: active}}", "jobs:a:only `kubernetes` is not supported yet"},
      {"workflow: {auto_cancel: {}}\na: {script: x}", "workflow `auto_cancel` is not supported yet"},
      {"include: {remote: x}\na: {script: x}", "`include:remote` is not supported yet"},
      {"include: https://x/y.yml\na: {script: x}", "`include:remote` is not supported yet"},
      {"include: {template: x}\na: {script: x}", "`include:template` is not supported yet"},
      {"include: {component: x}\na: {script: x}", "`include:component` is not supported yet"},
      {"spec: {inputs: {}}\n---\na: {script: x}", "`spec` is not supported yet"},
      {"default: {id_tokens: {}}\na: {script: x}", "default `id_tokens` is not supported yet"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(first_error(text), message) << text;
}

TEST(CompileErrors, CarryTheirPlace) {
  Compiled result = run("build:\n  script: x\n  foo: 1\ntest:\n  stage: [x]\n  script: y\n");
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].text(), "jobs:build config contains unknown keys: foo (.gitlab-ci.yml:3:3)");
  EXPECT_EQ(result.errors[1].text(), "jobs:test stage should be a string (.gitlab-ci.yml:5:10)");
}

TEST(Include, MergesUnderTheIncludingFile) {
  MemoryFiles files;
  files.files["ci/a.yml"] = "include: ci/deep.yml\nvariables: {A: a, B: a}\njob: {script: a, tags: [x]}\n";
  files.files["ci/deep.yml"] = "variables: {A: deep, C: deep}\ndeep: {script: d}\n";
  Compiled result =
      run("include: [{local: /ci/a.yml}]\nvariables: {B: top}\njob: {script: top}\n", test_context(), &files);
  ASSERT_EQ(result.outcome, Outcome::kCreated) << result.errors.front().text();
  const Job& job = job_named(result, "job");
  EXPECT_EQ(job.script, Names{"top"});
  EXPECT_EQ(job.tags, Names{"x"});
  EXPECT_EQ(find(job.variables, "A")->value, "a");
  EXPECT_EQ(find(job.variables, "B")->value, "top");
  EXPECT_EQ(find(job.variables, "C")->value, "deep");
  EXPECT_EQ(job_named(result, "deep").file, "ci/deep.yml");
}

TEST(Include, WildcardsRulesVariablesAndLoops) {
  MemoryFiles files;
  files.files["ci/one.yml"] = "one: {script: x}\n";
  files.files["ci/two.yml"] = "two: {script: x}\n";
  files.files["loop.yml"] = "include: loop.yml\n";
  files.files["bad.yml"] = "a: [\n";
  EXPECT_EQ(names(run("include: 'ci/*.yml'\n", test_context(), &files)), (Names{"one", "two"}));
  EXPECT_EQ(names(run(
                "include: 'ci/$WHICH.yml'\n",
                [] {
                  Context context = test_context();
                  context.variables.project = {{.key = "WHICH", .value = "two"}};
                  return context;
                }(),
                &files)),
            Names{"two"});
  EXPECT_EQ(names(run("include:\n- {local: ci/one.yml, rules: [{if: '$CI_COMMIT_TAG'}]}\n"
                      "- {local: ci/two.yml, rules: [{exists: [ci/one.yml]}]}\n",
                      test_context(), &files)),
            Names{"two"});
  EXPECT_EQ(run("include: loop.yml\n", test_context(), &files).errors.front().message,
            "Maximum of 150 nested includes are allowed!");
  EXPECT_TRUE(run("include: bad.yml\n", test_context(), &files)
                  .errors.front()
                  .message.starts_with("Included file `bad.yml` does not have valid YAML syntax! (<unknown>): "));
  EXPECT_EQ(run("include: ../x.yml\n", test_context(), &files).errors.front().message,
            "Local file `../x.yml` does not exist!");
}

TEST(Rules, DecideInOrder) {
  std::string text =
      "a:\n  script: x\n  rules:\n"
      "    - {if: '$CI_COMMIT_BRANCH == \"dev\"', when: never}\n"
      "    - {if: '$CI_COMMIT_BRANCH == \"main\"', when: manual, variables: {V: main}}\n"
      "    - {if: '$CI_COMMIT_TAG', allow_failure: true}\n";
  Context context = test_context();
  Compiled result = run(text, context);
  EXPECT_EQ(job_named(result, "a").when, When::kManual);
  EXPECT_FALSE(job_named(result, "a").allow_failure);
  EXPECT_EQ(find(job_named(result, "a").variables, "V")->value, "main");
  context.pipeline.ref = "dev";
  result = run(text, context);
  EXPECT_EQ(result.outcome, Outcome::kEmpty);
  ASSERT_EQ(result.pipeline.decisions.size(), 1u);
  EXPECT_EQ(result.pipeline.decisions[0].reason, "rule 1: if $CI_COMMIT_BRANCH == \"dev\" is true");
  context.pipeline.ref_type = RefType::kTag;
  EXPECT_TRUE(job_named(run(text, context), "a").allow_failure);
  EXPECT_TRUE(job_named(run("a: {script: x, when: manual}"), "a").allow_failure);
}

TEST(Rules, ChangesAndExists) {
  std::string text =
      "docs: {script: x, rules: [{changes: ['docs/**/*']}]}\n"
      "code: {script: x, rules: [{changes: {paths: ['$DIR/*.c']}}], variables: {DIR: src}}\n"
      "base: {script: x, rules: [{changes: {paths: [a], compare_to: main}}]}\n"
      "there: {script: x, rules: [{exists: ['**/*.c']}]}\n"
      "gone: {script: x, rules: [{exists: [nope]}]}\n";
  MemoryFiles files;
  files.files = {{"src/a.c", ""}};
  files.changed["main"] = {"a"};
  Context context = test_context();
  EXPECT_EQ(names(run(text, context, &files)), (Names{"docs", "code", "base", "there"})) << "unknown changes are true";
  context.changed_paths = {"src/a.c"};
  EXPECT_EQ(names(run(text, context, &files)), (Names{"code", "base", "there"}));
  context.changed_paths.emplace();
  files.changed.clear();
  Compiled result = run(text, context, &files);
  EXPECT_EQ(result.errors.at(0).message, "Failed to parse rule for base: rules:changes:compare_to is not a valid ref");
}

TEST(Policies, DefaultsAndRefs) {
  Context merge_request = test_context();
  merge_request.pipeline.source = "merge_request_event";
  merge_request.pipeline.ref_type = RefType::kMergeRequest;
  std::string text =
      "plain: {script: x}\n"
      "mr: {script: x, only: [merge_requests]}\n"
      "main: {script: x, only: [main]}\n"
      "regex: {script: x, only: ['/^ma/']}\n"
      "other: {script: x, except: [branches, merge_requests]}\n"
      "elsewhere: {script: x, only: ['main@other/project']}\n"
      "here: {script: x, only: ['main@group/sub/app']}\n"
      "var: {script: x, only: {variables: ['$CI_COMMIT_REF_NAME == \"main\"']}}\n"
      "pushes: {script: x, only: {refs: [pushes]}}\n";
  EXPECT_EQ(names(run(text)), (Names{"plain", "main", "regex", "here", "var", "pushes"}));
  EXPECT_EQ(names(run(text, merge_request)), Names{"mr"});
  EXPECT_EQ(names(run("workflow: {rules: [{when: always}]}\na: {script: x}", merge_request)), Names{"a"});
}

TEST(Workflow, FiltersNamesAndSetsVariables) {
  std::string text =
      "workflow:\n  name: 'Run of $WHAT'\n  rules:\n"
      "    - {if: '$CI_PIPELINE_SOURCE == \"push\"', variables: {WHAT: push}}\n"
      "variables: {WHAT: root, OTHER: root}\n"
      "a: {script: x}\nb: {script: x, variables: {WHAT: job}, inherit: {variables: false}}\n";
  Compiled result = run(text);
  EXPECT_EQ(result.pipeline.name, "Run of push");
  EXPECT_EQ(find(job_named(result, "a").variables, "WHAT")->value, "push");
  EXPECT_EQ(find(job_named(result, "b").variables, "WHAT")->value, "job");
  EXPECT_EQ(find(job_named(result, "b").variables, "OTHER"), nullptr);
  Context context = test_context();
  context.pipeline.source = "web";
  result = run(text, context);
  EXPECT_EQ(result.outcome, Outcome::kFiltered);
  EXPECT_EQ(result.message, "Pipeline filtered out by workflow rules.");
}

TEST(Parallel, NamesAndNeeds) {
  Compiled result =
      run("build: {stage: build, script: x, parallel: 2}\n"
          "one: {stage: build, script: x, parallel: 1}\n"
          "m: {stage: build, script: x, parallel: {matrix: [{A: [1, 2], B: x}, {A: 3}]}}\n"
          "t: {script: x, needs: [build, {job: m, parallel: {matrix: [{B: x, A: 2}]}}], dependencies: [build]}\n"
          "u: {script: x, needs: ['build 1/2', 'm: [3]']}\n"
          "v: {script: x, parallel: {matrix: [{A: [1, 2]}]}, needs: [{job: m, parallel: {matrix: [{A: ['$[[ matrix.A "
          "]]'], B: x}]}}]}\n");
  ASSERT_EQ(result.outcome, Outcome::kCreated) << result.errors.front().text();
  EXPECT_EQ(names(result), (Names{"build 1/2", "build 2/2", "one 1/1", "m: [1, x]", "m: [2, x]", "m: [3]", "t", "u",
                                  "v: [1]", "v: [2]"}));
  const Job& t = job_named(result, "t");
  ASSERT_EQ(t.needs->size(), 3u);
  EXPECT_EQ((*t.needs)[2].job, "m: [2, x]");
  EXPECT_EQ(*t.dependencies, (Names{"build 1/2", "build 2/2"}));
  EXPECT_EQ(job_named(result, "v: [2]").needs->at(0).job, "m: [2, x]");
  const Job& m = job_named(result, "m: [2, x]");
  EXPECT_EQ(m.node_index, 2);
  EXPECT_EQ(m.node_total, 3);
  EXPECT_EQ(find(m.variables, "A")->value, "2");
  EXPECT_EQ(group_name("m: [2, x]"), "m");
  EXPECT_EQ(group_name("build 1/2"), "build");
  EXPECT_EQ(group_name("build"), "build");
}

TEST(Cache, KeysMadeOfFiles) {
  MemoryFiles files;
  files.files = {{"one", "hello\n"}, {"two.lock", "world\n"}};
  auto key = [&](const std::string& cache) {
    Compiled result = run("a: {script: x, cache: {paths: [p], key: " + cache + "}}", test_context(), &files);
    return result.errors.empty() ? result.pipeline.jobs.at(0).caches.at(0).key : result.errors[0].message;
  };
  EXPECT_EQ(key("{files: [one], prefix: p}"), "p-126780f1d4ae55fc826963e2e5d7ba7916e8903f");
  EXPECT_EQ(key("{files: [one], prefix: ''}"), "126780f1d4ae55fc826963e2e5d7ba7916e8903f");
  EXPECT_EQ(key("{files: [one, two.lock]}"), "0_one_two-82e8c45440a172e398b420fef0599c0697859851");
  EXPECT_EQ(key("{files: [nope.x]}"), "0_nope-default");
  EXPECT_EQ(key("{files: ['*']}"), "0_*-82e8c45440a172e398b420fef0599c0697859851");
  EXPECT_EQ(key("$CI_COMMIT_REF_SLUG"), "$CI_COMMIT_REF_SLUG");
}

TEST(Defaults, NullInheritsAndListsReplace) {
  Compiled result =
      run("image: old\ndefault: {before_script: [d], tags: [t], retry: 1}\n"
          "a: {script: x, before_script: }\nb: {script: x, before_script: []}\n"
          "c: {script: x, inherit: {default: [tags]}}\nd: {script: x, inherit: {default: false}}\n");
  EXPECT_EQ(job_named(result, "a").before_script, Names{"d"});
  EXPECT_EQ(job_named(result, "a").image->name, "old");
  EXPECT_TRUE(job_named(result, "b").before_script.empty());
  EXPECT_EQ(job_named(result, "c").tags, Names{"t"});
  EXPECT_FALSE(job_named(result, "c").retry);
  EXPECT_FALSE(job_named(result, "d").image);
}

TEST(Extends, ParentsInOrderAndNullsDelete) {
  Compiled result =
      run(".base: {script: [b], variables: {A: b, B: b}}\n.over: {variables: {B: o, C: o}}\n"
          "job: {extends: [.base, .over], variables: {A: }}\n");
  const Job& job = job_named(result, "job");
  EXPECT_EQ(find(job.variables, "A")->value, "");
  EXPECT_EQ(find(job.variables, "B")->value, "o");
  EXPECT_EQ(job.script, Names{"b"});
}

TEST(References, NestAndFlatten) {
  Compiled result =
      run(".a: {script: [one, two]}\n.b: {script: [!reference [.a, script], three]}\n"
          "job: {script: [zero, !reference [.b, script]], variables: !reference [.v, variables]}\n.v: {variables: {X: "
          "y}}\n");
  ASSERT_TRUE(result.errors.empty()) << result.errors[0].text();
  EXPECT_EQ(job_named(result, "job").script, (Names{"zero", "one", "two", "three"}));
  EXPECT_EQ(find(job_named(result, "job").variables, "X")->value, "y");
}

TEST(Environment, NameIsExpandedAndTagsToo) {
  Compiled result =
      run("variables: {WHERE: 'review/$CI_COMMIT_REF_SLUG'}\n"
          "a: {script: x, tags: [$KIND, $NOPE], variables: {KIND: big}, environment: {name: $WHERE, url: "
          "'https://$CI_ENVIRONMENT_SLUG'}}\n");
  const Job& job = job_named(result, "a");
  EXPECT_EQ(job.environment->name, "review/main");
  EXPECT_EQ(job.environment->url, "https://$CI_ENVIRONMENT_SLUG");
  EXPECT_EQ(job.tags, (Names{"big", "$NOPE"}));
}

TEST(Warnings, DoNotBlock) {
  Compiled result = run("variables: {MODE: 0755}\na: {script: x, script: y, rules: [{when: always}]}\n");
  EXPECT_EQ(result.outcome, Outcome::kCreated);
  ASSERT_EQ(result.warnings.size(), 3u);
  EXPECT_EQ(result.warnings[0].message, "duplicate key script: the value in line 2 replaces the one in line 2");
  EXPECT_EQ(result.warnings[1].message, "variables:MODE: YAML takes 0755 for 493; quote it to keep it as written");
}

TEST(Skip, CommitMessages) {
  EXPECT_TRUE(skip_requested("x [ci skip]"));
  EXPECT_TRUE(skip_requested("[Skip-CI] y"));
  EXPECT_TRUE(skip_requested("[skip_ci]"));
  EXPECT_FALSE(skip_requested("skip ci"));
}

TEST(Compile, SurvivesBigInput) {
  std::string bomb = ".a: &a {script: [x], variables: {A: b}}\n";
  for (int i = 0; i < 2000; ++i) bomb += "j" + std::to_string(i) + ": {<<: *a, parallel: 200}\n";
  EXPECT_EQ(run(bomb).errors.at(0).message, "Total size of combined CI/CD configuration is too big");
  std::string references = "r0: [x]\n";
  for (int i = 1; i < 60; ++i)
    references += "r" + std::to_string(i) + ": [!reference [r" + std::to_string(i - 1) + "], !reference [r" +
                  std::to_string(i - 1) + "]]\n";
  EXPECT_NE(run(references).errors.at(0).message.find("makes the configuration too big"), std::string::npos);
  std::string chain = "j0: {script: x}\n";
  for (int i = 1; i < 3000; ++i)
    chain += "j" + std::to_string(i) + ": {script: x, needs: [j" + std::to_string(i - 1) + "]}\n";
  EXPECT_EQ(run(chain).outcome, Outcome::kCreated);
}
} // namespace
} // namespace ci
