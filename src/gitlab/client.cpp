#include "gitlab/client.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/hash.hpp"
#include "base/version.hpp"
#include "net/url.hpp"
#include "sys/cancel.hpp"

namespace gitlab {

namespace {

double random_fraction() {
  const std::string bytes = base::random_bytes(2);
  return (static_cast<unsigned char>(bytes[0]) * 256 + static_cast<unsigned char>(bytes[1])) / 65536.0;
}

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

struct Client::Call {
  std::string method;
  std::string path; // below the API root
  std::string token_header;
  std::string token;
  std::string body;
  int success = 200;
  bool wants_answer = false;
};

Answer to_answer(const net::HttpResponse& response) {
  const auto header = [&](std::string_view name) { return std::string(response.headers.get(name)); };
  return {.status = response.status,
          .reason = response.reason,
          .content_type = header("Content-Type"),
          .job_status = header("Job-Status"),
          .range = header("Range"),
          .trace_update_interval = header("X-GitLab-Trace-Update-Interval"),
          .last_update = header("X-GitLab-Last-Update"),
          .retry_after = header("Retry-After"),
          .rate_limit_reset_time = header("RateLimit-ResetTime"),
          .rate_limit_reset = header("RateLimit-Reset"),
          .token_replaced = !header("X-Forerunner-Token-Replaced").empty(),
          .body = response.body};
}

std::vector<std::pair<std::string, std::string>> request_headers(std::string_view token_header, std::string_view token,
                                                                 bool has_body, bool wants_json,
                                                                 std::string_view request_id) {
  std::vector<std::pair<std::string, std::string>> headers = {{"User-Agent", base::user_agent()},
                                                              {"X-Request-Id", std::string(request_id)}};
  if (has_body) headers.emplace_back("Content-Type", "application/json");
  if (wants_json) headers.emplace_back("Accept", "application/json");
  if (!token_header.empty() && !token.empty()) headers.emplace_back(token_header, token);
  return headers;
}

Client::Client(std::string url, net::TlsOptions tls) : url_(std::move(url)), http_(std::move(tls)) {}

CallResult Client::send(const Call& call) {
  CallResult result;
  result.correlation_id = base::random_request_id();
  const auto root = api_root(url_);
  if (!root) {
    result.outcome = CallOutcome::kClientError;
    result.status = root.error().message();
    return result;
  }
  net::HttpRequest request;
  request.method = call.method;
  request.url = *root + call.path;
  request.headers =
      request_headers(call.token_header, call.token, !call.body.empty(), call.wants_answer, result.correlation_id);
  request.body = call.body;

  Answer answer;
  for (int attempt = 1;; ++attempt) {
    auto response = http_.send(request);
    if (!response) {
      const bool ours = response.error().kind() == base::ErrorKind::kInvalidInput;
      result.outcome = ours ? CallOutcome::kClientError : CallOutcome::kFailed;
      result.status = response.error().message();
      return result;
    }
    if (const auto id = response->headers.get("X-Request-Id"); !id.empty()) result.correlation_id = id;
    answer = to_answer(*response);
    const auto wait = retry_wait(answer, attempt, unix_now(), random_fraction());
    if (!wait) break;
    (void)sys::CancelToken().wait_for(*wait);
  }

  if (answer.status != call.success) {
    result.outcome = answer.status == 403 ? CallOutcome::kForbidden : CallOutcome::kFailed;
    result.status = error_text(call.method, net::sanitized(request.url), answer);
    return result;
  }
  result.status = fmt::format("{} {}", answer.status, answer.reason);
  result.outcome = CallOutcome::kOk;
  if (!call.wants_answer) return result;
  if (!is_json(answer.content_type)) {
    result.outcome = CallOutcome::kFailed;
    result.status = fmt::format("response is not application/json: {}", answer.content_type);
    return result;
  }
  auto parsed = parse_register_answer(answer.body);
  if (!parsed) {
    result.outcome = CallOutcome::kFailed;
    result.status = "decoding json payload " + parsed.error().message();
    return result;
  }
  result.answer = std::move(*parsed);
  return result;
}

CallResult Client::register_runner(const RegisterRequest& request) {
  return send({.method = "POST",
               .path = "runners",
               .token_header = "Runner-Token",
               .token = request.token.reveal(),
               .body = encode(request),
               .success = 201,
               .wants_answer = true});
}

CallResult Client::verify(const VerifyRequest& request) {
  const Call call{.method = "POST",
                  .path = "runners/verify",
                  .token_header = "Runner-Token",
                  .token = request.token.reveal(),
                  .body = encode(request),
                  .success = 200,
                  .wants_answer = true};
  CallResult first = send(call);
  // Upstream's second try: old servers answer a plain "200", so now only the status counts.
  const bool unreadable = first.outcome == CallOutcome::kFailed && first.status.starts_with("response is not");
  if (!unreadable) return first;
  Call again = call;
  again.wants_answer = false;
  return send(again);
}

CallResult Client::unregister_runner(std::string_view token) {
  return send({.method = "DELETE",
               .path = "runners",
               .token_header = "Runner-Token",
               .token = std::string(token),
               .body = encode_unregister_runner(token),
               .success = 204});
}

CallResult Client::unregister_manager(std::string_view token, std::string_view system_id) {
  return send({.method = "DELETE",
               .path = "runners/managers",
               .token_header = "Runner-Token",
               .token = std::string(token),
               .body = encode_unregister_manager(token, system_id),
               .success = 204});
}

CallResult Client::reset_token(std::string_view token) {
  return send({.method = "POST",
               .path = "runners/reset_authentication_token",
               .body = encode_reset_token(token),
               .success = 201,
               .wants_answer = true});
}

CallResult Client::reset_token_of(std::int64_t runner_id, std::string_view personal_access_token) {
  return send({.method = "POST",
               .path = fmt::format("runners/{}/reset_authentication_token", runner_id),
               .token_header = "Private-Token",
               .token = std::string(personal_access_token),
               .success = 201,
               .wants_answer = true});
}

} // namespace gitlab
