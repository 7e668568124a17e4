// Reply: an answer of the REST API, and Outcome<T>: a value, or the answer that ends the request.
//
// The error bodies are GitLab's, byte for byte, because clients parse them (runner-tokens digest §2.4). Plain values.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"

namespace coordinator {

struct Reply : net::Response {
  Reply() = default;
  // A JSON answer.
  Reply(int status_code, const json::Value& value);
  // The table error kind → HTTP status. The cause of a 500 is logged, never sent.
  Reply(base::Error error);
  explicit Reply(net::Response response) : net::Response(std::move(response)) {}

  Reply&& header(std::string_view name, std::string_view value) &&;
};

template <class T>
using Outcome = std::expected<T, Reply>;

Reply json_reply(int status, const json::Value& value);
Reply empty_reply(int status); // 204, or another without a body
Reply text_reply(int status, std::string text, std::string_view content_type = "text/plain; charset=utf-8");

// {"message": …} in GitLab's words; an empty reason gives the bare status.
Reply bad_request(std::string_view reason);                              // 400 Bad request - R
Reply unauthorized();                                                    // 401 Unauthorized
Reply forbidden(std::string_view reason = {});                           // 403 Forbidden[ - R]
Reply not_found(std::string_view resource);                              // 404 <resource> Not Found
Reply conflict(std::string_view reason = {});                            // 409 Conflict[ - R]
Reply gone(std::string_view reason);                                     // 410 Gone - R
Reply too_large();                                                       // 413
Reply precondition_failed();                                             // 412
Reply unprocessable(std::string_view reason = {});                       // 422
Reply too_many_requests(int retry_after_seconds = 60);                   // 429 with Retry-After
Reply unavailable(std::string_view reason, int retry_after_seconds = 5); // 503 with Retry-After
Reply message_reply(int status, const json::Value& message);             // {"message": …}
// 400 {"error": …}: the schema's complaints, joined with ", ".
Reply invalid_parameters(const std::vector<std::string>& complaints);
// 403 {"error":"insufficient_scope",…}
Reply insufficient_scope(const std::vector<std::string>& wanted);

// What a model's validation says: attribute → messages, in order.
class Violations {
 public:
  void add(std::string_view attribute, std::string message);
  bool empty() const { return list_.empty(); }
  Reply as_object() const;   // 400 {"message":{"maximum_timeout":["needs to be …"]}}
  Reply as_sentence() const; // 400 {"message":"400 Bad request - Maximum timeout needs to be … and …"}
  // {"Maximum timeout needs to be …"}
  std::vector<std::string> sentences() const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> list_;
};

} // namespace coordinator

#define API_TRY_AS(name, expression)                              \
  ({                                                              \
    auto name = (expression);                                     \
    if (!name) return std::unexpected(std::move((name).error())); \
    std::move(*name);                                             \
  })
// Evaluates a Result or Outcome; returns its error from the enclosing function (which returns an Outcome or a Result
// of the same error), else evaluates to the value. May be nested.
#define API_TRY(expression) API_TRY_AS(FR_CONCAT(api_try_, __COUNTER__), expression)
// The same where there is no value.
#define API_CHECK(expression)                                      \
  do {                                                             \
    if (auto api_check_result = (expression); !api_check_result)   \
      return std::unexpected(std::move(api_check_result.error())); \
  } while (false)
