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
                                       "0db438d69b3e81fa6c5133f7d80354f05c36610dab4fbaf900724615b22955cb",
                                       "d99aa07cdc0b3e675474375ebaf217bbc7fdf14fef0731a8e073b701c004568e",
                                       "971449d43b69f71fc732284540b9c6e5c8888f8251d108bbfebef037c2844e4b",
                                       "eb5f822d7371f87c29be76a1a585c1c5c5ffdabb71c579b91b3d09eba07f885f",
                                       "9eb569594acd32006092add6433eb8b5bceba2a0a06b6ad1d7a3a1ac8c95fc08",
                                       "37676dbe6c9c3a8721e86ca23c145c1ca5ae7fe150acc624c44c27940da06411",
                                       "a1a16dd0a4b21c8c3d6350cdd5741a3986b33c180f9ca6b075b6cefd39229a14"};
  ASSERT_EQ(std::size(released), migrations().size()) << "a new step is pinned here with the release that has it";
  for (std::size_t i = 0; i < std::size(released); ++i) {
    EXPECT_EQ(base::sha256_hex(migrations()[i]), released[i]) << "append a step, never edit one (" << i + 1 << ")";
  }
}

constexpr const char* kToken = "glrt-t1_of-those-days-00001";
constexpr const char* kReplaced = "glrt-t1_of-those-days-00000"; // rotated, and still good
constexpr std::int64_t kReplacedUntil = 1'767'400'000'000;

// Rows as each version had them; each entry is added from its version on.
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
INSERT INTO audit_events (at, actor_kind, actor_id, action, target)
       VALUES (1700000000000, 'user', 1, 'ci_runner_created', 'runner 1');
)",
    R"(INSERT INTO pipelines (iid, project_id, user_id, ref, sha, status, created_at, updated_at)
       VALUES (1, 1, 1, 'main', '0123456789012345678901234567890123456789', 'success', 1700000000000, 1700000000000);
INSERT INTO jobs (pipeline_id, project_id, user_id, name, stage, stage_idx, status, definition, ref, created_at,
       updated_at) VALUES (1, 1, 1, 'iceberg', 'test', 1, 'success', '{}', 'main', 1700000000000, 1700000000000);
INSERT INTO pipelines (iid, project_id, user_id, ref, sha, status, definition, commit_facts, created_at, updated_at)
       VALUES (2, 1, 1, 'main', '0123456789012345678901234567890123456789', 'pending',
       '{"variables":[],"stages":[".pre","build","test","deploy",".post"]}',
       '{"message":"ice","author":"Ann <ann@example.org>","timestamp":"2025-01-01T00:00:00+00:00","tag_message":""}',
       1767300000000, 1767300000000);
INSERT INTO jobs (pipeline_id, project_id, user_id, name, stage, stage_idx, status, definition, ref, tag_list, created_at,
       updated_at, queued_at) VALUES (2, 1, 1, 'raft', 'test', 2, 'pending',
       '{"name":"raft","stage":"test","stage_index":2,"script":["echo"],"when":"on_success"}', 'main', '["linux"]',
       1767323000000, 1767323000000, 1767323000000);
)"};

base::Status fill(Transaction& tx, std::size_t version) {
  for (std::size_t i = 0; i < std::min(version, std::size(kRows)); ++i) {
    for (const auto& statement : database::split_statements(kRows[i])) FR_CHECK(tx.execute(statement));
  }
  if (version < 2) return {};
  FR_CHECK(tx.execute("UPDATE runners SET token_digest = ?", {token_digest(kToken)}));
  if (version < 5) {
    FR_CHECK(tx.execute("UPDATE runners SET previous_digest = ?, previous_valid_until = ?",
                        {token_digest(kReplaced), kReplacedUntil}));
  } else {
    FR_CHECK(tx.execute("INSERT INTO replaced_tokens (runner_id, digest, replaced_at, valid_until) VALUES (1, ?, ?, ?)",
                        {token_digest(kReplaced), kReplacedUntil - 86'400'000, kReplacedUntil}));
  }
  return {};
}

TestAnswer poll(TestServer& server, const char* token) {
  return server.runner("POST", "/jobs/request",
                       json::Value::object({{"token", token},
                                            {"system_id", "s_old"},
                                            {"info", json::Value::object({{"features", json::Value::object({})}})}}));
}

class SchemaUpgrade : public testing::TestWithParam<std::size_t> {};

TEST_P(SchemaUpgrade, KeepsWhatWasThere) {
  const auto version = GetParam();
  TestServer server([&](const std::string& data_dir, const StoreOptions& database) {
    ASSERT_TRUE(sys::make_directories(data_dir, 0700));
    auto options = database;
    options.migrations = migrations().first(version);
    auto old = Store::open(options);
    ASSERT_TRUE(old) << old.error().message();
    auto filled = (*old)->write([&](Transaction& tx) { return fill(tx, version); });
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
  if (version >= 2 && version < 6)
    EXPECT_EQ(server.get("/audit_events?entity_type=Runner&entity_id=1").body.size(), 1u);
  // And it goes on from there, with the token of then and the one before.
  if (version >= 2) {
    const auto earlier = poll(server, kReplaced);
    EXPECT_EQ(earlier.status, version >= 3 ? 201 : 204) << earlier.text;
    EXPECT_EQ(poll(server, kToken).status, 204);
    EXPECT_EQ(poll(server, "glrt-t1_of-nobody-000000001").status, 403);
  }
  if (version >= 3) EXPECT_EQ(server.get("/projects/1/jobs/2").body["status"].string_or(""), "running");
  EXPECT_EQ(server.project("next"), 2);
  server.make_runner();
}

INSTANTIATE_TEST_SUITE_P(From, SchemaUpgrade, testing::Range<std::size_t>(1, 9));

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
