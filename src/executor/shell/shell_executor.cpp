#include "executor/shell/shell_executor.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "executor/shell/stage_process.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"

namespace executor::shell {

namespace {

std::string utf16le_base64(std::string_view ascii) {
  std::string wide;
  for (char character : ascii) {
    wide += character;
    wide += '\0';
  }
  return base::base64_encode(wide);
}

// The script on stdin is UTF-8, whatever the console is set to. So a first PowerShell sets the encodings and starts a
// second one that reads it; the first is given encoded, free of quoting (upstream's shells/powershell.go).
std::vector<std::string> pwsh_command(const std::string& shell) {
  std::string bootstrap =
      "$OutputEncoding = [console]::InputEncoding = [console]::OutputEncoding = New-Object "
      "System.Text.UTF8Encoding\r\n" +
      shell +
      " -NoProfile -NonInteractive -Command -\r\n"
      "if(!$?) { Exit &{if($LASTEXITCODE) {$LASTEXITCODE} else {1}} }";
  return {shell,
          "-NoProfile",
          "-NoLogo",
          "-InputFormat",
          "text",
          "-OutputFormat",
          "text",
          "-NonInteractive",
          "-ExecutionPolicy",
          "Bypass",
          "-EncodedCommand",
          utf16le_base64(bootstrap)};
}

} // namespace

base::Result<std::vector<std::string>> launch_command(const std::string& shell, const std::string& user) {
  if (shell == "bash" || shell == "sh") {
    if (user.empty()) return std::vector<std::string>{shell, "-l"};
    return std::vector<std::string>{"su", "-s", "/bin/" + shell, user, "-c", shell + " -l"};
  }
  if (shell == "pwsh") {
    std::vector<std::string> command = pwsh_command(shell);
    if (user.empty()) return command;
    return std::vector<std::string>{"su", "-s", "/usr/bin/pwsh", user, "-c", base::join(command, " ")};
  }
  return base::fail(base::ErrorKind::kInvalidInput, "shell " + shell + " not found");
}

base::Status ShellExecutor::prepare(const PrepareContext& context, const sys::CancelToken& cancel) {
  if (cancel.raised()) return base::fail(cancel.error());
  context_ = context;
  shell_ = context.shell.empty() ? "bash" : context.shell;
  command_ = FR_TRY(launch_command(shell_, context.user));
  if (shell_ == "pwsh" && !sys::find_program(shell_)) {
    return base::fail(base::ErrorKind::kInvalidInput, "shell pwsh not found");
  }
  directory_ = context.working_directory.empty() ? FR_TRY(sys::current_directory())
                                                 : sys::absolute_path(context.working_directory);
  tree_ = std::make_unique<sys::ProcessTree>(FR_TRY(sys::ProcessTree::create({.use_cgroup = context.use_cgroup})));
  return {};
}

Info ShellExecutor::info() const {
  Info info;
  info.name = "shell";
  info.display_name = "Shell (" + shell_ + ")";
  info.shell = shell_;
  info.default_builds_dir = sys::join_path(directory_, "builds");
  info.default_cache_dir = sys::join_path(directory_, "cache");
  info.runner_command = sys::executable_path().value_or("forerunner");
  return info;
}

base::Result<ExitResult> ShellExecutor::run(const StageScript& stage, Output& output, const sys::CancelToken& cancel) {
  if (!tree_) return base::fail(base::ErrorKind::kInternal, "the shell executor is not prepared");
  sys::SpawnOptions options;
  options.argv = command_;
  options.env = context_.environment;
  options.cwd = directory_;
  return run_stage(*tree_, std::move(options), stage.script, output,
                   {.graceful_kill = context_.graceful_kill_timeout,
                    .force_kill = context_.force_kill_timeout,
                    .drain = context_.drain_timeout},
                   cancel);
}

void ShellExecutor::cleanup() {
  if (!tree_) return;
  (void)tree_->kill_all(std::chrono::steady_clock::now() + context_.force_kill_timeout);
  tree_.reset();
}

} // namespace executor::shell
