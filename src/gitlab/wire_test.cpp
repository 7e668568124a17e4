#include "gitlab/wire.hpp"

#include <gtest/gtest.h>

namespace gitlab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Urls, FixesTrailingSlashesAndCi) {
  EXPECT_EQ(fix_url("https://h/gitlab/ci///"), "https://h/gitlab");
  EXPECT_EQ(fix_url("https://h/"), "https://h");
  EXPECT_EQ(fix_url("https://h/ci/ci"), "https://h/ci");
  EXPECT_EQ(api_root("https://h/gitlab/").value(), "https://h/gitlab/api/v4/");
  EXPECT_EQ(api_root("gitlab").error().message(), "only http or https scheme supported");
  EXPECT_FALSE(api_root("ftp://h"));
  EXPECT_FALSE(api_root("https://"));
}

TEST(Tokens, ShortForms) {
  EXPECT_EQ(short_token("short"), "short");
  EXPECT_EQ(short_token("veryverylongtoken"), "veryveryl");
  for (const char* token : {"glrt-t9Wkyj-HGRkqQ-VWTGAr", "glrt-t1_t9Wkyj-HGRkqQ-VWTGAr", "t3_t9Wkyj-HGRkqQ-VWTGAr",
                            "glrtr-t9Wkyj-HGRkqQ-VWTGAr", "glcbt-t9Wkyj-HGRkqQ-VWTGAr"}) {
    EXPECT_EQ(short_token(token), "t9Wkyj-HG") << token;
  }
  EXPECT_EQ(short_token("t4_t9Wkyj-HGRkqQ-VWTGAr"), "t4_t9Wkyj");
  EXPECT_EQ(short_token("glrtr-t1_t9Wkyj-HGRkqQ"), "t1_t9Wkyj");
  EXPECT_EQ(short_token("glcbt-t2_t9Wkyj-HGRkqQ"), "t2_t9Wkyj");
  EXPECT_EQ(short_token("GR1348941Z196cJVywzZpx_Ki_Cn2"), "Z196cJVyw");
  EXPECT_EQ(short_token("GR134894-196cJVywzZpx_Ki_Cn2"), "GR134894-");
  EXPECT_EQ(short_token(""), "");
  EXPECT_EQ(short_token("glrt-"), "");
}

TEST(Tokens, OnlyOnePrefixMeansCreated) {
  EXPECT_TRUE(is_created_runner_token("glrt-x"));
  EXPECT_FALSE(is_created_runner_token("glrtr-x"));
  EXPECT_EQ(token_kind("GR1348941abc"), TokenKind::kRegistration);
  EXPECT_EQ(token_kind("abc"), TokenKind::kLegacyRunner);
}

TEST(Info, EveryFlagIsOnTheWire) {
  const json::Value features = to_json(features_for("shell"));
  EXPECT_EQ(features.size(), 31u);
  EXPECT_TRUE(features["shared"].as_bool());
  EXPECT_FALSE(features["image"].as_bool());
  EXPECT_FALSE(features["vault_secrets"].as_bool());
  EXPECT_EQ(features_from_json(features), features_for("shell"));
  EXPECT_FALSE(features_for("").artifacts);
  EXPECT_TRUE(features_for("").two_phase_job_commit);
}

TEST(Info, RoundTrip) {
  const VersionInfo info = version_info("shell", "bash", {{"zone", "a"}});
  const VersionInfo back = version_info_from_json(to_json(info));
  EXPECT_EQ(back.executor, "shell");
  EXPECT_EQ(back.labels, info.labels);
  EXPECT_EQ(back.features, info.features);
  EXPECT_EQ(to_json(version_info("", "")).find("executor"), nullptr);
  EXPECT_EQ(to_json(version_info("", ""))["config"].dump(), R"({"gpus":""})");
}

json::Value parsed(const std::string& text) { return json::parse(text).value(); }

TEST(Requests, AcknowledgementHasAnEmptyOutput) {
  const json::Value body = parsed(encode(UpdateJobRequest{.token = base::Secret("t")}));
  EXPECT_EQ(body["state"].as_string(), "running");
  EXPECT_EQ(body["output"].dump(), "{}");
  EXPECT_EQ(body.find("exit_code"), nullptr);
  EXPECT_EQ(body.find("checksum"), nullptr);
  EXPECT_NE(body.find("info"), nullptr);
}

TEST(Requests, FinalUpdate) {
  const json::Value body = parsed(encode(UpdateJobRequest{.token = base::Secret("t"),
                                                          .state = JobState::kFailed,
                                                          .failure_reason = "script_failure",
                                                          .crc32 = 0x46dad29f,
                                                          .bytesize = 54,
                                                          .exit_code = 3}));
  EXPECT_EQ(body["checksum"].as_string(), "crc32:46dad29f");
  EXPECT_EQ(body["output"].dump(), R"({"checksum":"crc32:46dad29f","bytesize":54})");
  EXPECT_EQ(body["failure_reason"].as_string(), "script_failure");
  EXPECT_EQ(body["exit_code"].as_integer(), 3);
}

TEST(Requests, UnregisterAndPoll) {
  EXPECT_EQ(encode_unregister_manager("t", ""), R"({"token":"t","system_id":""})");
  EXPECT_EQ(encode_reset_token("t"), R"({"token":"t"})");
  const json::Value body = parsed(encode(JobRequest{.token = base::Secret("t"), .last_update = "abc"}));
  EXPECT_EQ(body["last_update"].as_string(), "abc");
  EXPECT_EQ(body.find("session"), nullptr);
  EXPECT_EQ(body.find("system_id"), nullptr);
}

TEST(Requests, RegisterLeavesOutWhatIsEmpty) {
  const json::Value body = parsed(encode(RegisterRequest{.token = base::Secret("r"), .tag_list = "a,b"}));
  EXPECT_EQ(body["tag_list"].as_string(), "a,b");
  EXPECT_FALSE(body["run_untagged"].as_bool());
  EXPECT_FALSE(body["locked"].as_bool());
  EXPECT_EQ(body.find("description"), nullptr);
  EXPECT_EQ(body.find("maximum_timeout"), nullptr);
}

TEST(Answers, ErrorText) {
  Answer answer{.status = 400, .reason = "Bad Request", .content_type = "application/json; charset=utf-8"};
  answer.body = R"({"message":{"a":["one","two"],"b":["three"]}})";
  EXPECT_EQ(error_text("POST", "http://h/x", answer), "POST http://h/x: 400 Bad Request (a: one; two, b: three)");
  answer.body = R"({"error":"token is missing"})";
  EXPECT_EQ(error_text("POST", "http://h/x", answer), "POST http://h/x: 400 Bad Request (token is missing)");
  answer.body = R"({"message":"400 Bad Request"})";
  EXPECT_EQ(error_text("POST", "http://h/x", answer), "POST http://h/x: 400 Bad Request");
  answer.body = "[";
  EXPECT_EQ(error_text("POST", "http://h/x", answer), "POST http://h/x: 400 Bad Request");
}

TEST(Answers, Register) {
  const auto answer = parse_register_answer(R"({"ID":42,"token":"glrt-x","token_expires_at":null})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, 42);
  EXPECT_FALSE(answer->token_expires_at);
  EXPECT_EQ(parse_register_answer(R"({"token_expires_at":"1970-01-01T00:01:00Z"})")->token_expires_at, 60);
  EXPECT_FALSE(parse_register_answer(R"({"id":"x"})"));
  EXPECT_FALSE(parse_register_answer("200"));
}

TEST(Answers, Verify) {
  const auto outcome = [](int status, std::string type = "application/json") {
    return classify_verify({.status = status, .content_type = std::move(type)});
  };
  EXPECT_EQ(outcome(200), VerifyOutcome::kValid);
  EXPECT_EQ(outcome(200, "text/plain"), VerifyOutcome::kAskAgain);
  EXPECT_EQ(outcome(0), VerifyOutcome::kAskAgain);
  EXPECT_EQ(outcome(403), VerifyOutcome::kDead);
  EXPECT_EQ(outcome(422), VerifyOutcome::kFailed);
  EXPECT_EQ(outcome(500), VerifyOutcome::kFailed);
}

TEST(Answers, JobRequest) {
  EXPECT_EQ(classify_job_request({.status = 201, .content_type = "application/json"}), JobRequestOutcome::kJob);
  EXPECT_EQ(classify_job_request({.status = 201, .content_type = "text/html"}), JobRequestOutcome::kUnreadable);
  EXPECT_EQ(classify_job_request({.status = 204}), JobRequestOutcome::kNone);
  EXPECT_FALSE(is_healthy(classify_job_request({.status = 403})));
  for (const int status : {0, 204, 400, 409, 422, 500, 503})
    EXPECT_TRUE(is_healthy(classify_job_request({.status = status})));
}

TEST(Answers, Update) {
  const auto outcome = [](int status, std::string job_status = "") {
    return classify_update({.status = status, .job_status = std::move(job_status)}).outcome;
  };
  EXPECT_EQ(outcome(200), UpdateOutcome::kSucceeded);
  EXPECT_EQ(outcome(200, "failed"), UpdateOutcome::kAbort); // the usual answer to a final "failed"
  EXPECT_EQ(outcome(200, "canceled"), UpdateOutcome::kAbort);
  EXPECT_EQ(outcome(200, "canceling"), UpdateOutcome::kSucceeded);
  EXPECT_EQ(outcome(202), UpdateOutcome::kAccepted);
  EXPECT_EQ(outcome(403), UpdateOutcome::kAbort);
  EXPECT_EQ(outcome(404), UpdateOutcome::kAbort);
  EXPECT_EQ(outcome(412), UpdateOutcome::kTraceInvalid);
  for (const int status : {0, 400, 409, 429, 500}) EXPECT_EQ(outcome(status), UpdateOutcome::kFailed);
  EXPECT_TRUE(classify_update({.status = 500, .job_status = "canceling"}).cancel_requested);
}

TEST(Answers, Patch) {
  const auto patch = [](int status, std::string range = "", std::string job_status = "") {
    return classify_patch({.status = status, .job_status = std::move(job_status), .range = std::move(range)}, 54);
  };
  EXPECT_EQ(patch(202, "0-20").outcome, PatchOutcome::kSucceeded);
  EXPECT_EQ(patch(202, "0-20").new_offset, 54u);
  EXPECT_EQ(patch(200).outcome, PatchOutcome::kFailed);
  EXPECT_EQ(patch(404).outcome, PatchOutcome::kNotFound);
  EXPECT_EQ(patch(403).outcome, PatchOutcome::kAbort);
  EXPECT_EQ(patch(202, "", "canceled").outcome, PatchOutcome::kAbort);
  EXPECT_EQ(patch(416, "0-20").outcome, PatchOutcome::kRangeMismatch);
  EXPECT_EQ(patch(416, "0-20").new_offset, 20u);
  EXPECT_EQ(patch(416, "").new_offset, 0u);
  EXPECT_EQ(patch(416, "x-y").new_offset, 0u);
  EXPECT_EQ(patch(416, "20").new_offset, 0u);
}

TEST(Answers, TraceInterval) {
  EXPECT_FALSE(parse_trace_interval(""));
  EXPECT_FALSE(parse_trace_interval("-10"));
  EXPECT_FALSE(parse_trace_interval("0"));
  EXPECT_FALSE(parse_trace_interval("1/2"));
  EXPECT_EQ(parse_trace_interval("10"), seconds(10));
  EXPECT_EQ(parse_trace_interval("2000"), seconds(900));
}

TEST(Answers, ContentRangeEndIsInclusive) {
  EXPECT_EQ(content_range(0, 1), "0-0");
  EXPECT_EQ(content_range(34, 20), "34-53");
}

TEST(Retry, WhichStatuses) {
  for (const int status : {408, 429, 500, 502, 503, 504, 512, 599}) EXPECT_TRUE(is_retried_status(status)) << status;
  for (const int status : {0, 200, 400, 401, 404, 409, 501, 505, 511})
    EXPECT_FALSE(is_retried_status(status)) << status;
}

TEST(Retry, BackoffAndAttempts) {
  const Answer answer{.status = 503};
  EXPECT_EQ(retry_wait(answer, 1, 0, 0.9), milliseconds(100));
  EXPECT_EQ(retry_wait(answer, 2, 0, 0), milliseconds(100));
  EXPECT_EQ(retry_wait(answer, 4, 0, 1), milliseconds(800));
  EXPECT_FALSE(retry_wait(answer, 5, 0, 0));
  EXPECT_FALSE(retry_wait({.status = 404}, 1, 0, 0));
}

TEST(Retry, HeaderPrecedence) {
  constexpr std::int64_t kNow = 1'136'214'245; // Mon, 02 Jan 2006 15:04:05 GMT
  Answer answer{.status = 429, .retry_after = "7", .rate_limit_reset_time = "Mon, 02 Jan 2006 15:04:08 GMT"};
  EXPECT_EQ(retry_wait(answer, 1, kNow, 0), seconds(3));
  EXPECT_EQ(retry_wait(answer, 1, kNow + 10, 0), seconds(7)) << "a time in the past falls through";
  answer.rate_limit_reset_time = "tomorrow";
  EXPECT_EQ(retry_wait(answer, 1, kNow, 0), seconds(7));
  answer.retry_after = "Mon, 02 Jan 2006 15:04:10 GMT";
  EXPECT_EQ(retry_wait(answer, 1, kNow, 0), seconds(5));
  answer.retry_after = "86400";
  EXPECT_EQ(retry_wait(answer, 1, kNow, 0), seconds(300));
  answer.retry_after = "-1";
  EXPECT_EQ(retry_wait(answer, 1, kNow, 0), milliseconds(100));
}

TEST(FailureReasons, MapToWhatTheServerAccepts) {
  EXPECT_EQ(map_failure_reason(FailureReason::kNone, {}), "script_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kJobCanceled, {}), "unknown_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kImagePullFailure, {}), "runner_system_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kImagePullFailure, {"image_pull_failure"}), "image_pull_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kRunnerConfigurationError, {}), "script_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kRunnerExternalDependencyFailure, {}), "runner_system_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kRunnerInterrupted, {}), "unknown_failure");
  EXPECT_EQ(map_failure_reason(FailureReason::kRunnerInterrupted, {"runner_interrupted"}), "runner_interrupted");
  EXPECT_EQ(map_failure_reason(FailureReason::kJobExecutionTimeout, {}), "job_execution_timeout");
  EXPECT_EQ(parse_failure_reason("runner_interrupted"), FailureReason::kRunnerInterrupted);
  EXPECT_FALSE(parse_failure_reason("nonsense"));
}

TEST(FailureReasons, ImagePulls) {
  EXPECT_EQ(classify_image_pull_failure("Get: dial tcp: lookup x: not found"),
            FailureReason::kRunnerExternalDependencyFailure);
  EXPECT_EQ(classify_image_pull_failure("manifest unknown"), FailureReason::kRunnerConfigurationError);
  EXPECT_EQ(classify_image_pull_failure("disk full"), FailureReason::kImagePullFailure);
}

TEST(TokenRotation, DueAfterThreeQuartersOfItsLife) {
  EXPECT_EQ(token_rotation_due(1000, 1400), 1300);
  EXPECT_EQ(token_rotation_due(1000, std::nullopt), std::nullopt);
  EXPECT_EQ(token_rotation_due(0, 2'000'000'000), 1'500'000'000); // obtained nobody knows when: at once
}

TEST(TokenRotation, TriesAgainLaterAndLater) {
  const auto wait = [](int failures, std::optional<std::int64_t> expires_at = std::nullopt, double random = 1) {
    return token_rotation_retry(failures, expires_at, 1000, random).count();
  };
  EXPECT_EQ(wait(1), 5000);
  EXPECT_EQ(wait(1, std::nullopt, 0), 2500);
  EXPECT_EQ(wait(2), 10000);
  EXPECT_EQ(wait(30), 3'600'000);
  EXPECT_EQ(wait(30, 1080), 10000); // 80 s are left
  EXPECT_EQ(wait(30, 1001), 1000);
  EXPECT_EQ(wait(30, 900), 3'600'000); // too late: only a user can help
}

} // namespace
} // namespace gitlab
