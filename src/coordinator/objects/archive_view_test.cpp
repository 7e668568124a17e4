// Archives as hostile as they come.

#include "coordinator/objects/archive_view.hpp"

#include <gtest/gtest.h>

#include "archive/zip_format.hpp"
#include "archive/zip_stream.hpp"
#include "base/hash.hpp"
#include "coordinator/objects/test_zip.hpp"

namespace coordinator::objects {
namespace {

class MemorySource final : public archive::ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  base::Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    largest = std::max(largest, size);
    EXPECT_LE(offset + size, bytes_.size());
    return bytes_.substr(offset, size);
  }
  mutable std::size_t largest = 0;

 private:
  std::string bytes_;
};

base::Result<ArchiveView> view_of(const TestZip& zip) {
  return ArchiveView::open(std::make_shared<MemorySource>(zip.bytes()));
}

std::string names(const base::Result<ArchiveView::Listing>& listing) {
  if (!listing) return "error: " + listing.error().message();
  std::string out;
  for (const auto& item : listing->items)
    out += item.path + (item.directory ? " " : ":" + std::to_string(item.size) + " ");
  return out;
}

std::string content(const ArchiveView& view, const std::string& path) {
  auto entry = view.find(path);
  if (!entry) return "error: " + entry.error().message();
  auto stream = view.stream(*entry);
  if (!stream) return "error: " + stream.error().message();
  std::string out;
  char buffer[7];
  while (true) {
    auto got = (*stream)->read(buffer, sizeof buffer);
    if (!got) return "error: " + got.error().message();
    if (*got == 0) return out;
    out.append(buffer, *got);
  }
}

TEST(ArchiveView, DirectoriesAndFiles) {
  TestZip zip;
  zip.add("z.txt", "last").add("dir/", "").add("dir/b", "bb").add("dir/a", "a").add("deep/er/x", "xyz");
  auto view = view_of(zip);
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(names(view->list("")), "deep/ dir/ z.txt:4 ");
  EXPECT_EQ(names(view->list("dir")), "dir/a:1 dir/b:2 ");
  EXPECT_EQ(names(view->list("deep/")), "deep/er/ ");
  EXPECT_EQ(view->list("none/").error().kind(), base::ErrorKind::kNotFound);
  EXPECT_EQ(view->list("z.txt/").error().kind(), base::ErrorKind::kNotFound);
  EXPECT_EQ(content(*view, "deep/er/x"), "xyz");
  EXPECT_EQ(view->find("dir/").error().kind(), base::ErrorKind::kNotFound);
  EXPECT_EQ(view->total()->entries, 5u);
  EXPECT_EQ(view->total()->unpacked, 10u);
}

TEST(ArchiveView, NamesThatWouldLeaveDoNotExist) {
  TestZip zip;
  for (const char* bad : {"../up", "a/../../up", "/etc/passwd", "C:\\x", "a//b", "./x", "a/.", "..", "x\ny", "x\x7fy",
                          "\xff\xfe", "a\\b"})
    zip.add(bad, "no");
  zip.add(std::string("nul\0x", 5), "no").add("good", "yes").add(std::string(5000, 'n'), "no");
  auto view = view_of(zip);
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(names(view->list("")), "good:3 ");
  for (const char* bad : {"../up", "/etc/passwd", "a/..", "..", "a\\b", ""})
    EXPECT_EQ(view->find(bad).error().kind(), base::ErrorKind::kNotFound) << bad;
  for (const char* bad : {"..", "/", "a/../", "\\"})
    EXPECT_EQ(view->list(bad).error().kind(), base::ErrorKind::kNotFound) << bad;
}

TEST(ArchiveView, OfTheSameNameTheLastCounts) {
  TestZip zip;
  zip.add("a", "first one").add("a", "last").add("b", "file").add("b/c", "dir");
  auto view = view_of(zip);
  EXPECT_EQ(names(view->list("")), "b/ a:4 b:4 ");
  EXPECT_EQ(content(*view, "a"), "last");
}

TEST(ArchiveView, LinksAndEncryptedOnesAreNotShown) {
  TestZip zip;
  zip.add("link", "/etc/passwd")
      .mode(0120777)
      .add("secret", "x")
      .flags(archive::zip::kFlagEncrypted)
      .add("odd", "x")
      .method(99);
  auto view = view_of(zip);
  EXPECT_EQ(names(view->list("")), "odd:1 secret:1 ");
  EXPECT_EQ(view->find("link").error().kind(), base::ErrorKind::kNotFound);
  EXPECT_NE(content(*view, "secret").find("encrypted"), std::string::npos);
  EXPECT_NE(content(*view, "odd").find("unsupported"), std::string::npos);
}

TEST(ArchiveView, LiesAboutSizesAreFoundOut) {
  TestZip zip;
  zip.add_deflated("grown", std::string(3000, 'g')).claim_size(10);
  zip.add_deflated("shrunk", std::string(3000, 's')).claim_size(4000);
  zip.add_deflated("fine", std::string(3000, 'f'));
  zip.add("sum", "content").claim_crc(1);
  zip.add("cut", "content").claim_packed(7'000).claim_size(7'000);
  auto view = view_of(zip);
  EXPECT_FALSE(view->total()); // more packed bytes than the archive has
  TestZip other;
  other.add_deflated("grown", std::string(3000, 'g')).claim_size(10);
  other.add_deflated("shrunk", std::string(3000, 's')).claim_size(4000);
  other.add_deflated("fine", std::string(3000, 'f'));
  other.add("sum", "content").claim_crc(1);
  view = view_of(other);
  EXPECT_NE(content(*view, "grown").find("larger than it says"), std::string::npos);
  EXPECT_NE(content(*view, "shrunk").find("unexpected end"), std::string::npos);
  EXPECT_EQ(content(*view, "fine"), std::string(3000, 'f'));
  EXPECT_NE(content(*view, "sum").find("checksum"), std::string::npos);
}

TEST(ArchiveView, OverlappingEntriesAreRefused) {
  TestZip zip;
  std::string bomb(100'000, 'b');
  zip.add("0", bomb);
  for (int i = 1; i < 50; ++i) zip.again(std::to_string(i)); // the same bytes under another name
  auto view = view_of(zip);
  ASSERT_TRUE(view);
  EXPECT_NE(names(view->list("")).find("overlap"), std::string::npos);
}

TEST(ArchiveView, ABombIsNotUnpacked) {
  TestZip zip;
  zip.add_deflated("zeros", std::string(70 << 20, '\0'));
  auto view = view_of(zip);
  auto entry = view->find("zeros");
  ASSERT_TRUE(entry);
  EXPECT_EQ(view->stream(*entry).error().kind(), base::ErrorKind::kLimit);
}

TEST(ArchiveView, LargeDirectoriesInBoundedMemory) {
  TestZip zip;
  for (int i = 0; i < 60'000; ++i) zip.add("directory/with/a/long/name/" + std::to_string(i), "x");
  auto source = std::make_shared<MemorySource>(zip.bytes());
  auto view = ArchiveView::open(source);
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(names(view->list("")), "directory/ ");
  auto listing = view->list("directory/with/a/long/name");
  ASSERT_TRUE(listing);
  EXPECT_TRUE(listing->truncated);
  EXPECT_EQ(listing->items.size(), kMostListed);
  EXPECT_EQ(content(*view, "directory/with/a/long/name/59999"), "x");
  EXPECT_EQ(view->total()->entries, 60'000u);
  EXPECT_LE(source->largest, 1u << 20);
}

TEST(ArchiveView, NoZipAtAll) {
  for (const std::string& bytes :
       {std::string(), std::string("PK"), std::string(100'000, 'x'), TestZip().bytes() + "x"}) {
    auto view = ArchiveView::open(std::make_shared<MemorySource>(bytes));
    EXPECT_TRUE(!view || view->list("")) << bytes.size();
    if (!view) EXPECT_EQ(view.error().kind(), base::ErrorKind::kInvalidInput);
  }
  EXPECT_EQ(names(view_of(TestZip())->list("")), "");
}

TEST(ArchiveView, AnEndThatClaimsTooMuch) {
  std::string bytes = TestZip().add("a", "a").bytes();
  std::string many = bytes, huge = bytes;
  for (int i = 0; i < 2; ++i) many[many.size() - 22 + 10 + static_cast<std::size_t>(i)] = '\x7f';
  for (int i = 0; i < 4; ++i) huge[huge.size() - 22 + 12 + static_cast<std::size_t>(i)] = '\x7f';
  EXPECT_FALSE(ArchiveView::open(std::make_shared<MemorySource>(many)));
  EXPECT_FALSE(ArchiveView::open(std::make_shared<MemorySource>(huge)));
}

} // namespace
} // namespace coordinator::objects
