// Artifacts: the files of jobs and their rows.
//
// An upload goes to the store under a key of its own before the row that names it is written. Thread-safe; blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coordinator/api.hpp"
#include "coordinator/objects/stores.hpp"
#include "coordinator/store.hpp"
#include "net/multipart.hpp"

namespace coordinator::objects {

class Artifacts {
 public:
  explicit Artifacts(Stores& stores) : stores_(stores) {}

  struct Stored {
    std::string location;
    std::uint64_t size = 0;
    std::string sha256;
    std::optional<std::int64_t> entries = {};  // of an archive that can be read
    std::optional<std::int64_t> unpacked = {}; // bytes
  };
  // Copies a region of a file into the store, hashing on the way. The caller writes the row, or calls drop(location).
  base::Result<Stored> put(std::int64_t job_id, const std::string& file_type, const std::string& path,
                           std::uint64_t offset, std::uint64_t size);
  void drop(std::string_view location) { stores_.drop(location); }

  // Deletes rows (all of the job's, or one by id) and, after the commit, their objects.
  base::Status erase_job(Transaction& tx, std::int64_t job_id);
  base::Status erase(Transaction& tx, const Row& artifact);

  // The file (a row of `artifacts`), whole or the one range that the request asks for. 404 when it is lost. With the
  // parameter direct_download a redirect to the store, when it can.
  Outcome<Reply> reply(Call& call, const Row& artifact);
  // Out of an archive: see archive_answers.hpp.
  Outcome<Reply> file(const Call& call, const Row& artifact, const std::string& path, bool inline_wanted);
  Outcome<Reply> list(const Row& artifact, const std::string& directory);

 private:
  Stores& stores_;
};

} // namespace coordinator::objects
