// Lists of groups and projects: who sees what, filters, orders, pages; moving between namespaces.
#include <gtest/gtest.h>

#include "coordinator/test_server.hpp"

namespace coordinator::rest {
namespace {

using json::Array;
using json::Value;
using Send = TestServer::Send;

class ListsTest : public testing::Test {
 protected:
  void SetUp() override {
    open_ = make_group("open", "public");
    inner_ = make_group("inner", "internal");
    closed_ = server.group("closed");
    below_ = server.group("below", closed_);
    shown_ = server.project("shown", below_);
    server.put("/projects/" + std::to_string(shown_), Value::object({{"visibility", "public"}, {"topics", "tools,c"}}));
    hidden_ = server.project("hid_den", below_);
    other_ = server.project("other", closed_);
  }
  std::int64_t make_group(const std::string& name, const std::string& visibility) {
    return server.post("/groups", Value::object({{"name", name}, {"path", name}, {"visibility", visibility}})).id();
  }
  std::string names(const std::string& path, const std::string& token = TestServer::kRoot) {
    const auto answer = server.get(path, token);
    EXPECT_EQ(answer.status, 200) << path << answer.text;
    std::string out;
    for (const auto& item : answer.body.as_array()) out += (out.empty() ? "" : " ") + item["path"].string_or("?");
    return out;
  }
  TestServer server;
  std::int64_t open_ = 0, inner_ = 0, closed_ = 0, below_ = 0, shown_ = 0, hidden_ = 0, other_ = 0;
};

TEST_F(ListsTest, GroupsThatOneSees) {
  const auto ann = server.user("ann").token;
  EXPECT_EQ(names("/groups", ""), "open");
  EXPECT_EQ(names("/groups", ann), "");
  EXPECT_EQ(names("/groups?all_available=true", ann), "inner open");
  EXPECT_EQ(names("/groups"), "below closed inner open");
  EXPECT_EQ(names("/groups?all_available=false"), "below closed inner open"); // root made them
  // A member of a project sees the groups around it.
  const auto bob = server.user("bob");
  server.member("/projects/" + std::to_string(hidden_), bob.id, 10);
  EXPECT_EQ(names("/groups", bob.token), "below closed");
  EXPECT_EQ(names("/groups?min_access_level=10", bob.token), "");
  EXPECT_EQ(names("/groups/closed/subgroups", bob.token), "below");
  EXPECT_EQ(names("/groups/open/subgroups", bob.token), "");
  const auto carl = server.user("carl");
  server.member("/groups/closed", carl.id, 40);
  EXPECT_EQ(names("/groups?min_access_level=40", carl.token), "below closed");
  EXPECT_EQ(names("/groups?owned=true", carl.token), "");
  EXPECT_EQ(names("/groups?min_access_level=40&top_level_only=true", carl.token), "closed");
}

TEST_F(ListsTest, GroupsFilteredAndSorted) {
  EXPECT_EQ(names("/groups?search=LOSE"), "closed");
  EXPECT_EQ(names("/groups?search=closed/b"), "below");
  EXPECT_EQ(names("/groups?search=%25"), "");
  EXPECT_EQ(names("/groups?sort=desc"), "open inner closed below");
  EXPECT_EQ(names("/groups?order_by=id"), "open inner closed below");
  EXPECT_EQ(names("/groups?order_by=path&per_page=2&page=2"), "inner open");
  EXPECT_EQ(names("/groups?visibility=internal"), "inner");
  EXPECT_EQ(names("/groups?skip_groups[]=" + std::to_string(open_) + "&skip_groups[]=" + std::to_string(inner_)),
            "below closed");
  EXPECT_EQ(names("/groups/closed/descendant_groups"), "below");
  EXPECT_EQ(server.get("/groups?order_by=bogus").error(), "order_by does not have a valid value");
  EXPECT_EQ(server.get("/groups?min_access_level=35").error(), "min_access_level does not have a valid value");
  const auto page = server.get("/groups?pagination=keyset&per_page=3&sort=asc");
  EXPECT_EQ(page.body.size(), 3u);
  EXPECT_NE(page.headers.get("Link").find("rel=\"next\""), std::string::npos);
  EXPECT_FALSE(page.headers.contains("X-Total"));
}

TEST_F(ListsTest, ProjectsThatOneSees) {
  const auto ann = server.user("ann");
  EXPECT_EQ(names("/projects", ""), "shown");
  EXPECT_EQ(names("/projects", ann.token), "shown");
  EXPECT_EQ(names("/projects"), "other hid_den shown");
  EXPECT_EQ(names("/projects?membership=true", ann.token), "");
  server.member("/groups/closed%2Fbelow", ann.id, 30);
  EXPECT_EQ(names("/projects?membership=true", ann.token), "hid_den shown");
  EXPECT_EQ(names("/projects?min_access_level=40", ann.token), "");
  server.member("/projects/" + std::to_string(other_), ann.id, 50);
  EXPECT_EQ(names("/projects?owned=true", ann.token), "other");
  EXPECT_EQ(names("/groups/closed/projects", ann.token), "other");
  EXPECT_EQ(names("/groups/closed/projects?include_subgroups=true", ann.token), "other hid_den shown");
  EXPECT_EQ(names("/users/root/projects"), "");
}

TEST_F(ListsTest, ProjectsFilteredAndSorted) {
  EXPECT_EQ(names("/projects?search=HID_"), "hid_den");
  EXPECT_EQ(names("/projects?search=i_t"), "");
  EXPECT_EQ(names("/projects?search=below"), "");
  EXPECT_EQ(names("/projects?search=below&search_namespaces=true"), "hid_den shown");
  EXPECT_EQ(names("/projects?topic=c"), "shown");
  EXPECT_EQ(names("/projects?topic=tools,c"), "shown");
  EXPECT_EQ(names("/projects?topic=t"), "");
  EXPECT_EQ(names("/projects?id_after=" + std::to_string(hidden_)), "other");
  EXPECT_EQ(names("/projects?id_before=" + std::to_string(hidden_)), "shown");
  EXPECT_EQ(names("/projects?order_by=path&sort=asc"), "hid_den other shown");
  EXPECT_EQ(names("/projects?visibility=public"), "shown");
  server.post("/projects/" + std::to_string(other_) + "/archive", Value::object());
  EXPECT_EQ(names("/projects?archived=true"), "other");
  EXPECT_EQ(names("/projects?archived=false"), "hid_den shown");
  const auto second = server.get("/projects?per_page=2&page=2");
  EXPECT_EQ(second.body.size(), 1u);
  EXPECT_EQ(second.headers.get("X-Total"), "3");
  const auto first = server.get("/projects?pagination=keyset&order_by=id&sort=asc&per_page=1");
  EXPECT_EQ(first.body.as_array()[0]["path"].string_or(""), "shown");
  EXPECT_NE(first.headers.get("Link").find("cursor="), std::string::npos);
}

TEST_F(ListsTest, NamespacesForNewProjects) {
  const auto ann = server.user("ann");
  server.member("/groups/closed", ann.id, 30);
  EXPECT_EQ(names("/namespaces", ann.token), "ann closed below");
  EXPECT_EQ(names("/namespaces?search=bel", ann.token), "below");
  server.post("/groups/closed/archive", Value::object());
  EXPECT_EQ(names("/namespaces", ann.token), "ann");
}

TEST_F(ListsTest, AProjectMovesToAnotherNamespace) {
  const auto path = "/projects/" + std::to_string(other_) + "/transfer";
  const auto runner = server.make_runner("project_id", other_);
  const auto ann = server.user("ann");
  server.member("/projects/" + std::to_string(other_), ann.id, 50);
  EXPECT_EQ(server.put(path, Value::object()).error(), "namespace is missing");
  EXPECT_EQ(server.put(path, Value::object({{"namespace", "nowhere"}}), ann.token).message(),
            "404 Namespace Not Found");
  EXPECT_EQ(server.put(path, Value::object({{"namespace", "closed/below"}}), ann.token).status, 404);
  EXPECT_EQ(server.put(path, Value::object({{"namespace", "open"}}), ann.token).message(), "403 Forbidden");
  EXPECT_EQ(server.put(path, Value::object({{"namespace", "closed"}})).text,
            R"({"message":{"new_namespace":["Project is already in this namespace."]}})");
  const auto moved = server.put(path, Value::object({{"namespace", "ann"}}), ann.token);
  ASSERT_EQ(moved.status, 200) << moved.text;
  EXPECT_EQ(moved.body["path_with_namespace"].string_or(""), "ann/other");
  EXPECT_EQ(server.get("/projects/ann%2Fother").id(), other_);
  EXPECT_EQ(server.get("/projects/closed%2Fother").status, 404);
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id), ann.token).status, 200);
  server.group("other", closed_);
  EXPECT_EQ(server.put(path, Value::object({{"namespace", closed_}})).status, 400); // the path is taken now
}

TEST_F(ListsTest, AGroupMovesWithAllThatIsInIt) {
  const auto path = "/groups/closed%2Fbelow/transfer";
  const auto runner = server.make_runner("group_id", below_);
  const auto ann = server.user("ann");
  server.member("/groups/closed%2Fbelow", ann.id, 50);
  const auto to_open = Value::object({{"group_id", open_}});
  EXPECT_EQ(server.post(path, to_open, ann.token).status, 403);
  EXPECT_EQ(server.post("/groups/closed/transfer", Value::object({{"group_id", below_}})).message(),
            "400 Bad request - Transfer failed: Cannot transfer group to one of its subgroup.");
  EXPECT_EQ(server.post("/groups/closed/transfer", Value::object()).message(),
            "400 Bad request - Transfer failed: Group is already a root group.");
  server.put("/groups/open", Value::object({{"shared_runners_setting", "disabled_and_unoverridable"}}));
  ASSERT_EQ(server.post(path, to_open).status, 201);
  EXPECT_EQ(server.get("/groups/open%2Fbelow").body["full_name"].string_or(""), "open / below");
  EXPECT_EQ(server.get("/groups/open%2Fbelow").body["shared_runners_setting"].string_or(""),
            "disabled_and_unoverridable");
  EXPECT_EQ(server.get("/projects/open%2Fbelow%2Fhid_den").body["shared_runners_enabled"].bool_or(true), false);
  EXPECT_EQ(names("/groups/open/descendant_groups"), "below");
  EXPECT_EQ(names("/groups/closed/descendant_groups"), "");
  EXPECT_EQ(server.get("/runners/" + std::to_string(runner.id), ann.token).status, 200);
  EXPECT_EQ(server.post("/groups/open%2Fbelow/transfer", Value::object()).body["full_path"].string_or(""), "below");
  EXPECT_EQ(server.get("/projects/below%2Fhid_den").id(), hidden_);
}

} // namespace
} // namespace coordinator::rest
