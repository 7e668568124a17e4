#include "transfer/unpack.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "archive/extract.hpp"
#include "archive/writer.hpp"
#include "sys/beneath.hpp"
#include "sys/fd.hpp"
#include "transfer/messages.hpp"

namespace transfer {
namespace {

constexpr std::size_t kNamedProblems = 50;

archive::Format detect(int fd) {
  unsigned char magic[4] = {};
  ssize_t n = ::pread(fd, magic, sizeof magic, 0);
  if (n >= 4 && magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
    return archive::Format::kTarZstd;
  if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) return archive::Format::kGzip;
  return archive::Format::kZip;
}

} // namespace

base::Status unpack_here(const std::string& archive_path) {
  sys::Fd file = FR_TRY(sys::open_fd(archive_path, O_RDONLY));
  archive::Format format = detect(file.get());
  if (format != archive::Format::kZip)
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("\"{}\" format: unsupported archive format", archive::to_string(format)));
  sys::Root root = FR_TRY(sys::Root::open("."));
  archive::ExtractReport report = FR_TRY(archive::extract_zip(file.get(), root));
  if (report.git_directory) {
    warning("Part of .git directory is on the list of files to extract");
    warning("This may introduce unexpected problems");
  }
  for (std::size_t i = 0; i < report.problems.size() && i < kNamedProblems; ++i) {
    const auto& [name, problem] = report.problems[i];
    if (problem.kind() == base::ErrorKind::kForbidden && problem.sys_errno() == 0) {
      error(fmt::format("{}: refused, it would be written outside of the project directory", name));
    } else {
      error(fmt::format("{}: {}", name, problem.message()));
    }
  }
  if (report.problems.empty()) return {};
  return base::fail(base::ErrorKind::kIo, fmt::format("{} of {} archive entries could not be extracted",
                                                      report.problems.size(), report.entries));
}

} // namespace transfer
