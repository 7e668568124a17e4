// Which files an artifact or a cache consists of, with upstream's messages about how they were found.
//
// Works in the current directory and says what it finds through transfer/messages.hpp. Runs git for untracked files,
// with hooks, the file system monitor and everything else that a repository could make git start turned off.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "archive/writer.hpp"
#include "base/result.hpp"
#include "transfer/commands.hpp"

namespace transfer {

struct Selection {
  std::string working_directory;
  std::map<std::string, sys::FileInfo> files; // relative path -> what lstat says; sorted, as archives want them

  std::vector<archive::SourceFile> sources() const;
};

// Expands variables in paths and excludes against this process's environment; warns about what cannot be expanded.
SelectionOptions expand_selection(SelectionOptions options);
// One value; `what` begins the warning: "invalid artifact name".
std::string expand_or_warn(const std::string& text, const std::string& what);

base::Result<Selection> select_files(const SelectionOptions& options);

// Warns, as upstream does, when files below a leading ".git" are among them.
void warn_about_git_directory(const Selection& selection);

} // namespace transfer
