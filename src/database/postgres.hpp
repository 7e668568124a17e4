// PostgreSQL over libpq. Internal to the module.
//
// A write takes a transaction-level advisory lock, write_shared() the same one shared: the server does what a readers'
// and writers' lock does in a process, for all processes. Transactions are READ COMMITTED behind that lock, so that
// every statement sees what the last holder left; reads are one REPEATABLE READ snapshot. Names of locks and notices
// carry the schema: several coordinators may live in one database, each in its own schema.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "database/connection.hpp"
#include "database/libpq.hpp"

namespace database {

struct PostgresOptions {
  base::Secret url;
  std::string instance; // of this process, in its notices
  int lock_timeout_seconds = 30;
};

struct Notice {
  std::string instance;
  std::string channel;
  std::string payload;
};

class PostgresConnection final : public Connection {
 public:
  // kInvalidInput: the URL; kUnavailable: no connection. The password is in no error.
  static base::Result<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options);
  ~PostgresConnection() override;

  base::Status begin(Access access) override;
  base::Status commit() override;
  base::Status rollback() override;
  base::Result<std::vector<Row>> run(std::string_view sql, const Binds& binds, std::int64_t* affected) override;
  base::Status lock(std::string_view name) override;
  base::Status relax() override;
  base::Status notify(std::string_view channel, std::string_view payload) override;
  bool should_retry() const override { return lost_to_another_; }
  bool usable() const override;

  // Outside of transactions, for the connection that listens.
  base::Status listen();
  base::Result<bool> try_session_lock(std::string_view name);
  int socket() const;
  // What has come since; an error when the connection is gone.
  base::Result<std::vector<Notice>> received();

 private:
  struct Statement {
    std::string name;
    std::shared_ptr<const std::vector<std::string>> columns;
    std::vector<bool> booleans;
  };
  struct ClearResult;
  using ResultPointer = std::unique_ptr<PgResult, ClearResult>;

  PostgresConnection(const PqApi& api, PgConn* connection) : api_(api), connection_(connection) {}
  base::Status set_up(const PostgresOptions& options);
  base::Status find_schema();
  std::int64_t lock_key(std::string_view kind, std::string_view name) const;
  base::Status plain(const std::string& sql);
  base::Result<Statement*> prepared(std::string_view sql);
  base::Error error(const PgResult* result, std::string_view sql);

  const PqApi& api_;
  PgConn* connection_;
  std::string schema_;
  std::string channel_; // of notices
  std::string instance_;
  std::int64_t writer_key_ = 0;
  bool lost_to_another_ = false;
  bool reading_ = false; // the transaction that is open
  std::size_t prepared_count_ = 0;
  std::unordered_map<std::string, Statement> statements_;
};

} // namespace database
