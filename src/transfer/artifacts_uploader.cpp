// artifacts-uploader: chooses the files, archives them into one multipart request, tries again where that makes sense.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/cancel.hpp"
#include "sys/files.hpp"
#include "transfer/archive_stream.hpp"
#include "transfer/commands.hpp"
#include "transfer/coordinator.hpp"
#include "transfer/messages.hpp"
#include "transfer/selection.hpp"

namespace transfer {
namespace {

constexpr int kTries = 3;
constexpr int kTriesWhileUnavailable = 6;

// The last component of the name, with the suffix of the format as it was asked for.
std::string upload_name(const std::string& name, archive::Format format) {
  std::string base = sys::base_name(name);
  if (base.empty() || base == "." || base == "/") base = "default";
  switch (format) {
    case archive::Format::kZip:
    case archive::Format::kZipZstd:
      return base + ".zip";
    case archive::Format::kGzip:
      return base + ".gz";
    case archive::Format::kTarZstd:
      return base + ".tar.zst";
    case archive::Format::kRaw:
      return base;
  }
  return base;
}

// As Go's mime/multipart: the quoted string has its quotes and backslashes escaped, line ends percent-encoded.
std::string quoted(const std::string& name) {
  std::string out;
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n' || c == '\r') {
      out += c == '\n' ? "%0A" : "%0D";
    } else {
      out += c;
    }
  }
  return out;
}

std::string query_of(const UploaderOptions& options) {
  std::vector<std::string> parts;
  if (!options.format.empty()) parts.push_back("artifact_format=" + base::query_encode(options.format));
  if (!options.type.empty()) parts.push_back("artifact_type=" + base::query_encode(options.type));
  if (!options.expire_in.empty()) parts.push_back("expire_in=" + base::query_encode(options.expire_in));
  return base::join(parts, "&");
}

enum class Verdict { kDone, kRetry, kRetryLonger, kGiveUp };
struct Attempt {
  Verdict verdict = Verdict::kGiveUp;
  std::string error;
};

class Uploader {
 public:
  Uploader(const UploaderOptions& options, archive::Format format, Selection selection)
      : options_(options), client_(options.credentials), input_(std::make_shared<ArchiveStream::Input>()) {
    std::string boundary = base::random_hex(60);
    content_type_ = "multipart/form-data; boundary=" + boundary;
    input_->format = format;
    input_->level = level();
    input_->files = selection.sources();
    input_->head = fmt::format(
        "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n",
        boundary, quoted(upload_name(options.name, format)));
    input_->tail = fmt::format("\r\n--{}--\r\n", boundary);
    input_->meter_frequency = options.meter_frequency;
  }

  int run() {
    std::chrono::seconds wait(1);
    for (int tries = 1;; ++tries) {
      Attempt attempt = send();
      if (attempt.verdict == Verdict::kDone) return 0;
      int limit = attempt.verdict == Verdict::kRetryLonger ? kTriesWhileUnavailable : kTries;
      if (attempt.verdict == Verdict::kGiveUp || tries >= limit) return fatal(attempt.error);
      warning("Retrying...", {{"context", "artifacts-uploader"}, {"error", attempt.error}});
      sys::CancelToken().wait_for(wait);
      wait = std::min(wait * 2, std::chrono::seconds(5));
    }
  }

 private:
  archive::Level level() const {
    if (auto level = archive::parse_level(options_.compression_level)) return *level;
    warning(fmt::format("compression level \"{}\" is invalid, falling back to default", options_.compression_level));
    return archive::Level::kDefault;
  }

  Attempt send() {
    auto outcome = std::make_shared<ArchiveStream::Outcome>();
    net::HttpRequest request;
    request.method = "POST";
    request.headers.emplace_back("Content-Type", content_type_);
    request.total_timeout = std::chrono::ceil<std::chrono::milliseconds>(options_.timeout);
    request.response_timeout = std::chrono::ceil<std::chrono::milliseconds>(options_.response_timeout);
    request.body_factory = [&] { return std::make_unique<ArchiveStream>(input_, outcome); };
    auto reply = client_.send(std::move(request), "artifacts?" + query_of(options_));
    std::string prefix = options_.type.empty()
                             ? "Uploading artifacts to coordinator..."
                             : fmt::format("Uploading artifacts as \"{}\" to coordinator...", options_.type);
    std::lock_guard lock(outcome->mutex);
    if (outcome->error) return {Verdict::kGiveUp, outcome->error->message()};
    if (!reply) {
      Fields fields = client_.fields(nullptr);
      fields.emplace_back("error", reply.error().message());
      error(prefix + " error", fields);
      bool bad_url = reply.error().kind() == base::ErrorKind::kInvalidInput;
      return {bad_url ? Verdict::kGiveUp : Verdict::kRetry, reply.error().message()};
    }
    if (options_.debug_trace) log_response(*reply);
    return judge(*reply, prefix);
  }

  void log_response(const Reply& reply) const {
    Fields fields = client_.fields(nullptr);
    for (const auto& [name, value] : reply.headers) fields.emplace_back(fmt::format("header[{}]", name), value);
    std::string body = reply.answer.body.substr(0, 512);
    if (reply.answer.body.size() > 512) body += "...";
    fields.emplace_back("body", body);
    warning("received response", fields);
  }

  Attempt judge(const Reply& reply, const std::string& prefix) const {
    Fields fields = client_.fields(&reply);
    std::string text = fmt::format("{} {}", prefix, reply.text());
    int status = reply.answer.status;
    if (status == 201) {
      info(text, fields);
      return {Verdict::kDone, ""};
    }
    if (status == 307 || status == 308) {
      text += reply.location.empty() ? " empty location" : " too many redirects";
    }
    fields.emplace_back("status", fmt::format("{}", status));
    bool is_error = status == 403 || status == 413 || status == 503 || status == 307 || status == 308;
    say(is_error ? base::log::Level::kError : base::log::Level::kWarning, text, fields);
    if (status == 403) return {Verdict::kGiveUp, "permission denied"};
    if (status == 413) return {Verdict::kGiveUp, "too large"};
    if (status == 503) return {Verdict::kRetryLonger, "service unavailable"};
    // What is wrong with the request is wrong the next time too.
    bool final = status == 400 || status == 401 || status == 404 || status == 405 || status == 422;
    return {final ? Verdict::kGiveUp : Verdict::kRetry, fmt::format("upload failed: {}", reply.status_line())};
  }

  const UploaderOptions& options_;
  JobClient client_;
  std::shared_ptr<ArchiveStream::Input> input_;
  std::string content_type_;
};

} // namespace

int artifacts_uploader(const UploaderOptions& given) {
  UploaderOptions options = given;
  if (options.credentials.url.empty() || options.credentials.token.empty()) return fatal("Missing runner credentials");
  if (options.credentials.id <= 0) return fatal("Missing build ID");
  if (options.generate_metadata) return fatal("artifact provenance metadata is not supported yet");
  options.name = expand_or_warn(options.name, "invalid artifact name");
  options.selection = expand_selection(std::move(options.selection));

  auto format = options.format.empty() ? archive::Format::kZip : archive::parse_format(options.format);
  auto selection = select_files(options.selection);
  if (!selection) return fatal(selection.error().message());
  if (selection->files.empty()) {
    error("No files to upload");
    return 0;
  }
  if (!format) return fatal(fmt::format("\"{}\" format: unsupported archive format", options.format));
  if (*format == archive::Format::kZip) warn_about_git_directory(*selection);
  return Uploader(options, *format, std::move(*selection)).run();
}

} // namespace transfer
