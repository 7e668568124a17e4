#include "database/store.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/hash.hpp"
#include "database/dialect.hpp"
#include "sys/files.hpp"

namespace database {
namespace {

constexpr std::array<std::string_view, 2> kMigrations = {R"(
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  half REAL);
)",
                                                         R"(
CREATE TABLE places (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
CREATE UNIQUE INDEX places_name ON places (lower(name));
)"};

// Each test runs against SQLite, and against the server of FORERUNNER_TEST_DATABASE when it is set (tests/cluster).
std::vector<std::string> kinds() {
  std::vector<std::string> out = {"sqlite"};
  const char* url = std::getenv("FORERUNNER_TEST_DATABASE");
  if (url != nullptr && *url != '\0') out.emplace_back("postgres");
  return out;
}

class StoreTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto dir = sys::TempDir::create("database store"); // with a blank
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
    reopen();
  }
  bool postgres() const { return GetParam() == "postgres"; }
  // As another process on the same database would open it.
  base::Result<std::unique_ptr<Store>> open() {
    if (!postgres()) return Store::open({.path = dir_->path("db.sqlite"), .migrations = kMigrations, .readers = 2});
    const std::string url = std::getenv("FORERUNNER_TEST_DATABASE");
    const auto* joint = url.find('?') == std::string::npos ? "?" : "&";
    return Store::open({.url = base::Secret(url + joint + "options=-csearch_path%3D" + schema_),
                        .migrations = kMigrations,
                        .readers = 2});
  }
  void reopen() {
    store_.reset();
    auto store = open();
    ASSERT_TRUE(store) << store.error().message();
    store_ = std::move(*store);
  }
  base::Result<std::int64_t> put(std::string_view name, std::string_view value) {
    return store_->write(
        [&](Transaction& tx) { return tx.execute("INSERT INTO settings (name, value) VALUES (?, ?)", {name, value}); });
  }
  std::int64_t rows() {
    return *store_->read([](Transaction& tx) { return tx.count("SELECT count(*) FROM settings"); });
  }
  std::optional<sys::TempDir> dir_;
  std::string schema_ = "test_" + base::random_hex(12);
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, MigratesOnceAndKeepsData) {
  EXPECT_EQ(store_->schema_version(), static_cast<std::int64_t>(kMigrations.size()));
  ASSERT_TRUE(put("a", "1"));
  reopen();
  EXPECT_EQ(rows(), 1);
}

TEST_P(StoreTest, RefusesANewerSchema) {
  ASSERT_TRUE(store_->write(
      [](Transaction& tx) { return tx.execute("INSERT INTO schema_version (version) VALUES (?)", {1000}); }));
  store_.reset();
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind(), base::ErrorKind::kConflict);
}

TEST_P(StoreTest, RollsBackOnErrorAndRunsActionsOnlyAfterCommit) {
  int ran = 0;
  auto failed = store_->write([&](Transaction& tx) -> base::Result<int> {
    FR_CHECK(tx.execute("INSERT INTO settings (name, value) VALUES ('x', 'y')"));
    tx.after_commit([&] { ++ran; });
    return base::fail(base::ErrorKind::kLimit, "no");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(rows(), 0);
  EXPECT_EQ(ran, 0);
  ASSERT_TRUE(store_->write([&](Transaction& tx) -> base::Result<int> {
    tx.after_commit([&] { ran += rows() == 0 ? 10 : 0; }); // outside the transaction: may open another
    return 1;
  }));
  EXPECT_EQ(ran, 10);
}

TEST_P(StoreTest, ValuesKeepTheirTypesAndWidth) {
  const std::int64_t big = 1'800'000'000'123;
  const std::string bytes("a\0b?:c\xc3\xa9'", 9);
  auto row = store_->read([&](Transaction& tx) {
    return tx.query_one(
        "SELECT CAST(? AS BIGINT) AS big, ? AS bytes, ? AS none, CAST(? AS DOUBLE PRECISION) AS half, '?' AS mark",
        {big, bytes, nullptr, 0.5});
  });
  ASSERT_TRUE(row) << row.error().message();
  EXPECT_EQ((*row)->integer("big"), big);
  EXPECT_EQ((*row)->text("bytes"), bytes);
  EXPECT_TRUE((*row)->is_null("none"));
  EXPECT_EQ((*row)->optional_integer("none"), std::nullopt);
  EXPECT_EQ((*row)->real("half"), 0.5);
  EXPECT_EQ((*row)->text("mark"), "?");
  EXPECT_THROW((*row)->text("nothing"), std::logic_error);
}

TEST_P(StoreTest, OneStatementServesNullsAndValuesInTurn) {
  for (int round = 0; round < 3; ++round) {
    for (const Bind& value : {Bind(nullptr), Bind(5), Bind("text"), Bind(0.5)}) {
      auto row = store_->read([&](Transaction& tx) { return tx.query_one("SELECT ? AS v", {value}); });
      ASSERT_TRUE(row) << row.error().message();
      EXPECT_EQ((*row)->is_null("v"), value.value().index() == 0);
    }
  }
}

TEST_P(StoreTest, UniqueViolationIsAConflictAndTheConnectionGoesOn) {
  ASSERT_TRUE(put("a", "1"));
  auto again = put("a", "2");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), base::ErrorKind::kConflict);
  EXPECT_TRUE(put("b", "2"));
}

TEST_P(StoreTest, ReadersCannotWriteAndDoNotNest) {
  auto written = store_->read([](Transaction& tx) { return tx.execute("DELETE FROM settings"); });
  EXPECT_FALSE(written);
  auto nested = store_->write([&](Transaction&) { return put("x", "y"); });
  EXPECT_FALSE(nested);
  EXPECT_TRUE(put("x", "y"));
}

TEST_P(StoreTest, InsertGivesTheIdAndIdsAreNotReused) {
  const auto insert = [&] {
    return *store_->write([](Transaction& tx) { return tx.insert("INSERT INTO events (at) VALUES (1)"); });
  };
  EXPECT_EQ(insert(), 1);
  EXPECT_EQ(insert(), 2);
  ASSERT_TRUE(store_->write([](Transaction& tx) { return tx.execute("DELETE FROM events"); }));
  EXPECT_EQ(insert(), 3);
}

TEST_P(StoreTest, ManyThreadsCountRight) {
  ASSERT_TRUE(put("n", "0"));
  std::vector<std::jthread> threads;
  std::atomic<int> errors = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        auto done = store_->write([](Transaction& tx) {
          return tx.execute("UPDATE settings SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'n'");
        });
        if (!done || *done != 1) ++errors;
        if (rows() != 1) ++errors;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(errors, 0);
  auto row = store_->read([](Transaction& tx) { return tx.query_one("SELECT value FROM settings"); });
  EXPECT_EQ((*row)->text("value"), "180");
}

TEST_P(StoreTest, NoticesGoOutAfterTheCommitOnly) {
  std::vector<std::string> heard;
  auto subscription = store_->subscribe("news", [&](const std::string& payload) {
    heard.push_back(payload + " " + std::to_string(rows())); // outside the transaction
  });
  EXPECT_TRUE(store_->write([&](Transaction& tx) -> base::Result<int> {
    FR_CHECK(tx.publish("news", "a"));
    FR_CHECK(tx.publish("other", "b"));
    FR_CHECK(tx.execute("INSERT INTO settings (name, value) VALUES ('x', 'y')"));
    EXPECT_TRUE(heard.empty());
    return 1;
  }));
  EXPECT_FALSE(store_->write_shared([&](Transaction& tx) -> base::Result<int> {
    FR_CHECK(tx.publish("news", "never"));
    return base::fail(base::ErrorKind::kLimit, "no");
  }));
  store_->publish("news", "c");
  EXPECT_EQ(heard, (std::vector<std::string>{"a 1", "c 1"}));
  subscription = {};
  store_->publish("news", "late");
  EXPECT_EQ(heard.size(), 2u);
}

TEST_P(StoreTest, RowLocksAndNamedLocksAreWrittenOnce) {
  ASSERT_TRUE(put("a", "1"));
  auto row = store_->write_shared([](Transaction& tx) -> base::Result<std::optional<Row>> {
    FR_CHECK(tx.lock("setting", 1));
    return tx.query_one("SELECT value FROM settings ORDER BY name LIMIT 1 FOR UPDATE OF settings SKIP LOCKED");
  });
  ASSERT_TRUE(row) << row.error().message();
  EXPECT_EQ((*row)->text("value"), "1");
}

TEST_P(StoreTest, AnyBytesComeBackAsTheyWere) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string texts[] = {all, "\xff\xfe", "caf\xc3\xa9 \xc3", "\xf4\x8e\xb8\xa0 \xf4\x8e", "\xed\xa0\x80", ""};
  for (const auto& text : texts) {
    ASSERT_TRUE(put("k", text));
    auto row = store_->read([](Transaction& tx) { return tx.query_one("SELECT value FROM settings"); });
    ASSERT_TRUE(row) << row.error().message();
    EXPECT_EQ((*row)->text("value"), text);
    ASSERT_TRUE(store_->write([](Transaction& tx) { return tx.execute("DELETE FROM settings"); }));
  }
}

TEST_P(StoreTest, TextFoldsAndSortsByBytes) {
  auto names = store_->write([](Transaction& tx) -> base::Result<std::string> {
    for (const auto* name : {"b", "B2", "\xc3\x89t\xc3\xa9", "a_c", "abc", "Z"}) {
      FR_CHECK(tx.execute("INSERT INTO places (name) VALUES (?)", {name}));
    }
    std::string out;
    for (const auto& row : FR_TRY(tx.query("SELECT name FROM places ORDER BY name"))) out += row.text("name") + " ";
    out += "| ";
    for (const auto& row : FR_TRY(tx.query("SELECT name FROM places WHERE name LIKE ? ESCAPE '\\'", {"A\\_%"}))) {
      out += row.text("name") + " ";
    }
    // Only ASCII letters fold, in columns as in parameters.
    for (const auto* name : {"B", "\xc3\x89T\xc3\xa9", "\xc3\xa9t\xc3\xa9"}) {
      out += std::to_string(FR_TRY(tx.count("SELECT count(*) FROM places WHERE lower(name) = lower(?)", {name})));
    }
    return out;
  });
  ASSERT_TRUE(names) << names.error().message();
  EXPECT_EQ(*names, "B2 Z a_c abc b \xc3\x89t\xc3\xa9 | a_c 110");
}

TEST_P(StoreTest, ConditionsReadAsIntegersAndTakeThem) {
  auto row = store_->read([](Transaction& tx) {
    return tx.query_one(
        "SELECT EXISTS (SELECT 1 FROM settings) AS some, 1 = 1 AS yes, CASE WHEN ? THEN 5 ELSE 6 END AS c, "
        "count(*) AS n FROM settings WHERE (? IS NULL OR name = ?) AND (? = 0 OR value = 'x')",
        {true, nullptr, nullptr, false});
  });
  ASSERT_TRUE(row) << row.error().message();
  EXPECT_FALSE((*row)->boolean("some"));
  EXPECT_EQ((*row)->integer("yes"), 1);
  EXPECT_EQ((*row)->integer("c"), 5);
  EXPECT_EQ((*row)->integer("n"), 0);
  auto exists = store_->read([](Transaction& tx) { return tx.count("SELECT EXISTS (SELECT 1 FROM schema_version)"); });
  EXPECT_EQ(exists.value_or(-1), 1);
}

TEST_P(StoreTest, OneHoldsADuty) { EXPECT_TRUE(store_->leads("housekeeping")); }

INSTANTIATE_TEST_SUITE_P(Databases, StoreTest, testing::ValuesIn(kinds()), [](const auto& info) { return info.param; });

} // namespace
} // namespace database
