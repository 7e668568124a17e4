// Artifacts: the files of jobs and their rows.
//
// An upload goes to the store under a key of its own before the row that names it is written. Thread-safe; blocking.
#pragma once

#include <cstdint>
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
  };
  // Copies a region of a file into the store, hashing on the way. The caller writes the row, or calls drop(location).
  base::Result<Stored> put(std::int64_t job_id, const std::string& file_type, const std::string& path,
                           std::uint64_t offset, std::uint64_t size);
  void drop(std::string_view location) { stores_.drop(location); }

  // Deletes rows (all of the job's, or one by id) and, after the commit, their objects.
  base::Status erase_job(Transaction& tx, std::int64_t job_id);
  base::Status erase(Transaction& tx, const Row& artifact);

  // The file (a row of `artifacts`), whole or the one range that the request asks for. 404 when it is lost.
  Outcome<Reply> reply(const Call& call, const Row& artifact);

 private:
  Stores& stores_;
};

} // namespace coordinator::objects
