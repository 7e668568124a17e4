// artifacts-downloader: fetches the archive of a job that this one depends on, and unpacks it here.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/strings.hpp"
#include "sys/cancel.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"
#include "transfer/commands.hpp"
#include "transfer/coordinator.hpp"
#include "transfer/messages.hpp"
#include "transfer/meter.hpp"
#include "transfer/unpack.hpp"

namespace transfer {
namespace {

constexpr std::string_view kPrefix = "Downloading artifacts from coordinator...";

// A file without a name for anybody else to find, or with one that goes away: here the path is needed to open it again.
struct TempFile {
  std::string path;
  sys::Fd fd;
  ~TempFile() {
    if (!path.empty()) ::unlink(path.c_str());
  }
};

base::Status create(TempFile& file, const std::string& directory) {
  std::string where = directory;
  if (where.empty()) where = sys::get_env("TMPDIR").value_or("");
  file.path = sys::join_path(where.empty() ? "/tmp" : where, "artifactsXXXXXX");
  file.fd = sys::Fd(::mkostemp(file.path.data(), O_CLOEXEC));
  if (file.fd) return {};
  int error = errno;
  return base::fail_errno("open " + std::exchange(file.path, ""), error);
}

struct Attempt {
  bool done = false;
  bool retry = false;
  std::string error;
};

class Downloader {
 public:
  explicit Downloader(const DownloaderOptions& options) : options_(options), client_(options.credentials) {}

  Attempt fetch(int fd, bool direct) {
    if (::ftruncate(fd, 0) != 0 || ::lseek(fd, 0, SEEK_SET) != 0) return {.error = "cannot empty the temporary file"};
    base::Status written;
    Meter meter("Downloading artifacts", std::nullopt, options_.meter_frequency);
    net::HttpRequest request;
    request.on_body = [&](std::string_view bytes) {
      written = sys::write_all(fd, bytes);
      meter.add(bytes.size());
      return written.has_value();
    };
    auto reply = client_.send(std::move(request), direct ? "artifacts?direct_download=true" : "artifacts?");
    if (!written) return {.error = written.error().message()};
    if (!reply) {
      error(fmt::format("{} error {}", kPrefix, reply.error().message()), client_.fields(nullptr));
      return {.retry = reply.error().kind() != base::ErrorKind::kInvalidInput,
              .error = fmt::format("download failed: {}", reply.error().message())};
    }
    return judge(*reply);
  }

 private:
  Attempt judge(const Reply& reply) const {
    Fields fields = client_.fields(&reply);
    fields.emplace_back("host", reply.host);
    auto with_status = [&](std::string text) {
      Fields more = fields;
      more.emplace_back("status", std::move(text));
      return more;
    };
    auto line = [](std::string_view what) { return fmt::format("{} {}", kPrefix, what); };
    switch (gitlab::classify_artifact_download(reply.answer)) {
      case gitlab::ArtifactDownloadOutcome::kOk:
        info(line("ok"), fields);
        return {.done = true};
      case gitlab::ArtifactDownloadOutcome::kForbidden:
        error(line("forbidden"), with_status(reply.text()));
        return {.error = "permission denied"};
      case gitlab::ArtifactDownloadOutcome::kUnauthorized:
        error(line("unauthorized"), with_status(reply.status_line()));
        return {.error = "permission denied"};
      case gitlab::ArtifactDownloadOutcome::kNotFound:
        error(line("not found"), fields);
        return {.error = "file does not exist"};
      case gitlab::ArtifactDownloadOutcome::kFailed:
        break;
    }
    warning(line("failed"), with_status(reply.status_line()));
    return {.retry = true, .error = fmt::format("download failed: {}", reply.status_line())};
  }

  const DownloaderOptions& options_;
  JobClient client_;
};

} // namespace

int artifacts_downloader(const DownloaderOptions& options) {
  const JobCredentials& credentials = options.credentials;
  if (credentials.url.empty()) warning("Missing URL (--url)");
  if (credentials.token.empty()) warning("Missing runner credentials (--token)");
  if (credentials.id <= 0) warning("Missing build ID (--id)");
  if (credentials.url.empty() || credentials.token.empty() || credentials.id <= 0) return fatal("Incomplete arguments");

  TempFile file;
  if (auto status = create(file, options.staging_dir); !status) return fatal(status.error().message());
  Downloader downloader(options);
  for (int retry = 0;; ++retry) {
    // The direct way to an object store only on the first try: if that failed, the coordinator may still deliver.
    Attempt attempt = downloader.fetch(file.fd.get(), options.direct_download && retry == 0);
    if (attempt.done) break;
    if (!attempt.retry || retry >= options.retry.retries) return fatal(attempt.error);
    sys::CancelToken().wait_for(options.retry.wait);
    warning("Retrying...", {{"error", attempt.error}});
  }
  if (auto status = unpack_here(file.path); !status) return fatal(status.error().message());
  return 0;
}

} // namespace transfer
