// For tests: whole jobs through worker_main(), each in a process of its own, in a temporary directory.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "job/job_directory.hpp"
#include "job/worker.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"

namespace job::testing {

// GIT_STRATEGY none, no time stamps: what most tests want.
class JobTest : public ::testing::Test {
 protected:
  JobTest() : temp_(std::move(*sys::TempDir::create("job-test"))) {
    payload_ = *json::parse(R"({
      "id": 42, "token": "glcbt-job-token-0123456789", "allow_git_fetch": true,
      "job_info": {"name": "test", "stage": "test", "project_id": 7, "project_name": "p"},
      "git_info": {"repo_url": "https://gitlab-ci-token:glcbt-job-token-0123456789@gitlab.invalid/g/p.git",
                   "ref": "main", "sha": "0123456789abcdef0123456789abcdef01234567", "refspecs": [], "depth": 0},
      "runner_info": {"timeout": 600},
      "variables": [], "steps": [], "artifacts": [], "cache": [], "dependencies": [],
      "features": {"trace_sections": true}})");
    variable("CI_JOB_TOKEN", "glcbt-job-token-0123456789", R"("masked":true)");
    variable("GIT_STRATEGY", "none");
    variable("FF_TIMESTAMPS", "false");
    context_.short_token = "abcdefghi";
    context_.system_id = "s_0123456789ab";
    context_.working_directory = temp_.path("work");
    context_.correlation_id = "01CORRELATION";
    context_.runner_command = "/bin/true";
    runner_ = json::Value::object({{"name", "runner"}, {"url", "https://gitlab.invalid"}, {"executor", "shell"}});
    EXPECT_TRUE(sys::make_directories(temp_.path("work")));
    EXPECT_TRUE(sys::make_directories(temp_.path("home")));
  }

  void variable(const std::string& key, const std::string& value, const std::string& flags = "") {
    json::Value v = *json::parse("{" + flags + "}");
    v.set("key", key);
    v.set("value", value);
    member("variables").push_back(std::move(v));
  }
  void step(const std::string& name, const std::vector<std::string>& script) {
    json::Value lines = json::Value::array();
    for (const auto& line : script) lines.push_back(line);
    member("steps").push_back(json::Value::object({{"name", name}, {"script", std::move(lines)}}));
  }
  void script(const std::vector<std::string>& lines) { step("script", lines); }
  void after_script(const std::vector<std::string>& lines) { step("after_script", lines); }
  json::Value& member(std::string_view key) {
    for (auto& [name, value] : payload_.as_object())
      if (name == key) return value;
    payload_.set(key, json::Value());
    return payload_.as_object().back().second;
  }

  // Starts a worker for the job as it is described now.
  void start() { start_text(payload_.dump()); }
  void start_text(const std::string& payload) {
    context_.runner = runner_;
    auto made = JobDirectory::create(temp_.path("state"), context_.short_token, ++last_id_, payload, context_);
    ASSERT_TRUE(made) << made.error().message();
    directory_ = made->path();
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setsid();
    ::setenv("HOME", temp_.path("home").c_str(), 1);
    ::setenv("FORERUNNER_ROOT_TOKEN", "must-not-be-seen", 1);
    ::setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    ::base::log::set_level(::base::log::Level::kPanic);
    ::_exit(worker_main(directory_));
  }
  // Waits for its end.
  void finish() {
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    auto journal = JobDirectory(directory_).read_journal();
    ASSERT_TRUE(journal);
    ASSERT_TRUE(journal->result) << log();
    result_ = *journal->result;
    EXPECT_EQ(result_.bytes, log().size());
  }
  void run() {
    start();
    if (!HasFatalFailure()) finish();
  }
  // Once the log contains the text.
  void wait_for(std::string_view text) {
    for (int i = 0; i < 3000 && log().find(text) == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_NE(log().find(text), std::string::npos) << log();
  }
  void command(std::string_view line) {
    auto channel = JobDirectory(directory_).connect_control();
    ASSERT_TRUE(channel) << channel.error().message();
    ASSERT_TRUE(channel->send(line, {}));
  }

  std::string log() const { return sys::read_file(directory_ + "/trace").value_or(""); }
  bool has(std::string_view text) const { return log().find(text) != std::string::npos; }
  // Never lets a pid that was not found become kill(-1), which is everybody.
  static void signal_one(pid_t pid, int signal) {
    ASSERT_GT(pid, 1);
    ::kill(pid, signal);
  }
  void signal_worker(int signal) { signal_one(pid_, signal); }
  static bool is_alive(pid_t pid) { return pid > 1 && ::kill(pid, 0) == 0; }
  // The number in the first line "<name>=<number>" of the log.
  pid_t pid_in_log(const std::string& name) const {
    const std::string text = log();
    const auto at = text.find("\n" + name + "=");
    return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + name.size() + 2);
  }
  std::string reason() const { return std::string(gitlab::to_string(result_.failure_reason)); }
  std::string project_dir() const { return temp_.path("work/builds/abcdefghi/0/g/p"); }

  sys::TempDir temp_;
  json::Value payload_;
  json::Value runner_;
  Context context_;
  std::string directory_;
  pid_t pid_ = -1;
  std::int64_t last_id_ = 41;
  JobResult result_;
};

} // namespace job::testing
