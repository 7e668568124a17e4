#include "coordinator/params.hpp"

#include <gtest/gtest.h>

namespace coordinator {
namespace {

Outcome<Params> from_body(std::string type, std::string body) {
  net::Request request;
  request.headers.set("Content-Type", type);
  request.body = std::move(body);
  return Params::parse(request);
}

std::string complaint(const Params& params) {
  const auto done = params.finish();
  return done ? "" : json::parse(done.error().body)->find("error")->as_string();
}

TEST(Params, SameValuesFromJsonFormAndMultipart) {
  const std::string multipart =
      "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n5\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"list[]\"\r\n\r\na\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"list[]\"\r\n\r\nb\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"info[name]\"\r\n\r\nx\r\n--b--\r\n";
  for (auto& parsed :
       {from_body("application/json; charset=utf-8", R"({"n":"5","list":["a","b"],"info":{"name":"x"}})"),
        from_body("application/x-www-form-urlencoded", "n=5&list[]=a&list%5B%5D=b&info[name]=x"),
        from_body("multipart/form-data; boundary=b", multipart)}) {
    ASSERT_TRUE(parsed) << parsed.error().body;
    auto params = *parsed;
    EXPECT_EQ(params.integer("n"), 5);
    EXPECT_EQ(params.list("list"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(params.raw("info")["name"].string_or(""), "x");
    EXPECT_TRUE(params.unread().empty());
  }
}

TEST(Params, DashedNamesAreAliasesUnlessTheRealOneIsThere) {
  auto params = *from_body("application/json", R"({"tag-list":"a","access-level":"x","access_level":"y"})");
  EXPECT_EQ(params.list("tag_list"), (std::vector<std::string>{"a"}));
  EXPECT_EQ(params.text("access_level"), "y");
}

TEST(Params, Coercions) {
  auto params = *from_body("application/json",
                           R"({"t":"on","f":0,"bad":"maybe","n":"x","list":["a,b"," a ","",7],"text":12,"half":1.5})");
  EXPECT_EQ(params.boolean("t"), true);
  EXPECT_EQ(params.boolean("f"), false);
  EXPECT_EQ(params.list("list"), (std::vector<std::string>{"a", "b", "7"}));
  EXPECT_EQ(params.text("text"), "12");
  EXPECT_EQ(params.boolean("bad"), std::nullopt);
  EXPECT_EQ(params.integer("n"), std::nullopt);
  EXPECT_EQ(params.integer("half"), std::nullopt);
  EXPECT_EQ(complaint(params), "bad is invalid, n is invalid, half is invalid");
}

TEST(Params, ComplaintsInGitLabsWords) {
  auto params = *from_body("application/json", R"({"active":true,"paused":true})");
  params.one_of("runner_type", {"a"}, Presence::kRequired);
  params.exclusive("active", "paused");
  params.at_least_one({"x", "y"});
  EXPECT_EQ(complaint(params),
            "runner_type is missing, runner_type does not have a valid value, active, paused are mutually exclusive, "
            "x, y are missing, at least one parameter must be provided");
}

TEST(Params, Dates) {
  auto params =
      *from_body("application/json", R"({"a":"2030-02-28","b":"2030-02-30","c":"2030-01-01T10:00:00Z","d":""})");
  EXPECT_EQ(params.date("a"), "2030-02-28");
  EXPECT_EQ(params.date("b"), std::nullopt);
  EXPECT_EQ(params.date("c"), "2030-01-01");
  EXPECT_EQ(params.date("d"), std::nullopt);
  EXPECT_EQ(complaint(params), "b is invalid");
}

TEST(Params, BrokenBodies) {
  EXPECT_EQ(from_body("application/json", "{").error().status, 400);
  EXPECT_EQ(from_body("application/json", "[1]").error().status, 400);
  EXPECT_EQ(from_body("text/plain", "x").error().status, 415);
  EXPECT_EQ(from_body("application/x-www-form-urlencoded", "a=%00").error().status, 400);
  EXPECT_EQ(from_body("application/x-www-form-urlencoded", "a=%ff").error().status, 400);
  EXPECT_TRUE(from_body("application/json", "null"));
  EXPECT_TRUE(from_body("application/json", ""));
}

// One small body must not keep a processor busy for minutes, or the stack full.
TEST(Params, FormsAreBounded) {
  const auto repeated = [](std::string_view part, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += part;
    return out;
  };
  constexpr auto kForm = "application/x-www-form-urlencoded";
  EXPECT_EQ(from_body(kForm, "a" + repeated("[b]", 300'000) + "=1").error().status, 400);
  EXPECT_EQ(from_body(kForm, "a" + repeated("[b]", 33) + "=1").error().status, 400);
  EXPECT_TRUE(from_body(kForm, "a" + repeated("[b]", 32) + "=1"));
  EXPECT_EQ(from_body(kForm, repeated("a[]=1&", 150'000)).error().status, 400);
  std::string keys;
  std::string members;
  for (int i = 0; i < 20'000; ++i) {
    keys += "k" + std::to_string(i) + "=&";
    members += (i == 0 ? "{\"a-" : ",\"a-") + std::to_string(i) + "\":1";
  }
  EXPECT_EQ(from_body(kForm, keys).error().status, 400);
  EXPECT_EQ(from_body("application/json", members + "}").error().status, 400);
  EXPECT_EQ(from_body("application/json", repeated("[", 100'000)).error().status, 400);
}

TEST(Params, LongListsAreQuick) {
  std::string items = "{\"list\":\"";
  for (int i = 0; i < 150'000; ++i) items += std::to_string(i % 100'000) + ",";
  auto params = *from_body("application/json", items + "\"}");
  EXPECT_EQ(params.list("list")->size(), 100'000u); // in hours, were each compared with each
}

TEST(Params, NestedForms) {
  auto params =
      *from_body("application/x-www-form-urlencoded", "a[b][c]=1&a[b][d]=2&a[e][]=3&a[e][]=4&x[=5&y]=6&[z]=7");
  EXPECT_EQ(params.raw("a").dump(), R"({"b":{"c":"1","d":"2"},"e":["3","4"]})");
  EXPECT_EQ(params.text("x["), "5");
  EXPECT_EQ(params.text("y]"), "6");
  EXPECT_EQ(params.text("[z]"), "7");
}

TEST(Params, Pages) {
  auto params = *from_body("application/json", R"({"page":"3","per_page":1000})");
  const auto page = read_page(params);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->offset(), 200);
  auto zero = *from_body("application/json", R"({"per_page":0})");
  EXPECT_EQ(read_page(zero).error().status, 400);
}

TEST(Violations, Shapes) {
  Violations violations;
  violations.add("maximum_timeout", "needs to be at least 10 minutes");
  violations.add("description", "is too long");
  EXPECT_EQ(violations.as_object().body,
            R"({"message":{"maximum_timeout":["needs to be at least 10 minutes"],"description":["is too long"]}})");
  EXPECT_EQ(
      violations.as_sentence().body,
      R"({"message":"400 Bad request - Maximum timeout needs to be at least 10 minutes and Description is too long"})");
}

TEST(Reply, Envelopes) {
  EXPECT_EQ(unauthorized().body, R"({"message":"401 Unauthorized"})");
  EXPECT_EQ(forbidden().body, R"({"message":"403 Forbidden"})");
  EXPECT_EQ(forbidden("R").body, R"({"message":"403 Forbidden - R"})");
  EXPECT_EQ(not_found("Runner").body, R"({"message":"404 Runner Not Found"})");
  EXPECT_EQ(gone("R").body, R"({"message":"410 Gone - R"})");
  EXPECT_EQ(too_many_requests(7).headers.get("Retry-After"), "7");
  EXPECT_EQ(Reply(base::Error(base::ErrorKind::kInternal, "secret detail")).body,
            R"({"message":"500 Internal Server Error"})");
  EXPECT_EQ(Reply(base::Error(base::ErrorKind::kUnavailable, "busy")).status, 503);
}

} // namespace
} // namespace coordinator
