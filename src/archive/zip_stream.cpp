#include "archive/zip_stream.hpp"

#include <algorithm>
#include <cstring>

#include "archive/deflate.hpp"
#include "archive/zip_format.hpp"

namespace archive {
namespace {

constexpr std::size_t kBuffer = 256u << 10;

std::unexpected<base::Error> malformed(const char* what) {
  return base::fail(base::ErrorKind::kInvalidInput, std::string("zip: ") + what);
}

} // namespace

ZipStream::ZipStream(std::shared_ptr<const ByteSource> source, ZipEntry entry, std::uint64_t at)
    : source_(std::move(source)), entry_(std::move(entry)), at_(at) {}

ZipStream::~ZipStream() {
  if (inflating_) inflateEnd(&stream_);
}

base::Result<std::size_t> ZipStream::read(char* buffer, std::size_t size) {
  if (ended_ || size == 0) return 0;
  std::size_t made = FR_TRY(entry_.method == zip::kStore ? copy(buffer, size) : inflate(buffer, size));
  made_ += made;
  if (made_ > entry_.size) return malformed("entry is larger than it says");
  crc_ = fast_crc32(crc_, {buffer, made});
  if (made > 0) return made;
  ended_ = true;
  if (made_ != entry_.size) return malformed("unexpected end of file");
  if (crc_ != entry_.crc) return malformed("checksum error");
  return 0;
}

base::Result<bool> ZipStream::feed() {
  auto part = static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, entry_.packed - fed_));
  if (part == 0) return false;
  in_ = FR_TRY(source_->read(at_ + fed_, part));
  fed_ += part;
  return true;
}

base::Result<std::size_t> ZipStream::copy(char* buffer, std::size_t size) {
  if (in_at_ == in_.size()) {
    if (!FR_TRY(feed())) return 0;
    in_at_ = 0;
  }
  size = std::min(size, in_.size() - in_at_);
  std::memcpy(buffer, in_.data() + in_at_, size);
  in_at_ += size;
  return size;
}

base::Result<std::size_t> ZipStream::inflate(char* buffer, std::size_t size) {
  if (finished_) return 0;
  if (!inflating_) {
    if (inflateInit2(&stream_, -15) != Z_OK) return base::fail(base::ErrorKind::kSystem, "zip: out of memory");
    inflating_ = true;
  }
  stream_.next_out = reinterpret_cast<Bytef*>(buffer);
  stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
  const uInt room = stream_.avail_out;
  while (stream_.avail_out == room && !finished_) {
    if (stream_.avail_in == 0 && FR_TRY(feed())) {
      stream_.next_in = reinterpret_cast<Bytef*>(in_.data());
      stream_.avail_in = static_cast<uInt>(in_.size());
    }
    // Also without further input: there may be output that did not fit before.
    int status = ::inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_BUF_ERROR) return malformed("unexpected end of file");
    if (status != Z_OK && status != Z_STREAM_END) return malformed("corrupt entry");
    finished_ = status == Z_STREAM_END; // what may stand behind it is nobody's
  }
  return room - stream_.avail_out;
}

} // namespace archive
