// Store: a database, SQLite in a file or PostgreSQL over the network, behind one code path.
//
// Thread-safe; blocking, so called from pool threads only. A transaction lives for one call of write(), write_shared()
// or read(): the body's success commits, its error rolls back and is handed on. Bodies must be short, must not nest,
// and block on nothing but the database.
//
// One SQL text serves both databases (dialect.hpp says what is translated): `?` for parameters, RETURNING, ON CONFLICT,
// times as Unix milliseconds, booleans as integers 0 and 1. What PostgreSQL is strict about, SQL must respect:
//  * conditions are conditions: `active = 1`, not `active`; and `sum(CASE WHEN x THEN 1 ELSE 0 END)`, not `sum(x)`;
//  * every selected column is grouped or aggregated; NULL's place in an ORDER BY on a nullable column is said
//    (NULLS FIRST / NULLS LAST);
//  * a parameter's type comes from its place (`? IS NULL` is seen to): beside a column it is the column's, alone it is
//    a 32-bit integer or text, so CAST(? AS BIGINT) in arithmetic and in `CASE … THEN ? ELSE NULL` without a column;
//  * no INSERT OR IGNORE, no rowid, no max(a, b) of two values, no json_each, no GLOB, no IS for values (but
//    IS NOT DISTINCT FROM); an integer column meets integers and a text column text;
//  * after a statement failed the transaction is over: return the error (or ask first, or ON CONFLICT DO NOTHING).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "database/connection.hpp"
#include "database/notices.hpp"
#include "database/row.hpp"

namespace database {

class Store;

class Transaction {
 public:
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  base::Result<std::vector<Row>> query(std::string_view sql, const Binds& binds = {});
  base::Result<std::optional<Row>> query_one(std::string_view sql, const Binds& binds = {});
  // The first column of the first row, 0 when there is none: for COUNT and EXISTS.
  base::Result<std::int64_t> count(std::string_view sql, const Binds& binds = {});
  // Number of rows changed. kConflict when a UNIQUE constraint refuses.
  base::Result<std::int64_t> execute(std::string_view sql, const Binds& binds = {});
  // An INSERT without RETURNING; the new row's id.
  base::Result<std::int64_t> insert(std::string_view sql, const Binds& binds = {});

  // For write_shared(): waits until no other transaction, in any process, holds the same pair; held to the end of this
  // one. What is read after it is what the last holder left. On SQLite there is only one writer: nothing to do.
  base::Status lock(std::string_view kind, std::int64_t id);

  // The commit does not wait for PostgreSQL's disk: should its machine die, what was committed in the last second may
  // be gone, unless a later commit has waited. For what repairs itself. SQLite never waits.
  base::Status relax() { return connection_.relax(); }

  // Delivered to every Store::subscribe(channel) of every process on this database, if and when this commits. The
  // same channel and payload twice in one transaction may arrive once. Up to 7000 bytes.
  base::Status publish(std::string_view channel, std::string_view payload = "");
  // Called once, after a successful commit, on the same thread and outside the transaction.
  void after_commit(std::function<void()> action) { after_commit_.push_back(std::move(action)); }

  bool writing() const { return access_ != Access::kRead; }
  bool exclusive() const { return access_ == Access::kExclusive; }

 private:
  friend class Store;
  Transaction(Store& store, Connection& connection, Access access)
      : store_(store), connection_(connection), access_(access) {}
  Store& store_;
  Connection& connection_;
  Access access_;
  std::vector<std::function<void()>> after_commit_;
};

struct StoreOptions {
  std::string path = {}; // of the SQLite file, when there is no url
  base::Secret url = {}; // postgresql://user:password@host:port/name?parameters
  // Entry i brings schema version i to i + 1; statements end with a line that ends in ';'.
  std::span<const std::string_view> migrations;
  std::size_t readers = 4; // most connections for read()
  std::size_t writers = 4; // … and for write_shared(), where the database can do several
  int busy_timeout_seconds = 10;
};

class Store {
 public:
  // Opens or makes the database and brings its schema up to date, one process at a time. kConflict: made by a newer
  // program. kUnavailable: PostgreSQL cannot be reached.
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // `body(Transaction&)` returns a std::expected<T, E>, E constructible from base::Error: base::Result, or the API's
  // Outcome. write(): no other write() or write_shared(), in no process, runs meanwhile: whatever it reads stays true
  // until it commits. For everything that people do.
  template <class Body>
  auto write(Body&& body) -> std::invoke_result_t<Body&, Transaction&> {
    return run(Access::kExclusive, body);
  }
  // For what runners do all the time: several run at once, on PostgreSQL, in all processes; never beside a write().
  // The body locks what it decides on: Transaction::lock(), `SELECT … FOR UPDATE`, `… FOR UPDATE SKIP LOCKED`, or an
  // UPDATE whose WHERE says what must still hold and whose count is looked at. It may be run more than once (when
  // PostgreSQL ends a deadlock): it must leave nothing behind but what it does to the database. On SQLite this is
  // write().
  template <class Body>
  auto write_shared(Body&& body) -> std::invoke_result_t<Body&, Transaction&> {
    return run(Access::kShared, body);
  }
  // A consistent snapshot; statements that write fail.
  template <class Body>
  auto read(Body&& body) -> std::invoke_result_t<Body&, Transaction&> {
    return run(Access::kRead, body);
  }

  // Transaction::publish() without a transaction: own subscribers are called before it returns, other processes hear
  // of it soon after; many of the same at once may arrive as one.
  void publish(std::string_view channel, std::string_view payload = "");
  // `handler(payload)` for each notice, on the thread that published it, or on the store's own for those of other
  // processes; it must not block for long. `missed()`: the connection was lost and is back, notices of other processes
  // may have been missed; look at everything. Until the subscription is destroyed.
  [[nodiscard]] Subscription subscribe(std::string channel, std::function<void(const std::string&)> handler,
                                       std::function<void()> missed = {});

  // Whether this process is the one that does `duty` ("housekeeping", …). One process at a time; when it ends or loses
  // its connection, the next one that asks. On SQLite always true.
  bool leads(std::string_view duty);

  // Whether other processes may use the same database.
  bool shared() const;
  std::int64_t schema_version() const { return schema_version_; }

 private:
  friend class Transaction;
  struct Impl;
  // RAII over a borrowed connection with an open transaction; rolls back unless committed.
  class Scope {
   public:
    Scope(Store& store, Access access);
    ~Scope();
    base::Status begin();
    base::Status commit();
    void roll_back();
    // The transaction lost against another one and may be tried again, for the n-th time; waits a little then.
    bool retry(int attempt);
    Transaction& transaction() { return *transaction_; }

   private:
    Store& store_;
    Access access_;
    bool taken_ = false;
    bool open_ = false;
    std::unique_ptr<Connection> connection_;
    std::unique_ptr<Transaction> transaction_;
  };

  template <class Body>
  auto run(Access access, Body& body) -> std::invoke_result_t<Body&, Transaction&> {
    using Outcome = std::invoke_result_t<Body&, Transaction&>;
    std::vector<std::function<void()>> actions;
    auto once = [&](bool& again, int attempt) -> Outcome {
      Scope scope(*this, access);
      if (auto begun = scope.begin(); !begun) return std::unexpected(std::move(begun.error()));
      Outcome outcome = body(scope.transaction());
      if (outcome) {
        auto done = scope.commit();
        if (done) {
          actions = std::move(scope.transaction().after_commit_);
          return outcome;
        }
        outcome = std::unexpected(std::move(done.error()));
      }
      again = scope.retry(attempt);
      return outcome;
    };
    for (int attempt = 1;; ++attempt) {
      bool again = false;
      Outcome outcome = once(again, attempt);
      if (again) continue;
      for (auto& action : actions) action();
      return outcome;
    }
  }

  explicit Store(std::unique_ptr<Impl> impl);
  void deliver(const std::string& channel, const std::string& payload);
  std::unique_ptr<Impl> impl_;
  std::int64_t schema_version_ = 0;
};

} // namespace database
