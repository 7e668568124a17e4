// Back-up and restore of a coordinator's data directory, as one zip file that any unpacker reads.
//
// A back-up may be made while the coordinator serves: the database is copied as of one moment, repositories are taken
// so that every reference finds its objects, and files that go meanwhile are there all the same. Blocking.
#pragma once

#include <string>

#include "base/result.hpp"

namespace coordinator {

struct BackupOptions {
  std::string data_dir;
  std::string file;
  bool artifacts = true;
  bool logs = true;
};

// kConflict: the file exists. `note` says what is not in it and what to do about that; empty: nothing is missing.
base::Result<std::string> back_up(const BackupOptions& options);

// Into a directory that is empty or does not exist; what does not pass the checks is removed again. kConflict: not
// empty; kInvalidInput: no back-up, damaged, or made by a newer program. A note as above.
base::Result<std::string> restore(const std::string& file, const std::string& data_dir);

} // namespace coordinator
