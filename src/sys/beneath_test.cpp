#include "sys/beneath.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "sys/files.hpp"

namespace sys {
namespace {

// Every test with openat2 and with the walk that stands in for it.
class Beneath : public testing::TestWithParam<bool> {
 protected:
  Beneath() : dir_(std::move(*TempDir::create())), root_(make_root()) {
    EXPECT_TRUE(write_file(dir_.path("secret"), "outside"));
    EXPECT_TRUE(make_directories(dir_.path("outside")));
  }

  Root make_root() {
    EXPECT_TRUE(make_directories(dir_.path("root")));
    Root root = *Root::open(dir_.path("root"));
    root.use_component_walk(GetParam());
    return root;
  }

  std::string inside(const std::string& name) { return dir_.path("root/" + name); }

  base::Status put(std::string_view path, std::string_view content) {
    Fd fd = FR_TRY(root_.open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    return write_all(fd.get(), content);
  }
  base::Result<std::string> get(std::string_view path) {
    Fd fd = FR_TRY(root_.open_file(path, O_RDONLY));
    return read_to_end(fd.get(), 1000);
  }

  TempDir dir_;
  Root root_;
};

INSTANTIATE_TEST_SUITE_P(Kernel, Beneath, testing::Values(false, true),
                         [](const auto& info) { return info.param ? "walk" : "openat2"; });

TEST_P(Beneath, WritesAndReads) {
  ASSERT_TRUE(root_.make_directories("a/b/c"));
  ASSERT_TRUE(root_.make_directories("a/b/c"));
  ASSERT_TRUE(root_.make_directories("."));
  ASSERT_TRUE(put("a/b/c/file", "content"));
  EXPECT_EQ(*get("a/./b//c/../c/file"), "content");
  EXPECT_EQ(*read_file(inside("a/b/c/file")), "content");
  EXPECT_EQ(root_.metadata("a/b/c/file")->size, 7u);
  EXPECT_TRUE(root_.metadata("a/b/c/file")->is_regular());
  EXPECT_TRUE(root_.metadata(".")->is_directory());
  EXPECT_EQ(*root_.list("a/b"), std::vector<std::string>{"c"});
  EXPECT_EQ(*root_.list("."), std::vector<std::string>{"a"});
  EXPECT_EQ(*root_.open_root("a/b")->list("c"), std::vector<std::string>{"file"});
  ASSERT_TRUE(root_.rename("a/b/c/file", "moved"));
  EXPECT_EQ(*get("moved"), "content");
  ASSERT_TRUE(root_.remove("moved"));
  ASSERT_TRUE(root_.remove("a/b/c"));
  EXPECT_FALSE(root_.remove("a"));
  ASSERT_TRUE(root_.remove_tree("a"));
  ASSERT_TRUE(root_.remove_tree("a"));
  EXPECT_EQ(root_.metadata("a").error().kind(), base::ErrorKind::kNotFound);
}

TEST_P(Beneath, RefusesPathsThatLeave) {
  for (const char* path : {"/etc/passwd", "", "//x"}) {
    EXPECT_EQ(root_.open_file(path, O_RDONLY).error().kind(), base::ErrorKind::kInvalidInput) << path;
    EXPECT_FALSE(root_.metadata(path)) << path;
    EXPECT_FALSE(root_.make_directories(path)) << path;
  }
  ASSERT_TRUE(root_.make_directory("d"));
  for (const char* path : {"../secret", "d/../../secret", "./../secret"}) {
    EXPECT_EQ(get(path).error().kind(), base::ErrorKind::kForbidden) << path;
    EXPECT_FALSE(put(path, "evil")) << path;
    EXPECT_FALSE(root_.remove(path)) << path;
    EXPECT_FALSE(root_.remove_tree(path)) << path;
    EXPECT_FALSE(root_.make_symlink("x", path)) << path;
    EXPECT_FALSE(root_.set_mode(path, 0777)) << path;
    EXPECT_FALSE(root_.set_modified(path, 0)) << path;
    EXPECT_FALSE(root_.make_hard_link(path, "link")) << path;
  }
  EXPECT_FALSE(root_.make_directories("../made"));
  EXPECT_FALSE(exists(dir_.path("made")));
  EXPECT_FALSE(root_.remove(".."));
  EXPECT_FALSE(root_.remove("."));
  EXPECT_EQ(*read_file(dir_.path("secret")), "outside");
}

TEST_P(Beneath, LinksThatLeadOutAreNotFollowed) {
  ASSERT_TRUE(root_.make_symlink("..", "up"));
  ASSERT_TRUE(root_.make_symlink("/", "absolute"));
  ASSERT_TRUE(root_.make_symlink("../secret", "file"));
  ASSERT_TRUE(root_.make_symlink(dir_.path("outside"), "outside"));
  ASSERT_TRUE(root_.make_symlink("up/outside", "twice"));
  ASSERT_TRUE(root_.make_symlink("/proc/self/root", "magic"));
  for (const char* path : {"up/secret", "file", "twice/x", "outside/x", "absolute/etc/passwd", "magic/etc/passwd"}) {
    EXPECT_FALSE(get(path)) << path;
    EXPECT_FALSE(put(path, "evil")) << path;
    EXPECT_FALSE(root_.open_file(path, O_RDONLY | O_CREAT)) << path;
  }
  for (const char* path : {"up/new", "twice/new", "outside/new", "outside/a/b"}) {
    EXPECT_FALSE(root_.make_directories(path)) << path;
    EXPECT_FALSE(root_.make_symlink("x", path)) << path;
    EXPECT_FALSE(root_.remove_tree(path)) << path;
  }
  EXPECT_FALSE(root_.make_directories("outside"));
  EXPECT_FALSE(root_.list("outside"));
  EXPECT_TRUE(list_directory(dir_.path("outside"))->empty());
  EXPECT_EQ(*read_file(dir_.path("secret")), "outside");
  // The links themselves are ordinary things.
  EXPECT_TRUE(root_.metadata("outside")->is_symlink());
  EXPECT_EQ(*root_.read_link("up"), "..");
  EXPECT_TRUE(root_.set_mode("file", 0777));
  EXPECT_TRUE(root_.set_modified("file", 1000));
  struct stat info{};
  ASSERT_EQ(::stat(dir_.path("secret").c_str(), &info), 0);
  EXPECT_NE(info.st_mtime, 1000);
  EXPECT_TRUE(root_.remove("file"));
  EXPECT_TRUE(root_.remove_tree("up"));
  EXPECT_TRUE(exists(dir_.path("secret")));
}

TEST_P(Beneath, LinksThatStayAreFollowed) {
  ASSERT_TRUE(root_.make_directories("real/deep"));
  ASSERT_TRUE(put("real/deep/file", "x"));
  ASSERT_TRUE(root_.make_symlink("real/deep", "short"));
  ASSERT_TRUE(root_.make_symlink("../deep/file", "real/deep/again"));
  ASSERT_TRUE(root_.make_symlink("loop", "loop"));
  EXPECT_EQ(*get("short/file"), "x");
  EXPECT_EQ(*get("short/again"), "x");
  EXPECT_EQ(*get("short/../deep/file"), "x");
  EXPECT_FALSE(get("loop"));
  EXPECT_FALSE(get("loop/x"));
  EXPECT_FALSE(root_.open_file("short/again", O_RDONLY | O_NOFOLLOW));
  ASSERT_TRUE(root_.make_directories("short/new/dir"));
  EXPECT_TRUE(is_directory(inside("real/deep/new/dir")));
  EXPECT_FALSE(root_.open_file("short/again", O_WRONLY | O_CREAT | O_EXCL));
}

TEST_P(Beneath, HardLinksAndMetadata) {
  ASSERT_TRUE(put("a", "x"));
  ASSERT_TRUE(root_.make_hard_link("a", "b"));
  EXPECT_EQ(root_.metadata("b")->links, 2u);
  ASSERT_TRUE(root_.set_mode("b", 0751));
  ASSERT_TRUE(root_.set_modified("b", 1'000'000'000, 5));
  auto info = root_.metadata("a");
  EXPECT_EQ(info->mode & 07777, 0751u);
  EXPECT_EQ(info->mtime_seconds, 1'000'000'000);
  EXPECT_EQ(info->mtime_nanos, 5);
  // A link to a link links the link.
  ASSERT_TRUE(root_.make_symlink("../secret", "out"));
  ASSERT_TRUE(root_.make_hard_link("out", "out2"));
  EXPECT_TRUE(root_.metadata("out2")->is_symlink());
}

TEST_P(Beneath, DoesNotBlockOnAFifo) {
  ASSERT_EQ(::mkfifo(inside("fifo").c_str(), 0600), 0);
  auto fd = root_.open_file("fifo", O_RDONLY);
  EXPECT_TRUE(fd);
}

// A directory is swapped for a link that leads out while somebody writes through it.
TEST_P(Beneath, SwappedDirectory) {
  ASSERT_TRUE(root_.make_directory("d"));
  ASSERT_TRUE(root_.make_symlink("../outside", "evil"));
  std::atomic<bool> stop = false;
  std::jthread swapper([&] {
    std::string a = inside("d");
    std::string b = inside("evil");
    while (!stop) ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  });
  int written = 0;
  for (int i = 0; i < 2000; ++i) {
    if (put("d/file" + std::to_string(i), "x")) ++written;
    (void)root_.make_directories("d/sub" + std::to_string(i) + "/x");
    (void)root_.set_mode("d/file" + std::to_string(i), 0600);
  }
  stop = true;
  swapper.join();
  EXPECT_TRUE(list_directory(dir_.path("outside"))->empty());
  EXPECT_GT(written, 0);
}

} // namespace
} // namespace sys
