// One stage as a process: the script to its stdin, its streams to the job's output, and at the end nothing left of it.
//
// Blocks the calling thread. Also of use to other executors that run programs of this host.
#pragma once

#include <chrono>
#include <string_view>

#include "executor/executor.hpp"
#include "sys/process_tree.hpp"

namespace executor::shell {

struct StageTimeouts {
  std::chrono::milliseconds graceful_kill{std::chrono::seconds(10)};
  std::chrono::milliseconds force_kill{std::chrono::seconds(10)};
  // How long the streams may stay quiet, but open, after the main process has ended. While they still carry
  // something (a `tee` that catches up) it begins anew, up to kDrainLimit times.
  std::chrono::milliseconds drain{500};
};
inline constexpr int kDrainLimit = 4;

base::Result<ExitResult> run_stage(sys::ProcessTree& tree, sys::SpawnOptions options, std::string_view script,
                                   Output& output, const StageTimeouts& timeouts, const sys::CancelToken& cancel);

} // namespace executor::shell
