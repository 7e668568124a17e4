#include "sys/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.hpp"

namespace sys {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(Files, ReadAndWrite) {
  auto dir = TempDir::create();
  std::string path = dir->path("file");
  EXPECT_EQ(read_file(path).error().kind(), base::ErrorKind::kNotFound);
  ASSERT_TRUE(write_file(path, "one"));
  ASSERT_TRUE(append_file(path, "two"));
  EXPECT_EQ(*read_file(path), "onetwo");
  EXPECT_EQ(*file_size(path), 6u);
  EXPECT_EQ(read_file(path, 5).error().kind(), base::ErrorKind::kLimit);
  EXPECT_EQ(*read_file(path, 6), "onetwo");
  EXPECT_TRUE(remove_file(path));
  EXPECT_TRUE(remove_file(path));
}

TEST(Files, AtomicWriteKeepsWhatCounts) {
  auto dir = TempDir::create();
  std::string path = dir->path("file");
  ASSERT_TRUE(atomic_write_file(path, "one", 0640));
  EXPECT_EQ(mode_of(path), 0640u);
  ASSERT_EQ(::symlink("file", dir->path("link").c_str()), 0);
  ASSERT_TRUE(atomic_write_file(dir->path("link"), "two"));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(mode_of(path), 0600u);
  struct stat info{};
  ASSERT_EQ(::lstat(dir->path("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 1234, 2345), 0);
    ASSERT_TRUE(atomic_write_file(path, "three"));
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 1234u);
    EXPECT_EQ(info.st_gid, 2345u);
  }
  EXPECT_EQ(*list_directory(dir->path()), (std::vector<std::string>{"file", "link"}));
  EXPECT_FALSE(atomic_write_file(dir->path("no/such/place"), "x"));
}

TEST(Files, AtomicWriteDoesNotReplaceADirectory) {
  auto dir = TempDir::create();
  ASSERT_TRUE(make_directories(dir->path("d")));
  EXPECT_FALSE(atomic_write_file(dir->path("d"), "x"));
  EXPECT_EQ(*list_directory(dir->path()), std::vector<std::string>{"d"});
}

TEST(Files, MakeDirectories) {
  auto dir = TempDir::create();
  ASSERT_TRUE(make_directories(dir->path("a/b//c/"), 0700));
  EXPECT_EQ(mode_of(dir->path("a/b/c")), 0700u);
  ASSERT_TRUE(make_directories(dir->path("a/b/c")));
  ASSERT_TRUE(write_file(dir->path("a/file"), ""));
  EXPECT_FALSE(make_directories(dir->path("a/file")));
  EXPECT_FALSE(make_directories(dir->path("a/file/x")));
  EXPECT_FALSE(make_directories(""));
}

TEST(Files, RemoveTreeDoesNotFollowLinks) {
  auto dir = TempDir::create();
  ASSERT_TRUE(make_directories(dir->path("keep")));
  ASSERT_TRUE(write_file(dir->path("keep/file"), "x"));
  ASSERT_TRUE(make_directories(dir->path("tree/a")));
  ASSERT_EQ(::symlink("../keep", dir->path("tree/link").c_str()), 0);
  ASSERT_EQ(::symlink(dir->path("keep").c_str(), dir->path("link").c_str()), 0);
  ASSERT_TRUE(remove_tree(dir->path("tree/")));
  ASSERT_TRUE(remove_tree(dir->path("link")));
  ASSERT_TRUE(remove_tree(dir->path("link")));
  EXPECT_EQ(*list_directory(dir->path()), std::vector<std::string>{"keep"});
  EXPECT_TRUE(exists(dir->path("keep/file")));
  EXPECT_TRUE(remove_tree(dir->path("no/such/thing")));
  EXPECT_FALSE(remove_tree("/"));
  EXPECT_FALSE(remove_tree("//."));
  EXPECT_FALSE(remove_tree(dir->path("keep/..")));
  ASSERT_TRUE(remove_contents(dir->path("keep")));
  EXPECT_TRUE(list_directory(dir->path("keep"))->empty());
}

TEST(Files, RemoveTreeOpensReadOnlyDirectories) {
  auto dir = TempDir::create();
  ASSERT_TRUE(make_directories(dir->path("tree/a/b")));
  ASSERT_TRUE(write_file(dir->path("tree/a/b/file"), "x"));
  auto remove_as_user = [&] {
    ::chmod(dir->path("tree/a/b").c_str(), 0);
    ::chmod(dir->path("tree/a").c_str(), 0500);
    return remove_tree(dir->path("tree"));
  };
  if (::geteuid() != 0) {
    EXPECT_TRUE(remove_as_user());
    return;
  }
  // Root may do anything: look at it from a child that may not.
  for (const char* path : {"", "tree", "tree/a", "tree/a/b", "tree/a/b/file"}) {
    ASSERT_EQ(::chown(dir->path(path).c_str(), 65534, 65534), 0);
  }
  pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    ::_exit(remove_as_user() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(exists(dir->path("tree")));
}

TEST(Files, RemoveTreeDeeperThanDescriptorsAndPaths) {
  auto dir = TempDir::create();
  Fd at = *open_fd(dir->path(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 400; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "deep", 0700), 0);
    ASSERT_EQ(::mkdirat(at.get(), "side", 0700), 0);
    at.reset(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY));
    ASSERT_TRUE(at);
  }
  at.reset();
  ASSERT_TRUE(remove_tree(dir->path("deep")));
  ASSERT_TRUE(remove_contents(dir->path()));
  EXPECT_TRUE(list_directory(dir->path())->empty());
}

TEST(Files, Paths) {
  EXPECT_EQ(clean_path("a/./b//../c/"), "a/c");
  EXPECT_EQ(clean_path("/../a"), "/a");
  EXPECT_EQ(clean_path("../../a"), "../../a");
  EXPECT_EQ(clean_path(""), ".");
  EXPECT_EQ(clean_path("/"), "/");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(parent_path("a/b"), "a");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("/a//b/"), "/a");
  EXPECT_EQ(base_name("/a/b/"), "b");
  EXPECT_EQ(base_name("/"), "/");
  EXPECT_EQ(absolute_path("/x/../y"), "/y");
  EXPECT_EQ(absolute_path("y"), *current_directory() + "/y");
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program-at-all"));
}

TEST(Files, PipesRunOutCleanly) {
  std::vector<Pipe> pipes;
  while (auto pipe = make_pipe()) {
    pipes.push_back(std::move(*pipe));
    ASSERT_LT(pipes.size(), 1'000'000u);
  }
  pipes.clear();
  EXPECT_TRUE(make_pipe());
}

} // namespace
} // namespace sys
