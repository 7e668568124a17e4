#include "coordinator/reply.hpp"

#include <fmt/format.h>

#include <cctype>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace coordinator {
namespace {

constexpr std::string_view kJson = "application/json";

json::Value message(const json::Value& text) { return json::Value::object({{"message", text}}); }

std::string with_reason(std::string_view status, std::string_view reason) {
  return reason.empty() ? std::string(status) : fmt::format("{} - {}", status, reason);
}

// "maximum_timeout" → "Maximum timeout"
std::string humanized(std::string_view attribute) {
  auto text = base::replace_all(attribute, "_", " ");
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

Reply from_error(const base::Error& error) {
  switch (error.kind()) {
    case base::ErrorKind::kInvalidInput:
      return bad_request(error.message());
    case base::ErrorKind::kNotFound:
      return message_reply(404, "404 Not found");
    case base::ErrorKind::kConflict:
      return conflict();
    case base::ErrorKind::kUnauthorized:
      return unauthorized();
    case base::ErrorKind::kForbidden:
      return forbidden();
    case base::ErrorKind::kLimit:
      return too_large();
    case base::ErrorKind::kUnavailable:
    case base::ErrorKind::kTimeout:
      break;
    case base::ErrorKind::kCanceled:
    case base::ErrorKind::kIo:
    case base::ErrorKind::kChildFailed:
    case base::ErrorKind::kSystem:
    case base::ErrorKind::kInternal:
      base::log::error("request failed", {{"error", error.message()}});
      return message_reply(500, "500 Internal Server Error");
  }
  // Runners retry a 503; a 403 here could park them for an hour.
  base::log::warning("request could not be served now", {{"error", error.message()}});
  return unavailable("try again later");
}

} // namespace

Reply::Reply(int status_code, const json::Value& value) {
  status = status_code;
  body = value.dump();
  headers.set("Content-Type", kJson);
}

Reply::Reply(base::Error error) : Reply(from_error(error)) {}

Reply&& Reply::header(std::string_view name, std::string_view value) && {
  headers.set(name, value);
  return std::move(*this);
}

Reply json_reply(int status, const json::Value& value) { return Reply(status, value); }

Reply empty_reply(int status) {
  Reply reply;
  reply.status = status;
  return reply;
}

Reply text_reply(int status, std::string text, std::string_view content_type) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(text);
  reply.headers.set("Content-Type", content_type);
  return reply;
}

Reply message_reply(int status, const json::Value& text) { return Reply(status, message(text)); }

Reply bad_request(std::string_view reason) { return message_reply(400, with_reason("400 Bad request", reason)); }
Reply unauthorized() { return message_reply(401, "401 Unauthorized"); }
Reply forbidden(std::string_view reason) { return message_reply(403, with_reason("403 Forbidden", reason)); }
Reply not_found(std::string_view resource) {
  return message_reply(404, resource.empty() ? "404 Not Found" : fmt::format("404 {} Not Found", resource));
}
Reply conflict(std::string_view reason) { return message_reply(409, with_reason("409 Conflict", reason)); }
Reply gone(std::string_view reason) { return message_reply(410, with_reason("410 Gone", reason)); }
Reply precondition_failed() { return message_reply(412, "412 Precondition Failed"); }
Reply too_large() { return message_reply(413, "413 Request Entity Too Large"); }

Reply unprocessable(std::string_view reason) {
  return message_reply(422, reason.empty() ? "422 Unprocessable Entity" : std::string(reason));
}

Reply too_many_requests(int retry_after_seconds) {
  return message_reply(429, json::Value::object({{"error",
                                                  "This endpoint has been requested too many times. Try again "
                                                  "later."}}))
      .header("Retry-After", std::to_string(retry_after_seconds));
}

Reply unavailable(std::string_view reason, int retry_after_seconds) {
  return message_reply(503, with_reason("503 Service Unavailable", reason))
      .header("Retry-After", std::to_string(retry_after_seconds));
}

Reply invalid_parameters(const std::vector<std::string>& complaints) {
  return Reply(400, json::Value::object({{"error", base::join(complaints, ", ")}}));
}

Reply insufficient_scope(const std::vector<std::string>& wanted) {
  return Reply(403, json::Value::object({{"error", "insufficient_scope"},
                                         {"error_description",
                                          "The request requires higher privileges than provided by the access "
                                          "token."},
                                         {"scope", base::join(wanted, " ")}}));
}

void Violations::add(std::string_view attribute, std::string text) {
  for (auto& [name, texts] : list_) {
    if (name == attribute) {
      texts.push_back(std::move(text));
      return;
    }
  }
  list_.emplace_back(attribute, std::vector<std::string>{std::move(text)});
}

Reply Violations::as_object() const {
  auto object = json::Value::object();
  for (const auto& [name, texts] : list_) {
    auto array = json::Value::array();
    for (const auto& text : texts) array.push_back(text);
    object.set(name, std::move(array));
  }
  return message_reply(400, object);
}

std::vector<std::string> Violations::sentences() const {
  std::vector<std::string> out;
  for (const auto& [name, texts] : list_) {
    // "base" stands for the record as a whole.
    for (const auto& text : texts) out.push_back(name == "base" ? text : humanized(name) + " " + text);
  }
  return out;
}

Reply Violations::as_sentence() const {
  const auto all = sentences();
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0) text += i + 1 < all.size() ? ", " : all.size() > 2 ? ", and " : " and ";
    text += all[i];
  }
  return bad_request(text);
}

} // namespace coordinator
