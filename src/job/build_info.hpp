// From payload, configuration and settings to what stage scripts are written from. Pure.
#pragma once

#include "executor/executor.hpp"
#include "job/directories.hpp"
#include "job/settings.hpp"
#include "script/build_info.hpp"

namespace job {

// The variable that hands git a password where CI_JOB_TOKEN does not hold it.
inline constexpr std::string_view kGitPasswordVariable = "FORERUNNER_GIT_PASSWORD";

struct BuildInfoSources {
  const VariableSources& variable_sources;
  const Settings& settings;
  const Directories& directories;
  const Variables& variables; // all_variables()
  const executor::Info& executor;
  std::string hostname; // of this machine
};
// kInvalidInput: a shell that is not supported, a repository URL or commit that is none.
base::Result<script::BuildInfo> make_build_info(const BuildInfoSources& sources);

// After a change of variables (CI_JOB_STATUS).
void set_variables(script::BuildInfo& info, const Variables& variables);

} // namespace job
