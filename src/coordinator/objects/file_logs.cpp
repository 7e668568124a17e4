#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
#include "coordinator/objects/live_logs.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace coordinator::objects {

std::optional<std::string> FileLogs::path(std::int64_t job_id) const { return file(job_id); }

std::string FileLogs::file(std::int64_t job_id) const {
  return sys::join_path(folder_, fmt::format("traces/{}/{}.log", job_id / 1000, job_id));
}

base::Result<std::uint64_t> FileLogs::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  std::lock_guard lock(lock_of(job_id));
  std::string path = file(job_id);
  int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (offset == 0 ? O_CREAT : 0);
  if (offset == 0) FR_CHECK(sys::make_directories(sys::parent_path(path), 0700));
  sys::Fd fd(::open(path.c_str(), flags, 0600));
  if (!fd && errno == ENOENT) return 0;
  auto failed = [&](const char* what, int code) {
    return base::fail_errno(fmt::format("{} the log of job {}", what, job_id), code);
  };
  if (!fd) return failed("open", errno);
  if (shared_ && ::flock(fd.get(), LOCK_EX) != 0) return failed("lock", errno);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return failed("look at", errno);
  if (static_cast<std::uint64_t>(info.st_size) != offset) return static_cast<std::uint64_t>(info.st_size);
  std::string_view rest = chunk;
  while (!rest.empty()) {
    ssize_t written =
        ::pwrite(fd.get(), rest.data(), rest.size(), static_cast<off_t>(offset + chunk.size() - rest.size()));
    if (written < 0) {
      int saved = errno;
      // Half a chunk would make the runner's next offset wrong for good.
      (void)::ftruncate(fd.get(), static_cast<off_t>(offset));
      return failed("write", saved);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return offset + chunk.size();
}

base::Result<std::uint64_t> FileLogs::size(std::int64_t job_id) {
  struct stat info{};
  if (::stat(file(job_id).c_str(), &info) == 0) return static_cast<std::uint64_t>(info.st_size);
  if (errno == ENOENT) return 0;
  return base::fail_errno(fmt::format("look at the log of job {}", job_id), errno);
}

base::Result<std::string> FileLogs::read(std::int64_t job_id, std::uint64_t offset, std::size_t length) {
  auto fd = sys::open_fd(file(job_id), O_RDONLY);
  if (!fd && fd.error().kind() == base::ErrorKind::kNotFound) return std::string();
  if (!fd) return base::fail(std::move(fd.error()));
  auto size = FR_TRY(this->size(job_id));
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(length, size - std::min(size, offset))), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    ssize_t got = ::pread(fd->get(), bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(fmt::format("read the log of job {}", job_id), errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

base::Result<std::vector<std::int64_t>> FileLogs::waiting() {
  std::vector<std::int64_t> jobs;
  std::string root = sys::join_path(folder_, "traces");
  auto buckets = sys::list_directory(root);
  if (!buckets) return jobs; // nothing was ever stored
  for (const std::string& bucket : *buckets) {
    for (const std::string& name :
         sys::list_directory(sys::join_path(root, bucket)).value_or(std::vector<std::string>()))
      if (auto id = base::parse_int(name.substr(0, name.find('.'))); id && name.ends_with(".log")) jobs.push_back(*id);
  }
  return jobs;
}

base::Status FileLogs::erase(Transaction& tx, std::int64_t job_id) {
  tx.after_commit([this, job_id] {
    std::lock_guard lock(lock_of(job_id));
    (void)sys::remove_file(file(job_id));
  });
  return {};
}

} // namespace coordinator::objects
