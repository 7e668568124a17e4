// Connection: one session with a database. Internal to the module; sqlite.cpp and postgres.cpp implement it.
//
// Not thread-safe: who borrowed it from the Store uses it. Statements are prepared once and kept by their text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "database/row.hpp"

namespace database {

// What a transaction wants; see Store.
enum class Access { kRead, kShared, kExclusive };

class Connection {
 public:
  virtual ~Connection() = default;

  virtual base::Status begin(Access access) = 0;
  virtual base::Status commit() = 0;
  virtual base::Status rollback() = 0;
  virtual base::Result<std::vector<Row>> run(std::string_view sql, const Binds& binds, std::int64_t* affected) = 0;

  // Waits until no other transaction holds `name`; until the end of the transaction.
  virtual base::Status lock(std::string_view name) = 0;
  // This transaction's commit need not wait for the disk.
  virtual base::Status relax() = 0;
  // Tells the other processes after the commit.
  virtual base::Status notify(std::string_view channel, std::string_view payload) = 0;
  // The transaction lost against another one; running it again may succeed.
  virtual bool should_retry() const = 0;
  // False: of no use any more, to be closed.
  virtual bool usable() const = 0;
};

} // namespace database
