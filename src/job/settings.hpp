// The variables that steer the runner (GIT_STRATEGY, *_ATTEMPTS, …), read and checked. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "job/variables.hpp"
#include "script/build_info.hpp"

namespace job {

struct Settings {
  bool debug_trace = false;
  bool debug_services = false;
  std::string git_clone_path;
  script::GitStrategy git_strategy = script::GitStrategy::kClone;
  bool git_checkout = true;
  script::SubmoduleStrategy submodule_strategy = script::SubmoduleStrategy::kNone;
  std::vector<std::string> submodule_paths;
  std::int64_t submodule_depth = 0;
  std::vector<std::string> clean_flags;
  std::vector<std::string> clone_flags;
  std::vector<std::string> fetch_flags;
  std::vector<std::string> submodule_update_flags;
  bool lfs_skip_smudge = false;
  bool submodule_force_https = false;
  std::int64_t get_sources_attempts = 1;
  std::int64_t download_artifacts_attempts = 1;
  std::int64_t restore_cache_attempts = 1;
  std::int64_t executor_section_attempts = 1;
  std::int64_t secrets_attempts = 1;
  bool after_script_ignore_errors = true;
  std::int64_t cache_request_timeout = 10; // minutes

  FlagSet flags;
  std::vector<std::string> warnings; // printed once, together

  bool on(std::string_view flag) const { return flags.on(flag); }
};

// From variables_for_settings(). Nothing fails: what makes no sense gets its default and a warning.
Settings read_settings(const VariableSources& sources, const Variables& variables);

} // namespace job
