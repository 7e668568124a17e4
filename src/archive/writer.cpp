#include "archive/writer.hpp"

#include <fmt/format.h>

#include <array>

#include "archive/source.hpp"
#include "archive/zip_writer.hpp"

namespace archive {
namespace {

constexpr std::array<std::pair<Format, std::string_view>, 5> kFormats{{{Format::kZip, "zip"},
                                                                       {Format::kGzip, "gzip"},
                                                                       {Format::kRaw, "raw"},
                                                                       {Format::kTarZstd, "tarzstd"},
                                                                       {Format::kZipZstd, "zipzstd"}}};

base::Status write_raw(const std::vector<SourceFile>& files, const Output& output, const WriteOptions& options) {
  if (files.size() > 1) return base::fail(base::ErrorKind::kInvalidInput, "only one file can be sent as raw");
  if (files.empty()) return {};
  const std::string& path = files.front().path;
  OpenSource source = FR_TRY(open_source(options.directory, path, true));
  std::string buffer;
  for (std::uint64_t offset = 0; offset < source.size; offset += buffer.size()) {
    auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceSize, source.size - offset));
    FR_CHECK(read_at(source.fd.get(), offset, size, buffer, path));
    if (buffer.empty()) break;
    FR_CHECK(output(buffer));
  }
  return {};
}

} // namespace

std::string_view to_string(Format format) {
  for (const auto& [value, name] : kFormats)
    if (value == format) return name;
  return "";
}

std::optional<Format> parse_format(std::string_view name) {
  for (const auto& [value, text] : kFormats)
    if (text == name) return value;
  return std::nullopt;
}

std::optional<Level> parse_level(std::string_view name) {
  if (name == "fastest") return Level::kFastest;
  if (name == "fast") return Level::kFast;
  if (name == "default" || name.empty()) return Level::kDefault;
  if (name == "slow") return Level::kSlow;
  if (name == "slowest") return Level::kSlowest;
  return std::nullopt;
}

base::Status write_archive(Format format, const std::vector<SourceFile>& files, const Output& output,
                           const WriteOptions& options) {
  switch (format) {
    case Format::kZip:
      return write_zip(files, output, options);
    case Format::kGzip:
      return write_gzip(files, output, options);
    case Format::kRaw:
      return write_raw(files, output, options);
    case Format::kTarZstd:
    case Format::kZipZstd:
      break;
  }
  return base::fail(base::ErrorKind::kInvalidInput,
                    fmt::format("\"{}\" format: unsupported archive format", to_string(format)));
}

} // namespace archive
