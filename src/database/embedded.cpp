#include "database/embedded.hpp"

#include <fmt/format.h>

#include "database/sqlite.hpp"
#include "sys/files.hpp"

namespace database {
namespace {

constexpr int kPatienceSeconds = 60;

base::Status check_present(const std::string& path) {
  if (sys::is_regular_file(path)) return {}; // opening would make it
  return base::fail(base::ErrorKind::kNotFound, fmt::format("there is no database {}", path));
}

} // namespace

base::Status copy_embedded(const std::string& from, const std::string& to,
                           std::span<const std::string_view> afterwards) {
  FR_CHECK(check_present(from));
  {
    auto source = FR_TRY(open_sqlite(from, Access::kExclusive, kPatienceSeconds));
    FR_CHECK(source->run("VACUUM INTO ?", {to}, nullptr));
  }
  if (!afterwards.empty()) {
    auto copy = FR_TRY(open_sqlite(to, Access::kExclusive, kPatienceSeconds));
    for (const auto statement : afterwards) FR_CHECK(copy->run(statement, {}, nullptr));
    // One file again: the last connection that closes writes the log back.
    FR_CHECK(copy->run("PRAGMA journal_mode = DELETE", {}, nullptr));
  }
  return {};
}

base::Result<std::int64_t> check_embedded(const std::string& path) {
  FR_CHECK(check_present(path));
  auto connection = FR_TRY(open_sqlite(path, Access::kExclusive, kPatienceSeconds));
  const auto found = FR_TRY(connection->run("PRAGMA integrity_check(1)", {}, nullptr));
  const auto verdict = found.empty() ? std::string("no answer") : found.front().text("integrity_check");
  if (verdict != "ok") {
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("the database {} is damaged: {}", path, verdict));
  }
  const auto orphans = FR_TRY(connection->run("PRAGMA foreign_key_check", {}, nullptr));
  if (!orphans.empty()) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("the database {} is damaged: {} rows of {} and other tables point at nothing", path,
                                  orphans.size(), orphans.front().text("table")));
  }
  return FR_TRY(connection->run("SELECT max(version) AS version FROM schema_version", {}, nullptr))
      .front()
      .integer("version");
}

} // namespace database
