#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "net/http_client.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace net {
namespace {

class FileSource final : public BodySource {
 public:
  FileSource(sys::Fd fd, std::uint64_t offset, std::uint64_t size)
      : fd_(std::move(fd)), offset_(offset), left_(size), size_(size) {}

  base::Result<std::size_t> read(char* buffer, std::size_t size) override {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
    if (size == 0) return 0;
    ssize_t got = -1;
    do got = pread(fd_.get(), buffer, size, static_cast<off_t>(offset_));
    while (got < 0 && errno == EINTR);
    if (got < 0) return base::fail_errno("reading the request's body", errno);
    if (got == 0) return base::fail(base::ErrorKind::kIo, "the request's body became shorter while it was sent");
    offset_ += static_cast<std::uint64_t>(got);
    left_ -= static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  std::optional<std::uint64_t> length() const override { return size_; }

 private:
  sys::Fd fd_;
  std::uint64_t offset_;
  std::uint64_t left_;
  std::uint64_t size_;
};

} // namespace

std::unique_ptr<BodySource> make_file_source(const std::string& path, std::uint64_t offset,
                                             std::optional<std::uint64_t> size) {
  auto fd = sys::open_fd(path, O_RDONLY);
  if (!fd) return nullptr;
  if (!size) {
    auto whole = sys::file_size(path);
    if (!whole) return nullptr;
    size = *whole - std::min(*whole, offset);
  }
  return std::make_unique<FileSource>(std::move(*fd), offset, *size);
}

} // namespace net
