// The gzip writer: one member a file, as upstream sends reports; name and path are in each member's header.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "archive/deflate.hpp"
#include "archive/ordered.hpp"
#include "archive/source.hpp"
#include "archive/zip_format.hpp"
#include "archive/zip_writer.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace archive {
namespace {

using namespace zip; // little-endian numbers, as in zip

constexpr int kLevel = 6; // upstream ignores the chosen level here

struct Task {
  const SourceFile* file = nullptr;
  std::shared_ptr<sys::Fd> fd;
  std::uint64_t offset = 0;
  std::size_t size = 0;
  bool opens = false, closes = false;

  std::uint32_t crc = 0;
  std::uint64_t read = 0;
  std::string out;
  std::optional<base::Error> error;
};

struct Scratch {
  Deflater deflater{kLevel};
  std::string input;
};

// Go's url.PathEscape leaves these and the unreserved characters alone.
std::string path_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    std::string encoded = base::percent_encode(std::string_view(&c, 1));
    if (std::string_view("$&+=:@").find(c) != std::string_view::npos) encoded = c;
    out += encoded;
  }
  return out;
}

// Header strings are Latin-1: what does not fit is escaped and marked, as upstream does.
std::string header_text(std::string_view text) {
  bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80 && c != '%'; });
  return plain ? std::string(text) : "e:" + path_escape(text);
}

std::string member_header(const SourceFile& file) {
  std::string out("\x1f\x8b\x08\x18", 4); // deflate, with name and comment
  put32(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, file.info.mtime_seconds)));
  out += '\x00';
  out += '\xff'; // operating system unknown, as upstream
  out += header_text(sys::base_name(file.path));
  out += '\0';
  out += header_text(file.path);
  out += '\0';
  return out;
}

class Planner {
 public:
  Planner(const std::vector<SourceFile>& files, const WriteOptions& options)
      : at_(files.data()), end_(files.data() + files.size()), options_(options) {}

  bool operator()(Task& task) {
    while (!fd_) {
      if (at_ == end_ || error) return false;
      open(*at_++);
    }
    task.out.clear();
    task.error.reset();
    task.file = at_ - 1;
    task.fd = fd_;
    task.offset = offset_;
    task.size = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceSize, size_ - offset_));
    task.opens = offset_ == 0;
    offset_ += task.size;
    task.closes = offset_ == size_;
    if (task.closes) fd_.reset();
    return true;
  }

  std::optional<base::Error> error;

 private:
  void open(const SourceFile& file) {
    auto source = file.info.is_regular() ? open_source(options_.directory, file.path)
                                         : base::fail(base::ErrorKind::kInvalidInput,
                                                      fmt::format("the \"{}\" is not a regular file", file.path));
    if (source) {
      fd_ = std::make_shared<sys::Fd>(std::move(source->fd));
      size_ = source->size;
      offset_ = 0;
    } else if (source.error().kind() == base::ErrorKind::kNotFound) {
      options_.on_warning(fmt::format("File ignored: {}", source.error().message()));
    } else {
      error = std::move(source.error());
    }
  }

  const SourceFile* at_;
  const SourceFile* end_;
  const WriteOptions& options_;
  std::shared_ptr<sys::Fd> fd_;
  std::uint64_t size_ = 0, offset_ = 0;
};

void compress(Task& task, Scratch& scratch) {
  auto status = read_at(task.fd->get(), task.offset, task.size, scratch.input, task.file->path);
  if (!status) {
    task.error = std::move(status.error());
    return;
  }
  task.read = scratch.input.size();
  task.crc = fast_crc32(0, scratch.input);
  if (task.opens) task.out = member_header(*task.file);
  scratch.deflater.compress_piece(scratch.input, task.closes, task.out);
}

} // namespace

base::Status write_gzip(const std::vector<SourceFile>& files, const Output& output, const WriteOptions& options) {
  std::uint64_t total = 0;
  for (const SourceFile& file : files) total += file.info.size;
  unsigned threads = options.threads != 0 ? options.threads : available_processors();
  if (total <= kPieceSize) threads = 1;

  Planner planner(files, options);
  std::uint32_t crc = 0;
  std::uint64_t size = 0;
  auto write = [&](Task& task) -> base::Status {
    if (task.error) return base::fail(std::move(*task.error));
    if (task.opens) {
      crc = 0;
      size = 0;
    }
    crc = join_crc32(crc, task.crc, task.read);
    size += task.read;
    if (task.closes) {
      put32(task.out, crc);
      put32(task.out, size);
    }
    return output(task.out);
  };
  FR_CHECK(run_ordered<Task>(threads, [] { return std::make_unique<Scratch>(); }, std::ref(planner), compress, write));
  if (planner.error) return base::fail(std::move(*planner.error));
  return {};
}

} // namespace archive
