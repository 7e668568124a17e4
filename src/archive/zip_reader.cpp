#include "archive/zip_reader.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

#include "archive/deflate.hpp"
#include "archive/zip_format.hpp"

namespace archive {
namespace {

using namespace zip;

constexpr std::size_t kBuffer = 256u << 10;
constexpr std::uint64_t kWholeLimit = 1u << 20; // entries up to here are unpacked in one go

std::unexpected<base::Error> malformed(std::string what) {
  return base::fail(base::ErrorKind::kInvalidInput, "zip: " + std::move(what));
}

std::int64_t from_dos_time(std::uint16_t date, std::uint16_t time) {
  std::tm tm{};
  tm.tm_year = (date >> 9) + 80;
  tm.tm_mon = ((date >> 5) & 15) - 1;
  tm.tm_mday = date & 31;
  tm.tm_hour = time >> 11;
  tm.tm_min = (time >> 5) & 63;
  tm.tm_sec = (time & 31) * 2;
  tm.tm_isdst = -1;
  return std::max<std::int64_t>(0, std::mktime(&tm));
}

// Little-endian number of 1 to 8 bytes.
std::uint64_t get_sized(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = std::min<std::size_t>(bytes.size(), 8); i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void parse_owner(std::string_view field, ZipEntry& entry) {
  if (field.size() < 2 || field[0] != 1) return;
  std::size_t uid_size = static_cast<unsigned char>(field[1]);
  if (field.size() < 3 + uid_size) return;
  std::size_t gid_size = static_cast<unsigned char>(field[2 + uid_size]);
  if (field.size() < 3 + uid_size + gid_size) return;
  entry.owner = {static_cast<std::uint32_t>(get_sized(field.substr(2, uid_size))),
                 static_cast<std::uint32_t>(get_sized(field.substr(3 + uid_size, gid_size)))};
}

bool parse_zip64(std::string_view field, ZipEntry& entry) {
  for (std::uint64_t* value : {&entry.size, &entry.packed, &entry.offset}) {
    if (*value != kMax32) continue;
    if (field.size() < 8) return false;
    *value = get64(field, 0);
    field.remove_prefix(8);
  }
  return true;
}

base::Status parse_extras(std::string_view extras, ZipEntry& entry) {
  bool zip64_seen = false;
  while (extras.size() >= 4) {
    std::uint16_t type = get16(extras, 0);
    std::size_t size = get16(extras, 2);
    if (size > extras.size() - 4) break; // padding and the like: ignored, as Go and Info-ZIP do
    std::string_view field = extras.substr(4, size);
    extras.remove_prefix(4 + size);
    if (type == kExtraZip64 && !zip64_seen) {
      zip64_seen = true;
      if (!parse_zip64(field, entry)) return malformed("bad 64-bit field");
    } else if (type == kExtraTimestamp && field.size() >= 5 && (field[0] & 1) != 0) {
      entry.mtime = static_cast<std::int32_t>(get32(field, 1));
    } else if (type == kExtraUnixOwner) {
      parse_owner(field, entry);
    }
  }
  return {};
}

std::uint32_t mode_of(std::uint8_t creator, std::uint32_t attributes, bool directory) {
  std::uint32_t mode = 0;
  if (creator == kCreatorUnix || creator == kCreatorMac) mode = attributes >> 16;
  if (mode == 0) mode = ((attributes & 0x10) != 0 ? 0040777 : 0100666) & ((attributes & 0x01) != 0 ? ~0222u : ~0u);
  if (directory) mode = (mode & 07777) | 0040000;
  if ((mode & 0170000) == 0) mode |= 0100000;
  return mode;
}

} // namespace

base::Result<std::string> ZipReader::bytes_at(std::uint64_t offset, std::size_t size) const {
  if (offset > size_ || size > size_ - offset) return malformed("unexpected end of file");
  std::string out(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    ssize_t n = ::pread(fd_, out.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read archive", errno);
    if (n == 0) return malformed("unexpected end of file");
    filled += static_cast<std::size_t>(n);
  }
  return out;
}

base::Result<ZipReader> ZipReader::open(int fd, const ZipLimits& limits) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return base::fail_errno("stat archive", errno);
  ZipReader reader(fd, static_cast<std::uint64_t>(std::max<off_t>(st.st_size, 0)));
  Directory directory = FR_TRY(reader.find_directory());
  FR_CHECK(reader.parse_directory(directory, limits));
  return reader;
}

base::Result<ZipReader::Directory> ZipReader::find_directory() const {
  // The end record is last, but for a comment of up to 64 KiB.
  std::uint64_t tail_size = std::min<std::uint64_t>(size_, kEndSize + kMax16);
  std::uint64_t tail_at = size_ - tail_size;
  std::string tail = FR_TRY(bytes_at(tail_at, static_cast<std::size_t>(tail_size)));
  for (std::size_t at = tail.size() >= kEndSize ? tail.size() - kEndSize + 1 : 0; at-- > 0;) {
    if (get32(tail, at) != kEnd || at + kEndSize + get16(tail, at + 20) > tail.size()) continue;
    Directory directory{get16(tail, at + 10), get32(tail, at + 12), get32(tail, at + 16), tail_at + at};
    if (directory.entries == kMax16 || directory.size == kMax32 || directory.offset == kMax32)
      FR_CHECK(read_end64(directory, tail_at + at));
    return directory;
  }
  return malformed("not a valid zip file");
}

base::Status ZipReader::read_end64(Directory& directory, std::uint64_t end_at) const {
  if (end_at < kEnd64LocatorSize) return {};
  std::string locator = FR_TRY(bytes_at(end_at - kEnd64LocatorSize, kEnd64LocatorSize));
  if (get32(locator, 0) != kEnd64Locator) return {}; // 65535 entries are possible without
  std::uint64_t at = get64(locator, 8);
  std::string end = FR_TRY(bytes_at(at, kEnd64Size));
  if (get32(end, 0) != kEnd64) return malformed("not a valid zip file");
  directory = {get64(end, 32), get64(end, 40), get64(end, 48), at};
  return {};
}

base::Status ZipReader::parse_directory(const Directory& directory, const ZipLimits& limits) {
  if (directory.size > directory.end) return malformed("not a valid zip file");
  if (directory.entries > limits.entries || directory.size > limits.directory_bytes)
    return base::fail(base::ErrorKind::kLimit, fmt::format("zip: too many entries ({})", directory.entries));
  // Something may stand in front of the archive (a self-extracting program): then all offsets are relative to its end.
  std::uint64_t start = directory.end - directory.size;
  if (directory.offset <= start) base_ = start - directory.offset;
  if (directory.offset > start) return malformed("not a valid zip file");
  if (base_ > 0 && size_ >= 4) {
    std::string here = FR_TRY(bytes_at(directory.offset, 4));
    if (get32(here, 0) == kCentralHeader) { // an end record that is further back than it need be
      base_ = 0;
      start = directory.offset;
    }
  }
  if (directory.entries * kCentralHeaderSize > directory.end - start) return malformed("not a valid zip file");
  std::string bytes = FR_TRY(bytes_at(start, static_cast<std::size_t>(directory.end - start)));
  std::string_view rest = bytes;
  entries_.reserve(static_cast<std::size_t>(directory.entries));
  std::uint64_t packed_total = 0;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (rest.size() < kCentralHeaderSize || get32(rest, 0) != kCentralHeader) return malformed("not a valid zip file");
    std::size_t name_size = get16(rest, 28), extra_size = get16(rest, 30), comment_size = get16(rest, 32);
    if (rest.size() - kCentralHeaderSize < name_size + extra_size + comment_size)
      return malformed("not a valid zip file");
    if (name_size > limits.name_bytes) return base::fail(base::ErrorKind::kLimit, "zip: entry name too long");
    ZipEntry entry;
    entry.name = rest.substr(kCentralHeaderSize, name_size);
    entry.flags = get16(rest, 8);
    entry.method = get16(rest, 10);
    entry.mtime = from_dos_time(get16(rest, 14), get16(rest, 12));
    entry.crc = get32(rest, 16);
    entry.packed = get32(rest, 20);
    entry.size = get32(rest, 24);
    entry.mode = mode_of(static_cast<std::uint8_t>(rest[5]), get32(rest, 38), entry.is_directory());
    entry.offset = get32(rest, 42);
    entry.comment = rest.substr(kCentralHeaderSize + name_size + extra_size, comment_size);
    FR_CHECK(parse_extras(rest.substr(kCentralHeaderSize + name_size, extra_size), entry));
    rest.remove_prefix(kCentralHeaderSize + name_size + extra_size + comment_size);
    if (entry.offset > size_ - base_ || entry.packed > size_) return malformed("not a valid zip file");
    packed_total += entry.packed;
    if (packed_total > size_) return malformed("entries overlap"); // how a small file unpacks to petabytes
    entry.offset += base_;
    entries_.push_back(std::move(entry));
  }
  return {};
}

base::Result<std::uint64_t> ZipReader::data_offset(const ZipEntry& entry) const {
  std::string header = FR_TRY(bytes_at(entry.offset, kLocalHeaderSize));
  if (get32(header, 0) != kLocalHeader) return malformed("not a valid zip file");
  std::uint64_t at = entry.offset + kLocalHeaderSize + get16(header, 26) + get16(header, 28);
  if (at > size_ || entry.packed > size_ - at) return malformed("unexpected end of file");
  return at;
}

base::Status ZipReader::read(const ZipEntry& entry, const std::function<base::Status(std::string_view)>& sink) const {
  if ((entry.flags & kFlagEncrypted) != 0) return malformed("encrypted entries are not supported");
  std::uint64_t at = FR_TRY(data_offset(entry));
  std::uint32_t crc = 0;
  std::uint64_t size = 0;
  auto checked = [&](std::string_view piece) -> base::Status {
    size += piece.size();
    if (size > entry.size) return malformed("entry is larger than it says");
    crc = fast_crc32(crc, piece);
    return sink(piece);
  };
  if (entry.method == kStore) {
    if (entry.packed != entry.size) return malformed("not a valid zip file");
    for (std::uint64_t done = 0; done < entry.size;) {
      auto part = static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, entry.size - done));
      std::string piece = FR_TRY(bytes_at(at + done, part));
      FR_CHECK(checked(piece));
      done += part;
    }
  } else if (entry.method == kDeflate) {
    FR_CHECK(inflate(entry, at, checked));
  } else {
    return malformed("unsupported compression algorithm");
  }
  if (size != entry.size) return malformed("unexpected end of file");
  if (crc != entry.crc) return malformed("checksum error");
  return {};
}

base::Status ZipReader::inflate(const ZipEntry& entry, std::uint64_t at,
                                const std::function<base::Status(std::string_view)>& sink) const {
  if (entry.size <= kWholeLimit && entry.packed <= 2 * kWholeLimit) {
    static thread_local std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    std::string packed = FR_TRY(bytes_at(at, static_cast<std::size_t>(entry.packed)));
    std::string out(static_cast<std::size_t>(entry.size), '\0');
    std::size_t made = 0;
    if (libdeflate_deflate_decompress(decompressor.get(), packed.data(), packed.size(), out.data(), out.size(),
                                      &made) != LIBDEFLATE_SUCCESS)
      return malformed("corrupt entry");
    out.resize(made);
    return sink(out);
  }
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return base::fail(base::ErrorKind::kSystem, "zip: out of memory");
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::string out(kBuffer, '\0');
  std::string in;
  std::uint64_t fed = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0) {
      auto part = static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, entry.packed - fed));
      if (part == 0) return malformed("unexpected end of file");
      in = FR_TRY(bytes_at(at + fed, part));
      fed += part;
      stream.next_in = reinterpret_cast<Bytef*>(in.data());
      stream.avail_in = static_cast<uInt>(part);
    }
    do {
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      status = ::inflate(&stream, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return malformed("corrupt entry");
      std::size_t made = out.size() - stream.avail_out;
      if (made > 0) FR_CHECK(sink(std::string_view(out).substr(0, made)));
    } while (stream.avail_out == 0 && status != Z_STREAM_END);
  }
  return {};
}

base::Result<std::string> ZipReader::read_all(const ZipEntry& entry, std::size_t limit) const {
  if (entry.size > limit)
    return base::fail(base::ErrorKind::kLimit, fmt::format("zip: {} is too large ({} bytes)", entry.name, entry.size));
  std::string out;
  FR_CHECK(read(entry, [&](std::string_view piece) -> base::Status {
    out += piece;
    return {};
  }));
  return out;
}

} // namespace archive
