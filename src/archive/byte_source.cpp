#include "archive/byte_source.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace archive {
namespace {

class FdSource final : public ByteSource {
 public:
  FdSource(int fd, std::uint64_t start, std::uint64_t size) : fd_(fd), start_(start), size_(size) {}
  std::uint64_t size() const override { return size_; }
  base::Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    std::string out(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
      ssize_t n = ::pread(fd_, out.data() + filled, size - filled, static_cast<off_t>(start_ + offset + filled));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return base::fail_errno("read archive", errno);
      if (n == 0) return base::fail(base::ErrorKind::kInvalidInput, "zip: unexpected end of file");
      filled += static_cast<std::size_t>(n);
    }
    return out;
  }

 private:
  int fd_;
  std::uint64_t start_;
  std::uint64_t size_;
};

} // namespace

base::Result<std::unique_ptr<ByteSource>> make_fd_byte_source(int fd) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return base::fail_errno("stat archive", errno);
  return std::make_unique<FdSource>(fd, 0, static_cast<std::uint64_t>(std::max<off_t>(st.st_size, 0)));
}

std::unique_ptr<ByteSource> make_fd_byte_source(int fd, std::uint64_t offset, std::uint64_t size) {
  return std::make_unique<FdSource>(fd, offset, size);
}

} // namespace archive
