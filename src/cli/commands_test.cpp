// The commands that manage runners, run in this process against a scripted server.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <mutex>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "cli/command.hpp"
#include "config/config.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"
#include "sys/files.hpp"

namespace cli {
namespace {

struct Seen {
  std::string line; // "POST /api/v4/runners/verify"
  std::string runner_token;
  std::string request_id;
  json::Value body;
};

// Tokens with "dead" are refused, with "broken" answered 501 (which is not retried), with "text" get a plain 200.
class FakeGitLab {
 public:
  FakeGitLab() {
    for (const auto& [method, path] : {std::pair("POST", "/api/v4/runners"),
                                       {"POST", "/api/v4/runners/verify"},
                                       {"DELETE", "/api/v4/runners"},
                                       {"DELETE", "/api/v4/runners/managers"},
                                       {"POST", "/api/v4/runners/reset_authentication_token"}}) {
      server_.route(method, path, {}, [this](net::Request request, net::Responder out) { answer(request, out); });
    }
    port_ = server_.listen("127.0.0.1:0").value();
    server_.start();
  }
  ~FakeGitLab() { server_.stop(); }

  std::string url() const { return fmt::format("http://127.0.0.1:{}/", port_); }
  std::vector<Seen> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(seen_, {});
  }

 private:
  void answer(const net::Request& request, const net::Responder& out) {
    const json::Value body = json::parse(request.body).value_or(json::Value());
    const std::string token = body["token"].string_or("");
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back({request.method + " " + request.path, std::string(request.headers.get("Runner-Token")),
                       std::string(request.headers.get("X-Request-Id")), body});
    }
    net::Response response;
    response.headers.set("Content-Type", "application/json");
    const json::Value granted = json::Value::object({{"id", 42}, {"token", token}, {"token_expires_at", nullptr}});
    if (token.contains("dead")) {
      response.status = 403;
      response.body = R"({"message":"403 Forbidden"})";
    } else if (token.contains("broken")) {
      response.status = 501;
    } else if (token.contains("text")) {
      response.headers.set("Content-Type", "text/plain");
      response.body = "200";
    } else if (request.method == "DELETE") {
      response.status = 204;
    } else if (request.path.ends_with("verify")) {
      response.body = granted.dump();
    } else if (request.path.ends_with("token")) {
      response.status = 201;
      response.body = R"({"token":"glrt-renewed","token_expires_at":"2030-01-02T03:04:05Z"})";
    } else {
      response.status = 201;
      response.body = R"({"id":43,"token":"glrtr-given","token_expires_at":null})";
    }
    out.send(std::move(response));
  }

  std::mutex mutex_;
  std::vector<Seen> seen_;
  net::HttpServer server_;
  int port_ = 0;
};

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(dir_);
    base::log::set_output_fd(::fileno(log_));
  }
  void TearDown() override {
    base::log::set_output_fd(2);
    std::fclose(log_);
  }

  std::string path() const { return dir_->path("config.toml"); }
  std::string content() const { return sys::read_file(path()).value_or(""); }
  config::Config config() const { return config::load(path()).value(); }

  int run(std::string_view command, Arguments arguments) {
    arguments.insert(arguments.begin(), {"-c", path()});
    return find_command(command)->run({.program = "forerunner"}, arguments);
  }
  int register_runner(Arguments more) {
    more.insert(more.begin(), {"-n", "--url", gitlab_.url()});
    return run("register", std::move(more));
  }
  // What was logged since the last call.
  std::string log() {
    std::fflush(log_);
    const std::string all = sys::read_file(fmt::format("/proc/self/fd/{}", ::fileno(log_))).value_or("");
    const std::string fresh = all.substr(std::min(logged_, all.size()));
    logged_ = all.size();
    return fresh;
  }
  std::vector<std::string> calls() {
    std::vector<std::string> out;
    for (const Seen& seen : gitlab_.take()) out.push_back(seen.line);
    return out;
  }

  base::Result<sys::TempDir> dir_ = sys::TempDir::create();
  FakeGitLab gitlab_;
  std::FILE* log_ = std::tmpfile();
  std::size_t logged_ = 0;
};

using Lines = std::vector<std::string>;

TEST_F(Commands, RegisterACreatedRunner) {
  ASSERT_EQ(register_runner({"-t", "glrt-t1_abcdefghijkl", "--executor", "shell", "--name", "one", "--limit", "3"}), 0)
      << log();
  const std::vector<Seen> seen = gitlab_.take();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].line, "POST /api/v4/runners/verify");
  EXPECT_EQ(seen[0].runner_token, "glrt-t1_abcdefghijkl");
  EXPECT_EQ(seen[0].request_id.size(), 32u);
  EXPECT_EQ(seen[0].body["info"]["executor"].as_string(), "shell");
  EXPECT_FALSE(seen[0].body["system_id"].as_string().empty());
  const config::Config saved = config();
  ASSERT_EQ(saved.runners.size(), 1u);
  EXPECT_EQ(saved.runners[0].id, 42);
  EXPECT_EQ(saved.runners[0].limit, 3);
  EXPECT_GT(saved.runners[0].token_obtained_at, 0);
  const std::string text = log();
  EXPECT_TRUE(text.contains("Verifying runner... is valid")) << text;
  EXPECT_TRUE(text.contains(
      "The specified runner job concurrency limit (3) is larger than current global concurrency limit (1)."))
      << text;
  EXPECT_TRUE(text.contains("Runner registered successfully.")) << text;
  EXPECT_FALSE(text.contains("glrt-t1_abcdefghijkl")) << text;

  ASSERT_EQ(register_runner({"-t", "glrt-t1_abcdefghijkl", "--executor", "shell"}), 0);
  EXPECT_TRUE(log().contains("A runner with this system ID and token has already been registered."));
  EXPECT_EQ(config().runners.size(), 2u);
}

TEST_F(Commands, RegisterWithARegistrationToken) {
  ASSERT_EQ(register_runner({"-r", "GR1348941secret", "--executor", "docker", "--docker-image", "alpine", "--tag-list",
                             "a,b", "--description", "d", "--locked=false"}),
            0);
  const std::vector<Seen> seen = gitlab_.take();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].line, "POST /api/v4/runners");
  EXPECT_EQ(seen[0].body["tag_list"].as_string(), "a,b");
  EXPECT_FALSE(seen[0].body["run_untagged"].as_bool());
  EXPECT_FALSE(seen[0].body["locked"].as_bool());
  EXPECT_EQ(seen[0].body["info"].find("executor"), nullptr);
  EXPECT_EQ(config().runners.at(0).token.reveal(), "glrtr-given");
  EXPECT_TRUE(content().contains("    volumes = [\"/cache\"]\n"));
}

TEST_F(Commands, RegisterRefusals) {
  const auto fails = [&](Arguments arguments, std::string_view message, const Lines& expected) {
    EXPECT_EQ(register_runner(std::move(arguments)), 1);
    const std::string text = log();
    EXPECT_TRUE(text.contains(message)) << text;
    EXPECT_EQ(calls(), expected) << message;
    EXPECT_EQ(content(), "");
  };
  const std::string verify = "POST /api/v4/runners/verify";
  fails({"-t", "glrt-dead", "--executor", "shell"}, "PANIC: Failed to verify the runner.", {verify});
  fails({"-t", "glrt-broken", "--executor", "shell"}, "Verifying runner... failed", {verify});
  fails({"-t", "glrt-text", "--executor", "shell"}, "PANIC: Failed to verify the runner.", {verify, verify});
  fails({"-t", "deadlegacy", "--executor", "shell"}, "You may be having network problems.", {verify});
  fails({"-r", "dead", "--executor", "shell"}, "Registering runner... forbidden (check registration token)",
        {"POST /api/v4/runners"});
  fails({"-t", "glrt-x", "--executor", "shell", "--tag-list", "a"}, "FATAL: Runner configuration other than name", {});
  fails({"-t", "glrt-x", "--executor", "shell", "--locked=false"}, "FATAL: Runner configuration other than name", {});
  fails({"-t", "glrt-x", "--executor", "shell", "--access-level", "x"}, "PANIC: Given access-level is not valid.", {});
  fails({"-t", "glrt-x", "--executor", "nonsense"}, "PANIC: Invalid executor specified", {});
  fails({"-t", "glrt-x", "--executor", "docker"}, "PANIC: The docker-image needs to be entered", {});
  fails({"--executor", "shell"}, "PANIC: The registration-token needs to be entered", {});
  fails({"-t", "glrt-x", "--executor", "shell", "--url", "ftp://h"}, "Verifying runner... client error", {});
}

TEST_F(Commands, AnAuthenticationTokenAsRegistrationToken) {
  ASSERT_EQ(register_runner({"-r", "glrt-x", "--executor", "shell", "--tag-list", "a"}), 0);
  EXPECT_TRUE(log().contains("This has triggered the 'legacy-compatible registration process'"));
  EXPECT_EQ(calls(), Lines{"POST /api/v4/runners/verify"});
}

TEST_F(Commands, AFailedSaveTakesTheRunnerOffAgain) {
  // No TOML document can hold this name, so the entry is refused after the server has accepted the runner.
  const std::string target = dir_->path("sub");
  EXPECT_EQ(find_command("register")
                ->run({.program = "forerunner"}, {"-c", target + "/c.toml", "-n", "--url", gitlab_.url(), "-t",
                                                  "glrt-x", "--executor", "shell", "--name", "\xff"}),
            1);
  EXPECT_EQ(calls(), (Lines{"POST /api/v4/runners/verify", "DELETE /api/v4/runners/managers"})) << log();
}

TEST_F(Commands, Template) {
  ASSERT_TRUE(sys::write_file(dir_->path("t.toml"), R"([[runners]]
  name = "tpl"
  token = "unused"
  limit = 7
  executor = "docker"
  environment = ["T=1"]
  [runners.docker]
    image = "fromtpl"
    privileged = true
  [runners.kubernetes]
    image = "k"
)"));
  ASSERT_EQ(register_runner({"-t", "glrt-x", "--template-config", dir_->path("t.toml"), "--env", "X=2",
                             "--docker-privileged=false"}),
            0)
      << log();
  const config::Runner runner = config().runners.at(0);
  EXPECT_EQ(runner.name, "tpl");
  EXPECT_EQ(runner.limit, 7);
  EXPECT_EQ(runner.environment, Lines{"X=2"});
  EXPECT_EQ(runner.tables["docker"]["image"].as_string(), "fromtpl");
  EXPECT_FALSE(runner.tables["docker"]["privileged"].as_bool());
  EXPECT_EQ(runner.tables.find("kubernetes"), nullptr);
  EXPECT_EQ(register_runner({"-t", "glrt-x", "--template-config", dir_->path("none.toml"), "--executor", "shell"}), 1);
  EXPECT_TRUE(log().contains("error=configuration template must contain exactly one [[runners]] entry"));
}

class WithRunners : public Commands {
 protected:
  void SetUp() override {
    Commands::SetUp();
    std::string text = "# mine\nconcurrent = 1\n";
    for (const char* token : {"glrt-first", "glrtr-second", "glrt-third", "glrt-third"}) {
      text += fmt::format(
          "\n[[runners]]\n  name = \"{0}\"\n  url = \"{1}\"\n  id = 5\n  token = \"{0}\"\n  executor = \"shell\"\n",
          token, gitlab_.url());
    }
    ASSERT_TRUE(sys::write_file(path(), text));
  }
  Lines names() const {
    Lines out;
    for (const config::Runner& runner : config().runners) out.push_back(runner.name);
    return out;
  }
  void rename(std::string_view from, std::string_view to) {
    ASSERT_TRUE(sys::write_file(path(), base::replace_all(content(), from, to)));
  }
};

TEST_F(WithRunners, Verify) {
  const std::string before = content();
  EXPECT_EQ(run("verify", {}), 0);
  EXPECT_EQ(calls().size(), 4u);
  EXPECT_EQ(run("verify", {"--name", "glrt-first"}), 0);
  EXPECT_EQ(calls().size(), 1u);
  EXPECT_EQ(run("verify", {"-t", "glrt-third", "-u", gitlab_.url()}), 0);
  EXPECT_EQ(calls().size(), 2u);
  log();
  EXPECT_EQ(run("verify", {"--name", "nobody"}), 1);
  EXPECT_TRUE(log().contains("FATAL: mutate config: no runner matches the filtering parameters"));
  EXPECT_EQ(content(), before);
}

TEST_F(WithRunners, VerifyDeletesOnlyWhatTheServerDisowns) {
  rename("glrt-first", "glrt-dead");
  rename("glrt-third", "glrt-broken");
  const std::string before = content();
  EXPECT_EQ(run("verify", {}), 1);
  EXPECT_TRUE(log().contains("FATAL: Failed to verify runners"));
  EXPECT_EQ(content(), before);
  EXPECT_EQ(run("verify", {"--delete"}), 0);
  EXPECT_EQ(names(), (Lines{"glrtr-second", "glrt-broken", "glrt-broken"}));
  EXPECT_TRUE(content().starts_with("# mine\nconcurrent = 1\n\n[[runners]]\n  name = \"glrtr-second\"\n"));
}

TEST_F(WithRunners, Unregister) {
  EXPECT_EQ(run("unregister", {}), 1);
  EXPECT_TRUE(log().contains("at least one of --name or --token must be specified"));
  EXPECT_EQ(run("unregister", {"--name", "nobody"}), 1);
  EXPECT_TRUE(log().contains("could not find a runner with the name 'nobody'"));
  EXPECT_EQ(run("unregister", {"--name", "glrtr-second"}), 0);
  EXPECT_EQ(calls(), Lines{"DELETE /api/v4/runners"});
  EXPECT_EQ(run("unregister", {"--token", "glrt-third"}), 0);
  EXPECT_EQ(calls(), Lines{"DELETE /api/v4/runners/managers"});
  EXPECT_EQ(names(), Lines{"glrt-first"});
}

TEST_F(WithRunners, UnregisterKeepsWhatTheServerRefuses) {
  rename("glrt-first", "glrt-dead");
  EXPECT_EQ(run("unregister", {"--name", "glrt-dead"}), 1);
  EXPECT_EQ(names().size(), 4u);
  EXPECT_EQ(run("unregister", {"--all-runners"}), 1);
  EXPECT_EQ(names(), Lines{"glrt-dead"});
  EXPECT_EQ(run("unregister", {"--name", "glrt-dead", "--force"}), 0);
  EXPECT_TRUE(names().empty());
}

TEST_F(WithRunners, ResetToken) {
  EXPECT_EQ(run("reset-token", {"--name", "glrt-third"}), 0);
  EXPECT_EQ(calls(), Lines{"POST /api/v4/runners/reset_authentication_token"});
  const config::Config after = config();
  EXPECT_EQ(after.runners.at(2).token.reveal(), "glrt-renewed");
  EXPECT_EQ(after.runners.at(3).token.reveal(), "glrt-renewed") << "the entry that shares the token";
  EXPECT_EQ(after.runners.at(2).token_expires_at, 1893553445);
  EXPECT_EQ(after.runners.at(0).token.reveal(), "glrt-first");
  EXPECT_EQ(run("reset-token", {"--name", "nobody"}), 1);
}

TEST_F(WithRunners, ListHidesTokens) {
  EXPECT_EQ(run("list", {}), 0);
  const std::string text = log();
  EXPECT_TRUE(text.contains("Executor=shell Token=first URL=")) << text;
  EXPECT_FALSE(text.contains("Token=glrt-first")) << text;
  EXPECT_EQ(run("list", {"--show-tokens"}), 0);
  EXPECT_TRUE(log().contains("Token=glrt-first"));
}

TEST_F(Commands, Lint) {
  EXPECT_EQ(run("lint", {}), 1);
  EXPECT_TRUE(log().contains("config file not found: "));
  ASSERT_TRUE(sys::write_file(path(), "concurent = 1\n"));
  EXPECT_EQ(run("lint", {}), 1);
  EXPECT_TRUE(log().contains("1 unknown key(s) found in "));
  ASSERT_TRUE(
      sys::write_file(path(), "[[runners]]\nname = \"a\"\nurl = \"http://h\"\ntoken = \"t\"\nexecutor = \"shell\"\n"));
  EXPECT_EQ(run("lint", {}), 0);
  EXPECT_FALSE(sys::exists(dir_->path(".runner_system_id")));
}

TEST_F(Commands, WhatIsNotSupportedSaysSo) {
  EXPECT_EQ(run("install", {}), 1);
  EXPECT_TRUE(log().contains("not supported by forerunner yet"));
}

} // namespace
} // namespace cli
