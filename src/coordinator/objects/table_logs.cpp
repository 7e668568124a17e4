#include <algorithm>

#include "base/strings.hpp"
#include "coordinator/objects/live_logs.hpp"

namespace coordinator::objects {
namespace {

constexpr std::size_t kRow = 256u << 10; // most bytes of a row: what a reader has to fetch for one of them

} // namespace

base::Result<std::uint64_t> TableLogs::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  return store_.write_shared([&](Transaction& tx) -> base::Result<std::uint64_t> {
    if (offset == 0)
      FR_CHECK(
          tx.execute("INSERT INTO job_logs (job_id, size) VALUES (?, 0) ON CONFLICT (job_id) DO NOTHING", {job_id}));
    auto grown =
        FR_TRY(tx.execute("UPDATE job_logs SET size = size + ? WHERE job_id = ? AND size = ? AND location IS NULL",
                          {static_cast<std::int64_t>(chunk.size()), job_id, static_cast<std::int64_t>(offset)}));
    if (grown == 0) {
      return static_cast<std::uint64_t>(FR_TRY(tx.count("SELECT size FROM job_logs WHERE job_id = ?", {job_id})));
    }
    for (std::size_t at = 0; at < chunk.size(); at += kRow) {
      auto piece = chunk.substr(at, kRow);
      // As text: a log may hold any bytes, a text column of PostgreSQL may not.
      FR_CHECK(tx.execute("INSERT INTO job_log_chunks (job_id, start, size, data) VALUES (?, ?, ?, ?)",
                          {job_id, static_cast<std::int64_t>(offset + at), static_cast<std::int64_t>(piece.size()),
                           base::base64_encode(piece)}));
    }
    return offset + chunk.size();
  });
}

base::Result<std::uint64_t> TableLogs::size(std::int64_t job_id) {
  return store_.read([&](Transaction& tx) -> base::Result<std::uint64_t> {
    return static_cast<std::uint64_t>(FR_TRY(tx.count("SELECT size FROM job_logs WHERE job_id = ?", {job_id})));
  });
}

base::Result<std::string> TableLogs::read(std::int64_t job_id, std::uint64_t offset, std::size_t length) {
  std::string out;
  while (out.size() < length) {
    auto at = static_cast<std::int64_t>(offset + out.size());
    // The row that holds `at`, and some that follow.
    auto rows = FR_TRY(store_.read([&](Transaction& tx) {
      return tx.query(
          "SELECT start, data FROM job_log_chunks WHERE job_id = ? AND start < ? AND start >= coalesce((SELECT "
          "max(start) FROM job_log_chunks WHERE job_id = ? AND start <= ?), 0) ORDER BY start LIMIT 16",
          {job_id, static_cast<std::int64_t>(offset + length), job_id, at});
    }));
    bool more = false;
    for (const Row& row : rows) {
      auto bytes = base::base64_decode(row.text("data"));
      if (!bytes) return base::fail(base::ErrorKind::kInternal, "a piece of a job's log is damaged");
      auto start = static_cast<std::uint64_t>(row.integer("start"));
      if (start > offset + out.size() || start + bytes->size() <= offset + out.size()) continue;
      out += std::string_view(*bytes).substr(static_cast<std::size_t>(offset + out.size() - start));
      more = true;
    }
    if (!more) break;
  }
  if (out.size() > length) out.resize(length);
  return out;
}

base::Status TableLogs::erase(Transaction& tx, std::int64_t job_id) {
  FR_CHECK(tx.execute("DELETE FROM job_log_chunks WHERE job_id = ?", {job_id}));
  return {};
}

base::Result<std::vector<std::int64_t>> TableLogs::waiting() {
  std::vector<std::int64_t> jobs;
  for (const Row& row : FR_TRY(store_.read([](Transaction& tx) {
         return tx.query("SELECT job_id FROM job_logs WHERE location IS NULL ORDER BY job_id");
       })))
    jobs.push_back(row.integer("job_id"));
  return jobs;
}

} // namespace coordinator::objects
