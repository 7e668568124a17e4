#include "storage/object_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.hpp"
#include "storage/folder_store.hpp"
#include "storage/s3_store.hpp"
#include "sys/fd.hpp"

namespace storage {

base::Status check_key(std::string_view key) {
  auto bad = [&](std::string_view why) {
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("an object's key {}", why));
  };
  if (key.empty() || key.size() > 900) return bad("has 1 to 900 bytes");
  for (const std::string& segment : base::split(key, '/')) {
    if (segment.empty() || segment == "." || segment == "..") return bad("has no empty, . and .. segments");
    if (segment.starts_with(".new-")) return bad("has no segment that begins with .new-");
    if (std::ranges::any_of(segment, [](unsigned char c) { return c < 0x20 || c > 0x7e || c == '\\'; }))
      return bad("is printable ASCII without backslash");
  }
  return {};
}

base::Status put(ObjectStore& store, const std::string& key, std::string_view bytes) {
  auto writer = FR_TRY(store.create(key));
  FR_CHECK(writer->write(bytes));
  return writer->commit();
}

base::Status put_file(ObjectStore& store, const std::string& key, const std::string& path, std::uint64_t offset,
                      std::optional<std::uint64_t> size) {
  auto fd = FR_TRY(sys::open_fd(path, O_RDONLY));
  auto writer = FR_TRY(store.create(key));
  if (::lseek(fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0) return base::fail_errno("read " + path, errno);
  std::string buffer(256 << 10, '\0');
  while (!size || *size > 0) {
    auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size.value_or(buffer.size())));
    auto got = FR_TRY(sys::read_some(fd.get(), buffer.data(), want));
    if (got == 0 && size) return base::fail(base::ErrorKind::kIo, path + " is shorter than it was said to be");
    if (got == 0) break;
    FR_CHECK(writer->write(std::string_view(buffer).substr(0, got)));
    if (size) *size -= got;
  }
  return writer->commit();
}

base::Status get(ObjectStore& store, const std::string& key, std::uint64_t offset, std::uint64_t size,
                 const std::function<base::Status(std::string_view)>& sink, std::size_t piece) {
  while (size > 0) {
    auto bytes = FR_TRY(store.read(key, offset, static_cast<std::size_t>(std::min<std::uint64_t>(piece, size))));
    if (bytes.empty()) return base::fail(base::ErrorKind::kIo, fmt::format("{} is shorter than expected", key));
    offset += bytes.size();
    size -= bytes.size();
    FR_CHECK(sink(bytes));
  }
  return {};
}

base::Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& location) {
  if (location.starts_with("s3://")) return S3Store::open(location);
  if (location.find("://") != std::string::npos)
    return base::fail(base::ErrorKind::kInvalidInput, "an object store is a folder or s3://bucket/prefix, not " +
                                                          location.substr(0, location.find(':')));
  return FolderStore::open(location);
}

} // namespace storage
