#include "storage/object_store.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "sys/files.hpp"

namespace storage {
namespace {

class Folder : public ::testing::Test {
 public:
  Folder() : dir(*sys::TempDir::create()), store(*open_object_store(dir.path("objects"))) {}
  std::vector<std::string> keys(const std::string& prefix = "") {
    std::vector<std::string> found;
    EXPECT_TRUE(store->list(prefix, [&](const ObjectInfo& info) -> base::Status {
      found.push_back(info.key);
      return {};
    }));
    return found;
  }
  sys::TempDir dir;
  std::unique_ptr<ObjectStore> store;
};

TEST(ObjectKeys, AreRelativePathsOfPlainNames) {
  for (const char* good : {"a", "a/b-c_d.e", "0/1/2", "a b", "..a", "a%2f", "traces/0/1.log"})
    EXPECT_TRUE(check_key(good)) << good;
  for (const char* bad :
       {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\nb", "\x7f", "ä", ".new-a", "x/.new-123"})
    EXPECT_FALSE(check_key(bad)) << bad;
  EXPECT_FALSE(check_key(std::string(901, 'a')));
  EXPECT_FALSE(check_key(std::string("a\0b", 3)));
}

TEST_F(Folder, PutReadListRemove) {
  ASSERT_TRUE(store->check());
  ASSERT_TRUE(put(*store, "a/b/one", "0123456789"));
  ASSERT_TRUE(put(*store, "a/two", ""));
  EXPECT_EQ(keys(), (std::vector<std::string>{"a/b/one", "a/two"}));
  EXPECT_EQ(keys("a/b/"), (std::vector<std::string>{"a/b/one"}));
  EXPECT_TRUE(keys("none/").empty());
  EXPECT_EQ(store->info("a/b/one")->size, 10u);
  EXPECT_GT(store->info("a/b/one")->modified, 1'600'000'000);
  EXPECT_EQ(*store->read("a/b/one", 2, 3), "234");
  EXPECT_EQ(*store->read("a/b/one", 8, 100), "89");
  EXPECT_EQ(*store->read("a/b/one", 10, 1), "");
  EXPECT_EQ(*store->read("a/b/one", 1000, 1), "");
  EXPECT_EQ(*store->read("a/two", 0, 5), "");
  ASSERT_TRUE(put(*store, "a/two", "again"));
  EXPECT_EQ(*store->read("a/two", 0, 50), "again");
  EXPECT_EQ(store->read("none", 0, 1).error().kind(), base::ErrorKind::kNotFound);
  EXPECT_EQ(store->info("a/b").error().kind(), base::ErrorKind::kNotFound);
  ASSERT_TRUE(store->remove("a/b/one"));
  ASSERT_TRUE(store->remove("a/b/one"));
  EXPECT_FALSE(sys::exists(dir.path("objects/a/b")));
  EXPECT_EQ(keys(), (std::vector<std::string>{"a/two"}));
  EXPECT_FALSE(store->create("../x"));
  EXPECT_FALSE(store->read("../x", 0, 1));
  EXPECT_FALSE(store->remove("/etc/passwd"));
}

TEST_F(Folder, NothingAppearsBeforeCommit) {
  {
    auto writer = store->create("x/y");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->write("half"));
    EXPECT_TRUE(keys().empty());
    EXPECT_FALSE(store->info("x/y"));
  }
  EXPECT_TRUE(sys::list_directory(dir.path("objects/x"))->empty());
}

TEST_F(Folder, WhatADeadWriterLeftIsDroppedWhenOld) {
  ASSERT_TRUE(put(*store, "x/y", "kept"));
  ASSERT_TRUE(sys::write_file(dir.path("objects/x/.new-abc"), "left"));
  EXPECT_EQ(keys(), (std::vector<std::string>{"x/y"}));
  ASSERT_TRUE(store->drop_abandoned("x/", std::chrono::hours(1)));
  EXPECT_EQ(sys::list_directory(dir.path("objects/x"))->size(), 2u);
  ASSERT_TRUE(store->drop_abandoned("x/", std::chrono::seconds(-5)));
  EXPECT_EQ(*sys::list_directory(dir.path("objects/x")), (std::vector<std::string>{"y"}));
}

TEST_F(Folder, PartsOfFilesAndPieces) {
  std::string content;
  for (int i = 0; i < 300'000; ++i) content += static_cast<char>(i * 7 + i / 256);
  ASSERT_TRUE(sys::write_file(dir.path("file"), content));
  ASSERT_TRUE(put_file(*store, "part", dir.path("file"), 1000, 270'000));
  ASSERT_TRUE(put_file(*store, "rest", dir.path("file"), 299'990));
  EXPECT_EQ(*store->read("rest", 0, 100), content.substr(299'990));
  EXPECT_EQ(put_file(*store, "short", dir.path("file"), 299'990, 11).error().kind(), base::ErrorKind::kIo);
  EXPECT_FALSE(store->info("short"));
  std::string read;
  auto sink = [&](std::string_view piece) -> base::Status {
    EXPECT_LE(piece.size(), 999u);
    read += piece;
    return {};
  };
  ASSERT_TRUE(get(*store, "part", 5, 200'000, sink, 999));
  EXPECT_EQ(read, content.substr(1005, 200'000));
  EXPECT_EQ(get(*store, "part", 5, 270'000, sink, 999).error().kind(), base::ErrorKind::kIo);
}

TEST(ObjectStores, AreFoldersOrKnownSchemes) {
  EXPECT_EQ(open_object_store("ftp://host/x").error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_FALSE(open_object_store("/proc/nothing/here"));
}

} // namespace
} // namespace storage
