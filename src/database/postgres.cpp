#include "database/postgres.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <unordered_map>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "database/byte_text.hpp"
#include "database/dialect.hpp"

namespace database {
namespace {

constexpr std::size_t kStatementCache = 300;
constexpr std::size_t kLongestNotice = 7000; // PostgreSQL's own limit is 8000

// libpq's own message about a URL that it cannot read shows the URL. Characters that would make it take a part of the
// password for something else are found here.
base::Status check_url(std::string_view url) {
  const auto start = url.find("://");
  const auto rest = start == std::string_view::npos ? std::string_view() : url.substr(start + 3);
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  const auto at = rest.find('@');
  const bool clear = at == std::string_view::npos || (at < authority.size() && rest.find('@', at + 1) == rest.npos);
  if (!rest.empty() && clear) return {};
  return base::fail(base::ErrorKind::kInvalidInput,
                    "the database URL must look like postgresql://user:password@host:port/name, with special "
                    "characters of user and password percent-encoded (@ is %40, / is %2F)");
}

// What the URL says, and what it leaves to us.
base::Result<std::map<std::string, std::string>> connection_parameters(const PqApi& api, const base::Secret& url) {
  FR_CHECK(check_url(url.reveal()));
  char* reason = nullptr;
  PgOption* options = api.conninfo_parse(url.reveal().c_str(), &reason);
  if (reason != nullptr) api.free_memory(reason);
  if (options == nullptr) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      "libpq cannot read the database URL: look for misspelt parameters and unencoded characters");
  }
  std::map<std::string, std::string> parameters = {
      {"fallback_application_name", "forerunner"},
      {"connect_timeout", "10"},
      {"keepalives_idle", "30"},
      {"keepalives_interval", "10"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "60000"},
  };
  for (const auto* option = options; option->keyword != nullptr; ++option) {
    if (option->value != nullptr) parameters[option->keyword] = option->value;
  }
  parameters["client_encoding"] = "UTF8";
  api.conninfo_free(options);
  return parameters;
}

} // namespace

// Advisory locks have numbers: 64 bits of a digest.
std::int64_t PostgresConnection::lock_key(std::string_view kind, std::string_view name) const {
  std::uint64_t key = 0;
  for (const char c : base::sha256(fmt::format("forerunner {} {} {}", schema_, kind, name)).substr(0, 8)) {
    key = key << 8 | static_cast<unsigned char>(c);
  }
  return static_cast<std::int64_t>(key);
}

struct PostgresConnection::ClearResult {
  const PqApi* api;
  void operator()(PgResult* result) const { api->clear(result); }
};

base::Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresOptions& options) {
  const auto* api = FR_TRY(pq());
  const auto parameters = FR_TRY(connection_parameters(*api, options.url));
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(*api, api->connect(keywords.data(), values.data(), 0)));
  if (!connection->usable()) {
    const auto* reason = api->error_message(connection->connection_);
    return base::fail(base::ErrorKind::kUnavailable,
                      fmt::format("cannot connect to the database: {}", base::trim(reason != nullptr ? reason : "")));
  }
  FR_CHECK(connection->set_up(options));
  return connection;
}

PostgresConnection::~PostgresConnection() { api_.finish(connection_); }

bool PostgresConnection::usable() const { return api_.status(connection_) == kPgConnectionOk; }
int PostgresConnection::socket() const { return api_.socket(connection_); }

base::Status PostgresConnection::set_up(const PostgresOptions& options) {
  api_.set_notice_processor(
      connection_,
      [](void*, const char* text) { base::log::debug("database", {{"says", std::string(base::trim(text))}}); },
      nullptr);
  const auto* encoding = api_.parameter_status(connection_, "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) != "UTF8" && std::string_view(encoding) != "SQL_ASCII") {
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("the database has encoding {}: make one with ENCODING 'UTF8'", encoding));
  }
  // A coordinator that is gone without a word must not keep the others waiting for its locks.
  FR_CHECK(
      plain(fmt::format("SET lock_timeout = '{}s'; SET idle_in_transaction_session_timeout = '60s'; "
                        "SET standard_conforming_strings = on; SET jit = off",
                        options.lock_timeout_seconds)));
  FR_CHECK(find_schema());
  instance_ = options.instance;
  channel_ = fmt::format("forerunner_{:016x}", static_cast<std::uint64_t>(lock_key("notices", "")));
  writer_key_ = lock_key("write", "");
  return {};
}

base::Status PostgresConnection::find_schema() {
  const auto rows =
      FR_TRY(run("SELECT coalesce(current_schema(), '') AS schema, "
                 "split_part(current_setting('search_path'), ',', 1) AS wanted",
                 {}, nullptr));
  schema_ = rows.front().text("schema");
  if (!schema_.empty()) return {};
  // The URL's options name a schema that is not there yet.
  const auto wanted = rows.front().text("wanted");
  if (wanted.empty() || wanted.starts_with("\"$")) {
    return base::fail(base::ErrorKind::kInvalidInput, "the database has no schema to work in: make schema public");
  }
  auto made = plain(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", wanted));
  // Of two at once one loses with a conflict, and the schema is there.
  if (!made && made.error().kind() != base::ErrorKind::kConflict) {
    return base::fail_context(fmt::format("making schema {}", wanted), std::move(made.error()));
  }
  schema_ = FR_TRY(run("SELECT current_schema() AS schema", {}, nullptr)).front().text("schema");
  return {};
}

base::Error PostgresConnection::error(const PgResult* result, std::string_view sql) {
  if (!usable()) {
    return {base::ErrorKind::kUnavailable,
            fmt::format("the connection to the database was lost (in: {})", base::trim(sql.substr(0, 120)))};
  }
  const auto field = [&](int name) -> std::string_view {
    const auto* text = result != nullptr ? api_.result_field(result, name) : nullptr;
    return text != nullptr ? text : "";
  };
  const auto state = field(kPgFieldSqlState);
  auto kind = base::ErrorKind::kInternal;
  if (state == "23505" || state == "42P06") {
    kind = base::ErrorKind::kConflict;
  } else if (state == "40001" || state == "40P01") {
    kind = base::ErrorKind::kUnavailable;
    lost_to_another_ = true;
  } else if (state == "55P03" || state.starts_with("57P") || state.starts_with("08") || state == "53300") {
    kind = base::ErrorKind::kUnavailable;
  } else if (state == "53100" || state.starts_with("58")) {
    kind = base::ErrorKind::kIo;
  }
  return {kind,
          fmt::format("database: {} ({}, in: {})", field(kPgFieldMessage), state, base::trim(sql.substr(0, 120)))};
}

base::Status PostgresConnection::plain(const std::string& sql) {
  const ResultPointer result(api_.exec(connection_, sql.c_str()), {&api_});
  const int status = result ? api_.result_status(result.get()) : -1;
  if (status != kPgCommandOk && status != kPgTuplesOk) return base::fail(error(result.get(), sql));
  return {};
}

base::Status PostgresConnection::begin(Access access) {
  lost_to_another_ = false;
  reading_ = access == Access::kRead;
  switch (access) {
    case Access::kRead:
      return plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    case Access::kShared:
      return plain(fmt::format("BEGIN; SELECT pg_advisory_xact_lock_shared({})", writer_key_));
    case Access::kExclusive:
      return plain(fmt::format("BEGIN; SELECT pg_advisory_xact_lock({})", writer_key_));
  }
  return {};
}

base::Status PostgresConnection::commit() {
  // Nothing hangs on the answer: libpq drops it when the next statement is sent.
  if (reading_ && api_.send_query(connection_, "COMMIT") != 0) return {};
  auto done = plain("COMMIT");
  if (!done && !usable()) {
    return base::fail(base::ErrorKind::kUnavailable,
                      "the connection to the database was lost while committing: the change may or may not be done");
  }
  return done;
}

base::Status PostgresConnection::rollback() {
  if (!usable() || api_.transaction_status(connection_) == kPgInTransactionIdle) return {};
  return plain("ROLLBACK");
}

base::Result<PostgresConnection::Statement*> PostgresConnection::prepared(std::string_view sql) {
  auto found = statements_.find(std::string(sql));
  if (found != statements_.end()) return &found->second;
  if (statements_.size() >= kStatementCache) {
    FR_CHECK(plain("DEALLOCATE ALL"));
    statements_.clear();
  }
  Statement statement{.name = fmt::format("s{}", ++prepared_count_), .columns = nullptr, .booleans = {}};
  const ResultPointer made(api_.prepare(connection_, statement.name.c_str(), for_postgres(sql).c_str(), 0, nullptr),
                           {&api_});
  if (!made || api_.result_status(made.get()) != kPgCommandOk) return base::fail(error(made.get(), sql));
  return &statements_.emplace(std::string(sql), std::move(statement)).first->second;
}

base::Result<std::vector<Row>> PostgresConnection::run(std::string_view sql, const Binds& binds,
                                                       std::int64_t* affected) {
  auto* statement = FR_TRY(prepared(sql));
  std::vector<std::string> texts(binds.size());
  std::vector<const char*> values(binds.size(), nullptr);
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const auto& value = binds[i].value();
    if (value.index() == 0) continue;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) texts[i] = fmt::format("{}", *integer);
    if (const auto* real = std::get_if<double>(&value)) texts[i] = fmt::format("{}", *real);
    if (const auto* text = std::get_if<std::string>(&value)) texts[i] = encode_bytes(*text);
    values[i] = texts[i].c_str();
  }
  const ResultPointer result(api_.exec_prepared(connection_, statement->name.c_str(), static_cast<int>(binds.size()),
                                                values.data(), nullptr, nullptr, 0),
                             {&api_});
  const int status = result ? api_.result_status(result.get()) : -1;
  if (status != kPgCommandOk && status != kPgTuplesOk) {
    auto failed = error(result.get(), sql);
    // A newer program has changed the table beneath it ("cached plan must not change"): prepared again next time.
    const auto* state = result ? api_.result_field(result.get(), kPgFieldSqlState) : nullptr;
    if (state != nullptr && std::string_view(state) == "0A000") statements_.erase(std::string(sql));
    return base::fail(std::move(failed));
  }
  if (affected != nullptr) *affected = std::strtoll(api_.affected(result.get()), nullptr, 10);
  const int columns = api_.columns(result.get());
  if (!statement->columns) {
    auto names = std::make_shared<std::vector<std::string>>();
    for (int c = 0; c < columns; ++c) {
      names->emplace_back(api_.column_name(result.get(), c));
      statement->booleans.push_back(api_.column_type(result.get(), c) == kPgBoolean);
    }
    statement->columns = std::move(names);
  }
  std::vector<Row> rows;
  const int count = api_.rows(result.get());
  rows.reserve(static_cast<std::size_t>(count));
  for (int r = 0; r < count; ++r) {
    std::vector<std::optional<std::string>> cells(static_cast<std::size_t>(columns));
    for (int c = 0; c < columns; ++c) {
      if (api_.is_null(result.get(), r, c) != 0) continue;
      const std::string_view text(api_.value(result.get(), r, c),
                                  static_cast<std::size_t>(api_.length(result.get(), r, c)));
      auto& cell = cells[static_cast<std::size_t>(c)];
      if (statement->booleans[static_cast<std::size_t>(c)]) {
        cell = text == "t" ? "1" : "0";
      } else {
        cell = decode_bytes(text);
      }
    }
    rows.emplace_back(statement->columns, std::move(cells));
  }
  return rows;
}

base::Status PostgresConnection::lock(std::string_view name) {
  FR_CHECK(run("SELECT pg_advisory_xact_lock(?)", {lock_key("lock", name)}, nullptr));
  return {};
}

base::Status PostgresConnection::relax() { return plain("SET LOCAL synchronous_commit = off"); }

base::Status PostgresConnection::notify(std::string_view channel, std::string_view payload) {
  if (payload.size() > kLongestNotice) {
    return base::fail(base::ErrorKind::kLimit, fmt::format("a notice of {} bytes is too long", payload.size()));
  }
  FR_CHECK(run("SELECT pg_notify(?, ?)", {channel_, fmt::format("{} {} {}", instance_, channel, payload)}, nullptr));
  return {};
}

base::Status PostgresConnection::listen() { return plain("LISTEN " + channel_); }

base::Result<bool> PostgresConnection::try_session_lock(std::string_view name) {
  return FR_TRY(run("SELECT pg_try_advisory_lock(?)", {lock_key("duty", name)}, nullptr)).front().first_integer() != 0;
}

base::Result<std::vector<Notice>> PostgresConnection::received() {
  if (api_.consume_input(connection_) == 0 || !usable()) return base::fail(error(nullptr, "listening"));
  std::vector<Notice> out;
  while (auto* notify = api_.notifies(connection_)) {
    const auto text = decode_bytes(notify->payload);
    const auto first = text.find(' ');
    const auto second = text.find(' ', first + 1);
    if (first != std::string::npos && second != std::string::npos) {
      out.push_back({.instance = text.substr(0, first),
                     .channel = text.substr(first + 1, second - first - 1),
                     .payload = text.substr(second + 1)});
    }
    api_.free_memory(notify);
  }
  return out;
}

} // namespace database
