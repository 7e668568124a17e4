// The runner's half of GitLab's REST contract as values: request bodies, answers and what they mean.
//
// Pure functions, no I/O, safe on any thread. The coordinator uses the same structs from the other side. Transport is
// net's; gitlab/client.hpp and the manager put the two together.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "json/json.hpp"

namespace gitlab {

// ---- URLs ---------------------------------------------------------------------------------------------------------

// Trailing slashes go, then one trailing "/ci". "https://h/gitlab/ci///" -> "https://h/gitlab".
std::string fix_url(std::string_view url);
// fix_url(url) + "/api/v4/". Only http and https: kInvalidInput "only http or https scheme supported".
base::Result<std::string> api_root(std::string_view url);

// ---- tokens -------------------------------------------------------------------------------------------------------

enum class TokenKind {
  kCreatedRunner, // glrt-: made in the user interface or by the API; register verifies it
  kLegacyRunner,  // glrtr-, t1_, or no prefix: obtained with a registration token
  kRegistration,  // GR1348941…
  kJob,           // glcbt-
  kAccess,        // glpat-
};
// By prefix; anything without a known one is a legacy runner token.
TokenKind token_kind(std::string_view token);
// Only the literal prefix counts, as upstream.
bool is_created_runner_token(std::string_view token);
// At most 9 characters that identify a token in logs, metrics and directory names and do not give it away.
std::string short_token(std::string_view token);
// Key of a runner's health and limits: URL and short token.
std::string runner_key(std::string_view url, std::string_view token);

// ---- info and features --------------------------------------------------------------------------------------------

// One flag an upstream feature; every flag is always on the wire. Only what this build really does may be true.
struct Features {
  bool variables = false;
  bool image = false;
  bool services = false;
  bool artifacts = false;
  bool cache = false;
  bool fallback_cache_keys = false;
  bool shared = false;
  bool upload_multiple_artifacts = false;
  bool upload_raw_artifacts = false;
  bool session = false;
  bool terminal = false;
  bool refspecs = false;
  bool masking = false;
  bool proxy = false;
  bool raw_variables = false;
  bool artifacts_exclude = false;
  bool multi_build_steps = false;
  bool trace_reset = false;
  bool trace_checksum = false;
  bool trace_size = false;
  bool vault_secrets = false;
  bool cancelable = false;
  bool return_exit_code = false;
  bool service_variables = false;
  bool service_multiple_aliases = false;
  bool image_executor_opts = false;
  bool service_executor_opts = false;
  bool cancel_gracefully = false;
  bool native_steps_integration = false;
  bool two_phase_job_commit = false;
  bool job_inputs = false;

  friend bool operator==(const Features&, const Features&) = default;
};
// What this build does for a runner with that executor ("" and unknown names: the network's flags only).
Features features_for(std::string_view executor);
json::Value to_json(const Features& features);
// Absent and ill-typed flags are false: for the coordinator.
Features features_from_json(const json::Value& value);

struct VersionInfo {
  std::string name;
  std::string version;
  std::string revision;
  std::string platform;
  std::string architecture;
  std::string executor;
  std::string shell;
  Features features;
  std::string gpus; // info.config.gpus
  std::map<std::string, std::string> labels;
};
// `info` of this build for a runner. name is what the server shows as the kind of client.
VersionInfo version_info(std::string_view executor, std::string_view shell,
                         const std::map<std::string, std::string>& labels = {}, std::string_view gpus = {});
json::Value to_json(const VersionInfo& info);
VersionInfo version_info_from_json(const json::Value& value);

// ---- request bodies -----------------------------------------------------------------------------------------------

struct RegisterRequest {
  VersionInfo info;
  base::Secret token; // registration token
  std::string description;
  std::string maintenance_note;
  std::string tag_list; // comma separated
  bool run_untagged = false;
  bool locked = false;
  std::string access_level; // "", "not_protected", "ref_protected"
  std::int64_t maximum_timeout = 0;
  bool paused = false;
};
std::string encode(const RegisterRequest& request);

struct VerifyRequest {
  VersionInfo info;
  base::Secret token;
  std::string system_id;
};
std::string encode(const VerifyRequest& request);

// `DELETE /runners`: {"token": …}; `DELETE /runners/managers`: with the system id, which is never left out.
std::string encode_unregister_runner(std::string_view token);
std::string encode_unregister_manager(std::string_view token, std::string_view system_id);
std::string encode_reset_token(std::string_view token);

struct JobSession {
  std::string url;
  std::string certificate;
  base::Secret authorization;
};

struct JobRequest {
  VersionInfo info;
  base::Secret token;
  std::string system_id;
  std::string last_update;
  std::optional<JobSession> session;
};
std::string encode(const JobRequest& request);

enum class JobState { kPending, kRunning, kSuccess, kFailed };
std::string_view to_string(JobState state);

struct UpdateJobRequest {
  VersionInfo info;
  base::Secret token; // job token
  JobState state = JobState::kRunning;
  std::string failure_reason; // already mapped; sent only with kFailed
  // Output: left out (but not the object) when there is none yet.
  std::optional<std::uint32_t> crc32;
  std::uint64_t bytesize = 0;
  std::int64_t exit_code = 0; // left out at 0
};
std::string encode(const UpdateJobRequest& request);
// "crc32:46dad29f"
std::string format_checksum(std::uint32_t crc32);

// ---- answers ------------------------------------------------------------------------------------------------------

// What the rules below look at in an HTTP answer. status 0: no answer (network failure).
struct Answer {
  int status = 0;
  std::string reason; // of the status line
  std::string content_type;
  std::string job_status;            // Job-Status
  std::string range;                 // Range
  std::string trace_update_interval; // X-GitLab-Trace-Update-Interval
  std::string last_update;           // X-GitLab-Last-Update
  std::string retry_after;           // Retry-After
  std::string rate_limit_reset_time; // RateLimit-ResetTime
  std::string rate_limit_reset;      // RateLimit-Reset (Unix seconds)
  bool token_replaced = false;       // X-Forerunner-Token-Replaced: our coordinator's hint that another host rotated it
  std::string body;
};

// The media type is application/json, with or without parameters.
bool is_json(std::string_view content_type);
// "METHOD url: CODE Reason (message)" of an answer that is no success; message from `message` (text, or field lists
// flattened to "field: a; field: b") or `error`. `url` has no credentials and no query.
std::string error_text(std::string_view method, std::string_view url, const Answer& answer);

struct RegisterAnswer {
  std::int64_t id = 0;
  base::Secret token;
  std::optional<std::int64_t> token_expires_at; // Unix seconds; nullopt: never
};
// Body of register, verify and reset. Go semantics; kInvalidInput.
base::Result<RegisterAnswer> parse_register_answer(std::string_view body);

// When a token is to be rotated, Unix seconds: after three quarters of its life. nullopt: it never expires.
std::optional<std::int64_t> token_rotation_due(std::int64_t obtained_at, std::optional<std::int64_t> expires_at);
// How long to wait after a failed rotation: longer every time, an hour at most, but with several tries left before the
// token's end. `random` is in [0, 1).
std::chrono::milliseconds token_rotation_retry(int failures, std::optional<std::int64_t> expires_at, std::int64_t now,
                                               double random);

enum class VerifyOutcome {
  kValid,    // 200 and understood
  kAskAgain, // no answer, or a 200 that is not JSON: upstream asks a second time, where only the status counts
  kDead,     // 403
  kFailed,   // anything else
};
VerifyOutcome classify_verify(const Answer& answer);

enum class JobRequestOutcome {
  kJob,         // 201 and JSON
  kUnreadable,  // 201 without JSON
  kNone,        // 204
  kForbidden,   // 403 (and 401): the runner is unhealthy
  kConflict,    // 409: ask again at once
  kUnavailable, // 503
  kFailed,      // anything else, also no answer: healthy, as upstream
};
JobRequestOutcome classify_job_request(const Answer& answer);
bool is_healthy(JobRequestOutcome outcome);

enum class UpdateOutcome { kSucceeded, kAccepted, kTraceInvalid, kAbort, kFailed };
struct UpdateResult {
  UpdateOutcome outcome = UpdateOutcome::kFailed;
  bool cancel_requested = false; // Job-Status: canceling, whatever the outcome
  std::optional<std::chrono::seconds> trace_interval;
};
UpdateResult classify_update(const Answer& answer);

enum class PatchOutcome { kSucceeded, kAbort, kNotFound, kRangeMismatch, kFailed };
struct PatchResult {
  PatchOutcome outcome = PatchOutcome::kFailed;
  std::uint64_t new_offset = 0; // valid with kSucceeded and kRangeMismatch
  bool cancel_requested = false;
  std::optional<std::chrono::seconds> trace_interval;
};
// `end_offset`: one past the last byte that was sent.
PatchResult classify_patch(const Answer& answer, std::uint64_t end_offset);
// "0-33" for [0, 34). size must not be 0.
std::string content_range(std::uint64_t offset, std::uint64_t size);
// Upstream ignores what is no integer and what is <= 0, and caps at 15 minutes.
std::optional<std::chrono::seconds> parse_trace_interval(std::string_view text);

enum class ArtifactUploadOutcome { kUploaded, kForbidden, kTooLarge, kUnavailable, kRedirected, kFailed };
ArtifactUploadOutcome classify_artifact_upload(const Answer& answer);
enum class ArtifactDownloadOutcome { kOk, kForbidden, kUnauthorized, kNotFound, kFailed };
ArtifactDownloadOutcome classify_artifact_download(const Answer& answer);

// ---- retries ------------------------------------------------------------------------------------------------------

inline constexpr int kMaxAttempts = 5;
// 408, 429, 500, 502, 503, 504, 512 and above. Never a network failure.
bool is_retried_status(int status);
// How long to wait after attempt number `attempt` (1 is the first) was answered so; nullopt: no more attempts.
// First usable: RateLimit-ResetTime in the future, RateLimit-Reset, Retry-After (seconds or date), else back-off
// 100 ms, doubling, jittered with `random` in [0, 1). Server-given waits are capped at five minutes.
std::optional<std::chrono::milliseconds> retry_wait(const Answer& answer, int attempt, std::int64_t now_unix,
                                                    double random);

// ---- failure reasons ----------------------------------------------------------------------------------------------

enum class FailureReason {
  kNone,
  kScriptFailure,
  kRunnerSystemFailure,
  kJobExecutionTimeout,
  kImagePullFailure,
  kRunnerConfigurationError,
  kRunnerExternalDependencyFailure,
  kRunnerInterrupted,
  kUnknownFailure,
  kJobCanceled,
};
std::string_view to_string(FailureReason reason); // "" for kNone
std::optional<FailureReason> parse_failure_reason(std::string_view name);
// The name to send to a server that accepts `supported` (features.failure_reasons).
std::string map_failure_reason(FailureReason reason, const std::vector<std::string>& supported);
// By upstream's table of phrases in a registry's error text.
FailureReason classify_image_pull_failure(std::string_view text);

} // namespace gitlab
