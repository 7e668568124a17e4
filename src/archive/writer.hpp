// Writing archives: a list of files in, a stream of bytes out, compressed by several threads, memory bounded.
//
// The same files give the same bytes, whatever the number of threads, so an upload can be tried again. The caller's
// thread does all the output and calls all callbacks. A file that vanished is skipped with a warning; one that cannot
// be read is an error (kForbidden, kIo). Files are opened relative to a directory and never through a final link.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sys/beneath.hpp"

namespace archive {

enum class Format { kZip, kGzip, kRaw, kTarZstd, kZipZstd };
std::string_view to_string(Format format);                 // "zip", "gzip", "raw", "tarzstd", "zipzstd"
std::optional<Format> parse_format(std::string_view name); // nullopt: unknown
enum class Level { kFastest, kFast, kDefault, kSlow, kSlowest };
std::optional<Level> parse_level(std::string_view name); // "" is default; nullopt: unknown

// A path relative to the directory, with what lstat said of it.
struct SourceFile {
  std::string path;
  sys::FileInfo info;
};

using Output = std::function<base::Status(std::string_view)>;

struct WriteOptions {
  Level level = Level::kDefault;
  unsigned threads = 0;     // 0: as many as there are processors for us
  int directory = AT_FDCWD; // where the paths start
  std::function<void(std::string)> on_warning = [](std::string) {};
};

// kInvalidInput `"<format>" format: unsupported archive format` for what cannot be written (yet).
// raw: exactly one file, whose bytes are the archive; gzip: one member a file, regular files only; zip: files,
// directories and links, anything else is skipped with a warning. The order of `files` is the order in the archive.
base::Status write_archive(Format format, const std::vector<SourceFile>& files, const Output& output,
                           const WriteOptions& options);

} // namespace archive
