// ArchiveView: a job's zip archive looked into where it lies: its directory is read by ranges, a single file unpacked
// while it is sent. The archive is untrusted: memory is bounded whatever it says, names that could leave a directory do
// not exist here, and of entries with the same name the last one counts, as for whoever unpacks it all.
//
// One thread. kInvalidInput and kLimit: the archive cannot be looked into.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/zip_reader.hpp"
#include "coordinator/objects/stores.hpp"

namespace coordinator::objects {

inline constexpr archive::ZipLimits kBrowseLimits{.entries = 1'000'000, .directory_bytes = 128u << 20};
inline constexpr std::size_t kMostListed = 10'000; // names of one directory

// A name that is shown: relative, printable UTF-8, no backslash, no empty, "." or ".." segments; a directory may end in
// '/'.
bool browsable(std::string_view name);

class ArchiveView {
 public:
  static base::Result<ArchiveView> open(const Stores& stores, std::string_view location, std::uint64_t size);
  static base::Result<ArchiveView> open(std::shared_ptr<const archive::ByteSource> source);

  struct Item {
    std::string name;
    std::string path; // a directory's ends in '/'
    bool directory = false;
    std::uint64_t size = 0;
    std::int64_t modified = 0; // Unix seconds; 0: unknown
  };
  struct Listing {
    std::vector<Item> items; // directories first, each by name
    bool truncated = false;
  };
  // "" or "a/b/" (the last '/' may be missing). kNotFound: nothing is there.
  base::Result<Listing> list(std::string_view directory) const;
  // A regular file; kNotFound else.
  base::Result<archive::ZipEntry> find(const std::string& path) const;
  // kLimit when it is packed so tightly that only an attack makes such files.
  base::Result<std::unique_ptr<archive::ZipStream>> stream(const archive::ZipEntry& entry) const;

  struct Total {
    std::uint64_t entries = 0;
    std::uint64_t unpacked = 0;
  };
  base::Result<Total> total() const;

 private:
  explicit ArchiveView(archive::ZipReader reader) : reader_(std::move(reader)) {}
  archive::ZipReader reader_;
};

} // namespace coordinator::objects
