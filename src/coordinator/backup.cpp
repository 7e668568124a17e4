#include "coordinator/backup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "archive/extract.hpp"
#include "archive/writer.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "coordinator/app.hpp"
#include "coordinator/data_dir.hpp"
#include "coordinator/schema.hpp"
#include "database/embedded.hpp"
#include "json/json.hpp"
#include "sys/beneath.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr std::string_view kManifest = "forerunner-backup.json";
constexpr std::int64_t kFormat = 1;
constexpr std::string_view kKeyFile = "secret.key";
constexpr std::string_view kRepositories = "repositories";
constexpr std::string_view kArtifacts = "artifacts";
constexpr std::string_view kLogs = "traces";
constexpr std::string_view kPostgresNote =
    "the database is not in it: this coordinator keeps it in PostgreSQL, so dump it with pg_dump before each such "
    "back-up and restore it with pg_restore before the coordinator is started";

// Stages a consistent picture of a data directory: hard links where files never change, copies else.
class Stage {
 public:
  Stage(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  base::Status link(const std::string& path) {
    if (::link(sys::join_path(from_, path).c_str(), sys::join_path(to_, path).c_str()) == 0) return {};
    switch (errno) {
      case ENOENT: // gone meanwhile
      case EEXIST:
        return {};
      case EXDEV:
      case EPERM:
      case EMLINK:
      case EOPNOTSUPP:
        return copy(path);
      default:
        return base::fail_errno("link " + path, errno);
    }
  }

  base::Status copy(const std::string& path) {
    sys::Fd in(::open(sys::join_path(from_, path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!in && errno == ENOENT) return {};
    if (!in) return base::fail_errno("open " + path, errno);
    sys::Fd out(::open(sys::join_path(to_, path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out) return base::fail_errno("make a copy of " + path, errno);
    std::string buffer(1 << 18, '\0');
    while (true) {
      const auto size = ::read(in.get(), buffer.data(), buffer.size());
      if (size < 0) return base::fail_errno("read " + path, errno);
      if (size == 0) return {};
      FR_CHECK(sys::write_all(out.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(size))));
    }
  }

  base::Status make_directory(const std::string& path) {
    return sys::make_directories(sys::join_path(to_, path), 0700);
  }

  // Everything below a directory, by `take`; what is not a file or a directory is not ours.
  base::Status tree(const std::string& path, base::Status (Stage::*take)(const std::string&)) {
    FR_CHECK(make_directory(path));
    auto names = sys::list_directory(sys::join_path(from_, path));
    if (!names) return {}; // gone meanwhile
    for (const auto& name : *names) FR_CHECK(any(sys::join_path(path, name), take));
    return {};
  }
  base::Status any(const std::string& path, base::Status (Stage::*take)(const std::string&)) {
    struct stat info{};
    if (::lstat(sys::join_path(from_, path).c_str(), &info) != 0) return {};
    if (S_ISDIR(info.st_mode)) return tree(path, take);
    return S_ISREG(info.st_mode) ? (this->*take)(path) : base::Status();
  }

  // The order is what keeps it whole beside pushes and git's own tidying: a loose reference that goes stands in
  // packed-refs before; objects come before the references to them; a pack that goes stands in a new one before.
  base::Status repository(const std::string& path) {
    FR_CHECK(make_directory(path));
    FR_CHECK(tree(sys::join_path(path, "refs"), &Stage::copy));
    FR_CHECK(copy(sys::join_path(path, "packed-refs")));
    const auto objects = sys::join_path(path, "objects");
    for (const auto& name : FR_TRY(sys::list_directory(sys::join_path(from_, path)))) {
      if (name == "refs" || name == "packed-refs" || name == "objects") continue;
      FR_CHECK(any(sys::join_path(path, name), &Stage::copy));
    }
    FR_CHECK(tree(objects, &Stage::link));
    return tree(sys::join_path(objects, "pack"), &Stage::link);
  }

 private:
  const std::string from_;
  const std::string to_;
};

base::Status collect(const sys::Root& root, const std::string& path, std::vector<archive::SourceFile>& out) {
  for (const auto& name : FR_TRY(root.list(path))) {
    const auto full = path == "." ? name : sys::join_path(path, name);
    auto info = FR_TRY(root.metadata(full));
    const bool directory = info.is_directory();
    if (full != kManifest) out.push_back({.path = full, .info = info});
    if (directory) FR_CHECK(collect(root, full, out));
  }
  return {};
}

// Beside the file and renamed when whole, so that what has the name can be restored.
base::Status write_zip(const std::string& stage, const std::string& file) {
  const auto root = FR_TRY(sys::Root::open(stage));
  // The manifest first: a restore looks at it before anything else.
  std::vector<archive::SourceFile> files = {{.path = std::string(kManifest), .info = FR_TRY(root.metadata(kManifest))}};
  FR_CHECK(collect(root, ".", files));
  const auto partial = file + ".partial";
  FR_CHECK(sys::remove_file(partial));
  sys::Fd out(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return base::fail_errno("make " + partial, errno);
  archive::WriteOptions options;
  options.level = archive::Level::kFast;
  options.directory = root.fd();
  options.on_warning = [](const std::string& text) { base::log::warning(text); };
  auto done = archive::write_archive(
      archive::Format::kZip, files, [&](std::string_view bytes) { return sys::write_all(out.get(), bytes); }, options);
  if (done && ::fsync(out.get()) != 0) done = base::fail_errno("write " + partial, errno);
  if (!done) {
    (void)sys::remove_file(partial);
    return done;
  }
  return sys::rename_file(partial, file);
}

bool left_out(const BackupOptions& options, std::string_view name) {
  static constexpr std::string_view kNever[] = {"tmp", "lock", "start.lock", "hooks"}; // made at each start
  for (const auto never : kNever) {
    if (name == never) return true;
  }
  return name.starts_with(kDatabaseFile) || (name == kArtifacts && !options.artifacts) ||
         (name == kLogs && !options.logs);
}

struct Manifest {
  bool embedded = false;
  std::int64_t schema_version = 0;
};

base::Result<Manifest> stage_all(const BackupOptions& options, const std::string& directory) {
  Stage stage(options.data_dir, directory);
  Manifest manifest;
  const auto database = sys::join_path(options.data_dir, kDatabaseFile);
  manifest.embedded = sys::exists(database);
  if (manifest.embedded) {
    const auto copy = sys::join_path(directory, kDatabaseFile);
    static constexpr std::string_view kForget[] = {"DELETE FROM artifacts WHERE location NOT LIKE 'store:%'"};
    FR_CHECK(database::copy_embedded(database, copy,
                                     options.artifacts ? std::span<const std::string_view>() : std::span(kForget)));
    manifest.schema_version = FR_TRY(database::check_embedded(copy));
    // The check has opened it with a log beside it.
    for (const auto* suffix : {"-wal", "-shm"}) FR_CHECK(sys::remove_file(copy + suffix));
  }
  // Everything else after the database: what it knows of is there.
  for (const auto& name : FR_TRY(sys::list_directory(options.data_dir))) {
    if (left_out(options, name)) continue;
    if (name != kRepositories) {
      FR_CHECK(stage.any(name, name == kLogs ? &Stage::copy : &Stage::link));
      continue;
    }
    FR_CHECK(stage.make_directory(name));
    for (const auto& repository : FR_TRY(sys::list_directory(sys::join_path(options.data_dir, name)))) {
      FR_CHECK(stage.repository(sys::join_path(name, repository)));
    }
  }
  return manifest;
}

} // namespace

base::Result<std::string> back_up(const BackupOptions& options) {
  if (options.file.empty()) return base::fail(base::ErrorKind::kInvalidInput, "--to is missing: the file to write");
  if (sys::exists(options.file)) {
    return base::fail(base::ErrorKind::kConflict, fmt::format("{} exists already", options.file));
  }
  if (!sys::is_regular_file(sys::join_path(options.data_dir, kKeyFile))) {
    return base::fail(base::ErrorKind::kNotFound,
                      fmt::format("{} is not a coordinator's data directory", options.data_dir));
  }
  const auto spool = FR_TRY(Spool::make(options.data_dir));
  const auto manifest = FR_TRY(stage_all(options, spool.path()));
  const base::SystemClock clock;
  const auto text = json::Value::object({{"format", kFormat},
                                         {"version", std::string(base::version())},
                                         {"created_at", clock.unix_micros() / 1000},
                                         {"database", manifest.embedded ? "sqlite" : "postgresql"},
                                         {"schema_version", manifest.schema_version},
                                         {"artifacts", options.artifacts},
                                         {"logs", options.logs}});
  FR_CHECK(sys::write_file(sys::join_path(spool.path(), kManifest), text.dump() + "\n", 0600));
  FR_CHECK(write_zip(spool.path(), options.file));
  return std::string(manifest.embedded ? "" : kPostgresNote);
}

namespace {

base::Result<json::Value> read_manifest(int fd, const std::string& file) {
  const auto reader = FR_TRY(archive::ZipReader::open(fd));
  for (const auto& entry : reader.entries()) {
    if (entry.name != kManifest) continue;
    auto manifest = FR_TRY(json::parse(FR_TRY(reader.read_all(entry, 1 << 16))));
    if (manifest["format"].integer_or(0) > kFormat ||
        manifest["schema_version"].integer_or(0) > static_cast<std::int64_t>(migrations().size())) {
      return base::fail(base::ErrorKind::kInvalidInput,
                        fmt::format("{} was made by a newer program ({}): restore it with that one or a newer one",
                                    file, manifest["version"].string_or("unknown")));
    }
    return manifest;
  }
  return base::fail(base::ErrorKind::kInvalidInput, fmt::format("{} is not a coordinator's back-up", file));
}

base::Status unpack(int fd, const std::string& data_dir, bool embedded) {
  const auto root = FR_TRY(sys::Root::open(data_dir));
  const auto report = FR_TRY(archive::extract_zip(fd, root));
  if (!report.problems.empty()) {
    const auto& first = report.problems.front();
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("the back-up is damaged, {} of its files cannot be unpacked: {}: {}",
                                  report.problems.size(), first.name, first.error.message()));
  }
  FR_CHECK(root.set_mode(kKeyFile, 0600));
  FR_CHECK(root.remove(kManifest));
  if (!embedded) return {};
  FR_CHECK(root.set_mode(kDatabaseFile, 0600));
  FR_CHECK(database::check_embedded(sys::join_path(data_dir, kDatabaseFile)));
  return {};
}

} // namespace

base::Result<std::string> restore(const std::string& file, const std::string& data_dir) {
  if (file.empty()) return base::fail(base::ErrorKind::kInvalidInput, "--from is missing: the back-up to restore");
  if (sys::exists(data_dir) && !FR_TRY(sys::list_directory(data_dir)).empty()) {
    return base::fail(base::ErrorKind::kConflict,
                      fmt::format("{} is not empty: a back-up is restored into an empty directory only", data_dir));
  }
  const sys::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open " + file, errno);
  const auto manifest = FR_TRY(read_manifest(fd.get(), file));
  const bool embedded = manifest["database"].string_or("") == "sqlite";
  FR_CHECK(sys::make_directories(data_dir, 0700));
  if (auto done = unpack(fd.get(), data_dir, embedded); !done) {
    (void)sys::remove_contents(data_dir);
    return base::fail(std::move(done.error()));
  }
  return std::string(embedded ? "" : kPostgresNote);
}

} // namespace coordinator
