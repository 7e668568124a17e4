#include "coordinator/objects/archive_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "archive/zip_stream.hpp"
#include "base/strings.hpp"
#include "base/utf8.hpp"

namespace coordinator::objects {
namespace {

constexpr std::size_t kBlock = 512u << 10;
constexpr std::size_t kLongestName = 4096;
constexpr std::uint64_t kLargeFile = 64u << 20;
constexpr std::uint64_t kMostRatio = 500; // deflate's best is 1032, which nothing but runs of one byte comes near

// An object read in blocks, the last one kept: a zip's parts are small and lie close together.
class ObjectSource final : public archive::ByteSource {
 public:
  ObjectSource(Stores::Place place, std::uint64_t size) : place_(std::move(place)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  base::Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    if (offset < at_ || offset + size > at_ + block_.size()) {
      auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(size, kBlock), size_ - offset));
      auto fetched = place_.store->read(place_.key, offset, wanted);
      if (!fetched) return base::fail(trouble(std::move(fetched.error())));
      block_ = std::move(*fetched);
      at_ = offset;
      if (block_.size() < size) return base::fail(base::ErrorKind::kInvalidInput, "zip: unexpected end of file");
    }
    return block_.substr(static_cast<std::size_t>(offset - at_), size);
  }

 private:
  Stores::Place place_;
  std::uint64_t size_;
  mutable std::string block_;
  mutable std::uint64_t at_ = 0;
};

} // namespace

bool browsable(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || !base::is_valid_utf8(name)) return false;
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) return false;
  if (name.ends_with('/')) name.remove_suffix(1);
  for (const std::string& segment : base::split(name, '/'))
    if (segment.empty() || segment == "." || segment == "..") return false;
  return true;
}

base::Result<ArchiveView> ArchiveView::open(const Stores& stores, std::string_view location, std::uint64_t size) {
  return open(std::make_shared<ObjectSource>(FR_TRY(stores.find(location)), size));
}

base::Result<ArchiveView> ArchiveView::open(std::shared_ptr<const archive::ByteSource> source) {
  return ArchiveView(FR_TRY(archive::ZipReader::find(std::move(source), kBrowseLimits)));
}

base::Result<ArchiveView::Listing> ArchiveView::list(std::string_view directory) const {
  std::string prefix(directory);
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  if (!prefix.empty() && !browsable(prefix)) return base::fail(base::ErrorKind::kNotFound, "no such directory");
  std::map<std::pair<bool, std::string>, Item> items; // (is a file, name)
  Listing listing;
  bool there = prefix.empty();
  FR_CHECK(reader_.for_each([&](archive::ZipEntry&& entry) {
    if (!browsable(entry.name) || !entry.name.starts_with(prefix)) return true;
    there = true;
    std::string_view rest = std::string_view(entry.name).substr(prefix.size());
    if (rest.empty()) return true;
    auto slash = rest.find('/');
    bool is_directory = slash != std::string_view::npos;
    if (!is_directory && !entry.is_regular()) return true; // links and the like cannot be shown
    std::string name(rest.substr(0, slash));
    auto key = std::pair(!is_directory, name);
    bool itself = !is_directory || slash + 1 == rest.size();
    if (items.size() >= kMostListed && !items.contains(key)) {
      listing.truncated = true;
      return true;
    }
    Item& item = items[key];
    if (item.name.empty())
      item = {.name = name, .path = prefix + name + (is_directory ? "/" : ""), .directory = is_directory};
    if (itself) item.modified = entry.mtime;
    if (!is_directory) item.size = entry.size;
    return true;
  }));
  if (!there) return base::fail(base::ErrorKind::kNotFound, "no such directory");
  for (auto& [key, item] : items) listing.items.push_back(std::move(item));
  return listing;
}

base::Result<archive::ZipEntry> ArchiveView::find(const std::string& path) const {
  std::optional<archive::ZipEntry> found;
  if (browsable(path))
    FR_CHECK(reader_.for_each([&](archive::ZipEntry&& entry) {
      if (entry.name == path) found = std::move(entry);
      return true;
    }));
  if (!found || !found->is_regular()) return base::fail(base::ErrorKind::kNotFound, "no such file in the archive");
  return *found;
}

base::Result<std::unique_ptr<archive::ZipStream>> ArchiveView::stream(const archive::ZipEntry& entry) const {
  if (entry.size > kLargeFile && entry.size / std::max<std::uint64_t>(entry.packed, 1) > kMostRatio)
    return base::fail(
        base::ErrorKind::kLimit,
        fmt::format("zip: {} bytes are packed into {}: too suspicious to be unpacked here", entry.size, entry.packed));
  return reader_.stream(entry);
}

base::Result<ArchiveView::Total> ArchiveView::total() const {
  Total total;
  FR_CHECK(reader_.for_each([&](archive::ZipEntry&& entry) {
    ++total.entries;
    if (entry.size > UINT64_MAX / 2 - total.unpacked) entry.size = 0;
    total.unpacked += entry.size;
    return true;
  }));
  return total;
}

} // namespace coordinator::objects
