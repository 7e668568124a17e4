// What is answered out of a job's archive: the list of a directory, a single file.
#pragma once

#include <string>

#include "coordinator/api.hpp"
#include "coordinator/objects/stores.hpp"

namespace coordinator::objects {

// {path, entries, truncated, archive}; 404 when the directory is not there, 422 when the archive cannot be looked into.
Outcome<Reply> list_archive(const Stores& stores, const Row& artifact, const std::string& directory);
// The file as a download that no browser runs: attachment, no guessing of types, a sandbox. `inline_wanted`: text and
// images are shown, as plain text and as images.
Outcome<Reply> archive_file(const Call& call, const Stores& stores, const Row& artifact, const std::string& path,
                            bool inline_wanted);

} // namespace coordinator::objects
