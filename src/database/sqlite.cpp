#include "database/sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <unordered_map>

#include "base/strings.hpp"
#include "database/dialect.hpp"
#include "sys/files.hpp"

namespace database {
namespace {

constexpr std::size_t kStatementCache = 300;

base::Error sqlite_error(sqlite3* db, std::string_view sql) {
  auto kind = base::ErrorKind::kInternal;
  switch (sqlite3_extended_errcode(db)) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      kind = base::ErrorKind::kConflict;
      break;
    default:
      switch (sqlite3_errcode(db)) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
          kind = base::ErrorKind::kUnavailable;
          break;
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
          kind = base::ErrorKind::kIo;
          break;
        default:
          break;
      }
  }
  return {kind, fmt::format("database: {} (in: {})", sqlite3_errmsg(db), base::trim(sql.substr(0, 120)))};
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// A prepared statement. Values go in with their own type and come out as text: SQLite's columns have no fixed type.
class Statement {
 public:
  static base::Result<std::unique_ptr<Statement>> prepare(sqlite3* db, std::string_view sql) {
    const auto translated = for_sqlite(sql);
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(db, translated.data(), static_cast<int>(translated.size()), SQLITE_PREPARE_PERSISTENT, &raw,
                           nullptr) != SQLITE_OK) {
      return base::fail(sqlite_error(db, sql));
    }
    std::unique_ptr<Statement> statement(new Statement(db, raw));
    auto names = std::make_shared<std::vector<std::string>>();
    for (int i = 0; i < sqlite3_column_count(raw); ++i) names->emplace_back(sqlite3_column_name(raw, i));
    statement->names_ = std::move(names);
    return statement;
  }

  base::Result<std::vector<Row>> run(std::string_view sql, const Binds& binds, std::int64_t* affected) {
    // At the end in any case: a statement left half-way keeps its snapshot open.
    struct Reset {
      sqlite3_stmt* statement;
      ~Reset() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
      }
    } const reset{statement_.get()};
    if (static_cast<int>(binds.size()) != sqlite3_bind_parameter_count(statement_.get())) {
      return base::fail(base::ErrorKind::kInternal,
                        fmt::format("database: {} values for {} parameters (in: {})", binds.size(),
                                    sqlite3_bind_parameter_count(statement_.get()), base::trim(sql.substr(0, 120))));
    }
    for (std::size_t i = 0; i < binds.size(); ++i) bind(static_cast<int>(i) + 1, binds[i]);
    std::vector<Row> rows;
    int step = 0;
    while ((step = sqlite3_step(statement_.get())) == SQLITE_ROW) rows.push_back(row());
    if (step != SQLITE_DONE) return base::fail(sqlite_error(db_, sql));
    if (affected != nullptr) *affected = sqlite3_changes64(db_);
    return rows;
  }

 private:
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}

  void bind(int place, const Bind& bind) {
    const auto& value = bind.value();
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      sqlite3_bind_int64(statement_.get(), place, *integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
      sqlite3_bind_double(statement_.get(), place, *real);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      // The caller's value outlives the run.
      sqlite3_bind_text64(statement_.get(), place, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      sqlite3_bind_null(statement_.get(), place);
    }
  }

  Row row() {
    std::vector<std::optional<std::string>> values(names_->size());
    for (int i = 0; i < static_cast<int>(values.size()); ++i) {
      auto& value = values[static_cast<std::size_t>(i)];
      switch (sqlite3_column_type(statement_.get(), i)) {
        case SQLITE_NULL:
          break;
        case SQLITE_FLOAT:
          value = fmt::format("{}", sqlite3_column_double(statement_.get(), i));
          break;
        default: {
          const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), i));
          value.emplace(text != nullptr ? text : "",
                        static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), i)));
        }
      }
    }
    return {names_, std::move(values)};
  }

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement_;
  std::shared_ptr<const std::vector<std::string>> names_;
};

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}

  base::Status set_up(Access access, int busy_timeout_seconds) {
    sqlite3_extended_result_codes(db_.get(), 1);
    sqlite3_busy_timeout(db_.get(), busy_timeout_seconds * 1000);
    FR_CHECK(plain("PRAGMA journal_mode = WAL"));
    FR_CHECK(plain("PRAGMA synchronous = NORMAL"));
    FR_CHECK(plain("PRAGMA foreign_keys = ON"));
    FR_CHECK(plain("PRAGMA temp_store = MEMORY"));
    // Moving the log into the database waits for the disk: every 16 MiB instead of every 4.
    FR_CHECK(plain("PRAGMA wal_autocheckpoint = 4000"));
    if (access == Access::kRead) FR_CHECK(plain("PRAGMA query_only = ON"));
    return {};
  }

  base::Status begin(Access access) override { return plain(access == Access::kRead ? "BEGIN" : "BEGIN IMMEDIATE"); }
  base::Status commit() override { return plain("COMMIT"); }
  base::Status rollback() override {
    // Some errors (a full disk) have rolled back already.
    if (sqlite3_get_autocommit(db_.get()) != 0) return {};
    return plain("ROLLBACK");
  }

  base::Result<std::vector<Row>> run(std::string_view sql, const Binds& binds, std::int64_t* affected) override {
    auto it = statements_.find(std::string(sql));
    if (it == statements_.end()) {
      if (statements_.size() >= kStatementCache) statements_.clear();
      it = statements_.emplace(std::string(sql), FR_TRY(Statement::prepare(db_.get(), sql))).first;
    }
    return it->second->run(sql, binds, affected);
  }

  base::Status lock(std::string_view) override { return {}; }
  base::Status relax() override { return {}; }
  base::Status notify(std::string_view, std::string_view) override { return {}; }
  bool should_retry() const override { return false; }
  bool usable() const override { return true; }

 private:
  base::Status plain(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      return base::fail(sqlite_error(db_.get(), sql));
    }
    return {};
  }

  std::unique_ptr<sqlite3, CloseDatabase> db_;
  std::unordered_map<std::string, std::unique_ptr<Statement>> statements_; // before db_ goes
};

} // namespace

base::Result<std::unique_ptr<Connection>> open_sqlite(const std::string& path, Access access,
                                                      int busy_timeout_seconds) {
  // Made here so that nobody else can read it; SQLite gives its side files the same mode.
  if (!sys::exists(path)) FR_CHECK(sys::write_file(path, "", 0600));
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  auto connection = std::make_unique<SqliteConnection>(raw);
  if (opened != SQLITE_OK) {
    return base::fail(base::ErrorKind::kIo, fmt::format("cannot open database {}: {}", path,
                                                        raw != nullptr ? sqlite3_errmsg(raw) : "memory"));
  }
  if (auto ready = connection->set_up(access, busy_timeout_seconds); !ready) {
    return base::fail_context(fmt::format("cannot open database {}", path), std::move(ready.error()));
  }
  return connection;
}

} // namespace database
