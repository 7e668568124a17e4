#include "storage/staged_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sys/files.hpp"

namespace storage {

base::Result<StagedFile> StagedFile::create(const std::string& target, std::string_view prefix) {
  std::string directory = sys::parent_path(target);
  FR_CHECK(sys::make_directories(directory, 0700));
  std::string path = sys::join_path(directory, std::string(prefix) + "XXXXXX");
  sys::Fd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return base::fail_errno("create a file in " + directory, errno);
  return StagedFile(target, std::move(path), std::move(fd));
}

StagedFile::~StagedFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

base::Status StagedFile::commit() {
  fd_.reset();
  FR_CHECK(sys::rename_file(path_, target_));
  path_.clear();
  return {};
}

base::Status StagedFile::commit_durably() {
  if (::fsync(fd_.get()) != 0) return base::fail_errno("sync " + path_, errno);
  FR_CHECK(commit());
  auto directory = FR_TRY(sys::open_fd(sys::parent_path(target_), O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return base::fail_errno("sync the directory of " + target_, errno);
  return {};
}

} // namespace storage
