// TestProject: a project on a TestServer, a work tree that is pushed to it, and the calls of a runner. For tests only.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordinator/test_server.hpp"
#include "sys/process.hpp"

namespace coordinator {

inline json::Value runner_features() {
  auto features = json::Value::object();
  for (const char* name : {"variables", "artifacts", "cache", "upload_multiple_artifacts", "upload_raw_artifacts",
                           "refspecs", "masking", "artifacts_exclude", "multi_build_steps", "cancelable",
                           "return_exit_code", "fallback_cache_keys", "cancel_gracefully", "two_phase_job_commit"})
    features.set(name, true);
  return features;
}

// A job as it was handed to a runner.
struct Handed {
  int status = 0; // of the poll
  std::int64_t id = 0;
  std::string token;
  std::string name;
  json::Value payload;
  std::string last_update;
  explicit operator bool() const { return status == 201; }
};

class TestProject : public ::testing::Test {
 public:
  TestProject() : tree_(*sys::TempDir::create("work-tree")) {
    project = server.project("demo");
    runner = server.make_runner("project_id", project);
    git({"init", "-q", "-b", "main", "."});
  }

  struct Output {
    int code = 0;
    std::string text; // both streams
  };
  Output git(std::vector<std::string> arguments, std::string directory = "") {
    sys::SpawnOptions options;
    options.argv = {"git", "-c", "protocol.version=2"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.cwd = directory.empty() ? tree_.path() : directory;
    options.env = std::vector<std::string>{
        "PATH=" + *sys::get_env("PATH"),    "HOME=/nonexistent",      "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",      "GIT_TERMINAL_PROMPT=0",  "GIT_AUTHOR_NAME=Ann",
        "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org"};
    auto output = sys::run_command(options);
    if (!output) return {.code = -1, .text = output.error().message()};
    return {.code = output->status.code, .text = output->out + output->err};
  }
  std::string url(const std::string& user = "root", const std::string& password = TestServer::kRoot,
                  const std::string& path = "root/demo") {
    std::string address = server.server().address();
    return fmt::format("http://{}:{}@{}/{}.git", user, password, address.substr(7), path);
  }
  void commit(const std::string& yaml, const std::string& message = "change",
              const std::map<std::string, std::string>& files = {}) {
    if (!yaml.empty()) ASSERT_TRUE(sys::write_file(tree_.path(".gitlab-ci.yml"), yaml));
    for (const auto& [name, content] : files) ASSERT_TRUE(sys::write_file(tree_.path(name), content));
    ASSERT_EQ(git({"add", "-A"}).code, 0);
    auto done = git({"commit", "-q", "--allow-empty", "-m", message});
    ASSERT_EQ(done.code, 0) << done.text;
  }
  Output push(const std::string& yaml, const std::string& message = "change",
              std::vector<std::string> arguments = {"HEAD:refs/heads/main"}) {
    commit(yaml, message);
    std::vector<std::string> all = {"push", url()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return git(all);
  }
  // Pushes and gives the pipeline's id.
  std::int64_t pipeline(const std::string& yaml, const std::string& message = "change") {
    auto done = push(yaml, message);
    EXPECT_EQ(done.code, 0) << done.text;
    return latest()["id"].integer_or(0);
  }
  std::string base() const { return "/projects/" + std::to_string(project); }
  json::Value latest() {
    auto list = server.get(base() + "/pipelines");
    return list.body.size() > 0 ? list.body.as_array()[0] : json::Value();
  }
  json::Value show(std::int64_t pipeline_id) {
    return server.get(fmt::format("{}/pipelines/{}", base(), pipeline_id)).body;
  }
  std::string status(std::int64_t pipeline_id) { return show(pipeline_id)["status"].string_or(""); }
  // Latest jobs: name → job.
  std::map<std::string, json::Value> jobs(std::int64_t pipeline_id) {
    std::map<std::string, json::Value> result;
    auto list = server.get(fmt::format("{}/pipelines/{}/jobs?per_page=100", base(), pipeline_id));
    for (const auto& job : list.body.as_array()) result[job["name"].as_string()] = job;
    return result;
  }
  // "a=success b=pending", by name.
  std::string states(std::int64_t pipeline_id) {
    std::string text;
    for (const auto& [name, job] : jobs(pipeline_id))
      text += (text.empty() ? "" : " ") + name + "=" + job["status"].as_string();
    return text;
  }
  std::int64_t job_id(std::int64_t pipeline_id, const std::string& name) {
    return jobs(pipeline_id)[name]["id"].integer_or(0);
  }
  TestAnswer act(std::int64_t job, const std::string& verb) {
    return server.post(fmt::format("{}/jobs/{}/{}", base(), job, verb), json::Value::object());
  }

  // --- the runner's side -------------------------------------------------------------------------------------------

  json::Value info(const json::Value& features = runner_features()) {
    return json::Value::object({{"name", "test"}, {"version", "18.1.0"}, {"features", features}});
  }
  Handed handed(const TestAnswer& answer) {
    Handed result;
    result.status = answer.status;
    result.last_update = answer.headers.get("X-GitLab-Last-Update");
    result.payload = answer.body;
    if (answer.status != 201) return result;
    result.id = answer.id();
    result.token = answer.body["token"].as_string();
    result.name = answer.body["job_info"]["name"].as_string();
    return result;
  }
  Handed poll(const std::string& token, const json::Value& features = runner_features(),
              const std::string& last_update = "") {
    auto body = json::Value::object({{"token", token}, {"system_id", "s_1"}, {"info", info(features)}});
    if (!last_update.empty()) body.set("last_update", last_update);
    return handed(server.runner("POST", "/jobs/request", body));
  }
  Handed poll() { return poll(runner.token); }
  TestAnswer update(const Handed& job, const std::string& state, const json::Object& more = {}) {
    auto body = json::Value::object({{"token", job.token}, {"state", state}, {"info", info()}});
    for (const auto& [name, value] : more) body.set(name, value);
    return server.runner("PUT", fmt::format("/jobs/{}", job.id), body);
  }
  // Polls, acknowledges.
  Handed start() {
    Handed job = poll();
    EXPECT_EQ(job.status, 201);
    EXPECT_EQ(update(job, "running").status, 200);
    return job;
  }
  void run(const std::string& name, const std::string& state, const json::Object& more = {}) {
    Handed job = start();
    EXPECT_EQ(job.name, name);
    EXPECT_EQ(update(job, state, more).status, 200);
  }
  TestAnswer raw(const std::string& method, const std::string& path, const std::string& body,
                 std::vector<std::pair<std::string, std::string>> headers) {
    net::HttpRequest request;
    request.method = method;
    request.url = server.server().address() + "/api/v4" + path;
    request.headers = std::move(headers);
    request.body = body;
    return answer_to(client_, request);
  }
  TestAnswer patch(const Handed& job, const std::string& text, const std::string& range) {
    std::vector<std::pair<std::string, std::string>> headers = {{"JOB-TOKEN", job.token},
                                                                {"Content-Type", "text/plain"}};
    if (!range.empty()) headers.emplace_back("Content-Range", range);
    return raw("PATCH", fmt::format("/jobs/{}/trace?debug_trace=false", job.id), text, std::move(headers));
  }
  std::string log(std::int64_t job) { return server.get(fmt::format("{}/jobs/{}/trace", base(), job)).text; }
  TestAnswer upload(const Handed& job, const std::string& content, const std::string& query = "",
                    const std::string& name = "artifacts.zip") {
    std::string body = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name +
                       "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n--edge--\r\n";
    return raw("POST", fmt::format("/jobs/{}/artifacts?{}", job.id, query), body,
               {{"JOB-TOKEN", job.token}, {"Content-Type", "multipart/form-data; boundary=edge"}});
  }
  TestAnswer download(std::int64_t id, const std::string& token, const std::string& range = "") {
    std::vector<std::pair<std::string, std::string>> headers = {{"JOB-TOKEN", token}};
    if (!range.empty()) headers.emplace_back("Range", range);
    return raw("GET", fmt::format("/jobs/{}/artifacts?direct_download=true", id), "", std::move(headers));
  }
  // Lets time pass and tells the server to look at its clock.
  void pass(std::chrono::seconds time) {
    server.clock.advance(time);
    server.app().events.eligibility_changed();
  }
  // What another thread of the server does soon.
  static bool eventually(const std::function<bool()>& condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end)
      if (condition()) return true;
    return false;
  }

  TestServer server;
  std::int64_t project = 0;
  TestServer::Runner runner;

 protected:
  const std::string& tree() const { return tree_.path(); }

 private:
  sys::TempDir tree_;
  net::HttpClient client_{net::TlsOptions{}};
};

} // namespace coordinator
