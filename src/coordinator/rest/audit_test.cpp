// The audit trail, through HTTP.
#include <gtest/gtest.h>

#include "base/duration.hpp"
#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

class AuditTest : public testing::Test {
 protected:
  // The latest event.
  Value last(const std::string& filter = "") {
    const auto events = server.get("/audit_events?per_page=1&" + filter);
    EXPECT_EQ(events.status, 200) << events.text;
    return events.body.size() > 0 ? events.body.as_array()[0] : Value();
  }
  std::string last_name() { return last()["event_name"].string_or(""); }
  TestServer server;
};

TEST_F(AuditTest, TheLifeOfARunner) {
  const auto ann = server.user("ann");
  const auto group = server.group("g");
  server.member("/groups/g", ann.id, 50);
  const auto one = server.project("one", group);
  const auto two = server.project("two", group);
  const auto runner = server.make_runner("project_id", one, {{"description", "old"}}, ann.token);
  const auto path = "/runners/" + std::to_string(runner.id);

  auto event = last();
  EXPECT_EQ(event["event_name"].string_or(""), "ci_runner_created");
  EXPECT_EQ(event["author_id"].integer_or(0), ann.id);
  EXPECT_EQ(event["author_name"].string_or(""), "ann");
  EXPECT_EQ(event["author_type"].string_or(""), "user");
  EXPECT_EQ(event["entity_type"].string_or(""), "runner");
  EXPECT_EQ(event["entity_id"].integer_or(0), runner.id);
  EXPECT_EQ(event["ip_address"].string_or(""), "127.0.0.1");
  EXPECT_EQ(event["target"].string_or(""),
            "#" + std::to_string(runner.id) + " (" + runner.token.substr(std::string("glrt-t3_").size(), 8) + ")");

  server.put(path, Value::object({{"description", "new"}, {"tag_list", "a"}}), ann.token);
  event = last();
  EXPECT_EQ(event["event_name"].string_or(""), "ci_runner_updated");
  EXPECT_EQ(event["details"]["changes"].dump(),
            R"({"description":{"from":"old","to":"new"},"tag_list":{"from":[],"to":["a"]}})");
  server.put(path, Value::object({{"paused", true}}), ann.token);
  EXPECT_EQ(last_name(), "ci_runner_paused");
  server.put(path, Value::object({{"paused", false}}), ann.token);
  EXPECT_EQ(last_name(), "ci_runner_resumed");
  const auto assignment = "/projects/" + std::to_string(two) + "/runners";
  server.post(assignment, Value::object({{"runner_id", runner.id}}), ann.token);
  EXPECT_EQ(last()["event_name"].string_or(""), "ci_runner_assigned_to_project");
  EXPECT_EQ(last()["details"]["project"].string_or(""), "g/two");
  server.remove(assignment + "/" + std::to_string(runner.id), ann.token);
  EXPECT_EQ(last_name(), "ci_runner_unassigned_from_project");
  const auto reset = server.post(path + "/reset_authentication_token", Value::object(), ann.token);
  EXPECT_EQ(last_name(), "ci_runner_token_reset");

  const auto token = reset.body["token"].string_or("");
  const auto rotated = server.runner("POST", "/runners/reset_authentication_token", Value::object({{"token", token}}));
  event = last();
  EXPECT_EQ(event["author_type"].string_or(""), "runner");
  EXPECT_EQ(event["author_id"].integer_or(0), runner.id);
  EXPECT_EQ(event["author_name"].string_or(""), token.substr(std::string("glrt-t3_").size(), 8));
  server.runner("DELETE", "/runners", Value::object({{"token", rotated.body["token"]}}));
  EXPECT_EQ(last_name(), "ci_runner_unregistered");
  EXPECT_EQ(last()["author_type"].string_or(""), "runner");

  // Never a secret.
  const auto all = server.get("/audit_events?per_page=100").text;
  for (const auto& secret : {runner.token, token, rotated.body["token"].string_or(""), ann.token}) {
    EXPECT_EQ(all.find(secret), std::string::npos);
  }
}

TEST_F(AuditTest, WhatElseIsRecorded) {
  server.put("/application/settings", Value::object({{"allow_runner_registration_token", true}}));
  EXPECT_EQ(last()["details"]["changes"].dump(), R"({"allow_runner_registration_token":{"from":false,"to":true}})");
  server.post("/runners/reset_registration_token", Value::object());
  EXPECT_EQ(last_name(), "runners_registration_token_reset");
  const auto token = server.get("/application/settings").body["runners_registration_token"].string_or("");
  server.runner("POST", "/runners", Value::object({{"token", token}, {"description", "d"}}));
  EXPECT_EQ(last_name(), "ci_runner_registered");
  EXPECT_EQ(last()["author_type"].string_or(""), "runner");

  const auto ann = server.user("ann");
  EXPECT_EQ(last_name(), "access_token_created");
  server.group("g");
  EXPECT_EQ(last_name(), "group_created");
  server.member("/groups/g", ann.id, 30);
  EXPECT_EQ(last_name(), "member_created");
  server.put("/groups/g/members/" + std::to_string(ann.id), Value::object({{"access_level", 40}}));
  EXPECT_EQ(last()["details"]["changes"]["access_level"].dump(), R"({"from":30,"to":40})");
  server.remove("/groups/g/members/" + std::to_string(ann.id));
  EXPECT_EQ(last_name(), "member_destroyed");
  server.put("/groups/g", Value::object({{"shared_runners_setting", "disabled_and_overridable"}}));
  EXPECT_EQ(last()["details"]["changes"]["shared_runners_setting"]["to"].string_or(""), "disabled_and_overridable");
  server.post("/groups/g/variables", Value::object({{"key", "K"}, {"value", "a secret value"}}));
  EXPECT_EQ(last_name(), "variable_created");
  server.post("/features/create_runner_workflow_for_admin", Value::object({{"value", "false"}}));
  EXPECT_EQ(last_name(), "feature_flag_updated");
  server.post("/users/" + std::to_string(ann.id) + "/block", Value::object());
  EXPECT_EQ(last_name(), "user_blocked");
  server.put("/users/" + std::to_string(ann.id), Value::object({{"password", "a new password"}}));
  EXPECT_EQ(last()["details"]["changes"].dump(), R"({"password":"changed"})");
  const auto all = server.get("/audit_events?per_page=100").text;
  for (const std::string secret : {"a secret value", "a new password", token.c_str()}) {
    EXPECT_EQ(all.find(secret), std::string::npos) << secret;
  }
}

TEST_F(AuditTest, FiltersAndPages) {
  const auto first = server.make_runner();
  const auto second = server.make_runner();
  const auto count = [&](const std::string& filter) { return server.get("/audit_events?" + filter).body.size(); };
  EXPECT_EQ(count("entity_type=runner"), 2u);
  EXPECT_EQ(count("entity_type=Runner&entity_id=" + std::to_string(first.id)), 1u);
  EXPECT_EQ(count("event_name=ci_runner_created"), 2u);
  EXPECT_EQ(count("author_id=1"), 2u);
  EXPECT_EQ(count("author_id=2"), 0u);
  server.clock.set_unix_micros(server.clock.unix_micros() + 48LL * 3600 * 1'000'000);
  const auto today = base::format_utc_millis(server.clock.unix_micros() / 1000).substr(0, 10);
  EXPECT_EQ(count("created_after=" + today), 0u);
  EXPECT_EQ(count("created_before=" + today), 2u);
  EXPECT_EQ(server.get("/audit_events?created_after=soon").error(), "created_after is invalid");
  const auto keyset = server.get("/audit_events?pagination=keyset&per_page=1");
  EXPECT_EQ(keyset.body.as_array()[0]["entity_id"].integer_or(0), second.id);
  EXPECT_TRUE(keyset.headers.contains("Link"));
  const auto id = keyset.body.as_array()[0]["id"].integer_or(0);
  EXPECT_EQ(server.get("/audit_events/" + std::to_string(id)).body["entity_id"].integer_or(0), second.id);
  EXPECT_EQ(server.get("/audit_events/4711").message(), "404 Audit Event Not Found");
  EXPECT_EQ(server.get("/audit_events", server.user("ann").token).status, 403);
}

TEST_F(AuditTest, ActingAsAnotherUserIsTold) {
  const auto ann = server.user("ann");
  const auto sudo = server.user("root", {"api", "sudo"}).token;
  server.send(
      "POST", "/groups",
      Send{.token = sudo, .json = Value::object({{"name", "anns"}, {"path", "anns"}}), .headers = {{"Sudo", "ann"}}});
  EXPECT_EQ(last()["author_name"].string_or(""), "ann");
  EXPECT_EQ(last()["details"]["sudo_by"].integer_or(0), 1);
  EXPECT_EQ(last()["author_id"].integer_or(0), ann.id);
}

} // namespace
} // namespace coordinator::rest
