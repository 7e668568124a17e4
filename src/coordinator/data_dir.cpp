#include "coordinator/data_dir.hpp"

#include <fmt/format.h>

#include <chrono>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr auto kOtherStart = std::chrono::seconds(60); // how long another process may take to start
constexpr std::string_view kLockSuffix = ".lock";

// Whoever holds the lock beside a spool directory is alive. Called while nobody else starts.
base::Status sweep(const std::string& root) {
  const auto names = FR_TRY(sys::list_directory(root));
  std::set<std::string> alive;
  for (const auto& name : names) {
    if (!name.ends_with(kLockSuffix)) continue;
    const auto path = sys::join_path(root, name);
    const auto lock = FR_TRY(sys::FileLock::try_acquire(path));
    if (lock) {
      FR_CHECK(sys::remove_file(path));
    } else {
      alive.insert(name);
    }
  }
  for (const auto& name : names) {
    if (name.ends_with(kLockSuffix) || alive.contains(name + std::string(kLockSuffix))) continue;
    FR_CHECK(sys::remove_tree(sys::join_path(root, name)));
  }
  return {};
}

base::Result<sys::FileLock> lock_start(const std::string& data_dir) {
  const sys::CancelSource patience({}, std::chrono::steady_clock::now() + kOtherStart,
                                   fmt::format("another coordinator has been starting on {} for a minute", data_dir));
  return sys::FileLock::acquire(sys::join_path(data_dir, "start.lock"), patience.token());
}

} // namespace

base::Result<Spool> Spool::make(const std::string& data_dir) {
  const auto starting = FR_TRY(lock_start(data_dir));
  return make_within_start(data_dir);
}

base::Result<Spool> Spool::make_within_start(const std::string& data_dir) {
  const auto root = sys::join_path(data_dir, "tmp");
  FR_CHECK(sys::make_directories(root, 0700));
  FR_CHECK(sweep(root));
  const auto path = sys::join_path(root, base::random_hex(16));
  auto lock = FR_TRY(sys::FileLock::try_acquire(path + std::string(kLockSuffix)));
  if (!lock) return base::fail(base::ErrorKind::kConflict, fmt::format("{} is in use already", path));
  FR_CHECK(sys::make_directories(path, 0700));
  return Spool(std::move(*lock), path);
}

Spool::~Spool() {
  if (path_.empty()) return;
  if (auto gone = sys::remove_tree(path_); !gone) {
    base::log::warning("cannot remove the spool directory", {{"error", gone.error().message()}});
  }
  (void)sys::remove_file(path_ + std::string(kLockSuffix));
}

base::Result<DataDir> DataDir::open(const std::string& path, bool shared) {
  if (path.empty()) return base::fail(base::ErrorKind::kInvalidInput, "--data-dir is missing");
  FR_CHECK(sys::make_directories(path, 0700));
  auto starting = FR_TRY(lock_start(path));
  auto lock = FR_TRY(sys::FileLock::try_acquire(
      sys::join_path(path, "lock"), shared ? sys::FileLock::Mode::kShared : sys::FileLock::Mode::kExclusive));
  if (!lock) {
    return base::fail(
        base::ErrorKind::kConflict,
        fmt::format(
            "{} is in use by another coordinator{}", path,
            shared ? ", which has its database there: only several with --database postgresql://… can share it" : ""));
  }
  auto spool = FR_TRY(Spool::make_within_start(path));
  return DataDir(std::move(starting), std::move(*lock), std::move(spool));
}

} // namespace coordinator
