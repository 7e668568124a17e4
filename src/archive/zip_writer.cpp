// The zip writer: small files in batches, large ones in pieces, both compressed by several threads and written in
// order.
//
// Batches know their sizes before they are written; a large deflated file is streamed with a data descriptor. A large
// stored file is read twice (its checksum first), because readers of streams cannot find the end of one otherwise.

#include "archive/zip_writer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "archive/deflate.hpp"
#include "archive/ordered.hpp"
#include "archive/source.hpp"
#include "archive/zip_format.hpp"
#include "base/utf8.hpp"

namespace archive {
namespace {

using namespace zip;

constexpr std::size_t kBatchBytes = 256u << 10;
constexpr std::size_t kBatchFiles = 128;
// Two threads more are not worth it for less.
constexpr std::uint64_t kParallelFrom = 512u << 10;
// From this size on an entry has 64-bit fields from the start; deflate may add a little to what it cannot shrink.
constexpr std::uint64_t kZip64From = 0xffff'ffff - (64u << 20);

struct Record { // of an entry, for both headers
  const SourceFile* file = nullptr;
  std::uint16_t method = kStore;
  std::uint16_t flags = 0;
  std::uint32_t crc = 0;
  std::uint64_t size = 0;
  std::uint64_t packed = 0;
  bool zip64 = false;
  std::uint64_t offset = 0; // of the local header, from the start of the task's output, then of the archive
};

struct Large { // a file that is written in pieces
  sys::Fd fd;
  Record record;
};

struct Task {
  enum Kind { kBatch, kPiece, kChecksum } kind = kBatch;
  // Batch
  const SourceFile* first = nullptr;
  const SourceFile* end = nullptr;
  std::vector<Record> records;
  std::vector<std::string> warnings;
  // Piece, checksum
  std::shared_ptr<Large> large;
  std::uint64_t offset = 0;
  std::size_t size = 0;
  bool opens = false, closes = false;
  std::uint32_t crc = 0;
  std::uint64_t read = 0;

  std::string out;
  std::optional<base::Error> error;
};

struct Scratch {
  explicit Scratch(int level) : deflater(level > 0 ? level : 1) {}
  Deflater deflater;
  std::string input;
};

struct DosTime {
  std::uint16_t time = 0, date = 0x21; // 1980-01-01
};
DosTime dos_time(std::int64_t unix_seconds) {
  std::time_t t = unix_seconds;
  std::tm tm{};
  if (::localtime_r(&t, &tm) == nullptr || tm.tm_year < 80 || tm.tm_year > 207) return {};
  return {static_cast<std::uint16_t>(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2),
          static_cast<std::uint16_t>((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday)};
}

// Other names are bytes of no stated encoding, which readers then leave alone.
std::uint16_t name_flag(const SourceFile& file) { return base::is_valid_utf8(file.path) ? kFlagUtf8 : 0; }

std::string entry_name(const SourceFile& file) { return file.info.is_directory() ? file.path + "/" : file.path; }

// Owner and modification time, in upstream's order and form.
void put_extras(std::string& out, const sys::FileInfo& info) {
  put16(out, kExtraUnixOwner);
  put16(out, 11);
  out += "\x01\x04";
  put32(out, info.uid);
  out += '\x04';
  put32(out, info.gid);
  put16(out, kExtraTimestamp);
  put16(out, 5);
  out += '\x01';
  put32(out, static_cast<std::uint64_t>(info.mtime_seconds));
}
constexpr std::size_t kExtrasSize = 15 + 9;

void put_common(std::string& out, const Record& record) {
  DosTime when = dos_time(record.file->info.mtime_seconds);
  put16(out, record.zip64 ? 45 : 20);
  put16(out, record.flags);
  put16(out, record.method);
  put16(out, when.time);
  put16(out, when.date);
}

void put_local_header(std::string& out, const Record& record) {
  std::string name = entry_name(*record.file);
  bool later = (record.flags & kFlagDescriptor) != 0;
  put32(out, kLocalHeader);
  put_common(out, record);
  put32(out, later ? 0 : record.crc);
  put32(out, record.zip64 ? kMax32 : later ? 0 : record.packed);
  put32(out, record.zip64 ? kMax32 : later ? 0 : record.size);
  put16(out, name.size());
  put16(out, kExtrasSize + (record.zip64 ? 20 : 0));
  out += name;
  if (record.zip64) {
    put16(out, kExtraZip64);
    put16(out, 16);
    put64(out, later ? 0 : record.size);
    put64(out, later ? 0 : record.packed);
  }
  put_extras(out, record.file->info);
}

void put_descriptor(std::string& out, const Record& record) {
  put32(out, kDescriptor);
  put32(out, record.crc);
  if (record.zip64) {
    put64(out, record.packed);
    put64(out, record.size);
  } else {
    put32(out, record.packed);
    put32(out, record.size);
  }
}

std::uint32_t external_attributes(mode_t mode) {
  std::uint32_t dos = 0;
  if (S_ISDIR(mode)) dos |= 0x10;
  if ((mode & 0200) == 0) dos |= 0x01;
  return static_cast<std::uint32_t>(mode & 0xffff) << 16 | dos;
}

void put_central_header(std::string& out, const Record& record) {
  std::string name = entry_name(*record.file);
  std::string zip64;
  auto field = [&](std::uint64_t value, bool force) {
    if (value < kMax32 && !force) return value;
    put64(zip64, value);
    return static_cast<std::uint64_t>(kMax32);
  };
  std::uint64_t size = field(record.size, record.zip64), packed = field(record.packed, record.zip64),
                offset = field(record.offset, false);
  put32(out, kCentralHeader);
  put16(out, kCreatorUnix << 8 | (zip64.empty() ? 20 : 45));
  put_common(out, record);
  put32(out, record.crc);
  put32(out, packed);
  put32(out, size);
  put16(out, name.size());
  put16(out, kExtrasSize + (zip64.empty() ? 0 : 4 + zip64.size()));
  put16(out, 0); // comment
  put16(out, 0); // disk
  put16(out, 0); // internal attributes
  put32(out, external_attributes(record.file->info.mode));
  put32(out, offset);
  out += name;
  if (!zip64.empty()) {
    put16(out, kExtraZip64);
    put16(out, zip64.size());
    out += zip64;
  }
  put_extras(out, record.file->info);
}

// ---- what workers do ------------------------------------------------------------------------------------------------

class Worker {
 public:
  Worker(const WriteOptions& options) : options_(options), level_(deflate_level(options.level)) {}

  std::unique_ptr<Scratch> scratch() const { return std::make_unique<Scratch>(level_); }

  void operator()(Task& task, Scratch& scratch) const {
    if (task.kind == Task::kBatch) {
      for (const SourceFile* file = task.first; file != task.end && !task.error; ++file) add(*file, task, scratch);
      return;
    }
    auto status = read_at(task.large->fd.get(), task.offset, task.size, scratch.input, task.large->record.file->path);
    if (!status) {
      task.error = std::move(status.error());
      return;
    }
    task.read = scratch.input.size();
    task.crc = fast_crc32(0, scratch.input);
    if (task.kind == Task::kChecksum) return;
    if (task.large->record.method == kStore) {
      task.out.swap(scratch.input);
    } else {
      scratch.deflater.compress_piece(scratch.input, task.closes, task.out);
    }
  }

 private:
  void add(const SourceFile& file, Task& task, Scratch& scratch) const {
    Record record{.file = &file, .flags = name_flag(file), .offset = task.out.size()};
    if (file.info.is_directory()) {
      put_local_header(task.out, record);
    } else if (!(file.info.is_symlink() ? read_link(file, scratch, task) : read_file(file, scratch, task))) {
      return;
    } else {
      pack(file, record, task, scratch);
    }
    task.records.push_back(record);
  }

  void pack(const SourceFile& file, Record& record, Task& task, Scratch& scratch) const {
    record.crc = fast_crc32(0, scratch.input);
    record.size = record.packed = scratch.input.size();
    std::size_t header = task.out.size();
    put_local_header(task.out, record);
    std::size_t start = task.out.size();
    if (level_ > 0 && !file.info.is_symlink() && scratch.deflater.compress_whole(scratch.input, task.out)) {
      record.method = kDeflate;
      record.packed = task.out.size() - start;
      std::string rewritten; // of the same length
      put_local_header(rewritten, record);
      task.out.replace(header, rewritten.size(), rewritten);
    } else {
      task.out += scratch.input;
    }
  }

  bool read_link(const SourceFile& file, Scratch& scratch, Task& task) const {
    auto target = read_link_target(options_.directory, file.path);
    if (!target) return skip_or_fail(std::move(target.error()), task);
    scratch.input = std::move(*target);
    return true;
  }

  bool read_file(const SourceFile& file, Scratch& scratch, Task& task) const {
    auto source = open_source(options_.directory, file.path);
    if (!source) return skip_or_fail(std::move(source.error()), task);
    // A file that has grown meanwhile is taken as it was when it was chosen.
    auto size = static_cast<std::size_t>(std::min<std::uint64_t>(source->size, kPieceSize));
    auto status = read_at(source->fd.get(), 0, size, scratch.input, file.path);
    if (!status) return skip_or_fail(std::move(status.error()), task);
    return true;
  }

  static bool skip_or_fail(base::Error error, Task& task) {
    if (error.kind() == base::ErrorKind::kNotFound) {
      task.warnings.push_back(fmt::format("File ignored: {}", error.message()));
    } else {
      task.error = std::move(error);
    }
    return false;
  }

  const WriteOptions& options_;
  int level_;
};

// ---- what the caller's thread does ----------------------------------------------------------------------------------

class Planner {
 public:
  Planner(const std::vector<SourceFile>& files, const WriteOptions& options)
      : at_(files.data()), end_(files.data() + files.size()), options_(options) {}

  // False when there is nothing more, or an error.
  bool operator()(Task& task) {
    task.records.clear();
    task.warnings.clear();
    task.out.clear();
    task.error.reset();
    task.crc = 0;
    task.read = 0;
    if (large_) return plan_piece(task);
    while (at_ != end_ && !is_batched(*at_)) {
      const SourceFile& file = *at_++;
      if (!file.info.is_regular()) {
        options_.on_warning(fmt::format("File ignored: {}", file.path));
      } else if (open_large(file)) {
        return plan_piece(task);
      } else if (error_) {
        return false;
      }
    }
    if (at_ == end_) return false;
    task.large.reset();
    task.kind = Task::kBatch;
    task.first = at_;
    std::uint64_t bytes = 0;
    for (std::size_t count = 0; at_ != end_ && is_batched(*at_) && count < kBatchFiles && bytes < kBatchBytes; ++count)
      bytes += (at_++)->info.size;
    task.end = at_;
    return true;
  }

  const std::optional<base::Error>& error() const { return error_; }

 private:
  static bool is_batched(const SourceFile& file) {
    return file.info.is_directory() || file.info.is_symlink() ||
           (file.info.is_regular() && file.info.size <= kPieceSize);
  }

  bool open_large(const SourceFile& file) {
    auto source = open_source(options_.directory, file.path);
    if (!source) {
      if (source.error().kind() == base::ErrorKind::kNotFound) {
        options_.on_warning(fmt::format("File ignored: {}", source.error().message()));
      } else {
        error_ = std::move(source.error());
      }
      return false;
    }
    large_ = std::make_shared<Large>();
    large_->fd = std::move(source->fd);
    bool store = deflate_level(options_.level) == 0;
    large_->record = Record{.file = &file,
                            .method = store ? kStore : kDeflate,
                            .flags = static_cast<std::uint16_t>(name_flag(file) | (store ? 0 : kFlagDescriptor)),
                            .zip64 = source->size >= kZip64From};
    size_ = source->size;
    offset_ = 0;
    checksum_ = store;
    return true;
  }

  bool plan_piece(Task& task) {
    task.kind = checksum_ ? Task::kChecksum : Task::kPiece;
    task.large = large_;
    task.offset = offset_;
    task.size = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceSize, size_ - offset_));
    task.opens = offset_ == 0;
    offset_ += task.size;
    task.closes = offset_ == size_;
    if (task.closes) {
      offset_ = 0;
      if (!checksum_) large_.reset();
      checksum_ = false;
    }
    return true;
  }

  const SourceFile* at_;
  const SourceFile* end_;
  const WriteOptions& options_;
  std::optional<base::Error> error_;
  std::shared_ptr<Large> large_;
  std::uint64_t size_ = 0, offset_ = 0;
  bool checksum_ = false;
};

class Writer {
 public:
  Writer(const Output& output, const WriteOptions& options) : output_(output), options_(options) {}

  base::Status operator()(Task& task) {
    for (const std::string& warning : task.warnings) options_.on_warning(warning);
    if (task.error) return base::fail(std::move(*task.error));
    if (task.kind == Task::kBatch) {
      for (Record& record : task.records) {
        record.offset += written_;
        put_central_header(directory_, record);
        ++entries_;
      }
      return write(task.out);
    }
    return add_piece(task);
  }

  base::Status finish() {
    std::uint64_t start = written_, size = directory_.size();
    std::string end;
    if (entries_ >= kMax16 || start >= kMax32 || size >= kMax32) put_end64(end, start, size);
    put32(end, kEnd);
    put32(end, 0); // this disk, disk of the directory
    put16(end, std::min<std::uint64_t>(entries_, kMax16));
    put16(end, std::min<std::uint64_t>(entries_, kMax16));
    put32(end, std::min<std::uint64_t>(size, kMax32));
    put32(end, std::min<std::uint64_t>(start, kMax32));
    put16(end, 0); // comment
    FR_CHECK(write(directory_));
    return write(end);
  }

 private:
  base::Status write(std::string_view bytes) {
    written_ += bytes.size();
    return bytes.empty() ? base::Status{} : output_(bytes);
  }

  base::Status add_piece(Task& task) {
    Record& record = task.large->record;
    if (task.kind == Task::kChecksum) {
      record.crc = join_crc32(record.crc, task.crc, task.read);
      record.size += task.read;
      record.packed = record.size;
      return {};
    }
    bool stored = record.method == kStore;
    if (task.opens) {
      std::string header;
      record.offset = written_;
      put_local_header(header, record);
      FR_CHECK(write(header));
      check_crc_ = 0;
      check_size_ = 0;
    }
    check_crc_ = join_crc32(check_crc_, task.crc, task.read);
    check_size_ += task.read;
    if (!stored) record.packed += task.out.size();
    FR_CHECK(write(task.out));
    if (!task.closes) return {};
    if (stored && (check_crc_ != record.crc || check_size_ != record.size))
      return base::fail(base::ErrorKind::kConflict,
                        fmt::format("{}: the file changed while it was archived", record.file->path));
    if (!stored) {
      record.crc = check_crc_;
      record.size = check_size_;
      std::string descriptor;
      put_descriptor(descriptor, record);
      FR_CHECK(write(descriptor));
    }
    put_central_header(directory_, record);
    ++entries_;
    return {};
  }

  void put_end64(std::string& out, std::uint64_t start, std::uint64_t size) const {
    put32(out, kEnd64);
    put64(out, kEnd64Size - 12);
    put16(out, kCreatorUnix << 8 | 45);
    put16(out, 45);
    put64(out, 0); // disks
    put64(out, entries_);
    put64(out, entries_);
    put64(out, size);
    put64(out, start);
    put32(out, kEnd64Locator);
    put32(out, 0);
    put64(out, start + size);
    put32(out, 1); // number of disks
  }

  const Output& output_;
  const WriteOptions& options_;
  std::string directory_;
  std::uint64_t written_ = 0, entries_ = 0;
  std::uint32_t check_crc_ = 0;
  std::uint64_t check_size_ = 0;
};

} // namespace

base::Status write_zip(const std::vector<SourceFile>& files, const Output& output, const WriteOptions& options) {
  std::uint64_t total = 0;
  for (const SourceFile& file : files) {
    if (entry_name(file).size() > kMax16)
      return base::fail(base::ErrorKind::kLimit, fmt::format("{}...: name too long", file.path.substr(0, 100)));
    if (file.info.is_regular()) total += file.info.size;
  }
  unsigned threads = options.threads != 0 ? options.threads : available_processors();
  if (total < kParallelFrom && files.size() < kBatchFiles) threads = 1;

  Worker worker(options);
  Planner planner(files, options);
  Writer writer(output, options);
  FR_CHECK(run_ordered<Task>(
      threads, [&] { return worker.scratch(); }, std::ref(planner), std::ref(worker), std::ref(writer)));
  if (planner.error()) return base::fail(*planner.error());
  return writer.finish();
}

} // namespace archive
