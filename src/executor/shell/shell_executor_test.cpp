#include "executor/shell/shell_executor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/process_zoo.hpp"

namespace executor::shell {
namespace {

using namespace std::chrono_literals;

class Recorder : public Output {
 public:
  void write_stdout(std::string_view bytes) override {
    out += bytes;
    total += bytes.size();
    if (!wait_for.empty() && out.find(wait_for) != std::string::npos) trigger();
  }
  void write_stderr(std::string_view bytes) override { err += bytes; }

  void trigger() {
    wait_for.clear();
    source.raise(sys::CancelReason::kCanceled, "canceled");
  }

  std::string out;
  std::string err;
  std::size_t total = 0;
  std::string wait_for; // cancels once this has been printed
  sys::CancelSource source;
};

class ShellStage : public testing::Test {
 protected:
  ShellStage() : dir_(std::move(*sys::TempDir::create())), id_(sys::zoo::new_id()) {
    context_.shell = "bash";
    context_.working_directory = dir_.path();
    context_.environment = sys::zoo::environment("", id_);
    context_.environment->push_back("ZOO=" + *sys::executable_path());
    // No profile of the machine that runs the tests.
    std::erase_if(*context_.environment, [](const std::string& entry) { return entry.starts_with("HOME="); });
    context_.environment->push_back("HOME=" + dir_.path());
    context_.graceful_kill_timeout = 20s;
    context_.force_kill_timeout = 20s;
  }

  ExitResult run(std::string_view script) {
    ShellExecutor executor;
    EXPECT_TRUE(executor.prepare(context_, {}));
    auto result = executor.run({.stage = "step_script", .script = std::string(script)}, log_, log_.source.token());
    EXPECT_TRUE(result) << result.error().message();
    EXPECT_EQ(sys::zoo::survivors(id_), std::vector<pid_t>{});
    executor.cleanup();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    return result ? *result : ExitResult{};
  }

  sys::TempDir dir_;
  std::string id_;
  PrepareContext context_;
  Recorder log_;
};

TEST_F(ShellStage, RunsTheScriptFromStdin) {
  ExitResult result = run("echo out; echo err >&2; pwd; shopt login_shell\n");
  EXPECT_TRUE(result.success());
  EXPECT_EQ(result.message, "");
  EXPECT_EQ(log_.out, "out\n" + dir_.path() + "\nlogin_shell    \ton\n");
  EXPECT_EQ(log_.err, "err\n");
}

TEST_F(ShellStage, ExitCodes) {
  ExitResult result = run("exit 3");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.message, "exit status 3");
  EXPECT_FALSE(result.could_not_start);
  result = run("kill -9 $$");
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_EQ(result.message, "signal: killed");
  EXPECT_FALSE(result.interrupted);
}

TEST_F(ShellStage, SeveralStagesInARow) {
  ShellExecutor executor;
  ASSERT_TRUE(executor.prepare(context_, {}));
  for (int i = 0; i < 5; ++i) {
    std::string script = "sleep 600 >/dev/null 2>&1 & echo " + std::to_string(i);
    auto result = executor.run({.stage = "step_script", .script = script}, log_, {});
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->success()) << result->message;
    EXPECT_EQ(sys::zoo::survivors(id_), std::vector<pid_t>{});
  }
  EXPECT_EQ(log_.out, "0\n1\n2\n3\n4\n");
  executor.cleanup();
}

TEST_F(ShellStage, SurvivorsOfANormalEndAreKilled) {
  for (const std::string& animal : sys::zoo::animals()) {
    for (bool cgroup : {false, true}) {
      context_.use_cgroup = cgroup;
      log_.out.clear();
      // The animal says that it is there before the shell ends.
      ExitResult result = run("mkfifo f; FORERUNNER_ZOO=" + animal + " $ZOO >f 2>/dev/null & read line <f; echo $line");
      sys::remove_file(dir_.path("f")).value();
      EXPECT_TRUE(result.success()) << animal << ": " << result.message;
      EXPECT_EQ(log_.out, "ready\n") << animal;
      EXPECT_TRUE(result.warnings.empty());
    }
  }
}

TEST_F(ShellStage, CancelledZoo) {
  context_.graceful_kill_timeout = 200ms;
  for (const std::string& animal : sys::zoo::animals()) {
    Recorder fresh;
    std::swap(log_.source, fresh.source);
    log_.out.clear();
    log_.wait_for = "ready";
    ExitResult result = run("FORERUNNER_ZOO=" + animal + " $ZOO; sleep 60 & wait");
    EXPECT_TRUE(result.interrupted) << animal;
    EXPECT_FALSE(result.success());
    EXPECT_TRUE(result.warnings.empty());
  }
}

TEST_F(ShellStage, InheritedOutputDoesNotHoldTheStage) {
  context_.drain_timeout = 50ms;
  auto begin = std::chrono::steady_clock::now();
  ExitResult result = run("sleep 600 & setsid sleep 600 & echo done");
  EXPECT_TRUE(result.success());
  EXPECT_EQ(log_.out, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
}

TEST_F(ShellStage, EndlessBackgroundOutputDoesNotHoldTheStage) {
  context_.drain_timeout = 20ms;
  ExitResult result = run("yes & echo started");
  EXPECT_TRUE(result.success());
}

TEST_F(ShellStage, OutputOfATeeThatLagsBehindIsKept) {
  context_.drain_timeout = 20s;
  ExitResult result = run("exec > >(sleep 0.1; cat) 2>&1; seq 1 20000");
  EXPECT_TRUE(result.success());
  EXPECT_TRUE(log_.out.ends_with("19999\n20000\n"));
}

TEST_F(ShellStage, LastBytesBeforeTheEndAreKept) {
  for (int i = 0; i < 20; ++i) {
    log_.out.clear();
    log_.err.clear();
    ExitResult result = run("head -c 200000 /dev/zero; printf end; printf end >&2; exit 2");
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_EQ(log_.out.size(), 200003u);
    EXPECT_TRUE(log_.out.ends_with("end"));
    EXPECT_EQ(log_.err, "end");
  }
}

TEST_F(ShellStage, MegabytesOfScriptNeitherBlockNorShow) {
  std::string script = "tr '\\0' '\\n' </proc/$$/cmdline\n";
  script += ": '" + std::string(8u << 20, 'x') + "canary'\n";
  script += "head -c 3000000 /dev/zero | tr '\\0' y; echo; echo end\n";
  ExitResult result = run(script);
  EXPECT_TRUE(result.success());
  EXPECT_TRUE(log_.out.ends_with("y\nend\n"));
  EXPECT_TRUE(log_.out.starts_with("bash\n-l\n"));
  EXPECT_EQ(log_.out.find("canary"), std::string::npos);
}

// The script's own text is what follows on stdin, so a command that reads stdin eats it, as from a pipe; what the
// generator wraps in `: | …` gets an end of file at once (T6).
TEST_F(ShellStage, StdinOfUserCommandsIsAtItsEnd) {
  ExitResult result = run(": | eval $'read -t 5 line; echo \"status $? line [$line]\"'\necho after\n");
  EXPECT_TRUE(result.success());
  EXPECT_EQ(log_.out, "status 1 line []\nafter\n");
}

TEST_F(ShellStage, TermAwareScriptEndsByItself) {
  log_.wait_for = "ready";
  ExitResult result = run("trap 'echo cleaning; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.message, "exit status 3");
  EXPECT_TRUE(log_.out.ends_with("cleaning\n"));
}

TEST_F(ShellStage, DeafScriptIsKilledAfterTheGrace) {
  context_.graceful_kill_timeout = 50ms;
  log_.wait_for = "ready";
  ExitResult result = run("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.message, "signal: killed");
  EXPECT_EQ(result.exit_code, -1);
}

TEST_F(ShellStage, OtherSessionsHearTheSignalToo) {
  log_.wait_for = "ready";
  ExitResult result =
      run("setsid bash -c 'trap \"echo heard; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait");
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.message, "signal: terminated");
  EXPECT_NE(log_.out.find("heard"), std::string::npos);
}

TEST_F(ShellStage, CancelBeforeTheStartRunsNothing) {
  log_.trigger();
  ExitResult result = run("echo ran");
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(log_.out, "");
}

TEST_F(ShellStage, FailsToStart) {
  context_.working_directory = dir_.path("missing");
  ExitResult result = run("true");
  EXPECT_TRUE(result.could_not_start);
  EXPECT_EQ(result.message, "failed to start process: chdir " + dir_.path("missing") + ": no such file or directory");
  EXPECT_FALSE(result.success());
}

TEST_F(ShellStage, BrokenProfileFailsTheStage) {
  ASSERT_TRUE(sys::write_file(dir_.path(".bash_profile"), "exit 7\n"));
  EXPECT_EQ(run("echo ran").message, "exit status 7");
  EXPECT_EQ(log_.out, "");
}

TEST_F(ShellStage, PlainSh) {
  context_.shell = "sh";
  EXPECT_TRUE(run("echo \"$0\"; read x <<EOF\nhello\nEOF\necho $x\n").success());
  EXPECT_EQ(log_.out, "sh\nhello\n");
}

TEST_F(ShellStage, AsAnotherUser) {
  if (!sys::is_root() || !sys::find_user("nobody")) GTEST_SKIP() << "needs root";
  context_.user = "nobody";
  context_.working_directory = "/";
  ExitResult result = run("id -un; sleep 600 >/dev/null 2>&1 &\n");
  EXPECT_TRUE(result.success()) << result.message << log_.err;
  EXPECT_EQ(log_.out, "nobody\n");
}

TEST_F(ShellStage, LotsOfOutput) {
  ExitResult result = run("head -c 200000000 /dev/zero");
  EXPECT_TRUE(result.success());
  EXPECT_EQ(log_.total, 200000000u);
}

TEST(ShellExecutor, PreparesOrSaysWhy) {
  ShellExecutor executor;
  EXPECT_EQ(executor.prepare({.shell = "fish"}, {}).error().message(), "shell fish not found");
  if (!sys::find_program("pwsh")) {
    EXPECT_EQ(executor.prepare({.shell = "pwsh"}, {}).error().message(), "shell pwsh not found");
  }
  EXPECT_FALSE(executor.run({}, *std::make_unique<Recorder>(), {}));
  executor.cleanup();
  ASSERT_TRUE(executor.prepare({.working_directory = "/srv/x/.."}, {}));
  Info info = executor.info();
  EXPECT_EQ(info.shell, "bash");
  EXPECT_EQ(info.display_name, "Shell (bash)");
  EXPECT_EQ(info.default_builds_dir, "/srv/builds");
  EXPECT_EQ(info.default_cache_dir, "/srv/cache");
  EXPECT_TRUE(info.runner_command.ends_with("executor_test"));
}

TEST(ShellExecutor, CommandLines) {
  EXPECT_EQ(*launch_command("bash", ""), (std::vector<std::string>{"bash", "-l"}));
  EXPECT_EQ(*launch_command("sh", "ci"), (std::vector<std::string>{"su", "-s", "/bin/sh", "ci", "-c", "sh -l"}));
  auto pwsh = *launch_command("pwsh", "");
  ASSERT_EQ(pwsh.size(), 12u);
  EXPECT_EQ(pwsh[10], "-EncodedCommand");
  EXPECT_TRUE(base::base64_decode(pwsh[11])->starts_with(std::string_view("$\0O\0u\0", 6)));
}

} // namespace
} // namespace executor::shell
