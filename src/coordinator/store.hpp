// Store: the coordinator's database. SQLite through SOCI, one writing connection and a few reading ones.
//
// Thread-safe; blocking, so called from pool threads only. A transaction lives for one call of write() or read(): the
// body's success commits, its error rolls back and is handed on. Bodies must be short and must not nest. SQL is
// portable between SQLite and PostgreSQL: `?` for parameters, RETURNING, lower() indexes, times as Unix milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace coordinator {

// A parameter: NULL, integer, real or text (text may hold any bytes).
class Bind {
 public:
  Bind(std::nullptr_t) {}
  Bind(bool value) : value_(static_cast<std::int64_t>(value)) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Bind(T value) : value_(static_cast<std::int64_t>(value)) {}
  Bind(double value) : value_(value) {}
  Bind(const char* value) : value_(std::string(value)) {}
  Bind(std::string value) : value_(std::move(value)) {}
  Bind(std::string_view value) : value_(std::string(value)) {}
  template <class T>
  Bind(std::optional<T> value) {
    if (value) *this = Bind(std::move(*value));
  }
  const std::variant<std::monostate, std::int64_t, double, std::string>& value() const { return value_; }

 private:
  std::variant<std::monostate, std::int64_t, double, std::string> value_;
};
using Binds = std::vector<Bind>;

// A result row. Asking for a column that the query has not is a bug of ours and throws std::logic_error; a NULL reads
// as 0, "" or false, or as nullopt through the optional_ functions.
class Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> names, std::vector<std::optional<std::string>> values)
      : names_(std::move(names)), values_(std::move(values)) {}

  bool has(std::string_view column) const;
  bool is_null(std::string_view column) const { return !cell(column); }
  std::int64_t integer(std::string_view column) const;
  double real(std::string_view column) const;
  bool boolean(std::string_view column) const { return integer(column) != 0; }
  std::string text(std::string_view column) const { return cell(column).value_or(""); }
  std::optional<std::int64_t> optional_integer(std::string_view column) const;
  std::optional<double> optional_real(std::string_view column) const;
  std::optional<std::string> optional_text(std::string_view column) const { return cell(column); }
  std::int64_t first_integer() const; // of the first column

 private:
  const std::optional<std::string>& cell(std::string_view column) const;
  std::shared_ptr<const std::vector<std::string>> names_;
  std::vector<std::optional<std::string>> values_;
};

class Connection;

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

  bool writing() const { return writing_; }
  // Called once, after a successful commit, on the same thread and outside the transaction.
  void after_commit(std::function<void()> action) { after_commit_.push_back(std::move(action)); }

 private:
  friend class Store;
  Transaction(Connection& connection, bool writing) : connection_(connection), writing_(writing) {}
  Connection& connection_;
  bool writing_;
  std::vector<std::function<void()>> after_commit_;
};

struct StoreOptions {
  std::string path; // of the database file
  std::size_t readers = 4;
  int busy_timeout_seconds = 10;
};

class Store {
 public:
  // Opens or makes the file and brings its schema up to date. kConflict: made by a newer program.
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // `body(Transaction&)` returns a std::expected<T, E>, E constructible from base::Error: base::Result, or the API's
  // Outcome. BEGIN IMMEDIATE; one writer at a time.
  template <class Body>
  auto write(Body&& body) -> std::invoke_result_t<Body&, Transaction&> {
    return run(true, body);
  }
  // A consistent snapshot; statements that write fail.
  template <class Body>
  auto read(Body&& body) -> std::invoke_result_t<Body&, Transaction&> {
    return run(false, body);
  }

  std::int64_t schema_version() const { return schema_version_; }

 private:
  struct Impl;
  // RAII over a borrowed connection with an open transaction; rolls back unless committed.
  class Scope {
   public:
    Scope(Store& store, bool writing);
    ~Scope();
    base::Status begin();
    base::Status commit();
    Transaction& transaction() { return *transaction_; }

   private:
    Store& store_;
    bool writing_;
    bool open_ = false;
    Connection* connection_ = nullptr;
    std::unique_ptr<Transaction> transaction_;
  };

  template <class Body>
  auto run(bool writing, Body& body) -> std::invoke_result_t<Body&, Transaction&> {
    std::vector<std::function<void()>> actions;
    auto result = [&]() -> std::invoke_result_t<Body&, Transaction&> {
      Scope scope(*this, writing);
      if (auto begun = scope.begin(); !begun) return std::unexpected(std::move(begun.error()));
      auto outcome = body(scope.transaction());
      if (!outcome) return outcome;
      if (auto done = scope.commit(); !done) return std::unexpected(std::move(done.error()));
      actions = std::move(scope.transaction().after_commit_);
      return outcome;
    }();
    for (auto& action : actions) action();
    return result;
  }

  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  std::int64_t schema_version_ = 0;
};

} // namespace coordinator
