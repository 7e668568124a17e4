// What only several processes on one server can show: each Store here stands for a process.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "base/hash.hpp"
#include "database/store.hpp"

namespace database {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 1> kMigrations = {R"(
CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, taken_by TEXT, at BIGINT NOT NULL DEFAULT 0);
)"};

class PostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("FORERUNNER_TEST_DATABASE");
    if (url == nullptr || *url == '\0') GTEST_SKIP() << "FORERUNNER_TEST_DATABASE names no server (see tests/cluster)";
    url_ = url;
    a_ = open();
    b_ = open();
    ASSERT_TRUE(a_ && b_);
  }
  std::unique_ptr<Store> open() {
    const auto* joint = url_.find('?') == std::string::npos ? "?" : "&";
    auto store = Store::open(
        {.url = base::Secret(url_ + joint + "options=-csearch_path%3D" + schema_), .migrations = kMigrations});
    EXPECT_TRUE(store) << store.error().message();
    return store ? std::move(*store) : nullptr;
  }
  void make_jobs(int count) {
    ASSERT_TRUE(a_->write([&](Transaction& tx) -> base::Result<int> {
      for (int i = 0; i < count; ++i) FR_CHECK(tx.execute("INSERT INTO jobs (at) VALUES (0)"));
      return count;
    }));
  }
  // Ends all sessions of this test's stores, as a restart of the server does.
  void end_sessions(Store& store) {
    (void)store.write([&](Transaction& tx) {
      return tx.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
          "application_name = 'forerunner' AND pid <> pg_backend_pid()");
    });
  }
  template <class Condition>
  static bool soon(Condition condition, std::chrono::seconds most = 20s) {
    for (const auto until = std::chrono::steady_clock::now() + most; std::chrono::steady_clock::now() < until;) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::string url_;
  std::string schema_ = "test_" + base::random_hex(12);
  std::unique_ptr<Store> a_;
  std::unique_ptr<Store> b_;
};

TEST_F(PostgresTest, EachJobIsTakenOnce) {
  constexpr int kJobs = 200;
  make_jobs(kJobs);
  std::atomic<int> taken = 0;
  std::atomic<int> errors = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        Store& store = t % 2 == 0 ? *a_ : *b_;
        for (bool more = true; more;) {
          auto done = store.write_shared([&](Transaction& tx) -> base::Result<bool> {
            const auto row = FR_TRY(
                tx.query_one("SELECT id FROM jobs WHERE taken_by IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"));
            if (!row) return false;
            FR_CHECK(tx.execute("UPDATE jobs SET taken_by = ?, at = at + 1 WHERE id = ?", {t, row->integer("id")}));
            return true;
          });
          if (!done) ++errors;
          more = done && *done;
          if (more) ++taken;
        }
      });
    }
  }
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(taken, kJobs);
  EXPECT_EQ(*a_->read([](Transaction& tx) { return tx.count("SELECT count(*) FROM jobs WHERE at = 1"); }), kJobs);
}

TEST_F(PostgresTest, WritesExcludeOneAnotherSharedOnesDoNot) {
  std::atomic<bool> inside = false;
  std::atomic<bool> let_go = false;
  std::jthread holder([&] {
    (void)a_->write_shared([&](Transaction&) -> base::Result<int> {
      inside = true;
      soon([&] { return let_go.load(); });
      return 1;
    });
  });
  ASSERT_TRUE(soon([&] { return inside.load(); }));
  // Beside a shared one: another shared one, not an exclusive one.
  EXPECT_TRUE(b_->write_shared([](Transaction& tx) { return tx.execute("INSERT INTO jobs (at) VALUES (1)"); }));
  std::atomic<bool> written = false;
  std::jthread writer([&] {
    (void)b_->write([&](Transaction&) -> base::Result<int> { return 1; });
    written = true;
  });
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(written);
  let_go = true;
  EXPECT_TRUE(soon([&] { return written.load(); }));
}

TEST_F(PostgresTest, ADeadlockIsRunAgain) {
  make_jobs(2);
  std::atomic<int> arrived = 0;
  std::atomic<int> runs = 0;
  const auto both = [&](Store& store, std::int64_t first, std::int64_t second) {
    return store.write_shared([&](Transaction& tx) -> base::Result<int> {
      ++runs;
      FR_CHECK(tx.execute("UPDATE jobs SET at = at + 1 WHERE id = ?", {first}));
      ++arrived;
      soon([&] { return arrived >= 2; });
      FR_CHECK(tx.execute("UPDATE jobs SET at = at + 1 WHERE id = ?", {second}));
      return 1;
    });
  };
  base::Result<int> other;
  {
    std::jthread thread([&] { other = both(*b_, 2, 1); });
    auto mine = both(*a_, 1, 2);
    EXPECT_TRUE(mine) << mine.error().message();
  }
  EXPECT_TRUE(other) << other.error().message();
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(*a_->read([](Transaction& tx) { return tx.count("SELECT sum(at) FROM jobs"); }), 4);
}

TEST_F(PostgresTest, NamedLocksExclude) {
  int counter = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i) {
          (void)(t % 2 == 0 ? a_ : b_)->write_shared([&](Transaction& tx) -> base::Result<int> {
            FR_CHECK(tx.lock("pipeline", 7));
            return ++counter; // a data race if the lock were none
          });
        }
      });
    }
  }
  EXPECT_EQ(counter, 100);
}

TEST_F(PostgresTest, NoticesReachTheOthersAndComeBackAfterALostConnection) {
  std::mutex mutex;
  std::multiset<std::string> heard;
  std::atomic<int> missed = 0;
  auto subscription = b_->subscribe(
      "news",
      [&](const std::string& payload) {
        const std::lock_guard lock(mutex);
        heard.insert(payload);
      },
      [&] { ++missed; });
  const auto count = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    return heard.count(what);
  };
  ASSERT_TRUE(a_->write([](Transaction& tx) { return tx.publish("news", "in \xff a transaction"); }));
  a_->publish("news", "without one");
  EXPECT_TRUE(soon([&] { return count("in \xff a transaction") == 1 && count("without one") == 1; }));
  (void)a_->write([](Transaction& tx) -> base::Result<int> {
    FR_CHECK(tx.publish("news", "never"));
    return base::fail(base::ErrorKind::kLimit, "no");
  });
  b_->publish("news", "own");
  EXPECT_EQ(count("own"), 1u); // before publish() returned, and not a second time
  end_sessions(*a_);
  EXPECT_TRUE(soon([&] { return missed >= 1; }));
  EXPECT_TRUE(soon([&] {
    a_->publish("news", "again");
    return count("again") > 0;
  }));
  EXPECT_EQ(count("own"), 1u);
  EXPECT_EQ(count("never"), 0u);
}

TEST_F(PostgresTest, LostConnectionsAreMadeAnew) {
  make_jobs(1);
  for (int round = 0; round < 3; ++round) {
    end_sessions(*b_);
    EXPECT_TRUE(a_->read([](Transaction& tx) { return tx.count("SELECT count(*) FROM jobs"); }));
    EXPECT_TRUE(a_->write_shared([](Transaction& tx) { return tx.execute("UPDATE jobs SET at = 5"); }));
  }
  // In the middle of a transaction it is the caller's to know.
  auto lost = a_->write([&](Transaction& tx) -> base::Result<std::int64_t> {
    std::jthread([&] {
      (void)b_->read([&](Transaction& other) {
        return other.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
            "state LIKE 'idle in%' AND application_name = 'forerunner'");
      });
    }).join();
    return tx.execute("UPDATE jobs SET at = 6");
  });
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(*a_->read([](Transaction& tx) { return tx.count("SELECT at FROM jobs"); }), 5);
}

TEST_F(PostgresTest, ADutyGoesToTheNextWhenItsHolderEnds) {
  EXPECT_TRUE(a_->leads("housekeeping"));
  EXPECT_FALSE(b_->leads("housekeeping"));
  EXPECT_TRUE(a_->leads("housekeeping"));
  EXPECT_TRUE(b_->leads("something else"));
  a_.reset();
  EXPECT_TRUE(soon([&] { return b_->leads("housekeeping"); }));
}

TEST_F(PostgresTest, ARelaxedCommitIsOneTransactionsOwn) {
  const auto waits = [&](bool relaxed) {
    auto setting = a_->write_shared([&](Transaction& tx) -> base::Result<std::string> {
      if (relaxed) FR_CHECK(tx.relax());
      return FR_TRY(tx.query_one("SELECT current_setting('synchronous_commit') AS setting"))->text("setting");
    });
    return setting ? *setting : setting.error().message();
  };
  const auto usual = waits(false);
  EXPECT_EQ(waits(true), "off");
  EXPECT_EQ(waits(false), usual);
}

TEST_F(PostgresTest, ManyOpenAnEmptyDatabaseAtOnce) {
  schema_ = "test_" + base::random_hex(12);
  std::atomic<int> opened = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) threads.emplace_back([&] { opened += open() != nullptr; });
  }
  EXPECT_EQ(opened, 4);
}

TEST(PostgresUrl, SaysWhatIsWrongWithoutThePassword) {
  for (const std::string url :
       {"postgresql://user:hunter2@name@127.0.0.1/db", "postgresql://user:hun/ter2@127.0.0.1/db",
        "postgresql://user:hunter2%zz@127.0.0.1/db", "postgresql://user:hunter2@127.0.0.1/db?x=y",
        "postgresql://user:hunter2@127.0.0.1:1/db", "postgresql://"}) {
    auto store = Store::open({.url = base::Secret(url), .migrations = kMigrations});
    ASSERT_FALSE(store) << url;
    EXPECT_EQ(store.error().message().find("hun"), std::string::npos) << store.error().message();
  }
}

} // namespace
} // namespace database
