// What the server's answers mean to the agent: the tables of the contract, first match wins.
#include <fmt/format.h>

#include <algorithm>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "gitlab/decoder.hpp"
#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

constexpr std::chrono::seconds kMaxTraceInterval = std::chrono::minutes(15);

// Rails answers validation errors as {"message": {"field": ["one", "two"]}}.
std::string flatten(const json::Value& fields) {
  std::vector<std::string> parts;
  for (const auto& [field, problems] : fields.as_object()) {
    std::vector<std::string> texts;
    if (problems.is_array()) {
      for (const json::Value& problem : problems.as_array()) texts.push_back(problem.string_or(problem.dump()));
    } else {
      texts.push_back(problems.string_or(problems.dump()));
    }
    parts.push_back(field + ": " + base::join(texts, "; "));
  }
  return base::join(parts, ", ");
}

std::string server_message(const Answer& answer) {
  if (!is_json(answer.content_type)) return {};
  const auto body = json::parse(answer.body, {.ignore_trailing = true});
  if (!body) return {};
  const json::Value& message = (*body)["message"];
  if (message.is_string()) return message.as_string();
  if (message.is_object()) return flatten(message);
  return (*body)["error"].string_or(""); // parameter errors of Grape
}

// The server took the job away, or ended it: nothing that we send matters any more.
bool is_job_gone(const Answer& answer) {
  return answer.job_status == "canceled" || answer.job_status == "failed" || answer.status == 403;
}

bool wants_cancel(const Answer& answer) { return answer.job_status == "canceling"; }

// "0-54" -> 54; what is missing or malformed means that the server has nothing.
std::uint64_t end_of_range(std::string_view range) {
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return 0;
  const auto end = base::parse_int(range.substr(dash + 1));
  return end && *end > 0 ? static_cast<std::uint64_t>(*end) : 0;
}

} // namespace

bool is_json(std::string_view content_type) {
  const std::size_t parameters = content_type.find(';');
  return base::equals_ignore_case(base::trim(content_type.substr(0, parameters)), "application/json");
}

std::string error_text(std::string_view method, std::string_view url, const Answer& answer) {
  const std::string status = fmt::format("{} {}", answer.status, answer.reason);
  const std::string message = server_message(answer);
  if (message.empty() || message == status) return fmt::format("{} {}: {}", method, url, status);
  return fmt::format("{} {}: {} ({})", method, url, status, message);
}

base::Result<RegisterAnswer> parse_register_answer(std::string_view body) {
  const json::Value document = FR_TRY(json::parse(body, {.ignore_trailing = true}));
  if (!document.is_object()) return base::fail(base::ErrorKind::kInvalidInput, "expected an object");
  Decoder d;
  RegisterAnswer answer;
  std::string expires;
  d.read(document, "id", answer.id);
  d.read(document, "token", answer.token);
  d.read(document, "token_expires_at", expires);
  if (!expires.empty()) {
    answer.token_expires_at = base::parse_rfc3339(expires);
    if (!answer.token_expires_at) d.error("token_expires_at: expected an RFC 3339 time");
  }
  FR_CHECK(d.status());
  return answer;
}

VerifyOutcome classify_verify(const Answer& answer) {
  if (answer.status == 200) return is_json(answer.content_type) ? VerifyOutcome::kValid : VerifyOutcome::kAskAgain;
  if (answer.status == 0) return VerifyOutcome::kAskAgain;
  return answer.status == 403 ? VerifyOutcome::kDead : VerifyOutcome::kFailed;
}

JobRequestOutcome classify_job_request(const Answer& answer) {
  switch (answer.status) {
    case 201:
      return is_json(answer.content_type) ? JobRequestOutcome::kJob : JobRequestOutcome::kUnreadable;
    case 204:
      return JobRequestOutcome::kNone;
    case 401:
    case 403:
      return JobRequestOutcome::kForbidden;
    case 409:
      return JobRequestOutcome::kConflict;
    case 503:
      return JobRequestOutcome::kUnavailable;
    default:
      return JobRequestOutcome::kFailed;
  }
}

bool is_healthy(JobRequestOutcome outcome) { return outcome != JobRequestOutcome::kForbidden; }

std::optional<std::chrono::seconds> parse_trace_interval(std::string_view text) {
  const auto seconds = base::parse_int(text);
  if (!seconds || *seconds <= 0) return std::nullopt;
  return std::min<std::chrono::seconds>(std::chrono::seconds(*seconds), kMaxTraceInterval);
}

UpdateResult classify_update(const Answer& answer) {
  UpdateResult result;
  result.cancel_requested = wants_cancel(answer);
  result.trace_interval = parse_trace_interval(answer.trace_update_interval);
  if (is_job_gone(answer) || answer.status == 404) {
    result.outcome = UpdateOutcome::kAbort;
  } else if (answer.status == 200) {
    result.outcome = UpdateOutcome::kSucceeded;
  } else if (answer.status == 202) {
    result.outcome = UpdateOutcome::kAccepted;
  } else if (answer.status == 412) {
    result.outcome = UpdateOutcome::kTraceInvalid;
  }
  return result;
}

PatchResult classify_patch(const Answer& answer, std::uint64_t end_offset) {
  PatchResult result;
  result.cancel_requested = wants_cancel(answer);
  result.trace_interval = parse_trace_interval(answer.trace_update_interval);
  if (is_job_gone(answer)) {
    result.outcome = PatchOutcome::kAbort;
  } else if (answer.status == 202) {
    result.outcome = PatchOutcome::kSucceeded;
    result.new_offset = end_offset; // ours: the answer's Range is not to be used
  } else if (answer.status == 404) {
    result.outcome = PatchOutcome::kNotFound;
  } else if (answer.status == 416) {
    result.outcome = PatchOutcome::kRangeMismatch;
    result.new_offset = end_of_range(answer.range);
  }
  return result;
}

std::string content_range(std::uint64_t offset, std::uint64_t size) {
  return fmt::format("{}-{}", offset, offset + size - 1);
}

ArtifactUploadOutcome classify_artifact_upload(const Answer& answer) {
  switch (answer.status) {
    case 201:
      return ArtifactUploadOutcome::kUploaded;
    case 307:
      return ArtifactUploadOutcome::kRedirected;
    case 403:
      return ArtifactUploadOutcome::kForbidden;
    case 413:
      return ArtifactUploadOutcome::kTooLarge;
    case 503:
      return ArtifactUploadOutcome::kUnavailable;
    default:
      return ArtifactUploadOutcome::kFailed;
  }
}

ArtifactDownloadOutcome classify_artifact_download(const Answer& answer) {
  switch (answer.status) {
    case 200:
      return ArtifactDownloadOutcome::kOk;
    case 401:
      return ArtifactDownloadOutcome::kUnauthorized;
    case 403:
      return ArtifactDownloadOutcome::kForbidden;
    case 404:
      return ArtifactDownloadOutcome::kNotFound;
    default:
      return ArtifactDownloadOutcome::kFailed;
  }
}

} // namespace gitlab
