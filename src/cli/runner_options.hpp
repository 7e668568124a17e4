// The options of `register` and `run-single` that set keys of a runner: made from the table of config.toml's keys.
#pragma once

#include <set>
#include <string>

#include "cli/options.hpp"
#include "json/json.hpp"

namespace cli {

struct RunnerOptions {
  json::Value tree = json::Value::object(); // the documented keys (config/schema.hpp)
  std::set<std::string> given;              // paths of keys that flags or the environment set
};

// `target` must outlive `options`.
void add_runner_options(Options& options, RunnerOptions* target);

} // namespace cli
