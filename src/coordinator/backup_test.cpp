#include "coordinator/backup.hpp"

#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

class BackupTest : public TestProject {
 protected:
  void SetUp() override {
    if (server.app().store.shared()) GTEST_SKIP() << "the database is not in the data directory";
    dir_.emplace(*sys::TempDir::create("backup"));
    data_ = server.dir().path("data");
    file_ = dir_->path("backup.zip");
    restored_ = dir_->path("restored");
  }
  static std::string message(const base::Result<std::string>& result) { return result ? "" : result.error().message(); }
  std::optional<sys::TempDir> dir_;
  std::string data_;
  std::string file_;
  std::string restored_;
};

TEST_F(BackupTest, ComesBackWholeWhileTheServerRuns) {
  push("job:\n  script: echo\n");
  const auto made = back_up({.data_dir = data_, .file = file_});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(*made, "");
  // What comes later is not in it.
  server.project("later");
  const auto restored = restore(file_, restored_);
  ASSERT_TRUE(restored) << restored.error().message();
  EXPECT_EQ(
      git({"clone", "-q", restored_ + "/repositories/" + std::to_string(project) + ".git", dir_->path("clone")}).code,
      0);
  EXPECT_TRUE(sys::exists(dir_->path("clone") + "/.gitlab-ci.yml"));
  Options options;
  options.data_dir = restored_;
  auto again = Server::create(options);
  ASSERT_TRUE(again) << again.error().message();
  auto names = (*again)->app().store.read([](Transaction& tx) { return tx.query("SELECT name FROM projects"); });
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 1u);
  EXPECT_EQ(names->front().text("name"), "demo");
  EXPECT_FALSE(sys::exists(sys::join_path(restored_, "forerunner-backup.json")));
}

TEST_F(BackupTest, LeavesOutWhatIsAsked) {
  for (const char* name : {"artifacts/0/1/archive", "traces/0/1.log"}) {
    const auto path = sys::join_path(data_, name);
    ASSERT_TRUE(sys::make_directories(sys::parent_path(path)));
    ASSERT_TRUE(sys::write_file(path, "x"));
  }
  ASSERT_TRUE(back_up({.data_dir = data_, .file = file_, .artifacts = false, .logs = false}));
  ASSERT_TRUE(restore(file_, restored_));
  EXPECT_FALSE(sys::exists(sys::join_path(restored_, "artifacts")));
  EXPECT_FALSE(sys::exists(sys::join_path(restored_, "traces")));
  const auto full = dir_->path("full.zip");
  ASSERT_TRUE(back_up({.data_dir = data_, .file = full}));
  ASSERT_TRUE(restore(full, dir_->path("whole")));
  EXPECT_TRUE(sys::exists(dir_->path("whole") + "/artifacts/0/1/archive"));
  EXPECT_TRUE(sys::exists(dir_->path("whole") + "/traces/0/1.log"));
  EXPECT_TRUE(sys::list_directory(sys::join_path(data_, "tmp"))->size() <= 2); // the server's own, and its lock
}

TEST_F(BackupTest, RefusesWhatItCannotDoWell) {
  EXPECT_NE(message(back_up({.data_dir = dir_->path(), .file = file_})).find("not a coordinator's data directory"),
            std::string::npos);
  ASSERT_TRUE(back_up({.data_dir = data_, .file = file_}));
  EXPECT_NE(message(back_up({.data_dir = data_, .file = file_})).find("exists already"), std::string::npos);
  EXPECT_NE(message(restore(file_, data_)).find("is not empty"), std::string::npos);

  auto bytes = *sys::read_file(file_);
  const auto damaged = dir_->path("damaged.zip");
  ASSERT_TRUE(sys::write_file(damaged, bytes.substr(0, bytes.size() / 2)));
  EXPECT_NE(message(restore(damaged, restored_)), "");
  // A flipped byte in the middle of a file's content.
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ASSERT_TRUE(sys::write_file(damaged, bytes));
  EXPECT_NE(message(restore(damaged, restored_)).find("damaged"), std::string::npos);
  EXPECT_TRUE(sys::list_directory(restored_)->empty());
  ASSERT_TRUE(sys::write_file(damaged, "no zip"));
  EXPECT_NE(message(restore(damaged, restored_)), "");
}

} // namespace
} // namespace coordinator
