// ByteSource: bytes that can be read at any place: a file, or an object in a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace archive {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  // Exactly `size` bytes, which lie inside; fewer are an error.
  virtual base::Result<std::string> read(std::uint64_t offset, std::size_t size) const = 0;
};

// A file, or a part of it that is all there. The descriptor stays the caller's and open. Any number of threads.
base::Result<std::unique_ptr<ByteSource>> make_fd_byte_source(int fd);
std::unique_ptr<ByteSource> make_fd_byte_source(int fd, std::uint64_t offset, std::uint64_t size);

} // namespace archive
