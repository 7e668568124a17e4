#include "gitlab/payload.hpp"

#include <gtest/gtest.h>

namespace gitlab {
namespace {

constexpr std::string_view kComplete = R"({
 "id": 1001, "token": "glcbt-64_x", "allow_git_fetch": true,
 "job_info": {"id":1001,"name":"unit","stage":"test","pipeline_id":77,"project_id":5,"project_name":"demo",
   "project_full_path":"acme/demo","user_id":3,"scoped_user_id":null,"time_in_queue_seconds":1.73,
   "project_jobs_running_on_instance_runners_count":"+Inf","queue_size":2,"queue_depth":1},
 "git_info": {"repo_url":"https://u:p@git/acme/demo.git","ref":"main","sha":"5f6c","before_sha":"0000",
   "ref_type":"branch","refspecs":["+refs/pipelines/77:refs/pipelines/77"],"depth":20,"protected":true},
 "runner_info": {"uuid":"","timeout":3600,"runner_session_url":null},
 "inputs": [{"key":"level","value":{"type":"string","content":"fast","sensitive":false}}],
 "variables": [{"key":"CI","value":"true","public":true},{"key":"CI","value":"2","masked":true,"raw":true,"file":true}],
 "steps": [{"name":"script","script":["make"],"timeout":3600,"when":"on_success","allow_failure":false}],
 "hooks": [{"name":"pre_get_sources_script","script":["echo hi"]}],
 "image": {"name":"alpine","entrypoint":["/bin/sh","-c"],"ports":[],"pull_policy":["always"],
   "executor_opts":{"docker":{"platform":"linux/amd64","user":1000}}},
 "services": [{"name":"postgres:16","alias":"db, postgres","entrypoint":null,"command":null,"ports":[],
   "pull_policy":null,"executor_opts":{},"variables":[{"key":"P","value":"x"}]}],
 "artifacts": [{"name":"out","paths":["build/"],"when":"on_success","artifact_type":"archive","artifact_format":"zip"}],
 "cache": [{"key":"deps","paths":["vendor/"],"policy":"pull-push","fallback_keys":["f"]}],
 "credentials": [{"type":"registry","url":"r:5000","username":"u","password":"pw"}],
 "dependencies": [{"id":1000,"name":"compile","token":"glcbt-1","artifacts_file":{"filename":"a.zip","size":20481}}],
 "features": {"trace_sections":true,"token_mask_prefixes":["glpat-"],"failure_reasons":["script_failure"]},
 "secrets": {"DB":{"vault":{"path":"p"},"file":false},"X":{}},
 "policy_options": null, "suspend_options": {}, "something_new": [1,2]
} trailing)";

TEST(Payload, Complete) {
  const auto job = parse_payload(kComplete);
  ASSERT_TRUE(job) << job.error().message();
  EXPECT_EQ(job->id, 1001);
  EXPECT_EQ(job->token.reveal(), "glcbt-64_x");
  EXPECT_EQ(job->job_info.project_jobs_running_on_instance_runners_count, "+Inf");
  EXPECT_DOUBLE_EQ(job->job_info.time_in_queue_seconds, 1.73);
  EXPECT_FALSE(job->job_info.scoped_user_id);
  EXPECT_EQ(job->git_info.depth, 20);
  EXPECT_EQ(job->git_info.is_protected, true);
  EXPECT_EQ(job->runner_info.timeout, 3600);
  EXPECT_EQ(job->inputs.at(0).value.content.as_string(), "fast");
  EXPECT_EQ(job->find_variable("CI")->value, "2");
  EXPECT_TRUE(job->find_variable("CI")->raw);
  EXPECT_EQ(job->find_variable("NONE"), nullptr);
  EXPECT_EQ(job->steps.at(0).script.at(0), "make");
  EXPECT_EQ(job->hook_script("pre_get_sources_script").at(0), "echo hi");
  EXPECT_TRUE(job->hook_script("other").empty());
  EXPECT_EQ(job->image.executor_opts.docker_user, "1000");
  EXPECT_EQ(job->services.at(0).aliases(), (std::vector<std::string>{"db", "postgres"}));
  EXPECT_EQ(job->cache.at(0).fallback_keys.at(0), "f");
  EXPECT_EQ(job->credentials.at(0).password.reveal(), "pw");
  EXPECT_EQ(job->dependencies.at(0).artifacts_size, 20481);
  EXPECT_TRUE(job->features.trace_sections);
  EXPECT_FALSE(job->secrets.at("DB").file);
  EXPECT_EQ(job->secrets.at("DB").provider, "vault");
  EXPECT_TRUE(job->secrets.at("X").file);
  EXPECT_FALSE(job->policy_options);
}

TEST(Payload, NullsAreZeroValues) {
  const auto job = parse_payload(
      R"({"id":1,"token":null,"job_info":null,"git_info":{"refspecs":null,"depth":null},"variables":null,
      "steps":[{"name":"script","script":null}],"image":null,"services":null,"artifacts":null,"cache":null,
      "credentials":null,"dependencies":[null],"features":null,"secrets":null,"inputs":null,"hooks":null,"run":null})");
  ASSERT_TRUE(job) << job.error().message();
  EXPECT_TRUE(job->image.name.empty());
  EXPECT_EQ(job->dependencies.size(), 1u);
  EXPECT_TRUE(job->steps.at(0).script.empty());
}

TEST(Payload, KeysMatchWithoutCase) {
  const auto job = parse_payload(R"({"ID":7,"Token":"t","GIT_INFO":{"Ref":"main"}})");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->id, 7);
  EXPECT_EQ(job->git_info.ref, "main");
}

std::string error_of(std::string_view text) {
  const auto job = parse_payload(text);
  return job ? "" : job.error().message();
}

TEST(Payload, WrongTypesNameTheField) {
  EXPECT_EQ(error_of(R"({"id":"1"})"), "id: expected an integer, got a string");
  EXPECT_EQ(error_of(R"({"runner_info":{"timeout":3600.0}})"),
            "runner_info.timeout: expected an integer, got a number with a fraction");
  EXPECT_EQ(error_of(R"({"steps":[{"script":"make"}]})"),
            "steps[0].script: expected an array of strings, got a string");
  EXPECT_EQ(error_of(R"({"steps":[{"script":["a",1]}]})"), "steps[0].script[1]: expected a string, got an integer");
  EXPECT_EQ(error_of(R"({"variables":{}})"), "variables: expected an array, got an object");
  EXPECT_EQ(error_of(R"({"image":"alpine"})"), "image: expected an object, got a string");
  EXPECT_EQ(error_of(R"({"secrets":{"A":{"vault":1}}})"), "secrets.A.vault: expected an object, got an integer");
  EXPECT_EQ(error_of(R"({"git_info":{"protected":"yes"}})"), "git_info.protected: expected a boolean, got a string");
  EXPECT_NE(error_of("[]"), "");
  EXPECT_NE(error_of("{"), "");
  EXPECT_NE(error_of(""), "");
}

TEST(Payload, Inputs) {
  EXPECT_EQ(error_of(R"({"inputs":[{"value":{"type":"string","content":"x"}}]})"), "inputs[0]: input without key");
  EXPECT_NE(error_of(R"({"inputs":[{"key":"a","value":{"type":"string","content":null}}]})"), "");
  EXPECT_NE(error_of(R"({"inputs":[{"key":"a","value":{"type":"text","content":"x"}}]})"), "");
  EXPECT_NE(error_of(R"({"inputs":[{"key":"a","value":{"type":"number","content":"1"}}]})"), "");
  EXPECT_EQ(error_of(R"({"inputs":[{"key":"a","value":{"type":"struct","content":{}}}]})"), "");
}

TEST(Payload, Salvage) {
  const auto job = salvage(R"({"id":7,"token":"t","steps":"nonsense"})");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->id, 7);
  EXPECT_EQ(job->token.reveal(), "t");
  EXPECT_FALSE(salvage(R"({"id":7})"));
  EXPECT_FALSE(salvage(R"({"token":"t"})"));
  EXPECT_FALSE(salvage("{"));
}

TEST(Payload, ExecutorOptions) {
  const auto job = parse_payload(
      R"({"image":{"name":"a","executor_opts":{"k8s":{},"docker":{"foobar":1}}},
          "services":[{"name":"s","executor_opts":{"kubernetes":{"foobar":1}}}]})");
  ASSERT_TRUE(job) << job.error().message();
  EXPECT_EQ(check_executor_options(*job),
            (std::vector<std::string>{
                R"(Unsupported "image" options [k8s] for "executor_opts"; supported options are [docker kubernetes])",
                R"(Unsupported "image" options [foobar] for "docker executor"; supported options are [platform user])",
                R"(Unsupported "image" options [foobar] for "kubernetes executor"; supported options are [user])"}));
}

TEST(Payload, Run) {
  const auto status = [](std::string_view text) { return check_run(parse_payload(text).value()); };
  EXPECT_TRUE(status(R"({"steps":[{"script":["x"]}]})"));
  EXPECT_TRUE(status(R"({"run":"[]","steps":[{"script":["x"]}]})"));
  EXPECT_TRUE(status(R"({"run":"[{\"name\":\"a\",\"script\":\"x\"}]"})"));
  EXPECT_FALSE(status(R"({"run":"[{}]","steps":[{"script":["x"]}]})"));
  EXPECT_FALSE(status(R"({"run":"[{}]","variables":[{"key":"STEPS","value":"x"}]})"));
  EXPECT_FALSE(status(R"({"run":"{}"})"));
}

} // namespace
} // namespace gitlab
