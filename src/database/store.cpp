#include "database/store.hpp"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <thread>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "database/dialect.hpp"
#include "database/listener.hpp"
#include "database/postgres.hpp"
#include "database/sqlite.hpp"

namespace database {
namespace {

constexpr int kLockTimeoutSeconds = 30;
constexpr int kMostAttempts = 6; // of a transaction that lost against another
constexpr auto kReconnect = std::chrono::seconds(10);
constexpr auto kFirstPause = std::chrono::milliseconds(50);

thread_local int open_transactions = 0;

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
  return connection_.lock(fmt::format("{} {}", kind, id));
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
      : options(given),
        postgres{.url = given.url, .instance = base::random_hex(16), .lock_timeout_seconds = kLockTimeoutSeconds},
        readers(std::max<std::size_t>(given.readers, 1)),
        writers(std::max<std::size_t>(given.writers, 1)),
        exclusive(1) {}

  bool is_postgres() const { return !options.url.empty(); }
  Pool& pool(Access access) {
    if (access == Access::kRead) return readers;
    return access == Access::kShared && is_postgres() ? writers : exclusive;
  }
  base::Result<std::unique_ptr<Connection>> open(Access access) const {
    if (is_postgres()) return FR_TRY(PostgresConnection::open(postgres));
    return open_sqlite(options.path, access, options.busy_timeout_seconds);
  }
  // One that begins a transaction, for a few seconds also across a restart of the server.
  base::Status begin(std::unique_ptr<Connection>& connection, Access access) const {
    const auto until = std::chrono::steady_clock::now() + kReconnect;
    for (auto pause = kFirstPause;; pause *= 2) {
      base::Status begun;
      if (!connection) {
        auto opened = open(access);
        if (opened) {
          connection = std::move(*opened);
        } else {
          begun = base::fail(std::move(opened.error()));
        }
      }
      if (connection) begun = connection->begin(access);
      if (begun) return {};
      const bool lost = !connection || !connection->usable();
      if (connection && !lost) (void)connection->rollback();
      if (lost) connection.reset();
      const bool again = lost && started && is_postgres() && std::chrono::steady_clock::now() + pause < until;
      if (!again) return begun;
      std::this_thread::sleep_for(pause);
    }
  }

  StoreOptions options;
  PostgresOptions postgres;
  Pool readers;
  Pool writers;
  Pool exclusive;
  bool started = false; // from then on a lost connection is worth waiting for
  Notices notices;
  std::unique_ptr<Listener> listener; // last: it uses the rest
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

bool Store::shared() const { return impl_->is_postgres(); }
bool Store::leads(std::string_view duty) { return !impl_->listener || impl_->listener->leads(duty); }

void Store::deliver(const std::string& channel, const std::string& payload) {
  impl_->notices.deliver(channel, payload);
}

void Store::publish(std::string_view channel, std::string_view payload) {
  deliver(std::string(channel), std::string(payload));
  if (impl_->listener) impl_->listener->publish(std::string(channel), std::string(payload));
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
  FR_CHECK(impl.begin(connection_, access_));
  open_ = true;
  transaction_.reset(new Transaction(store_, *connection_, access_));
  return {};
}

base::Status Store::Scope::commit() {
  FR_CHECK(connection_->commit());
  open_ = false;
  return {};
}

void Store::Scope::roll_back() {
  if (!open_) return;
  open_ = false;
  if (auto undone = connection_->rollback(); !undone) {
    base::log::error("rolling back failed", {{"error", undone.error().message()}});
  }
}

bool Store::Scope::retry(int attempt) {
  if (access_ != Access::kShared || attempt >= kMostAttempts || !connection_->should_retry()) return false;
  roll_back();
  // Not in step with the other one.
  const auto jitter = static_cast<unsigned char>(base::random_bytes(1)[0]) % 16;
  std::this_thread::sleep_for(std::chrono::milliseconds(attempt * (4 + jitter)));
  return true;
}

Store::Scope::~Scope() {
  if (!taken_) return;
  roll_back();
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
  auto& impl = *store->impl_;
  if (impl.is_postgres()) impl.listener = FR_TRY(Listener::start(impl.postgres, impl.notices));
  impl.started = true;
  return store;
}

} // namespace database
