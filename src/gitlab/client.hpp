// Client: the calls of the command line (register, verify, unregister, reset) over HTTP, blocking.
//
// One thread at a time. Retries as the contract says; nothing is logged here, callers word the outcome. The manager has
// its own, asynchronous client and shares to_answer() and the rules of gitlab/wire.hpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gitlab/wire.hpp"
#include "net/http_client.hpp"

namespace gitlab {

Answer to_answer(const net::HttpResponse& response);
// For a token: the header that duplicates the body's token, with the common ones (User-Agent, X-Request-Id, …).
std::vector<std::pair<std::string, std::string>> request_headers(std::string_view token_header, std::string_view token,
                                                                 bool has_body, bool wants_json,
                                                                 std::string_view request_id);

enum class CallOutcome {
  kOk,
  kForbidden,   // 403
  kClientError, // our configuration: the URL
  kFailed,      // everything else, also no answer and an answer that cannot be read
};

struct CallResult {
  CallOutcome outcome = CallOutcome::kFailed;
  RegisterAnswer answer; // of calls that return one, with kOk
  std::string status;    // for logs: "POST http://…: 403 Forbidden", or why there was no answer
  std::string correlation_id;
};

class Client {
 public:
  Client(std::string url, net::TlsOptions tls);

  CallResult register_runner(const RegisterRequest& request);
  // With kOk the answer's id may be 0: a server that says no more than "200".
  CallResult verify(const VerifyRequest& request);
  CallResult unregister_runner(std::string_view token);
  CallResult unregister_manager(std::string_view token, std::string_view system_id);
  CallResult reset_token(std::string_view token);
  CallResult reset_token_of(std::int64_t runner_id, std::string_view personal_access_token);

 private:
  struct Call;
  CallResult send(const Call& call);

  std::string url_;
  net::HttpClient http_;
};

} // namespace gitlab
