// What an older program left is opened by this one, with everything in it.
#include "coordinator/schema.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "coordinator/test_server.hpp"
#include "database/dialect.hpp"

namespace coordinator {
namespace {

// A released step is what somebody's database was made with: changing it changes nothing there.
TEST(Schema, ReleasedStepsStayAsTheyAre) {
  const std::string_view released[] = {"00b0875789e306b4af8c15c14f11728c4d348ca5c9aea2c25e4fc28d9282b40b",
                                       "dafe8dd82a8f7394301e771aa8fc39ef0682f6674164a9d3d2d929a4b6c3fd6d",
                                       "0db438d69b3e81fa6c5133f7d80354f05c36610dab4fbaf900724615b22955cb"};
  for (std::size_t i = 0; i < std::size(released); ++i) {
    EXPECT_EQ(base::sha256_hex(migrations()[i]), released[i]) << "append a step, never edit one (" << i + 1 << ")";
  }
}

// Rows as version 1, 2 and 3 had them; each entry is added from its version on.
constexpr std::string_view kRows[] = {
    R"(INSERT INTO users (username, name, email, state, kind, admin, created_at, updated_at)
       VALUES ('root', 'Administrator', 'admin@example.com', 'active', 'human', 1, 1700000000000, 1700000000000);
INSERT INTO users (username, name, email, state, kind, admin, created_at, updated_at)
       VALUES ('ann', 'Ann', 'ann@example.com', 'active', 'human', 0, 1700000000000, 1700000000000);
INSERT INTO namespaces (kind, owner_id, name, path, full_path, full_name, traversal, created_at)
       VALUES ('user', 1, 'Administrator', 'root', 'root', 'Administrator', '1/', 1700000000000);
INSERT INTO namespaces (kind, name, path, full_path, full_name, traversal, created_at)
       VALUES ('group', 'Ships', 'ships', 'ships', 'Ships', '2/', 1700000000000);
INSERT INTO projects (namespace_id, creator_id, name, path, full_path, created_at, updated_at, last_activity_at)
       VALUES (2, 1, 'Titanic', 'titanic', 'ships/titanic', 1700000000000, 1700000000000, 1700000000000);
INSERT INTO members (namespace_id, user_id, access_level, created_at) VALUES (2, 2, 50, 1700000000000);
INSERT INTO settings (name, value) VALUES ('shared_runners_text', '"older"');
)",
    R"(INSERT INTO runners (type, token_digest, token_short, registration_type, creator_id, description, tag_list, created_at)
       VALUES ('instance_type', 'd1', 'short', 'authenticated_user', 1, 'an old runner', '["linux"]', 1700000000000);
INSERT INTO runner_managers (runner_id, system_id, version, created_at) VALUES (1, 's_old', '17.0.0', 1767300000000);
)",
    R"(INSERT INTO pipelines (iid, project_id, user_id, ref, sha, status, created_at, updated_at)
       VALUES (1, 1, 1, 'main', '0123456789012345678901234567890123456789', 'success', 1700000000000, 1700000000000);
INSERT INTO jobs (pipeline_id, project_id, user_id, name, stage, stage_idx, status, definition, ref, created_at,
       updated_at) VALUES (1, 1, 1, 'iceberg', 'test', 1, 'success', '{}', 'main', 1700000000000, 1700000000000);
)"};

class SchemaUpgrade : public testing::TestWithParam<std::size_t> {};

TEST_P(SchemaUpgrade, KeepsWhatWasThere) {
  const auto version = GetParam();
  TestServer server([&](const std::string& data_dir) {
    ASSERT_TRUE(sys::make_directories(data_dir, 0700));
    auto old =
        Store::open({.path = sys::join_path(data_dir, kDatabaseFile), .migrations = migrations().first(version)});
    ASSERT_TRUE(old) << old.error().message();
    auto filled = (*old)->write([&](Transaction& tx) -> base::Result<std::int64_t> {
      for (std::size_t i = 0; i < version; ++i) {
        for (const auto& statement : database::split_statements(kRows[i])) FR_CHECK(tx.execute(statement));
      }
      return 0;
    });
    ASSERT_TRUE(filled) << filled.error().message();
  });
  EXPECT_EQ(server.app().store.schema_version(), static_cast<std::int64_t>(migrations().size()));
  EXPECT_EQ(server.get("/user").body["username"].string_or(""), "root");
  EXPECT_EQ(server.get("/users?username=ann").body.size(), 1u);
  EXPECT_EQ(server.get("/projects/ships%2Ftitanic").body["name"].string_or(""), "Titanic");
  EXPECT_EQ(server.get("/groups/ships/members").body.size(), 1u);
  EXPECT_EQ(server.get("/application/settings").body["shared_runners_text"].string_or(""), "older");
  if (version >= 2) {
    const auto runner = server.get("/runners/1");
    EXPECT_EQ(runner.body["description"].string_or(""), "an old runner") << runner.text;
    EXPECT_EQ(server.get("/runners/1/managers").body.size(), 1u);
  }
  if (version >= 3) {
    EXPECT_EQ(server.get("/projects/1/pipelines/1").body["status"].string_or(""), "success");
    EXPECT_EQ(server.get("/projects/1/jobs/1").body["name"].string_or(""), "iceberg");
  }
  // And it goes on from there.
  EXPECT_EQ(server.project("next"), 2);
  server.make_runner();
}

INSTANTIATE_TEST_SUITE_P(From, SchemaUpgrade, testing::Values(1, 2, 3));

TEST(Schema, ANewerOneIsRefused) {
  auto dir = sys::TempDir::create("coordinator-newer");
  ASSERT_TRUE(dir);
  const auto path = dir->path(kDatabaseFile);
  {
    auto store = Store::open({.path = path, .migrations = migrations()});
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->write([](Transaction& tx) {
      return tx.execute("INSERT INTO schema_version (version) VALUES (?)", {migrations().size() + 1});
    }));
  }
  Options options;
  options.data_dir = dir->path();
  auto server = Server::create(options);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message().find("use a newer program"), std::string::npos) << server.error().message();
}

TEST(Schema, AnotherKeyIsRefused) {
  auto dir = sys::TempDir::create("coordinator-key");
  ASSERT_TRUE(dir);
  Options options;
  options.data_dir = dir->path();
  ASSERT_TRUE(Server::create(options));
  ASSERT_TRUE(sys::remove_file(dir->path("secret.key")));
  auto server = Server::create(options);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message().find("not the key"), std::string::npos) << server.error().message();
}

} // namespace
} // namespace coordinator
