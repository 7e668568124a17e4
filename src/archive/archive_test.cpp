// Writers, reader and extraction together: what one makes the other understands, and hostile archives stay inside.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <random>

#include "archive/deflate.hpp"
#include "archive/extract.hpp"
#include "archive/writer.hpp"
#include "archive/zip_format.hpp"
#include "archive/zip_reader.hpp"
#include "sys/files.hpp"

namespace archive {
namespace {

std::string noise(std::size_t size, unsigned seed, unsigned alphabet = 256) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random() % alphabet);
  return out;
}

std::string inflate_all(std::string_view stream, int window_bits = -15) {
  z_stream z{};
  inflateInit2(&z, window_bits);
  std::string out, buffer(1 << 16, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(stream.data()));
  z.avail_in = static_cast<uInt>(stream.size());
  int status = Z_OK;
  while (status == Z_OK) {
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    status = inflate(&z, Z_NO_FLUSH);
    out.append(buffer, 0, buffer.size() - z.avail_out);
  }
  inflateEnd(&z);
  return status == Z_STREAM_END && z.avail_in == 0 ? out : "<broken stream>";
}

TEST(Deflater, PiecesJoinToOneStream) {
  rc::check([] {
    Deflater deflater(*rc::gen::element(1, 5, 9));
    std::string stream, expected;
    int count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count; ++i) {
      auto size = static_cast<std::size_t>(*rc::gen::inRange(0, 90'000));
      std::string piece = noise(size, *rc::gen::arbitrary<unsigned>(), *rc::gen::element(1u, 2u, 7u, 64u, 256u));
      deflater.compress_piece(piece, i + 1 == count, stream);
      expected += piece;
    }
    RC_ASSERT(inflate_all(stream) == expected);
  });
}

TEST(Deflater, EndOfDamagedStreamsIsNotFoundOutsideThem) {
  rc::check([](std::vector<unsigned char> bytes) {
    std::size_t size = bytes.size();
    bytes.resize(size + 8);
    if (auto end = find_deflate_end(bytes.data(), size)) RC_ASSERT(end->end <= size * 8);
  });
}

class Archive : public testing::Test {
 protected:
  void SetUp() override {
    dir_.emplace(*sys::TempDir::create());
    for (const char* name : {"in", "out"}) ASSERT_TRUE(sys::make_directories(dir_->path(name)));
    in_ = sys::Fd(::open(dir_->path("in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  std::string in(const std::string& name) { return dir_->path("in/" + name); }
  std::string out(const std::string& name) { return dir_->path("out/" + name); }

  SourceFile source(const std::string& path) {
    struct stat st{};
    EXPECT_EQ(::lstat(in(path).c_str(), &st), 0) << path;
    SourceFile file{path, {}};
    file.info.mode = st.st_mode;
    file.info.size = static_cast<std::uint64_t>(st.st_size);
    file.info.mtime_seconds = st.st_mtim.tv_sec;
    file.info.uid = st.st_uid;
    file.info.gid = st.st_gid;
    return file;
  }

  base::Result<std::string> write(Format format, const std::vector<std::string>& paths, Level level = Level::kDefault,
                                  unsigned threads = 2) {
    std::vector<SourceFile> files;
    for (const std::string& path : paths) files.push_back(source(path));
    std::string bytes;
    WriteOptions options;
    options.level = level;
    options.threads = threads;
    options.directory = in_.get();
    options.on_warning = [&](std::string text) { warnings_.push_back(std::move(text)); };
    FR_CHECK(write_archive(
        format, files,
        [&](std::string_view piece) -> base::Status {
          bytes += piece;
          return {};
        },
        options));
    return bytes;
  }

  base::Result<ExtractReport> extract(const std::string& bytes) {
    EXPECT_TRUE(sys::write_file(dir_->path("archive"), bytes));
    sys::Fd fd = FR_TRY(sys::open_fd(dir_->path("archive"), O_RDONLY));
    sys::Root root = FR_TRY(sys::Root::open(dir_->path("out")));
    return extract_zip(fd.get(), root, {.threads = 2, .limits = {}});
  }

  std::optional<sys::TempDir> dir_;
  sys::Fd in_;
  std::vector<std::string> warnings_;
};

mode_t mode_of(const std::string& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

TEST_F(Archive, RoundTrip) {
  ASSERT_TRUE(sys::make_directories(in("d/empty")));
  std::string large = noise(3'000'000, 1, 20) + noise(2'500'000, 2);
  ASSERT_TRUE(sys::write_file(in("d/large"), large));
  ASSERT_TRUE(sys::write_file(in("d/\xc3\xbc.txt"), "text text text text text"));
  ASSERT_TRUE(sys::write_file(in("zero"), ""));
  ASSERT_EQ(::symlink("d/large", in("link").c_str()), 0);
  ASSERT_EQ(::symlink("/nowhere/at/all", in("dangling").c_str()), 0);
  ASSERT_EQ(::mkfifo(in("pipe").c_str(), 0600), 0);
  ::chmod(in("zero").c_str(), 0750);
  ::chmod(in("d/empty").c_str(), 0555);
  timespec times[2] = {{1'500'000'000, 0}, {1'500'000'001, 0}};
  ::utimensat(AT_FDCWD, in("zero").c_str(), times, 0);

  std::vector<std::string> paths{"d", "d/empty", "d/large", "d/\xc3\xbc.txt", "dangling", "link", "pipe", "zero"};
  for (Level level : {Level::kFastest, Level::kFast, Level::kDefault}) {
    auto bytes = write(Format::kZip, paths, level);
    ASSERT_TRUE(bytes) << bytes.error().message();
    EXPECT_EQ(*bytes, write(Format::kZip, paths, level, 1).value_or("")) << "threads change the bytes";
    auto report = extract(*bytes);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(report->problems.empty()) << report->problems[0].name << report->problems[0].error.message();
    EXPECT_EQ(report->entries, 7u);
    EXPECT_EQ(sys::read_file(out("d/large")).value_or(""), large);
    EXPECT_EQ(sys::read_file(out("d/\xc3\xbc.txt")).value_or(""), "text text text text text");
    EXPECT_EQ(sys::file_size(out("zero")).value_or(1), 0u);
    EXPECT_EQ(mode_of(out("zero")), 0750u);
    EXPECT_EQ(mode_of(out("d/empty")), 0555u);
    char target[100] = {};
    ASSERT_GT(::readlink(out("dangling").c_str(), target, sizeof target), 0);
    EXPECT_STREQ(target, "/nowhere/at/all");
    struct stat st{};
    ASSERT_EQ(::stat(out("zero").c_str(), &st), 0);
    EXPECT_EQ(st.st_mtim.tv_sec, 1'500'000'001);
  }
  ASSERT_FALSE(warnings_.empty());
  EXPECT_EQ(warnings_[0], "File ignored: pipe");
}

TEST_F(Archive, VanishedFilesAreSkipped) {
  ASSERT_TRUE(sys::write_file(in("a"), "a"));
  SourceFile gone{"gone", source("a").info};
  std::string bytes;
  WriteOptions options;
  options.directory = in_.get();
  options.on_warning = [&](std::string text) { warnings_.push_back(std::move(text)); };
  auto sink = [&](std::string_view piece) -> base::Status {
    bytes += piece;
    return {};
  };
  ASSERT_TRUE(write_archive(Format::kZip, {source("a"), gone}, sink, options));
  EXPECT_EQ(warnings_.size(), 1u);
  auto report = extract(bytes);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->entries, 1u);
}

TEST_F(Archive, OutputErrorsEndTheRun) {
  ASSERT_TRUE(sys::write_file(in("a"), noise(6'000'000, 3)));
  WriteOptions options;
  options.threads = 2;
  options.directory = in_.get();
  auto status = write_archive(
      Format::kZip, {source("a")},
      [](std::string_view) -> base::Status { return base::fail(base::ErrorKind::kIo, "full"); }, options);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "full");
}

TEST_F(Archive, GzipHasOneMemberAFile) {
  ASSERT_TRUE(sys::write_file(in("a.xml"), "first"));
  std::string large = noise(2'500'000, 4, 30);
  ASSERT_TRUE(sys::write_file(in("b%.xml"), large));
  auto bytes = write(Format::kGzip, {"a.xml", "b%.xml"});
  ASSERT_TRUE(bytes);
  std::size_t second = bytes->find("\x1f\x8b\x08\x18", 4);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(inflate_all(std::string_view(*bytes).substr(0, second), 31), "first");
  EXPECT_EQ(inflate_all(std::string_view(*bytes).substr(second), 31), large);
  EXPECT_NE(bytes->find("e:b%25.xml"), std::string::npos);
  ASSERT_TRUE(sys::make_directories(in("dir")));
  auto status = write(Format::kGzip, {"dir"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "the \"dir\" is not a regular file");
}

TEST_F(Archive, RawIsOneFile) {
  ASSERT_TRUE(sys::write_file(in("a"), "bytes"));
  ASSERT_TRUE(sys::write_file(in("b"), "bytes"));
  EXPECT_EQ(write(Format::kRaw, {"a"}).value_or(""), "bytes");
  auto status = write(Format::kRaw, {"a", "b"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "only one file can be sent as raw");
}

// ---- hostile archives -----------------------------------------------------------------------------------------------

struct Evil {
  std::string name;
  std::string content;
  std::uint32_t mode = 0100644;
  std::uint32_t claimed_size = 0xffffffff; // the content's
};

std::string evil_zip(const std::vector<Evil>& entries) {
  using namespace zip;
  std::string out, directory;
  for (const Evil& entry : entries) {
    std::uint64_t offset = out.size(), packed = entry.content.size();
    std::uint64_t size = entry.claimed_size == 0xffffffff ? packed : entry.claimed_size;
    std::uint32_t crc = fast_crc32(0, entry.content);
    auto common = [&](std::string& to) {
      put16(to, 20);
      put16(to, 0);
      put16(to, kStore);
      put32(to, 0x00210000);
      put32(to, crc);
      put32(to, packed);
      put32(to, size);
      put16(to, entry.name.size());
      put16(to, 0);
    };
    put32(out, kLocalHeader);
    common(out);
    out += entry.name + entry.content;
    put32(directory, kCentralHeader);
    put16(directory, kCreatorUnix << 8 | 20);
    common(directory);
    put16(directory, 0);
    put32(directory, 0);
    put32(directory, entry.mode << 16);
    put32(directory, offset);
    directory += entry.name;
  }
  std::uint64_t start = out.size();
  out += directory;
  put32(out, kEnd);
  put32(out, 0);
  put16(out, entries.size());
  put16(out, entries.size());
  put32(out, directory.size());
  put32(out, start);
  put16(out, 0);
  return out;
}

TEST_F(Archive, NothingIsWrittenOutside) {
  ASSERT_TRUE(sys::make_directories(dir_->path("outside")));
  ASSERT_TRUE(sys::write_file(dir_->path("outside/kept"), "kept"));
  ASSERT_EQ(::symlink("../outside", out("old_link").c_str()), 0); // was there before, say from the repository
  ASSERT_EQ(::symlink("../outside/kept", out("old_file_link").c_str()), 0);
  auto report = extract(evil_zip({{"../evil", "x"},
                                  {"/tmp/evil", "x"},
                                  {"a/../../evil", "x"},
                                  {std::string("nul\0name", 8), "x"},
                                  {"old_link/evil", "x"},
                                  {"old_file_link", "new"},
                                  {"link", "../outside", 0120777},
                                  {"link/evil", "x"},
                                  {"device", "", 0020666},
                                  {"..", "x"},
                                  {"", "x"},
                                  {"good", "good", 0106755}}));
  ASSERT_TRUE(report) << report.error().message();
  std::vector<std::string> refused;
  for (const auto& problem : report->problems) refused.push_back(problem.name);
  EXPECT_EQ(sys::list_directory(dir_->path("outside")).value_or(std::vector<std::string>{}),
            std::vector<std::string>{"kept"});
  EXPECT_EQ(sys::read_file(dir_->path("outside/kept")).value_or(""), "kept");
  EXPECT_FALSE(sys::exists(dir_->path("evil")));
  EXPECT_FALSE(sys::exists("/tmp/evil"));
  EXPECT_EQ(sys::read_file(out("good")).value_or(""), "good");
  EXPECT_EQ(mode_of(out("good")), 0755u) << "set-uid survived";
  EXPECT_EQ(sys::read_file(out("old_file_link")).value_or(""), "new");
  EXPECT_TRUE(sys::is_regular_file(out("link/evil"))) << "files come before links";
  for (const char* name : {"../evil", "/tmp/evil", "a/../../evil", "old_link/evil", "link", "device", "..", ""})
    EXPECT_NE(std::find(refused.begin(), refused.end(), name), refused.end()) << name;
}

TEST_F(Archive, OfEntriesWithOneNameTheLastCounts) {
  auto report = extract(evil_zip({{"a", "one"}, {"./a", "two"}, {"a", "three"}}));
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(sys::read_file(out("a")).value_or(""), "three");
}

TEST_F(Archive, SizesThatLieAreErrors) {
  auto report = extract(evil_zip({{"big", "x", 0100644, 0xfffffff0}, {"ok", "fine"}}));
  ASSERT_TRUE(report);
  ASSERT_EQ(report->problems.size(), 1u);
  EXPECT_FALSE(sys::exists(out("big")));
  EXPECT_EQ(sys::read_file(out("ok")).value_or(""), "fine");
}

TEST_F(Archive, ReadOnlyTreesAreUnpackedOverThemselves) {
  ASSERT_TRUE(sys::make_directories(out("mod/pkg")));
  ASSERT_TRUE(sys::write_file(out("mod/pkg/f"), "old"));
  ::chmod(out("mod/pkg").c_str(), 0555);
  auto report = extract(evil_zip({{"mod/pkg/", "", 0040555}, {"mod/pkg/f", "new"}}));
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(sys::read_file(out("mod/pkg/f")).value_or(""), "new");
  EXPECT_EQ(mode_of(out("mod/pkg")), 0555u);
}

TEST_F(Archive, DamagedArchivesAreRefused) {
  std::string good = evil_zip({{"a", "content"}, {"b/", "", 0040755}, {"b/c", "more"}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    auto report = extract(good.substr(0, size));
    if (report) EXPECT_TRUE(report->problems.size() + 3 > 0);
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    (void)extract(bad);
  }
  auto junk = extract("this is not a zip file, whatever its name says");
  ASSERT_FALSE(junk);
  EXPECT_EQ(junk.error().message(), "zip: not a valid zip file");
}

TEST(CleanEntryName, Cleans) {
  EXPECT_EQ(clean_entry_name("a/./b//c/").value_or(""), "a/b/c");
  EXPECT_EQ(clean_entry_name("..a/b..").value_or(""), "..a/b..");
  EXPECT_FALSE(clean_entry_name("a/.."));
  EXPECT_FALSE(clean_entry_name("./"));
}

} // namespace
} // namespace archive
