// cache-archiver: packs the cache's paths into the local archive, unless that is still what it would become.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "archive/zip_reader.hpp"
#include "storage/staged_file.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"
#include "transfer/commands.hpp"
#include "transfer/messages.hpp"
#include "transfer/selection.hpp"

namespace transfer {
namespace {

bool is_archived(const sys::FileInfo& info) { return info.is_regular() || info.is_directory() || info.is_symlink(); }

// Modification times alone, as upstream compares them, miss deleted and renamed files and changed modes.
bool has_same_entries(const std::string& path, const Selection& selection) {
  auto fd = sys::open_fd(path, O_RDONLY);
  if (!fd) return false;
  auto reader = archive::ZipReader::open(fd->get());
  if (!reader) return false;
  std::size_t expected = 0;
  for (const auto& [name, info] : selection.files) expected += is_archived(info) ? 1 : 0;
  if (reader->entries().size() != expected) return false;
  return std::all_of(reader->entries().begin(), reader->entries().end(), [&](const archive::ZipEntry& entry) {
    std::string name = entry.name;
    if (name.ends_with('/')) name.pop_back();
    auto found = selection.files.find(name);
    if (found == selection.files.end() || (found->second.mode & 0170777) != (entry.mode & 0170777)) return false;
    return !entry.is_regular() || entry.size == found->second.size;
  });
}

bool is_up_to_date(const std::string& path, const Selection& selection) {
  struct stat archive{};
  if (::stat(path.c_str(), &archive) != 0) {
    if (errno != ENOENT) warning(base::fail_errno("stat " + path, errno).error().message());
    return false;
  }
  auto newer = [&](const auto& file) {
    const sys::FileInfo& info = file.second;
    return info.mtime_seconds > archive.st_mtim.tv_sec ||
           (info.mtime_seconds == archive.st_mtim.tv_sec && info.mtime_nanos > archive.st_mtim.tv_nsec);
  };
  return std::none_of(selection.files.begin(), selection.files.end(), newer) && has_same_entries(path, selection);
}

base::Status create_archive(const CacheArchiverOptions& options, const Selection& selection) {
  auto level = archive::parse_level(options.compression_level);
  if (!level)
    warning(fmt::format("compression level \"{}\" is invalid, falling back to default", options.compression_level));
  auto staged = FR_TRY(storage::StagedFile::create(options.file, "archive_"));
  archive::WriteOptions write;
  write.level = level.value_or(archive::Level::kDefault);
  write.on_warning = [](const std::string& text) { warning(text); };
  auto output = [&](std::string_view bytes) { return sys::write_all(staged.fd(), bytes); };
  FR_CHECK(archive::write_archive(archive::Format::kZip, selection.sources(), output, write));
  return staged.commit();
}

std::string unsupported(const CacheArchiverOptions& options) {
  std::string format = options.compression_format;
  if (!options.url.empty() || !options.gocloud_url.empty())
    return "remote caches are not supported yet, the cache is stored only locally";
  if (format == "tarzstd" || format == "zipzstd")
    return fmt::format("cache compression format \"{}\" is not supported yet", format);
  return "";
}

} // namespace

int cache_archiver(const CacheArchiverOptions& given) {
  CacheArchiverOptions options = given;
  if (options.file.empty()) return fatal("Missing --file");
  options.selection = expand_selection(std::move(options.selection));

  // Left by a runner with the other naming of keys (FF_HASH_CACHE_KEYS).
  if (!options.alternate_file.empty() && options.alternate_file != options.file && !sys::exists(options.file) &&
      sys::exists(options.alternate_file)) {
    auto status = sys::make_directories(sys::parent_path(options.file), 0700);
    if (status) status = sys::rename_file(options.alternate_file, options.file);
    if (status) info("Renamed alternate cache file to primary");
  }
  auto selection = select_files(options.selection);
  if (!selection) return fatal(selection.error().message());
  if (selection->files.empty()) {
    warning("No files to cache.");
    return 0;
  }
  std::string problem = unsupported(options);
  if (is_up_to_date(options.file, *selection)) {
    info("Archive is up to date!");
    return problem.empty() ? 0 : fatal(problem);
  }
  warn_about_git_directory(*selection);
  if (auto status = create_archive(options, *selection); !status) return fatal(status.error().message());
  if (!problem.empty()) return fatal(problem);
  info(
      "No URL provided, cache will not be uploaded to shared cache server. "
      "Cache will be stored only locally.");
  return 0;
}

} // namespace transfer
