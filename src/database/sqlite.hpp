// SQLite in a file: one writing connection and a few reading ones, WAL. Internal to the module.
//
// Write-ahead log with synchronous=NORMAL: a commit is one write without waiting for the disk. When the machine loses
// power the last commits may be gone, the database is never damaged; when only the process dies nothing is lost.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "database/connection.hpp"

namespace database {

base::Result<std::unique_ptr<Connection>> open_sqlite(const std::string& path, Access access, int busy_timeout_seconds);

} // namespace database
