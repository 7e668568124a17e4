#include "coordinator/store.hpp"

#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/schema.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr std::size_t kStatementCache = 300;

base::Error translate(const std::exception& exception, std::string_view sql) {
  std::string text = exception.what();
  auto kind = base::ErrorKind::kInternal;
  if (text.find("UNIQUE constraint failed") != std::string::npos) {
    kind = base::ErrorKind::kConflict;
  } else if (text.find("database is locked") != std::string::npos ||
             text.find("database table is locked") != std::string::npos) {
    kind = base::ErrorKind::kUnavailable;
  } else if (text.find("disk is full") != std::string::npos || text.find("disk I/O") != std::string::npos) {
    kind = base::ErrorKind::kIo;
  }
  return base::Error(kind, fmt::format("database: {} (in: {})", text, base::trim(sql.substr(0, 120))));
}

// `?` outside of quotes becomes :p1, :p2, …: SOCI's own notation, which each backend understands.
std::string number_parameters(std::string_view sql) {
  std::string out;
  int count = 0;
  bool quoted = false;
  for (const char c : sql) {
    if (c == '\'') quoted = !quoted;
    if (c == '?' && !quoted) {
      out += fmt::format(":p{}", ++count);
    } else {
      out += c;
    }
  }
  return out;
}

// A prepared statement with the variables that it is bound to. Values go in and come out as text or 64-bit integers;
// columns are always fetched as text, because SOCI derives 32-bit integers from SQLite's declared types.
class Prepared {
 public:
  Prepared(soci::session& session, std::string_view sql, const Binds& binds) : statement_(session) {
    inputs_.resize(binds.size());
    for (std::size_t i = 0; i < binds.size(); ++i) {
      auto& input = inputs_[i];
      input.kind = binds[i].value().index();
      if (input.kind == 1) {
        statement_.exchange(soci::use(input.integer, input.indicator));
      } else if (input.kind == 2) {
        statement_.exchange(soci::use(input.real, input.indicator));
      } else {
        statement_.exchange(soci::use(input.text, input.indicator));
      }
    }
    statement_.alloc();
    statement_.prepare(number_parameters(sql));
    const int columns = statement_.get_backend()->prepare_for_describe();
    auto names = std::make_shared<std::vector<std::string>>();
    outputs_.resize(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) {
      soci::data_type type{};
      std::string name;
      statement_.get_backend()->describe_column(i + 1, type, name);
      names->push_back(std::move(name));
      auto& output = outputs_[static_cast<std::size_t>(i)];
      statement_.exchange(soci::into(output.text, output.indicator));
    }
    names_ = std::move(names);
    statement_.define_and_bind();
  }

  std::vector<Row> run(const Binds& binds) {
    for (std::size_t i = 0; i < binds.size(); ++i) {
      auto& input = inputs_[i];
      const auto& value = binds[i].value();
      input.indicator = value.index() == 0 ? soci::i_null : soci::i_ok;
      if (const auto* integer = std::get_if<std::int64_t>(&value)) input.integer = *integer;
      if (const auto* real = std::get_if<double>(&value)) input.real = *real;
      if (const auto* text = std::get_if<std::string>(&value)) input.text = *text;
    }
    std::vector<Row> rows;
    if (outputs_.empty()) {
      statement_.execute(true);
      return rows;
    }
    // To the last row: a statement left half-way would keep its snapshot open.
    statement_.execute(false);
    while (statement_.fetch()) {
      std::vector<std::optional<std::string>> values;
      values.reserve(outputs_.size());
      for (auto& output : outputs_) {
        if (output.indicator == soci::i_null) {
          values.emplace_back();
        } else {
          values.emplace_back(output.text);
        }
      }
      rows.emplace_back(names_, std::move(values));
    }
    return rows;
  }

  std::int64_t affected() { return statement_.get_affected_rows(); }

  // Null fits every kind of parameter; the rest must be what was bound.
  bool fits(const Binds& binds) const {
    if (binds.size() != inputs_.size()) return false;
    for (std::size_t i = 0; i < binds.size(); ++i) {
      const auto kind = binds[i].value().index();
      if (kind != 0 && kind != inputs_[i].kind && !(kind == 3 && inputs_[i].kind == 0)) return false;
    }
    return true;
  }

 private:
  struct Input {
    std::size_t kind = 0;
    long long integer = 0;
    double real = 0;
    std::string text;
    soci::indicator indicator = soci::i_ok;
  };
  struct Output {
    std::string text;
    soci::indicator indicator = soci::i_ok;
  };
  // Bound by address: sized once, before binding.
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::shared_ptr<const std::vector<std::string>> names_;
  soci::statement statement_;
};

thread_local int open_transactions = 0;

} // namespace

const std::optional<std::string>& Row::cell(std::string_view column) const {
  for (std::size_t i = 0; i < names_->size(); ++i) {
    if ((*names_)[i] == column) return values_[i];
  }
  throw std::logic_error(fmt::format("the query has no column {}", column));
}

bool Row::has(std::string_view column) const {
  for (const auto& name : *names_) {
    if (name == column) return true;
  }
  return false;
}

std::optional<std::int64_t> Row::optional_integer(std::string_view column) const {
  const auto& value = cell(column);
  if (!value) return std::nullopt;
  if (const auto number = base::parse_int(*value)) return number;
  return static_cast<std::int64_t>(optional_real(column).value_or(0));
}

std::int64_t Row::integer(std::string_view column) const { return optional_integer(column).value_or(0); }

std::optional<double> Row::optional_real(std::string_view column) const {
  const auto& value = cell(column);
  if (!value) return std::nullopt;
  double out = 0;
  std::from_chars(value->data(), value->data() + value->size(), out);
  return out;
}

std::int64_t Row::first_integer() const { return integer(names_->front()); }

double Row::real(std::string_view column) const { return optional_real(column).value_or(0); }

class Connection {
 public:
  Connection(const std::string& path, int busy_timeout_seconds, bool writing)
      : session_(soci::sqlite3, fmt::format(R"(db="{}" timeout={})", path, busy_timeout_seconds)) {
    session_ << "PRAGMA journal_mode = WAL";
    // Losing the machine's power may lose the last commits, never the database; losing the process loses nothing.
    session_ << "PRAGMA synchronous = NORMAL";
    session_ << "PRAGMA foreign_keys = ON";
    session_ << "PRAGMA temp_store = MEMORY";
    if (!writing) session_ << "PRAGMA query_only = ON";
  }

  base::Result<std::vector<Row>> run(std::string_view sql, const Binds& binds, std::int64_t* affected = nullptr) {
    auto it = statements_.find(std::string(sql));
    try {
      if (it != statements_.end() && !it->second->fits(binds)) {
        statements_.erase(it);
        it = statements_.end();
      }
      if (it == statements_.end()) {
        if (statements_.size() >= kStatementCache) statements_.clear();
        it = statements_.emplace(std::string(sql), std::make_unique<Prepared>(session_, sql, binds)).first;
      }
      auto rows = it->second->run(binds);
      if (affected) *affected = it->second->affected();
      return rows;
    } catch (const std::exception& e) {
      if (it != statements_.end()) statements_.erase(it);
      return base::fail(translate(e, sql));
    }
  }

  base::Status plain(std::string_view sql) {
    try {
      session_ << std::string(sql);
      return {};
    } catch (const std::exception& e) {
      return base::fail(translate(e, sql));
    }
  }

 private:
  soci::session session_;
  std::unordered_map<std::string, std::unique_ptr<Prepared>> statements_;
};

base::Result<std::vector<Row>> Transaction::query(std::string_view sql, const Binds& binds) {
  return connection_.run(sql, binds);
}

base::Result<std::optional<Row>> Transaction::query_one(std::string_view sql, const Binds& binds) {
  auto rows = FR_TRY(connection_.run(sql, binds));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

base::Result<std::int64_t> Transaction::count(std::string_view sql, const Binds& binds) {
  const auto row = FR_TRY(query_one(sql, binds));
  return row ? row->first_integer() : 0;
}

base::Result<std::int64_t> Transaction::execute(std::string_view sql, const Binds& binds) {
  std::int64_t affected = 0;
  FR_CHECK(connection_.run(sql, binds, &affected));
  return affected;
}

base::Result<std::int64_t> Transaction::insert(std::string_view sql, const Binds& binds) {
  return count(std::string(sql) + " RETURNING id", binds);
}

struct Store::Impl {
  StoreOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<Connection> writer;
  bool writer_busy = false;
  std::vector<std::unique_ptr<Connection>> readers; // all of them
  std::vector<Connection*> idle_readers;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Store::Scope::Scope(Store& store, bool writing) : store_(store), writing_(writing) {}

base::Status Store::Scope::begin() {
  if (open_transactions > 0) return base::fail(base::ErrorKind::kInternal, "nested database transaction");
  auto& impl = *store_.impl_;
  {
    std::unique_lock lock(impl.mutex);
    if (writing_) {
      impl.changed.wait(lock, [&] { return !impl.writer_busy; });
      impl.writer_busy = true;
      connection_ = impl.writer.get();
    } else {
      impl.changed.wait(lock, [&] { return !impl.idle_readers.empty(); });
      connection_ = impl.idle_readers.back();
      impl.idle_readers.pop_back();
    }
  }
  ++open_transactions;
  FR_CHECK(connection_->plain(writing_ ? "BEGIN IMMEDIATE" : "BEGIN"));
  open_ = true;
  transaction_.reset(new Transaction(*connection_, writing_));
  return {};
}

base::Status Store::Scope::commit() {
  FR_CHECK(connection_->plain("COMMIT"));
  open_ = false;
  return {};
}

Store::Scope::~Scope() {
  if (!connection_) return;
  if (open_) {
    if (auto undone = connection_->plain("ROLLBACK"); !undone) {
      base::log::error("rolling back failed", {{"error", undone.error().message()}});
    }
  }
  --open_transactions;
  auto& impl = *store_.impl_;
  {
    const std::lock_guard lock(impl.mutex);
    if (writing_) {
      impl.writer_busy = false;
    } else {
      impl.idle_readers.push_back(connection_);
    }
  }
  impl.changed.notify_all();
}

namespace {

std::vector<std::string> split_statements(std::string_view script) {
  std::vector<std::string> out;
  std::string current;
  for (const auto& line : base::split(script, '\n')) {
    const auto trimmed = base::trim(line);
    if (trimmed.empty()) continue;
    current += line + "\n";
    if (trimmed.ends_with(';')) {
      out.push_back(current);
      current.clear();
    }
  }
  return out;
}

base::Result<std::int64_t> migrate(Store& store) {
  const auto steps = migrations();
  std::int64_t version = 0;
  while (true) {
    auto result = store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
      FR_CHECK(tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"));
      const auto present = FR_TRY(tx.count("SELECT max(version) FROM schema_version"));
      if (present > static_cast<std::int64_t>(steps.size())) {
        return base::fail(base::ErrorKind::kConflict,
                          fmt::format("the database has schema version {}, this program knows {}: use a newer program",
                                      present, steps.size()));
      }
      if (present == static_cast<std::int64_t>(steps.size())) return present;
      for (const auto& statement : split_statements(steps[static_cast<std::size_t>(present)])) {
        FR_CHECK(tx.execute(statement));
      }
      FR_CHECK(tx.execute("INSERT INTO schema_version (version) VALUES (?)", {present + 1}));
      return present + 1;
    });
    if (!result) return base::fail_context("bringing the database up to date", std::move(result.error()));
    if (*result == version || *result == static_cast<std::int64_t>(steps.size())) return *result;
    version = *result;
  }
}

} // namespace

base::Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  if (options.path.find('"') != std::string::npos) {
    // SOCI's connection string has no escape for it.
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("database path {} must not contain double quotes", options.path));
  }
  // Made here so that nobody else can read it; SQLite gives its side files the same mode.
  if (!sys::exists(options.path)) FR_CHECK(sys::write_file(options.path, "", 0600));
  try {
    impl->writer = std::make_unique<Connection>(options.path, options.busy_timeout_seconds, true);
    std::unique_ptr<Store> store(new Store(std::move(impl)));
    store->schema_version_ = FR_TRY(migrate(*store));
    for (std::size_t i = 0; i < std::max<std::size_t>(options.readers, 1); ++i) {
      auto reader = std::make_unique<Connection>(options.path, options.busy_timeout_seconds, false);
      store->impl_->idle_readers.push_back(reader.get());
      store->impl_->readers.push_back(std::move(reader));
    }
    return store;
  } catch (const std::exception& e) {
    return base::fail(base::ErrorKind::kIo, fmt::format("cannot open database {}: {}", options.path, e.what()));
  }
}

} // namespace coordinator
