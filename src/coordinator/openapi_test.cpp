#include "coordinator/openapi.hpp"

#include <gtest/gtest.h>

#include <set>

#include "coordinator/test_server.hpp"

namespace coordinator {
namespace {

TEST(OpenApi, FieldsInShort) {
  const auto fields = parse_params("name!:text paused:bool level:(a|b)? tags:list");
  ASSERT_EQ(fields.size(), 4u);
  EXPECT_TRUE(fields[0].required);
  EXPECT_FALSE(fields[1].required);
  EXPECT_EQ(fields[1].schema.dump(), R"({"type":"boolean"})");
  EXPECT_EQ(fields[2].schema.dump(), R"({"type":"string","enum":["a","b",null],"nullable":true})");
  EXPECT_EQ(parse_params("@page").size(), 2u);
  EXPECT_THROW(parse_params("name"), std::logic_error);
  EXPECT_THROW(parse_params("name:nonsense"), std::logic_error);
  EXPECT_EQ(object_schema("id:int name?:text").dump(),
            R"({"type":"object","properties":{"id":{"type":"integer","format":"int64"},"name":{"type":"string"}},)"
            R"("additionalProperties":false,"required":["id"]})");
}

TEST(OpenApi, AnswersIncludeTheFrameworks) {
  const auto answers = answers_of({.method = "POST", .pattern = "/x/:id", .route = {.answers = "201:[Runner] 409"}});
  std::set<int> statuses;
  for (const auto& [status, schema] : answers) statuses.insert(status);
  EXPECT_EQ(statuses, (std::set<int>{201, 400, 401, 403, 404, 409, 415}));
  EXPECT_EQ(answers.at(201).dump(), R"({"type":"array","items":{"$ref":"#/components/schemas/Runner"}})");
  EXPECT_THROW(answers_of({.method = "GET", .pattern = "/x", .route = {.answers = "fine"}}), std::logic_error);
}

class OpenApiServer : public testing::Test {
 protected:
  TestServer server;
};

// What a document refers to and does not define.
void collect_references(const json::Value& value, std::set<std::string>& out) {
  if (value.is_array()) {
    for (const auto& item : value.as_array()) collect_references(item, out);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      if (key == "$ref") out.insert(member.as_string());
      collect_references(member, out);
    }
  }
}

TEST_F(OpenApiServer, DescribesEveryRoute) {
  const auto document = server.send("GET", "/openapi.json", {.token = ""});
  ASSERT_EQ(document.status, 200);
  EXPECT_EQ(document.body["openapi"].string_or(""), "3.0.3");
  std::size_t operations = 0;
  for (const auto& [path, item] : document.body["paths"].as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      ++operations;
      EXPECT_FALSE(operation["summary"].string_or("").empty()) << method << " " << path << " has no summary";
      bool success = false;
      for (const auto& [status, answer] : operation["responses"].as_object())
        success |= status < "400" || status == "501";
      EXPECT_TRUE(success) << method << " " << path << " never succeeds";
    }
  }
  std::set<std::string> registered;
  for (const auto& endpoint : server.server().api().endpoints()) {
    if (endpoint.route.root == kApiRoot) registered.insert(endpoint.method + endpoint.pattern);
  }
  EXPECT_EQ(operations, registered.size());
  std::set<std::string> references;
  collect_references(document.body, references);
  for (const auto& reference : references) {
    const auto name = reference.substr(reference.rfind('/') + 1);
    EXPECT_TRUE(document.body["components"]["schemas"].find(name)) << "no schema " << name;
  }
  EXPECT_EQ(server.send("GET", "/openapi.yaml", {.token = ""}).text, document.text);
}

} // namespace
} // namespace coordinator
