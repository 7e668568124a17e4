// Request bodies. Keys that upstream leaves out when empty are left out here.
#include <fmt/format.h>

#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

using json::Value;

void set_unless_empty(Value& object, std::string_view key, const std::string& text) {
  if (!text.empty()) object.set(key, text);
}

} // namespace

std::string encode(const RegisterRequest& request) {
  Value body = Value::object();
  set_unless_empty(body, "description", request.description);
  set_unless_empty(body, "maintenance_note", request.maintenance_note);
  set_unless_empty(body, "tag_list", request.tag_list);
  body.set("run_untagged", request.run_untagged);
  body.set("locked", request.locked);
  set_unless_empty(body, "access_level", request.access_level);
  if (request.maximum_timeout != 0) body.set("maximum_timeout", request.maximum_timeout);
  body.set("paused", request.paused);
  body.set("info", to_json(request.info));
  set_unless_empty(body, "token", request.token.reveal());
  return body.dump();
}

std::string encode(const VerifyRequest& request) {
  Value body = Value::object();
  body.set("info", to_json(request.info));
  set_unless_empty(body, "token", request.token.reveal());
  set_unless_empty(body, "system_id", request.system_id);
  return body.dump();
}

std::string encode_unregister_runner(std::string_view token) {
  return Value::object({{"token", std::string(token)}}).dump();
}

std::string encode_unregister_manager(std::string_view token, std::string_view system_id) {
  return Value::object({{"token", std::string(token)}, {"system_id", std::string(system_id)}}).dump();
}

std::string encode_reset_token(std::string_view token) { return encode_unregister_runner(token); }

std::string encode(const JobRequest& request) {
  Value body = Value::object();
  body.set("info", to_json(request.info));
  set_unless_empty(body, "token", request.token.reveal());
  set_unless_empty(body, "system_id", request.system_id);
  set_unless_empty(body, "last_update", request.last_update);
  if (request.session) {
    Value session = Value::object();
    set_unless_empty(session, "url", request.session->url);
    set_unless_empty(session, "certificate", request.session->certificate);
    set_unless_empty(session, "authorization", request.session->authorization.reveal());
    body.set("session", std::move(session));
  }
  return body.dump();
}

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::kPending:
      return "pending";
    case JobState::kRunning:
      return "running";
    case JobState::kSuccess:
      return "success";
    case JobState::kFailed:
      return "failed";
  }
  return "";
}

std::string format_checksum(std::uint32_t crc32) { return fmt::format("crc32:{:08x}", crc32); }

std::string encode(const UpdateJobRequest& request) {
  Value body = Value::object();
  body.set("info", to_json(request.info));
  set_unless_empty(body, "token", request.token.reveal());
  body.set("state", to_string(request.state));
  if (request.state == JobState::kFailed) set_unless_empty(body, "failure_reason", request.failure_reason);
  Value output = Value::object();
  if (request.crc32) {
    const std::string checksum = format_checksum(*request.crc32);
    body.set("checksum", checksum); // the deprecated place, older servers read it
    output.set("checksum", checksum);
    if (request.bytesize != 0) output.set("bytesize", request.bytesize);
  }
  body.set("output", std::move(output));
  if (request.exit_code != 0) body.set("exit_code", request.exit_code);
  return body.dump();
}

} // namespace gitlab
