#include "coordinator/web/routes.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/strings.hpp"
#include "coordinator/web/test_pages.hpp"

namespace coordinator::web {
namespace {

TEST(PageRoutes, EachRuleIsFoundByItsOwnAddress) {
  for (const auto& rule : page_rules()) {
    const auto address = example_of(rule, "a/b", 7);
    const auto page = parse_page(address);
    ASSERT_TRUE(page) << address;
    if (page->rule->place == Place::kProject || rule.place != Place::kGroup) {
      EXPECT_EQ(page->rule, &rule) << address;
    }
    if (rule.place != Place::kInstance) EXPECT_EQ(page->full_path, "a/b") << address;
    if (rule.pattern.find(":runner") != std::string_view::npos) EXPECT_EQ(page->id, 7) << address;
    if (address != "/") EXPECT_TRUE(parse_page(address + "/")) << address;
  }
}

TEST(PageRoutes, WhatIsNoPage) {
  for (const auto path : {"",
                          "a",
                          "//",
                          "/a//b",
                          "/a/../b",
                          "/a/%2e%2e/b",
                          "/a/%00",
                          "/a/%0a",
                          "/a%2fb",
                          "/api/v4/x",
                          "/-/nothing",
                          "/admin/nothing",
                          "/admin/runners/x",
                          "/admin/runners/0",
                          "/admin/runners/-1",
                          "/admin/runners/1/2",
                          "/groups",
                          "/groups/-/runners",
                          "/a/b/-/runners/99999999999999999999",
                          "/a/b/-/jobs/1/artifacts/browse/../x",
                          "/a/b/-/nothing",
                          "/-/-/runners",
                          "/users/sign_up",
                          "/\xff"}) {
    EXPECT_FALSE(parse_page(path)) << path;
  }
  EXPECT_FALSE(parse_page("/" + std::string(5000, 'a')));
}

TEST(PageRoutes, Parameters) {
  const auto browse = parse_page("/a/b/-/jobs/12/artifacts/browse/dir%20x/y.txt");
  ASSERT_TRUE(browse);
  EXPECT_EQ(browse->rule->page, "project_artifacts");
  EXPECT_EQ(browse->id, 12);
  EXPECT_EQ(browse->id_name, "job");
  EXPECT_EQ(browse->rest, "dir x/y.txt");
  EXPECT_EQ(parse_page("/a/b/-/jobs/12/artifacts/browse")->rest, "");
  EXPECT_EQ(parse_page("/admin/users/ann")->rest, "ann");
  EXPECT_EQ(parse_page("/admin/groups/a/b")->rest, "a/b");
  EXPECT_TRUE(parse_page("/a/b")->any_namespace);
  EXPECT_FALSE(parse_page("/groups/a/b")->any_namespace);
  EXPECT_EQ(parse_page("/a/b/edit")->rule->page, "project_edit");
  EXPECT_EQ(parse_page("/a/edit")->rule->page, "project");
}

// Nothing that a browser could send breaks the parser, and what it takes for a place's path is one.
RC_GTEST_PROP(PageRoutes, AnyPath, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "/", "-", "/-/", "a", "b.c", "groups", "admin", "runners", "7", "%2e%2e", "..", "%2f", "%00", "%ff", "jobs",
      "artifacts", "browse", "edit", "?", "\\", "settings", "ci_cd"));
  std::string path;
  for (const auto& piece : pieces) path += piece;
  const auto page = parse_page("/" + path);
  if (!page) return;
  RC_ASSERT(page->rule != nullptr);
  for (const auto& text : {page->full_path, page->rest}) {
    RC_ASSERT(text.find('\0') == std::string::npos);
    for (const auto& segment : base::split(text, '/')) RC_ASSERT(segment != ".." && segment != ".");
  }
}

} // namespace
} // namespace coordinator::web
