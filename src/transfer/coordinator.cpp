#include "transfer/coordinator.hpp"

#include <fmt/format.h>

#include <chrono>
#include <random>
#include <thread>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "net/url.hpp"
#include "storage/xml.hpp"
#include "sys/cancel.hpp"

namespace transfer {
namespace {

constexpr int kMaxRedirects = 10;

gitlab::Answer to_answer(net::HttpResponse& response) {
  gitlab::Answer answer;
  answer.status = response.status;
  answer.reason = response.reason;
  answer.content_type = response.headers.get("Content-Type");
  answer.retry_after = response.headers.get("Retry-After");
  answer.rate_limit_reset_time = response.headers.get("RateLimit-ResetTime");
  answer.rate_limit_reset = response.headers.get("RateLimit-Reset");
  answer.body = std::move(response.body);
  return answer;
}

} // namespace

std::string Reply::status_line() const { return base::join({fmt::format("{}", answer.status), answer.reason}, " "); }

std::string Reply::text() const {
  if (answer.status / 100 == 2) return status_line();
  if (gitlab::is_json(answer.content_type)) return gitlab::error_text(method, net::sanitized(url), answer);
  if (answer.content_type.find("xml") != std::string::npos) {
    std::string code = storage::xml_text(answer.body, "Code"), message = storage::xml_text(answer.body, "Message");
    if (!code.empty() || !message.empty()) return fmt::format("{} ({}: {})", status_line(), code, message);
  }
  return status_line();
}

JobClient::JobClient(const JobCredentials& credentials)
    : credentials_(credentials),
      http_(net::TlsOptions{credentials.tls_ca_file, credentials.tls_cert_file, credentials.tls_key_file}) {}

Fields JobClient::fields(const Reply* reply) const {
  Fields fields{{"id", fmt::format("{}", credentials_.id)},
                {"token", gitlab::short_token(credentials_.token.reveal())},
                {"correlation_id", reply != nullptr ? reply->correlation_id : ""}};
  if (reply != nullptr) fields.emplace_back("responseStatus", reply->status_line());
  return fields;
}

base::Result<Reply> JobClient::send(net::HttpRequest request, const std::string& path) {
  std::string root = FR_TRY(gitlab::api_root(credentials_.url));
  request.url = fmt::format("{}jobs/{}/{}", root, credentials_.id, path);
  request.headers.emplace_back("JOB-TOKEN", credentials_.token.reveal());
  request.headers.emplace_back("User-Agent", base::user_agent());
  request.headers.emplace_back("X-Request-Id", base::random_request_id());

  bool upload = request.method == "POST";
  if (upload) request.follow_redirects = false;
  static thread_local std::mt19937 random{std::random_device{}()};
  int redirects = 0;
  for (int attempt = 1;;) {
    Reply reply = FR_TRY(send_once(request));
    bool again = reply.answer.status == 307 || reply.answer.status == 308;
    if (upload && again && !reply.location.empty() && redirects++ < kMaxRedirects) {
      auto base_url = FR_TRY(net::parse_url(request.url));
      request.url = net::format_url(FR_TRY(net::resolve_reference(base_url, reply.location)));
      continue;
    }
    if (reply.answer.status != 429) return reply;
    auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    auto wait =
        gitlab::retry_wait(reply.answer, attempt++, now.count(), std::uniform_real_distribution<double>(0, 1)(random));
    if (!wait) return reply;
    info("Waiting before making the next call", {{"duration", base::format_go_duration(*wait)}});
    sys::CancelToken().wait_for(*wait);
  }
}

base::Result<Reply> JobClient::send_once(net::HttpRequest& request) {
  net::HttpResponse response = FR_TRY(http_.send(request));
  Reply reply;
  reply.method = request.method;
  reply.url = request.url;
  reply.location = response.headers.get("Location");
  reply.correlation_id = response.headers.get("X-Request-Id");
  for (const auto& field : response.headers) reply.headers.push_back(field);
  if (auto url = net::parse_url(response.effective_url.empty() ? request.url : response.effective_url))
    reply.host = url->authority();
  reply.answer = to_answer(response);
  return reply;
}

} // namespace transfer
