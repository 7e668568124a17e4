// ZipReader: the directory of a zip file and its entries' bytes. The file is untrusted: every offset, size and count is
// checked, nothing is trusted to be true until the bytes have been seen.
//
// Several threads may read entries of one reader at once when their source allows it. kInvalidInput: malformed (the
// message begins "zip: "), kLimit: more than the limits allow. Methods: stored and deflated; 64-bit fields are
// understood.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/byte_source.hpp"
#include "base/result.hpp"

namespace archive {

struct ZipEntry {
  std::string name;       // as stored; a directory ends in '/'
  std::uint32_t mode = 0; // as in struct stat, type included; made up when the archive has none
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::uint32_t crc = 0;
  std::uint64_t size = 0;                                       // unpacked
  std::uint64_t packed = 0;                                     // as in the archive
  std::uint64_t offset = 0;                                     // of its local header
  std::int64_t mtime = 0;                                       // Unix seconds
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner; // uid, gid
  std::string comment;

  bool is_directory() const { return !name.empty() && name.back() == '/'; }
  bool is_symlink() const { return (mode & 0170000) == 0120000; }
  bool is_regular() const { return !is_directory() && (mode & 0170000) == 0100000; }
};

struct ZipLimits {
  std::uint64_t entries = 4'000'000;
  std::uint64_t directory_bytes = 512u << 20;
  std::size_t name_bytes = 16 << 10;
};

class ZipStream;

class ZipReader {
 public:
  // The descriptor stays the caller's and open.
  static base::Result<ZipReader> open(int fd, const ZipLimits& limits = {});
  // Without keeping any entry: for archives of others that are looked at in bounded memory by for_each().
  static base::Result<ZipReader> find(std::shared_ptr<const ByteSource> source, const ZipLimits& limits = {});

  const std::vector<ZipEntry>& entries() const { return entries_; } // of open()
  // Every entry in the directory's order, which is read in pieces; false ends it.
  base::Status for_each(const std::function<bool(ZipEntry&&)>& visit) const;
  base::Result<std::unique_ptr<ZipStream>> stream(const ZipEntry& entry) const;
  // The unpacked bytes in pieces; checks size and checksum at the end. An error of `sink` is passed on.
  base::Status read(const ZipEntry& entry, const std::function<base::Status(std::string_view)>& sink) const;
  // The same as a string, at most `limit` bytes (kLimit).
  base::Result<std::string> read_all(const ZipEntry& entry, std::size_t limit) const;
  // Where the packed bytes lie in the file, for serving a part of it.
  base::Result<std::uint64_t> data_offset(const ZipEntry& entry) const;

 private:
  ZipReader(std::shared_ptr<const ByteSource> source, const ZipLimits& limits)
      : source_(std::move(source)), size_(source_->size()), limits_(limits) {}
  struct Directory {
    std::uint64_t entries = 0, size = 0, offset = 0, end = 0;
    std::uint64_t start = 0; // in the file
  };
  base::Result<Directory> find_directory() const;
  base::Status read_end64(Directory& directory, std::uint64_t end_at) const;
  base::Status place_directory();
  base::Result<ZipEntry> parse_entry(std::string_view header) const;
  base::Result<std::string> bytes_at(std::uint64_t offset, std::size_t size) const;
  base::Result<std::string> unpack_whole(const ZipEntry& entry) const;

  std::shared_ptr<const ByteSource> source_;
  std::uint64_t size_;
  ZipLimits limits_;
  Directory directory_;
  std::uint64_t base_ = 0; // bytes in front of the archive
  std::vector<ZipEntry> entries_;
};

} // namespace archive
