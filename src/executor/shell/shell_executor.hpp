// The shell executor: stages are processes of this host, `<shell> -l` with the script on stdin.
//
// Lives on the job's thread. When run() returns, nothing that the stage started is left; what could not be killed is
// in the result's warnings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/executor.hpp"
#include "sys/process_tree.hpp"

namespace executor::shell {

// The command line for a shell: `bash -l`, `su -s /bin/bash USER -c 'bash -l'`, pwsh with its bootstrap.
// kInvalidInput: not a shell we know.
base::Result<std::vector<std::string>> launch_command(const std::string& shell, const std::string& user);

class ShellExecutor final : public Executor {
 public:
  base::Status prepare(const PrepareContext& context, const sys::CancelToken& cancel) override;
  Info info() const override;
  base::Result<ExitResult> run(const StageScript& stage, Output& output, const sys::CancelToken& cancel) override;
  void cleanup() override;

 private:
  PrepareContext context_;
  std::string shell_;
  std::string directory_;
  std::vector<std::string> command_;
  std::unique_ptr<sys::ProcessTree> tree_;
};

} // namespace executor::shell
