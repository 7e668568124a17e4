// Whole jobs: the behaviours that upstream's shared tests pin for every executor, without git (job_git_test.cpp).
#include "job/job_harness.hpp"

namespace job::testing {
namespace {

TEST_F(JobTest, SuccessLooksLikeUpstreams) {
  script({"echo hello"});
  run();
  EXPECT_TRUE(result_.success);
  std::string text = log();
  // Section times out of the way.
  for (std::size_t at = 0; (at = text.find("section_", at)) != std::string::npos; ++at) {
    const auto digits = text.find(':', at) + 1;
    text.replace(digits, 10, "T");
  }
  const std::string host = [] {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return std::string(name);
  }();
  const auto line_end = text.find('\n');
  EXPECT_TRUE(text.starts_with("\x1b[0KRunning with forerunner "));
  EXPECT_EQ(text.substr(line_end + 1),
            "\x1b[0K  on runner abcdefghi, system ID: s_0123456789ab\x1b[0;m\n"
            "\x1b[0K  feature flags: FF_TIMESTAMPS:false\x1b[0;m\n"
            "section_start:T:prepare_executor\r\x1b[0K\x1b[0K\x1b[36;1mPreparing the \"shell\" "
            "executor\x1b[0;m\x1b[0;m\n"
            "\x1b[0KUsing Shell (bash) executor...\x1b[0;m\n"
            "section_end:T:prepare_executor\r\x1b[0Ksection_start:T:prepare_script\r\x1b[0K\x1b[0K\x1b[36;1mPreparing "
            "environment\x1b[0;m\x1b[0;m\n"
            "Running on " +
                host +
                "...\n"
                "section_end:T:prepare_script\r\x1b[0Ksection_start:T:get_sources\r\x1b[0K\x1b[0K\x1b[36;1mGetting "
                "source from Git repository\x1b[0;m\x1b[0;m\n"
                "\x1b[32;1mSkipping Git repository setup\x1b[0;m\n"
                "\x1b[32;1mSkipping Git checkout\x1b[0;m\n"
                "\x1b[32;1mSkipping Git submodules setup\x1b[0;m\n"
                "section_end:T:get_sources\r\x1b[0Ksection_start:T:step_script\r\x1b[0K\x1b[0K\x1b[36;1mExecuting "
                "\"step_script\" stage of the job script\x1b[0;m\x1b[0;m\n"
                "\x1b[32;1m$ echo hello\x1b[0;m\n"
                "hello\n"
                "section_end:T:step_script\r\x1b[0Ksection_start:T:cleanup_file_variables\r\x1b[0K\x1b[0K"
                "\x1b[36;1mCleaning up project directory and file based variables\x1b[0;m\x1b[0;m\n"
                "section_end:T:cleanup_file_variables\r\x1b[0K\x1b[32;1mJob succeeded\x1b[0;m\n");
}

TEST_F(JobTest, FailingScript) {
  script({"exit 3"});
  run();
  EXPECT_FALSE(result_.success);
  EXPECT_EQ(reason(), "script_failure");
  EXPECT_EQ(result_.exit_code, 3);
  EXPECT_TRUE(log().ends_with("\x1b[31;1mERROR: Job failed: exit status 3\x1b[0;m\n"));
}

// S1, S3
TEST_F(JobTest, FirstFailingStepEndsTheListAndAfterScriptRuns) {
  script({"echo status $CI_JOB_STATUS", "false"});
  step("release", {"echo released"});
  after_script({"echo after $CI_JOB_STATUS"});
  run();
  EXPECT_EQ(result_.exit_code, 1);
  EXPECT_TRUE(has("status running"));
  EXPECT_FALSE(has("\nreleased"));
  EXPECT_TRUE(has("\x1b[32;1mRunning after script...\x1b[0;m\n"));
  EXPECT_TRUE(has("\nafter failed\n"));
}

TEST_F(JobTest, LaterStepsRunAfterASuccess) {
  script({"true"});
  step("release", {"echo releasing $CI_JOB_ID_X"});
  after_script({"echo after $CI_JOB_STATUS"});
  variable("CI_JOB_ID_X", "77");
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("$ echo releasing 77")) << "lines of release are expanded by the runner";
  EXPECT_TRUE(has("Executing \"step_release\" stage of the job script"));
  EXPECT_TRUE(has("\nafter success\n"));
}

// S2
TEST_F(JobTest, AfterScriptErrorsAreIgnoredUnlessAskedFor) {
  script({"true"});
  after_script({"exit 4"});
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("WARNING: after_script failed, but job will continue unaffected: exit status 4"));
  variable("AFTER_SCRIPT_IGNORE_ERRORS", "false");
  run();
  EXPECT_FALSE(result_.success);
  EXPECT_EQ(result_.exit_code, 4);
}

// S4, T19
TEST_F(JobTest, VariablesExpandOnceAndRawOnesNever) {
  variable("RAW", "$VARIABLE$WITH$DOLLARS$$", R"("raw":true)");
  variable("PUBLIC", "value_of_$undefined_one");
  variable("NESTED", "value_of_$PUBLIC");
  variable("MY_FILE", "contents\n", R"("file":true)");
  variable("BESIDE", "${MY_FILE}_FOOBAR");
  script({"printf '%s|\\n' \"$RAW\" \"$NESTED\" \"$BESIDE\"", "cat $MY_FILE", "stat -c %a $MY_FILE"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\n$VARIABLE$WITH$DOLLARS$$|\nvalue_of_value_of_$undefined_one|\n" + project_dir() +
                  ".tmp/MY_FILE_FOOBAR|\n"))
      << log();
  EXPECT_TRUE(has("\ncontents\n"));
  EXPECT_TRUE(has("\n600\n"));
  EXPECT_TRUE(sys::list_directory(project_dir() + ".tmp")->empty()) << "S16: file variables are gone";
}

TEST_F(JobTest, EnvironmentOfTheScripts) {
  runner_.set("environment", json::Value(json::Array{json::Value("FROM_RUNNER=1"), json::Value("OVERRIDDEN=runner")}));
  variable("OVERRIDDEN", "job");
  script({"env | sort"});
  run();
  for (std::string_view line :
       {"CI_BUILDS_DIR=", "CI_CONCURRENT_ID=0", "CI_CONCURRENT_PROJECT_ID=0", "CI_JOB_TIMEOUT=600", "CI_SERVER=yes",
        "CI_RUNNER_SHORT_TOKEN=abcdefghi", "CI_SHARED_ENVIRONMENT=true", "FF_USE_FASTZIP=true", "FF_TIMESTAMPS=false",
        "FROM_RUNNER=1", "OVERRIDDEN=job", "CI_JOB_TOKEN=[MASKED]"})
    EXPECT_TRUE(has("\n" + std::string(line))) << line;
  EXPECT_TRUE(has("\nCI_PROJECT_DIR=" + project_dir()));
  EXPECT_FALSE(has("must-not-be-seen"));
  EXPECT_FALSE(has("CI_DISPOSABLE_ENVIRONMENT"));
}

// T6
TEST_F(JobTest, StdinIsClosed) {
  script({"read -t 5 line || echo \"eof, not [$line]\"", "echo marker"});
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("\neof, not []\n"));
  EXPECT_TRUE(has("\nmarker\n"));
}

// T12, T13
TEST_F(JobTest, OutputLimit) {
  runner_.set("output_limit", 1);
  script({"head -c 5000 /dev/zero | tr '\\0' x", "exit 1"});
  run();
  EXPECT_EQ(reason(), "script_failure");
  EXPECT_EQ(result_.exit_code, 1);
  EXPECT_TRUE(has("Job's log exceeded limit of 1024 bytes."));
  EXPECT_TRUE(has("Job execution will continue but no more output will be collected."));
  EXPECT_TRUE(has("Job failed: exit status 1")) << "the verdict is kept";
}

// T15
TEST_F(JobTest, Masking) {
  variable("MASKED_KEY", "MASKED_VALUE", R"("masked":true)");
  variable("MASKED_KEY_OTHER", "MASKED_VALUE_OTHER", R"("masked":true)");
  variable("CLEARTEXT_KEY", "CLEARTEXT_VALUE");
  member("features")
      .set("token_mask_prefixes", json::Value(json::Array{json::Value("mytoken:"), json::Value("foobar-")}));
  script({"echo MASKED_KEY=$MASKED_KEY", "echo MASKED_KEY_OTHER=$MASKED_KEY_OTHER", "echo CLEARTEXT_KEY=$CLEARTEXT_KEY",
          "echo 'https://example.com/?x-amz-credential=foobar'",
          "echo glpat-abcdef mytoken:ghijklmno foobar-pqrstuvwxyz", "echo job $CI_JOB_TOKEN"});
  run();
  EXPECT_TRUE(has("\nMASKED_KEY=[MASKED]\n"));
  EXPECT_TRUE(has("\nMASKED_KEY_OTHER=[MASKED]\n"));
  EXPECT_TRUE(has("\nCLEARTEXT_KEY=CLEARTEXT_VALUE\n"));
  EXPECT_TRUE(has("x-amz-credential=[MASKED]"));
  EXPECT_TRUE(has("\nglpat-[MASKED] mytoken:[MASKED] foobar-[MASKED]\n"));
  EXPECT_TRUE(has("\njob [MASKED]\n"));
}

// T16
TEST_F(JobTest, TheErrorLineIsMasked) {
  variable("A", "Job failed: exit status 1", R"("masked":true)");
  script({"false"});
  run();
  EXPECT_TRUE(has("ERROR: [MASKED]"));
}

// T20, T21
TEST_F(JobTest, GitlabEnvReachesLaterStagesAndNoOtherJob) {
  variable("existing", "existingvalue");
  script({"echo 'hello=world' >> $GITLAB_ENV", "echo 'executed=$(echo yes)' >> $GITLAB_ENV",
          "echo 'not an assignment' >> $GITLAB_ENV", "echo 'exit=a=b' >> $GITLAB_ENV"});
  step("custom", {"echo hellovalue=$hello", "printf 'foo=bar' >> $GITLAB_ENV"});
  after_script({"echo foovalue=$foo existing=$existing $exit", "echo \"$executed\""});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\nhellovalue=world\n"));
  EXPECT_TRUE(has("\nfoovalue=bar existing=existingvalue a=b\n"));
  EXPECT_TRUE(has("\n$(echo yes)\n"));
  EXPECT_TRUE(has("ignored: not an assignment"));
  member("steps") = json::Value::array();
  script({"echo \"value: [$hello]\""});
  run();
  EXPECT_TRUE(has("\nvalue: []\n"));
}

// S12, S13
TEST_F(JobTest, DebugTraceAndCollapsedCommands) {
  script({"echo one\necho two"});
  run();
  EXPECT_TRUE(has("$ echo one # collapsed multi-line command"));
  EXPECT_FALSE(has("+ echo one"));
  variable("CI_DEBUG_TRACE", "true");
  run();
  EXPECT_TRUE(has("+ echo one"));
  runner_.set("debug_trace_disabled", true);
  run();
  EXPECT_FALSE(has("+ echo one"));
  EXPECT_TRUE(has("WARNING: CI_DEBUG_TRACE: usage is disabled on this Runner"));
}

// S21
TEST_F(JobTest, BlocksMaySpanItems) {
  script({"if true; then", "echo yes", "else", "echo no", "fi"});
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("\nyes\n"));
}

TEST_F(JobTest, ShExecutor) {
  runner_.set("shell", "sh");
  variable("ODD", "a'b\"c\\n$x`y`");
  script({"printf '%s\\n' \"$ODD\""});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("Using Shell (sh) executor..."));
  EXPECT_TRUE(has("\na'b\"c\\n$x`y`\n") || has("\na'b\"c\\n`y`\n")) << log();
}

TEST_F(JobTest, SettingWarningsComeTogether) {
  variable("GET_SOURCES_ATTEMPTS", "11");
  variable("GIT_CHECKOUT", "perhaps");
  variable("FF_SCRIPT_SECTIONS", "x");
  script({"true"});
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(
      has("\x1b[0;33mWARNING: GIT_CHECKOUT: expected bool got \"perhaps\", using default value: true\n"
          "GET_SOURCES_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10\n"
          "FF_SCRIPT_SECTIONS: could not parse feature flag, expected bool, got x\x1b[0;m\n"))
      << log();
}

// S18
TEST_F(JobTest, GitClonePath) {
  variable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/elsewhere");
  script({"pwd"});
  run();
  EXPECT_EQ(reason(), "runner_configuration_error");
  EXPECT_TRUE(has("ERROR: Job failed: setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir` feature"));
  runner_.set("custom_build_dir", json::Value::object({{"enabled", true}}));
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("\n" + temp_.path("work/builds/elsewhere") + "\n"));
  variable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/../outside");
  run();
  EXPECT_EQ(reason(), "runner_configuration_error");
}

TEST_F(JobTest, EmptyStrategyRemovesLeftovers) {
  variable("GIT_STRATEGY", "empty");
  script({"ls -A", "touch left; mkdir -p ro/x; chmod a-w ro"});
  run();
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_FALSE(has("\nleft\n"));
  EXPECT_TRUE(has("Skipping Git repository setup and creating an empty build directory"));
}

TEST_F(JobTest, BrokenProfileFailsInPrepareEnvironment) {
  ASSERT_TRUE(sys::write_file(temp_.path("home/.profile"), "exit 9\n"));
  ASSERT_TRUE(sys::write_file(temp_.path("home/.bash_profile"), "exit 9\n"));
  script({"echo not reached"});
  after_script({"echo not reached either"});
  run();
  EXPECT_EQ(reason(), "script_failure");
  EXPECT_TRUE(
      has("Job failed: prepare environment: exit status 9. Check "
          "https://docs.gitlab.com/runner/shells/#shell-profile-loading for more information"))
      << log();
  EXPECT_FALSE(has("not reached"));
}

TEST_F(JobTest, BadVariableNamesFailInGetSources) {
  variable("A.B", "x");
  script({"echo not reached"});
  run();
  EXPECT_EQ(reason(), "script_failure");
  EXPECT_EQ(result_.exit_code, 1);
  EXPECT_FALSE(has("not reached"));
  EXPECT_FALSE(has("step_script"));
}

TEST_F(JobTest, UnknownExecutorAndShell) {
  runner_.set("shell", "fish");
  script({"true"});
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_TRUE(has("ERROR: Preparation failed: shell fish not found"));
  runner_.set("executor", "kubernetes");
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
}

TEST_F(JobTest, WhatIsNotSupportedIsSaidClearly) {
  script({"true"});
  member("secrets") = *json::parse(R"({"DB": {"vault": {"path": "x"}}})");
  run();
  EXPECT_EQ(reason(), "runner_configuration_error");
  EXPECT_TRUE(has("the secrets provider vault is not supported yet")) << log();
  member("secrets") = json::Value();
  member("run") = "[{\"name\":\"a\",\"script\":\"true\"}]";
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_EQ(result_.exit_code, 3);
  EXPECT_EQ(log(), "the `run` and `script` keywords cannot be used together\n");
  member("steps") = json::Value::array();
  run();
  EXPECT_EQ(reason(), "runner_configuration_error");
}

TEST_F(JobTest, WrongTypesAreReported) {
  start_text(R"({"id": 5, "token": "x", "steps": [{"name": "script", "script": "not a list"}]})");
  finish();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_TRUE(has("the job's payload could not be read: steps[0].script")) << log();
}

TEST_F(JobTest, Inputs) {
  member("inputs") =
      *json::parse(R"([{"key": "who", "value": {"type": "string", "content": "world", "sensitive": false}}])");
  script({"echo hello ${{ job.inputs.who }}"});
  run();
  EXPECT_TRUE(has("\nhello world\n"));
  member("steps") = json::Value::array();
  script({"echo ${{ job.inputs.nobody }}"});
  run();
  EXPECT_EQ(reason(), "runner_configuration_error");
  EXPECT_TRUE(has("Job failed: failed to interpolate job inputs: ")) << log();
}

// T1
TEST_F(JobTest, ScriptTimeout) {
  variable("RUNNER_SCRIPT_TIMEOUT", "1s");
  script({"sleep 3600"});
  after_script({"echo job status $CI_JOB_STATUS"});
  run();
  EXPECT_EQ(reason(), "job_execution_timeout");
  EXPECT_TRUE(has("\njob status timedout\n")) << log();
  EXPECT_TRUE(has("WARNING: step_script could not run to completion because the timeout was exceeded."));
  EXPECT_TRUE(has("ERROR: Job failed: script timeout: context deadline exceeded"));
}

TEST_F(JobTest, JobTimeout) {
  member("runner_info").set("timeout", 1);
  variable("SECRET", "x", R"("file":true)");
  script({"sleep 3600"});
  after_script({"echo not reached"});
  run();
  EXPECT_EQ(reason(), "job_execution_timeout");
  EXPECT_TRUE(has("ERROR: Job failed: execution took longer than 1s seconds"));
  EXPECT_FALSE(has("not reached"));
  EXPECT_FALSE(has("Cleaning up")) << "quietly, as upstream shows nothing";
  EXPECT_TRUE(sys::list_directory(project_dir() + ".tmp")->empty());
}

// T2
TEST_F(JobTest, Interrupt) {
  variable("SECRET", "x", R"("file":true)");
  script({"echo begun", "sleep 3600"});
  after_script({"echo not reached"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  command("interrupt terminated");
  finish();
  EXPECT_EQ(reason(), "runner_interrupted");
  EXPECT_TRUE(has("ERROR: Job failed: aborted: terminated"));
  EXPECT_FALSE(has("Running after_script"));
  EXPECT_FALSE(result_.aborted);
  EXPECT_TRUE(sys::list_directory(project_dir() + ".tmp")->empty());
}

// T3
TEST_F(JobTest, Abort) {
  script({"echo begun", "sleep 3600"});
  after_script({"echo not reached"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  command("abort");
  finish();
  EXPECT_EQ(reason(), "job_canceled");
  EXPECT_TRUE(result_.aborted);
  EXPECT_FALSE(has("Running after_script"));
}

// T4
TEST_F(JobTest, Cancel) {
  script({"echo begun", "sleep 3600"});
  after_script({"echo job status $CI_JOB_STATUS"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  command("cancel");
  finish();
  EXPECT_EQ(reason(), "job_canceled");
  EXPECT_FALSE(result_.aborted);
  EXPECT_TRUE(has("WARNING: script canceled externally (UI, API)"));
  EXPECT_TRUE(has("\njob status canceled\n")) << log();
  EXPECT_TRUE(log().ends_with("ERROR: Job failed: canceled\x1b[0;m\n"));
}

TEST_F(JobTest, CancelDuringAfterScriptChangesNothing) {
  script({"true"});
  after_script({"echo begun", "sleep 0.5", "echo ended"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  command("cancel");
  finish();
  EXPECT_TRUE(result_.success);
  EXPECT_TRUE(has("\nended\n"));
}

TEST_F(JobTest, SigtermToTheWorkerIsAnInterrupt) {
  script({"echo begun", "sleep 3600"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  ASSERT_NO_FATAL_FAILURE(signal_worker(SIGTERM));
  finish();
  EXPECT_EQ(reason(), "runner_interrupted");
  EXPECT_TRUE(has("aborted: terminated"));
}

TEST_F(JobTest, ControlTellsSizesAndTheEnd) {
  script({"echo begun", "sleep 0.3"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("\nbegun\n"));
  auto channel = JobDirectory(directory_).connect_control();
  ASSERT_TRUE(channel);
  std::vector<std::string> lines;
  for (;;) {
    auto line = channel->receive({});
    if (!line || !line->has_value()) break;
    lines.push_back(**line);
  }
  finish();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front(), "stage step_script");
  EXPECT_EQ(lines.back(), "done");
  EXPECT_EQ(lines[lines.size() - 2], "log " + std::to_string(result_.bytes));
}

TEST_F(JobTest, NothingSurvivesAStage) {
  script({"cat > loop.sh <<'END'\necho $1=$$\nexec sleep 7777\nEND", "setsid sh loop.sh A &", "(sh loop.sh B &)",
          "sh loop.sh C &", "trap '' TERM; sleep 1", "echo ended"});
  const auto begin = std::chrono::steady_clock::now();
  run();
  EXPECT_TRUE(result_.success);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  for (const char* name : {"A", "B", "C"}) {
    ASSERT_GT(pid_in_log(name), 0) << log();
    EXPECT_FALSE(is_alive(pid_in_log(name))) << name;
  }
}

TEST_F(JobTest, HelpersAreCalledForArtifactsAndCaches) {
  const std::string helper = temp_.path("helper");
  ASSERT_TRUE(sys::write_file(helper, "#!/bin/sh\necho \"helper: $*\"\n", 0755));
  context_.runner_command = helper;
  member("cache") = *json::parse(R"([{"key": "deps-$CI_COMMIT_REF_SLUG", "paths": ["vendor"], "policy": "pull-push"},
                                     {"key": "other", "paths": ["x"], "policy": "pull"}])");
  member("artifacts") =
      *json::parse(R"([{"name": "out", "paths": ["a"], "artifact_type": "archive", "artifact_format": "zip"},
                                         {"paths": ["b"], "when": "on_failure"}])");
  member("dependencies") = *json::parse(
      R"([{"id": 3, "name": "build", "token": "dep", "artifacts_file": {"filename": "a.zip", "size": 3}}])");
  variable("CI_COMMIT_REF_SLUG", "main");
  script({"true"});
  run();
  EXPECT_TRUE(result_.success) << log();
  EXPECT_TRUE(has("helper: cache-extractor --file ../../../../../cache/g/p/deps-main/cache.zip --timeout 10")) << log();
  EXPECT_TRUE(has("helper: artifacts-downloader --url https://gitlab.invalid --id 3\n"));
  EXPECT_TRUE(has("helper: cache-archiver --file ../../../../../cache/g/p/deps-main/cache.zip --alternate-file "));
  EXPECT_TRUE(has("Not uploading cache other due to policy"));
  EXPECT_TRUE(
      has("helper: artifacts-uploader --url https://gitlab.invalid --id 42 --timeout 1h0m0s "
          "--response-header-timeout 10m0s --path a --name out --artifact-format zip --artifact-type archive\n"));
  EXPECT_FALSE(has("--path b"));
  member("cache") = *json::parse(R"([{"key": "k", "paths": ["x"], "policy": "sometimes"}])");
  run();
  EXPECT_EQ(reason(), "runner_system_failure");
  EXPECT_TRUE(has("unknown cache policy sometimes for k"));
}

TEST_F(JobTest, EpilogueOfADeadWorker) {
  script({"echo shell=$BASHPID", "printf half; exec sleep 3600"});
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(wait_for("shell="));
  ASSERT_NO_FATAL_FAILURE(wait_for("\nhalf"));
  ASSERT_NO_FATAL_FAILURE(signal_worker(SIGKILL));
  ::waitpid(pid_, nullptr, 0);
  const JobDirectory directory(directory_);
  EXPECT_FALSE(*directory.worker_alive());
  auto result = directory.append_epilogue("the job's worker process died");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->failure_reason, gitlab::FailureReason::kRunnerSystemFailure);
  EXPECT_TRUE(
      log().ends_with("half\n\x1b[31;1mERROR: Job failed (system failure): the job's worker process "
                      "died\x1b[0;m\n"))
      << log();
  const std::string before = log();
  auto again = directory.append_epilogue("again");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->crc32, result->crc32);
  EXPECT_EQ(log(), before);
  signal_one(pid_in_log("shell"), SIGKILL);
}

TEST_F(JobTest, DirectoriesAreListedAndRemoved) {
  script({"true"});
  run();
  ASSERT_TRUE(sys::make_directories(temp_.path("state/jobs/halfway")));
  auto list = JobDirectory::list(temp_.path("state"));
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_FALSE(sys::exists(temp_.path("state/jobs/halfway")));
  EXPECT_TRUE(list->front().append_delivery(json::Value::object({{"event", "accepted"}})));
  EXPECT_EQ((*list->front().read_delivery())[0]["event"].string_or(""), "accepted");
  EXPECT_TRUE(list->front().remove());
  EXPECT_TRUE(JobDirectory::list(temp_.path("state"))->empty());
}

} // namespace
} // namespace job::testing
