#include "archive/zip_reader.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "archive/deflate.hpp"
#include "archive/zip_format.hpp"
#include "archive/zip_stream.hpp"

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
  return source_->read(offset, size);
}

base::Result<ZipReader> ZipReader::open(int fd, const ZipLimits& limits) {
  ZipReader reader = FR_TRY(find(FR_TRY(make_fd_byte_source(fd)), limits));
  reader.entries_.reserve(static_cast<std::size_t>(reader.directory_.entries));
  FR_CHECK(reader.for_each([&](ZipEntry&& entry) {
    reader.entries_.push_back(std::move(entry));
    return true;
  }));
  return reader;
}

base::Result<ZipReader> ZipReader::find(std::shared_ptr<const ByteSource> source, const ZipLimits& limits) {
  ZipReader reader(std::move(source), limits);
  reader.directory_ = FR_TRY(reader.find_directory());
  FR_CHECK(reader.place_directory());
  return reader;
}

base::Result<ZipReader::Directory> ZipReader::find_directory() const {
  // The end record is last, but for a comment of up to 64 KiB.
  std::uint64_t tail_size = std::min<std::uint64_t>(size_, kEndSize + kMax16);
  std::uint64_t tail_at = size_ - tail_size;
  std::string tail = FR_TRY(bytes_at(tail_at, static_cast<std::size_t>(tail_size)));
  for (std::size_t at = tail.size() >= kEndSize ? tail.size() - kEndSize + 1 : 0; at-- > 0;) {
    if (get32(tail, at) != kEnd || at + kEndSize + get16(tail, at + 20) > tail.size()) continue;
    Directory directory{.entries = get16(tail, at + 10),
                        .size = get32(tail, at + 12),
                        .offset = get32(tail, at + 16),
                        .end = tail_at + at};
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
  directory = {.entries = get64(end, 32), .size = get64(end, 40), .offset = get64(end, 48), .end = at};
  return {};
}

base::Status ZipReader::place_directory() {
  Directory& directory = directory_;
  if (directory.size > directory.end) return malformed("not a valid zip file");
  if (directory.entries > limits_.entries || directory.size > limits_.directory_bytes)
    return base::fail(base::ErrorKind::kLimit, fmt::format("zip: too many entries ({})", directory.entries));
  // Something may stand in front of the archive (a self-extracting program): then all offsets are relative to its end.
  directory.start = directory.end - directory.size;
  if (directory.offset > directory.start) return malformed("not a valid zip file");
  base_ = directory.start - directory.offset;
  if (base_ > 0 && size_ >= 4) {
    std::string here = FR_TRY(bytes_at(directory.offset, 4));
    if (get32(here, 0) == kCentralHeader) { // an end record that is further back than it need be
      base_ = 0;
      directory.start = directory.offset;
    }
  }
  std::uint64_t length = directory.end - directory.start;
  if (length > limits_.directory_bytes) return base::fail(base::ErrorKind::kLimit, "zip: the directory is too large");
  if (directory.entries * kCentralHeaderSize > length) return malformed("not a valid zip file");
  return {};
}

base::Status ZipReader::for_each(const std::function<bool(ZipEntry&&)>& visit) const {
  constexpr std::size_t kWindow = 1u << 20; // more than the longest header
  static_assert(kWindow > kCentralHeaderSize + 3 * kMax16);
  std::string window;
  std::uint64_t next = directory_.start; // first byte behind the window
  std::string_view rest;
  std::uint64_t packed_total = 0;
  for (std::uint64_t i = 0; i < directory_.entries; ++i) {
    if (rest.size() < kCentralHeaderSize + 3 * kMax16 && next < directory_.end) {
      std::string fresh(rest);
      auto part = static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, directory_.end - next));
      fresh += FR_TRY(bytes_at(next, part));
      next += part;
      window = std::move(fresh);
      rest = window;
    }
    if (rest.size() < kCentralHeaderSize || get32(rest, 0) != kCentralHeader) return malformed("not a valid zip file");
    std::size_t whole = kCentralHeaderSize + get16(rest, 28) + get16(rest, 30) + get16(rest, 32);
    if (rest.size() < whole) return malformed("not a valid zip file");
    ZipEntry entry = FR_TRY(parse_entry(rest.substr(0, whole)));
    rest.remove_prefix(whole);
    packed_total += entry.packed;
    if (packed_total > size_) return malformed("entries overlap"); // how a small file unpacks to petabytes
    if (!visit(std::move(entry))) break;
  }
  return {};
}

base::Result<ZipEntry> ZipReader::parse_entry(std::string_view header) const {
  std::size_t name_size = get16(header, 28), extra_size = get16(header, 30);
  if (name_size > limits_.name_bytes) return base::fail(base::ErrorKind::kLimit, "zip: entry name too long");
  ZipEntry entry;
  entry.name = header.substr(kCentralHeaderSize, name_size);
  entry.flags = get16(header, 8);
  entry.method = get16(header, 10);
  entry.mtime = from_dos_time(get16(header, 14), get16(header, 12));
  entry.crc = get32(header, 16);
  entry.packed = get32(header, 20);
  entry.size = get32(header, 24);
  entry.mode = mode_of(static_cast<std::uint8_t>(header[5]), get32(header, 38), entry.is_directory());
  entry.offset = get32(header, 42);
  entry.comment = header.substr(kCentralHeaderSize + name_size + extra_size);
  FR_CHECK(parse_extras(header.substr(kCentralHeaderSize + name_size, extra_size), entry));
  if (entry.offset > size_ - base_ || entry.packed > size_) return malformed("not a valid zip file");
  entry.offset += base_;
  return entry;
}

base::Result<std::uint64_t> ZipReader::data_offset(const ZipEntry& entry) const {
  std::string header = FR_TRY(bytes_at(entry.offset, kLocalHeaderSize));
  if (get32(header, 0) != kLocalHeader) return malformed("not a valid zip file");
  std::uint64_t at = entry.offset + kLocalHeaderSize + get16(header, 26) + get16(header, 28);
  if (at > size_ || entry.packed > size_ - at) return malformed("unexpected end of file");
  return at;
}

base::Result<std::unique_ptr<ZipStream>> ZipReader::stream(const ZipEntry& entry) const {
  if ((entry.flags & kFlagEncrypted) != 0) return malformed("encrypted entries are not supported");
  if (entry.method != kStore && entry.method != kDeflate) return malformed("unsupported compression algorithm");
  if (entry.method == kStore && entry.packed != entry.size) return malformed("not a valid zip file");
  return std::make_unique<ZipStream>(source_, entry, FR_TRY(data_offset(entry)));
}

base::Status ZipReader::read(const ZipEntry& entry, const std::function<base::Status(std::string_view)>& sink) const {
  auto stream = FR_TRY(this->stream(entry));
  if (entry.method == kDeflate && entry.size <= kWholeLimit && entry.packed <= 2 * kWholeLimit)
    return sink(FR_TRY(unpack_whole(entry)));
  std::string buffer(kBuffer, '\0');
  while (std::size_t got = FR_TRY(stream->read(buffer.data(), buffer.size())))
    FR_CHECK(sink(std::string_view(buffer).substr(0, got)));
  return {};
}

// The quick way for small entries.
base::Result<std::string> ZipReader::unpack_whole(const ZipEntry& entry) const {
  static thread_local std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::string packed = FR_TRY(bytes_at(FR_TRY(data_offset(entry)), static_cast<std::size_t>(entry.packed)));
  std::string out(static_cast<std::size_t>(entry.size), '\0');
  std::size_t made = 0;
  auto result =
      libdeflate_deflate_decompress(decompressor.get(), packed.data(), packed.size(), out.data(), out.size(), &made);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return malformed("entry is larger than it says");
  if (result != LIBDEFLATE_SUCCESS) return malformed("corrupt entry");
  if (made != entry.size) return malformed("unexpected end of file");
  if (fast_crc32(0, out) != entry.crc) return malformed("checksum error");
  return out;
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
