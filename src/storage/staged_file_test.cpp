#include "storage/staged_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sys/files.hpp"

namespace storage {
namespace {

TEST(StagedFile, AppearsWithCommitOnly) {
  auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  std::string target = dir->path("a/b/cache.zip");
  auto file = StagedFile::create(target, "archive_");
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_TRUE(sys::write_all(file->fd(), "content"));
  EXPECT_FALSE(sys::exists(target));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(sys::read_file(target).value_or(""), "content");
  struct stat st{};
  ASSERT_EQ(::stat(target.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(dir->path("a/b").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
}

TEST(StagedFile, LeavesNothingBehindWhenDropped) {
  auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  {
    ASSERT_TRUE(StagedFile::create(dir->path("d/x"), "archive_"));
  }
  EXPECT_TRUE(sys::list_directory(dir->path("d")).value_or(std::vector<std::string>{"?"}).empty());
}

} // namespace
} // namespace storage
