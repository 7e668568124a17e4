// The variables of a job: their order, their flags, how they expand. Pure; plain values.
//
// A list keeps duplicates; for lookups the last one wins. Values are expanded once, against the unexpanded list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "gitlab/payload.hpp"
#include "job/feature_flags.hpp"
#include "job/job_directory.hpp"

namespace job {

using gitlab::Variable;
using Variables = std::vector<Variable>;

inline constexpr std::string_view kTempDirectoryVariable = "RUNNER_TEMP_PROJECT_DIR";

// The value as it is, a file variable's content included; empty when there is none.
std::string value_of(const Variables& variables, std::string_view key);
// $NAME and ${NAME} by the list; a file variable stands for its path.
std::string expand(const Variables& variables, std::string_view text);
Variables expand_all(const Variables& variables);
// Replaces the first one of that name.
void overwrite(Variables& variables, std::string_view key, std::string_view value);
// Go booleans whatever their case, or an integer that is 1.
bool is_truthy(std::string_view value);

// What the list is made of.
struct VariableSources {
  const gitlab::JobPayload& payload;
  const config::Runner& runner;
  const Context& context;
  std::string builds_dir;
  std::string project_dir; // empty while it is not known
  bool shared_environment = true;
};

// How long the job may run.
std::chrono::seconds job_timeout(const gitlab::JobPayload& payload);

// For reading settings: flags at their defaults, then everything; expanded.
Variables variables_for_settings(const VariableSources& sources);
// config.toml first, else the last variable that is a boolean, else the default. Warnings name what is none.
FlagSet resolve_flags(const VariableSources& sources, const Variables& variables, std::vector<std::string>& warnings);
// What the job sees, expanded.
Variables all_variables(const VariableSources& sources, const FlagSet& flags);

// Values that must not be readable in the log: masked variables, and every token that the worker knows.
std::vector<std::string> secret_values(const gitlab::JobPayload& payload, const Variables& variables);

} // namespace job
