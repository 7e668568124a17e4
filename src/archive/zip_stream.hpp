// ZipStream: the unpacked bytes of one entry, pulled piece by piece. Made by ZipReader::stream(). One thread.
#pragma once

#include <zlib.h>

#include "archive/byte_source.hpp"
#include "archive/zip_reader.hpp"

namespace archive {

class ZipStream {
 public:
  // `at` is where the entry's data begins.
  ZipStream(std::shared_ptr<const ByteSource> source, ZipEntry entry, std::uint64_t at);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  // 0 at the end, which is reached only when size and checksum are as the directory says; kInvalidInput else.
  base::Result<std::size_t> read(char* buffer, std::size_t size);

 private:
  base::Result<std::size_t> copy(char* buffer, std::size_t size);
  base::Result<std::size_t> inflate(char* buffer, std::size_t size);
  base::Result<bool> feed(); // false: no more input

  std::shared_ptr<const ByteSource> source_;
  ZipEntry entry_;
  std::uint64_t at_;
  std::uint64_t fed_ = 0;
  std::uint64_t made_ = 0;
  std::uint32_t crc_ = 0;
  std::string in_;
  std::size_t in_at_ = 0; // stored entries
  z_stream stream_{};
  bool inflating_ = false;
  bool finished_ = false; // the deflate stream
  bool ended_ = false;
};

} // namespace archive
