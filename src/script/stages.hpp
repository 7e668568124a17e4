// The text of every stage. nullopt: the stage has nothing to do and is skipped without a trace in the log. Errors are
// those of the job's configuration (kInvalidInput).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "script/build_info.hpp"

namespace script {

using Text = base::Result<std::optional<std::string>>;

Text prepare_script(const BuildInfo& info);
Text get_sources(const BuildInfo& info);
Text clear_worktree(const BuildInfo& info);
Text restore_cache(const BuildInfo& info);
Text download_artifacts(const BuildInfo& info);
// `step` is an index into info.steps; any step but after_script.
Text user_step(const BuildInfo& info, std::size_t step);
Text after_script(const BuildInfo& info);
Text archive_cache(const BuildInfo& info, bool job_succeeded);
Text upload_artifacts(const BuildInfo& info, bool job_succeeded);
Text cleanup_file_variables(const BuildInfo& info);

// Names of the files of ours below the temporary directory, which cleanup removes: for a caller that does so itself.
// File variables are among them.
std::vector<std::string> temporary_files(const BuildInfo& info);

// Whether every variable can be exported and leaves a shell able to start programs: if not, get_sources has to run in
// a shell so that the job fails there, as upstream's does.
bool exports_are_harmless(const BuildInfo& info);

} // namespace script
