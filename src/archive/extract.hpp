// Unpacking into a directory that nothing leaves, whatever the archive and the directory contain.
//
// Files are made by several threads; links come after them, so nothing is written through one, and the directories'
// modes and times last. Existing files and links are replaced, directories are merged. Entries that cannot be unpacked
// are listed and the rest goes on; a full disk, or a file that is no zip, ends it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "archive/zip_reader.hpp"
#include "base/result.hpp"
#include "sys/beneath.hpp"

namespace archive {

struct ExtractOptions {
  unsigned threads = 0; // 0: as many as there are processors for us
  ZipLimits limits;
};

struct ExtractProblem {
  std::string name;
  base::Error error; // kForbidden: it would have left the directory
};

struct ExtractReport {
  std::uint64_t entries = 0;
  bool git_directory = false;           // something at or below a leading ".git" was among them
  std::vector<ExtractProblem> problems; // in the archive's order
};

base::Result<ExtractReport> extract_zip(int fd, const sys::Root& root, const ExtractOptions& options = {});

// "a/./b//c/" -> "a/b/c"; kForbidden for what is absolute, has a ".." component or a NUL byte; kInvalidInput when
// nothing is left.
base::Result<std::string> clean_entry_name(std::string_view name);

} // namespace archive
