#include "trace/spool.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/hash.hpp"
#include "sys/files.hpp"

namespace trace {
namespace {

class Spool : public testing::Test {
 protected:
  Spool() : dir_(sys::TempDir::create().value()), path_(dir_.path("log")) {}
  std::string content() const { return sys::read_file(path_).value(); }

  sys::TempDir dir_;
  std::string path_;
};

TEST_F(Spool, CountsWhatIsInTheFile) {
  std::vector<std::uint64_t> sizes;
  auto spool = FileSpool::open(path_, [&](std::uint64_t size) { sizes.push_back(size); }).value();
  spool->append("hello ");
  spool->append("world\n");
  EXPECT_TRUE(spool->has_unflushed());
  EXPECT_EQ(spool->size(), 0u);
  spool->flush();
  spool->flush();
  EXPECT_FALSE(spool->has_unflushed());
  EXPECT_EQ(content(), "hello world\n");
  EXPECT_EQ(spool->size(), 12u);
  EXPECT_EQ(spool->crc32(), base::crc32("hello world\n"));
  EXPECT_EQ(sizes, std::vector<std::uint64_t>{12});
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Spool, FlushesByItselfWhenMuchIsBuffered) {
  auto spool = FileSpool::open(path_).value();
  spool->append(std::string(FileSpool::kFlushSize - 1, 'x'));
  EXPECT_EQ(spool->size(), 0u);
  spool->append("x");
  EXPECT_EQ(spool->size(), FileSpool::kFlushSize);
}

TEST_F(Spool, GoesOnWithAnExistingFile) {
  FileSpool::open(path_).value()->append("first\n");
  auto spool = FileSpool::open(path_).value();
  EXPECT_EQ(spool->size(), 6u);
  spool->append("second\n");
  spool->flush();
  EXPECT_EQ(content(), "first\nsecond\n");
  EXPECT_EQ(spool->crc32(), base::crc32("first\nsecond\n"));
}

TEST_F(Spool, ReportsThatItCannotBeMade) {
  auto spool = FileSpool::open(dir_.path("missing/log"));
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().kind(), base::ErrorKind::kNotFound);
}

// A file size limit stands in for a full disk: the same short write, then an error, until there is room again.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t size) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    old_ = ::signal(SIGXFSZ, SIG_IGN);
    set(size);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, old_);
  }
  void set(rlim_t size) {
    rlimit limit = before_;
    limit.rlim_cur = size;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }

 private:
  rlimit before_{};
  void (*old_)(int) = nullptr;
};

TEST_F(Spool, SurvivesAFullDiskAndSaysWhatIsMissing) {
  auto spool = FileSpool::open(path_).value();
  SizeLimit disk(9);
  spool->append("12345678\u20ac lost");
  spool->flush();
  EXPECT_EQ(content(), "12345678\xe2");
  spool->append("also lost");
  spool->flush();
  EXPECT_EQ(spool->lost_bytes(), 14u);
  EXPECT_EQ(spool->size(), 9u);

  disk.set(20); // room for the character and a part of the notice
  spool->append("and this");
  spool->flush();
  EXPECT_EQ(spool->lost_bytes(), 22u);
  EXPECT_EQ(spool->size(), 20u);

  disk.set(4096);
  spool->append("back\n");
  spool->flush();
  EXPECT_EQ(content(),
            "12345678\u20ac\n\x1b[0;33mWARNING: 14 bytes of the log are missing here: File too large\x1b[0;m\n"
            "\n\x1b[0;33mWARNING: 8 bytes of the log are missing here: File too large\x1b[0;m\nback\n");
  EXPECT_EQ(spool->crc32(), base::crc32(content()));
  EXPECT_EQ(spool->size(), content().size());
}

TEST_F(Spool, IsReadByOffsetWhileItGrows) {
  EXPECT_EQ(SpoolReader::open(path_).error().kind(), base::ErrorKind::kNotFound);
  auto spool = FileSpool::open(path_).value();
  auto reader = SpoolReader::open(path_).value();
  EXPECT_EQ(reader.size().value(), 0u);
  EXPECT_EQ(reader.crc32(0).value(), 0u);
  EXPECT_EQ(reader.read_at(0, 10).value(), "");
  spool->append("hello world");
  spool->flush();
  EXPECT_EQ(reader.read_at(6, 3).value(), "wor");
  EXPECT_EQ(reader.read_at(6, 100).value(), "world");
  EXPECT_EQ(reader.read_at(11, 1).value(), "");
  EXPECT_EQ(reader.read_at(1000, 1).value(), "");
  EXPECT_EQ(reader.crc32(5).value(), base::crc32("hello"));
  EXPECT_EQ(reader.crc32(11).value(), base::crc32("hello world"));
  EXPECT_EQ(reader.crc32(4).value(), base::crc32("hell"));
  EXPECT_EQ(reader.crc32(11).value(), base::crc32("hello world"));
  EXPECT_EQ(reader.crc32(12).error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_EQ(reader.crc32(11).value(), base::crc32("hello world"));
}

} // namespace
} // namespace trace
