#include "trace/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trace {
namespace {
constexpr std::size_t kReadSize = 256u << 10;

// Every byte of every log passes here, so not base::crc32: libdeflate's uses the carry-less multiplier, ten times as
// fast.
std::uint32_t crc32_of(std::string_view bytes, std::uint32_t previous) {
  return libdeflate_crc32(previous, bytes.data(), bytes.size());
}

base::Result<std::uint64_t> size_of(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return base::fail_errno("reading the size of the job log", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

base::Result<std::size_t> read_into(int fd, std::uint64_t offset, char* buffer, std::size_t size) {
  while (true) {
    ssize_t count = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return base::fail_errno("reading the job log", errno);
  }
}

// Continues a checksum over the file's bytes [from, to).
base::Result<std::uint32_t> crc_of_range(int fd, std::uint64_t from, std::uint64_t to, std::uint32_t crc) {
  std::string buffer(std::min<std::uint64_t>(kReadSize, to - from), '\0');
  while (from < to) {
    std::size_t want = std::min<std::uint64_t>(buffer.size(), to - from);
    std::size_t count = FR_TRY(read_into(fd, from, buffer.data(), want));
    if (count == 0)
      return base::fail(base::ErrorKind::kInvalidInput, fmt::format("the job log has only {} bytes", from));
    crc = crc32_of(std::string_view(buffer).substr(0, count), crc);
    from += count;
  }
  return crc;
}

// Bytes at the front of `rest` that belong to the character whose first bytes are in the file already.
std::size_t torn_bytes(std::string_view rest) {
  std::size_t count = 0;
  while (count < rest.size() && count < 3 && (rest[count] & 0xc0) == 0x80) ++count;
  return count;
}
} // namespace

base::Result<std::unique_ptr<FileSpool>> FileSpool::open(const std::string& path, Grew grew) {
  std::unique_ptr<FileSpool> spool(new FileSpool(std::move(grew)));
  spool->fd_ = FR_TRY(sys::open_fd(path, O_RDWR | O_CREAT | O_APPEND, 0600));
  spool->size_ = FR_TRY(size_of(spool->fd_.get()));
  spool->crc_ = FR_TRY(crc_of_range(spool->fd_.get(), 0, spool->size_, 0));
  return spool;
}

FileSpool::~FileSpool() { flush(); }

void FileSpool::append(std::string_view bytes) {
  bool full;
  {
    std::lock_guard lock(mutex_);
    buffer_ += bytes;
    full = buffer_.size() >= kFlushSize;
  }
  if (full) flush();
}

void FileSpool::flush() {
  std::uint64_t size = 0;
  {
    std::lock_guard lock(mutex_);
    if (!flush_locked()) return;
    size = size_;
  }
  if (grew_) grew_(size);
}

// Writes as much as there is room for; returns what it could.
std::size_t FileSpool::write_some(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      last_errno_ = count < 0 ? errno : ENOSPC;
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  crc_ = crc32_of(bytes.substr(0, done), crc_);
  size_ += done;
  return done;
}

// True when the file grew. What finds no room is dropped, not kept: a job may print for hours on a full disk.
bool FileSpool::flush_locked() {
  if (buffer_.empty()) return false;
  std::uint64_t before = size_;
  if (!report_loss()) {
    lose(buffer_.size());
  } else if (std::size_t done = write_some(buffer_); done < buffer_.size()) {
    std::string_view rest = std::string_view(buffer_).substr(done);
    owed_ = rest.substr(0, done > 0 ? torn_bytes(rest) : 0);
    lose(rest.size() - owed_.size());
  }
  buffer_.clear();
  return size_ != before;
}

void FileSpool::lose(std::size_t bytes) {
  lost_ += bytes;
  unreported_ += bytes;
}

// After a loss: ends the character that it cut and says how much is missing. False while there is still no room.
bool FileSpool::report_loss() {
  if (unreported_ == 0 && owed_.empty()) return true;
  std::string text = owed_;
  if (unreported_ > 0)
    text += fmt::format("\n\x1b[0;33mWARNING: {} bytes of the log are missing here: {}\x1b[0;m\n", unreported_,
                        std::strerror(last_errno_));
  std::size_t done = write_some(text);
  if (done <= owed_.size() && done < text.size()) { // nothing of the sentence is out: it may still grow
    owed_.erase(0, done);
    return false;
  }
  owed_ = text.substr(done);
  unreported_ = 0;
  return owed_.empty();
}

bool FileSpool::has_unflushed() const {
  std::lock_guard lock(mutex_);
  return !buffer_.empty();
}
std::uint64_t FileSpool::size() const {
  std::lock_guard lock(mutex_);
  return size_;
}
std::uint32_t FileSpool::crc32() const {
  std::lock_guard lock(mutex_);
  return crc_;
}
std::uint64_t FileSpool::lost_bytes() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

base::Result<SpoolReader> SpoolReader::open(const std::string& path) {
  return SpoolReader(FR_TRY(sys::open_fd(path, O_RDONLY)));
}

base::Result<std::uint64_t> SpoolReader::size() const { return size_of(fd_.get()); }

base::Result<std::string> SpoolReader::read_at(std::uint64_t offset, std::size_t max) const {
  std::uint64_t size = FR_TRY(size_of(fd_.get()));
  if (offset >= size) return std::string();
  std::string bytes(std::min<std::uint64_t>(max, size - offset), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    std::size_t count = FR_TRY(read_into(fd_.get(), offset + done, bytes.data() + done, bytes.size() - done));
    if (count == 0) break;
    done += count;
  }
  bytes.resize(done);
  return bytes;
}

base::Result<std::uint32_t> SpoolReader::crc32(std::uint64_t size) {
  if (size < crc_size_) return crc_of_range(fd_.get(), 0, size, 0);
  crc_ = FR_TRY(crc_of_range(fd_.get(), crc_size_, size, crc_));
  crc_size_ = size;
  return crc_;
}

} // namespace trace
