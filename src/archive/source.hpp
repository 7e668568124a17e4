// Reading the files that go into an archive. Private to the writers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "archive/writer.hpp"
#include "sys/fd.hpp"

namespace archive {

// A regular file, opened for reading; final links are not followed unless told so. kNotFound when it vanished,
// kInvalidInput when it is no regular file (any more).
struct OpenSource {
  sys::Fd fd;
  std::uint64_t size = 0;
};
base::Result<OpenSource> open_source(int directory, const std::string& path, bool follow = false);
// Up to `size` bytes from `offset`, fewer only at the end of the file; replaces `out`.
base::Status read_at(int fd, std::uint64_t offset, std::size_t size, std::string& out, const std::string& path);
base::Result<std::string> read_link_target(int directory, const std::string& path);

// Larger files are compressed in pieces of this size, by several threads.
inline constexpr std::size_t kPieceSize = 1u << 20;
int deflate_level(Level level); // of libdeflate; 0: store

} // namespace archive
