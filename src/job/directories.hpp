// Where a job's files live. Pure.
#pragma once

#include <string>

#include "job/outcome.hpp"
#include "job/settings.hpp"

namespace job {

struct DirectoryOptions {
  std::string builds_dir;        // config.toml's, else the executor's default
  std::string cache_dir;         // likewise
  std::string working_directory; // what relative ones and $PWD refer to, absolute
  bool custom_build_dir = false;
  bool shared_builds_dir = true; // the path carries runner and slot
};

struct Directories {
  std::string builds_dir;
  std::string project_dir;
  std::string cache_dir; // of this project

  std::string temp_dir() const { return project_dir + ".tmp"; }
};

// $PWD expanded, made absolute.
std::string absolute_directory(std::string_view directory, std::string_view working_directory);

// A Failure is a configuration error.
std::expected<Directories, Failure> directories(const VariableSources& sources, const Settings& settings,
                                                const DirectoryOptions& options);

} // namespace job
