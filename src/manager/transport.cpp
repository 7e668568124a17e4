#include "manager/transport.hpp"

#include <utility>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "gitlab/client.hpp"

namespace manager {
namespace {

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double random_fraction() {
  std::string bytes = base::random_bytes(2);
  return (static_cast<unsigned char>(bytes[0]) * 256 + static_cast<unsigned char>(bytes[1])) / 65536.0;
}

} // namespace

Transport::~Transport() { *alive_ = false; }

Transport::Id Transport::send(const Endpoint& endpoint, Call call, Callback callback) {
  Id id = next_++;
  Pending& pending = pending_[id];
  pending.callback = std::move(callback);
  pending.tls = endpoint.tls;
  pending.outcome.correlation_id = base::random_request_id();
  auto root = gitlab::api_root(endpoint.url);
  if (!root) {
    pending.outcome.client_error = true;
    pending.outcome.error = root.error().message();
    loop_.post([this, id, alive = alive_] {
      if (*alive) complete(id);
    });
    return id;
  }
  net::HttpRequest& request = pending.request;
  request.method = call.method;
  request.url = *root + call.path;
  request.headers.emplace_back("User-Agent", base::user_agent());
  request.headers.emplace_back("X-Request-Id", pending.outcome.correlation_id);
  if (!call.content_type.empty()) request.headers.emplace_back("Content-Type", call.content_type);
  if (!call.content_range.empty()) request.headers.emplace_back("Content-Range", call.content_range);
  if (call.accept_json) request.headers.emplace_back("Accept", "application/json");
  if (!call.token.empty()) request.headers.emplace_back(call.token_header, call.token.reveal());
  request.body = std::move(call.body);
  if (!call.body_file.empty())
    request.body_factory = [path = call.body_file, offset = call.body_offset, size = call.body_size] {
      return net::make_file_source(path, offset, size);
    };
  request.want_certificates = call.want_certificates;
  attempt(id);
  return id;
}

void Transport::attempt(Id id) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  ++pending.attempt;
  pending.timer.reset();
  if (max_age_.count() > 0 && Clock::now() - swept_ > max_age_) {
    client_.close_idle();
    swept_ = Clock::now();
  }
  auto alive = alive_;
  pending.http = client_.send(pending.request, pending.tls, [this, id, alive](base::Result<net::HttpResponse> result) {
    auto shared = std::make_shared<base::Result<net::HttpResponse>>(std::move(result));
    loop_.post([this, id, alive, shared] {
      if (*alive) finished(id, std::move(*shared));
    });
  });
}

void Transport::finished(Id id, base::Result<net::HttpResponse> result) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  pending.http.reset();
  if (!result) {
    pending.outcome.answer = {};
    pending.outcome.error = result.error().message();
    pending.outcome.client_error = result.error().kind() == base::ErrorKind::kInvalidInput;
    return complete(id);
  }
  pending.outcome.error.clear();
  pending.outcome.certificates = std::move(result->certificates);
  std::string_view server_id = result->headers.get("X-Request-Id");
  if (!server_id.empty()) pending.outcome.correlation_id = server_id;
  pending.outcome.answer = gitlab::to_answer(*result);
  if (!gitlab::is_retried_status(pending.outcome.answer.status) || pending.canceled) return complete(id);
  pending.outcome.retried = true;
  auto wait = gitlab::retry_wait(pending.outcome.answer, pending.attempt, unix_now(), random_fraction());
  if (!wait) return complete(id);
  base::log::info("Waiting before making the next call",
                  {{"context", "ratelimit-requester-gitlab-request"},
                   {"duration", base::format_go_duration(*wait)},
                   {"method", pending.request.method},
                   {"url", pending.request.url.substr(0, pending.request.url.find('?'))}});
  pending.timer = loop_.after(*wait, [this, id] { attempt(id); });
}

void Transport::complete(Id id) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  pending.callback(std::move(pending.outcome));
}

void Transport::cancel(Id id) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  pending.canceled = true;
  if (pending.http) return client_.cancel(*pending.http);
  if (pending.timer) loop_.cancel(*pending.timer);
  pending.timer.reset();
  loop_.post([this, id, alive = alive_] {
    if (*alive) complete(id);
  });
}

} // namespace manager
