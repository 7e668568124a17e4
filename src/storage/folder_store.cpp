#include "storage/folder_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "storage/staged_file.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace storage {
namespace {

constexpr std::string_view kUnfinished = ".new-";

class FileWriter final : public ObjectWriter {
 public:
  explicit FileWriter(StagedFile file) : file_(std::move(file)) {}
  base::Status write(std::string_view bytes) override { return sys::write_all(file_.fd(), bytes); }
  base::Status commit() override { return file_.commit_durably(); }

 private:
  StagedFile file_;
};

// Calls `visit` with the path relative to the folder and the file's facts; directories first by name.
base::Status walk(const std::string& directory, const std::string& key,
                  const std::function<base::Status(const ObjectInfo&, bool unfinished)>& visit) {
  auto names = sys::list_directory(directory);
  if (!names) { // nothing was ever put there, or the last object has just gone
    if (names.error().kind() == base::ErrorKind::kNotFound) return {};
    return base::fail(std::move(names.error()));
  }
  for (const std::string& name : *names) {
    std::string path = sys::join_path(directory, name);
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) continue;
    if (S_ISDIR(st.st_mode)) FR_CHECK(walk(path, key + name + "/", visit));
    if (!S_ISREG(st.st_mode)) continue;
    FR_CHECK(visit({.key = key + name,
                    .size = static_cast<std::uint64_t>(st.st_size),
                    .modified = static_cast<std::int64_t>(st.st_mtime)},
                   name.starts_with(kUnfinished)));
  }
  return {};
}

} // namespace

base::Result<std::unique_ptr<ObjectStore>> FolderStore::open(const std::string& folder) {
  FR_CHECK(sys::make_directories(folder, 0700));
  return std::unique_ptr<ObjectStore>(new FolderStore(sys::absolute_path(folder)));
}

base::Result<std::unique_ptr<ObjectWriter>> FolderStore::create(const std::string& key) {
  FR_CHECK(check_key(key));
  auto target = sys::join_path(folder_, key);
  for (int attempt = 0;; ++attempt) {
    auto file = StagedFile::create(target, kUnfinished);
    if (file) return std::make_unique<FileWriter>(std::move(*file));
    // remove() of a neighbour may take the directory away just after it was made.
    if (file.error().kind() != base::ErrorKind::kNotFound || attempt == 10) return base::fail(std::move(file.error()));
  }
}

base::Result<ObjectInfo> FolderStore::info(const std::string& key) {
  FR_CHECK(check_key(key));
  struct stat st{};
  auto file = sys::join_path(folder_, key);
  if (::stat(file.c_str(), &st) != 0) return base::fail_errno(file, errno);
  if (!S_ISREG(st.st_mode)) return base::fail(base::ErrorKind::kNotFound, file + " is not a file");
  return ObjectInfo{
      .key = key, .size = static_cast<std::uint64_t>(st.st_size), .modified = static_cast<std::int64_t>(st.st_mtime)};
}

base::Result<std::string> FolderStore::read(const std::string& key, std::uint64_t offset, std::size_t size) {
  FR_CHECK(check_key(key));
  auto fd = FR_TRY(sys::open_fd(sys::join_path(folder_, key), O_RDONLY));
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    ssize_t got = ::pread(fd.get(), bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno("read " + key, errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

base::Status FolderStore::remove(const std::string& key) {
  FR_CHECK(check_key(key));
  FR_CHECK(sys::remove_file(sys::join_path(folder_, key)));
  for (std::string parent = sys::parent_path(key); parent != "."; parent = sys::parent_path(parent))
    if (::rmdir(sys::join_path(folder_, parent).c_str()) != 0) break;
  return {};
}

base::Status FolderStore::list(const std::string& prefix, const std::function<base::Status(const ObjectInfo&)>& visit) {
  return walk(sys::join_path(folder_, prefix), prefix, [&](const ObjectInfo& info, bool unfinished) -> base::Status {
    if (unfinished) return {};
    return visit(info);
  });
}

base::Status FolderStore::drop_abandoned(const std::string& prefix, std::chrono::seconds untouched) {
  auto oldest = static_cast<std::int64_t>(::time(nullptr)) - untouched.count();
  return walk(sys::join_path(folder_, prefix), prefix, [&](const ObjectInfo& info, bool unfinished) -> base::Status {
    if (!unfinished || info.modified > oldest) return {};
    return sys::remove_file(sys::join_path(folder_, info.key));
  });
}

std::optional<std::string> FolderStore::path(const std::string& key) const {
  if (!check_key(key)) return std::nullopt;
  return sys::join_path(folder_, key);
}

base::Status FolderStore::check() {
  if (::access(folder_.c_str(), R_OK | W_OK | X_OK) != 0) return base::fail_errno("the folder " + folder_, errno);
  return {};
}

} // namespace storage
