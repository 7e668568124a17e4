#include "database/store.hpp"

#include <fmt/format.h>

#include <condition_variable>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "database/dialect.hpp"
#include "database/sqlite.hpp"

namespace database {
namespace {

thread_local int open_transactions = 0;

// Advisory locks have numbers: 64 bits of a name's digest.
std::int64_t lock_key(std::string_view name) {
  std::uint64_t key = 0;
  for (const char c : base::sha256(name).substr(0, 8)) key = key << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(key);
}

// Idle connections of one kind, opened when first needed, at most `limit` at once.
class Pool {
 public:
  explicit Pool(std::size_t limit) : limit_(limit) {}

  // A connection, or nullptr: make one.
  std::unique_ptr<Connection> take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return lent_ < limit_; });
    ++lent_;
    if (idle_.empty()) return nullptr;
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  // nullptr: it is gone.
  void give(std::unique_ptr<Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      --lent_;
      if (connection && connection->usable()) idle_.push_back(std::move(connection));
    }
    freed_.notify_one();
  }

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t lent_ = 0;
  std::vector<std::unique_ptr<Connection>> idle_;
};

} // namespace

base::Result<std::vector<Row>> Transaction::query(std::string_view sql, const Binds& binds) {
  return connection_.run(sql, binds, nullptr);
}

base::Result<std::optional<Row>> Transaction::query_one(std::string_view sql, const Binds& binds) {
  auto rows = FR_TRY(connection_.run(sql, binds, nullptr));
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

base::Status Transaction::lock(std::string_view kind, std::int64_t id) {
  return connection_.lock(lock_key(fmt::format("{} {}", kind, id)));
}

base::Status Transaction::publish(std::string_view channel, std::string_view payload) {
  FR_CHECK(connection_.notify(channel, payload));
  after_commit([store = &store_, channel = std::string(channel), payload = std::string(payload)] {
    store->deliver(channel, payload);
  });
  return {};
}

struct Store::Impl {
  explicit Impl(const StoreOptions& given)
      : options(given), readers(std::max<std::size_t>(given.readers, 1)), exclusive(1) {}

  Pool& pool(Access access) { return access == Access::kRead ? readers : exclusive; }
  base::Result<std::unique_ptr<Connection>> open(Access access) const {
    return open_sqlite(options.path, access, options.busy_timeout_seconds);
  }

  StoreOptions options;
  Pool readers;
  Pool exclusive;
  Notices notices;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

bool Store::shared() const { return false; }
bool Store::leads(std::string_view) { return true; }

void Store::deliver(const std::string& channel, const std::string& payload) {
  impl_->notices.deliver(channel, payload);
}

void Store::publish(std::string_view channel, std::string_view payload) {
  deliver(std::string(channel), std::string(payload));
}

Subscription Store::subscribe(std::string channel, std::function<void(const std::string&)> handler,
                              std::function<void()> missed) {
  return impl_->notices.subscribe(std::move(channel), std::move(handler), std::move(missed));
}

Store::Scope::Scope(Store& store, Access access) : store_(store), access_(access) {}

base::Status Store::Scope::begin() {
  if (open_transactions > 0) return base::fail(base::ErrorKind::kInternal, "nested database transaction");
  auto& impl = *store_.impl_;
  connection_ = impl.pool(access_).take();
  ++open_transactions;
  taken_ = true;
  if (!connection_) connection_ = FR_TRY(impl.open(access_));
  FR_CHECK(connection_->begin(access_));
  open_ = true;
  transaction_.reset(new Transaction(store_, *connection_, access_));
  return {};
}

base::Status Store::Scope::commit() {
  FR_CHECK(connection_->commit());
  open_ = false;
  return {};
}

bool Store::Scope::retry(int) { return false; }

Store::Scope::~Scope() {
  if (!taken_) return;
  if (open_) {
    if (auto undone = connection_->rollback(); !undone) {
      base::log::error("rolling back failed", {{"error", undone.error().message()}});
    }
  }
  --open_transactions;
  store_.impl_->pool(access_).give(std::move(connection_));
}

namespace {

base::Result<std::int64_t> migrate(Store& store, std::span<const std::string_view> steps) {
  const auto newest = static_cast<std::int64_t>(steps.size());
  while (true) {
    auto version = store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
      FR_CHECK(tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"));
      const auto present = FR_TRY(tx.count("SELECT max(version) FROM schema_version"));
      if (present > newest) {
        return base::fail(base::ErrorKind::kConflict,
                          fmt::format("the database has schema version {}, this program knows {}: use a newer program",
                                      present, newest));
      }
      if (present == newest) return present;
      for (const auto& statement : split_statements(steps[static_cast<std::size_t>(present)])) {
        FR_CHECK(tx.execute(statement));
      }
      FR_CHECK(tx.execute("INSERT INTO schema_version (version) VALUES (?)", {present + 1}));
      return present + 1;
    });
    if (!version) return base::fail_context("bringing the database up to date", std::move(version.error()));
    if (*version == newest) return *version;
  }
}

} // namespace

base::Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  std::unique_ptr<Store> store(new Store(std::make_unique<Impl>(options)));
  store->schema_version_ = FR_TRY(migrate(*store, options.migrations));
  return store;
}

} // namespace database
