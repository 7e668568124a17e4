#include "coordinator/web/headers.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "net/url.hpp"

namespace coordinator::web {
namespace {

TEST(SafeRedirect, OwnPathsOnly) {
  for (const auto good : {"/", "/a/b", "/groups/a/-/runners?status[]=online&page=2", "/a#L10", "/users/sign_inx"}) {
    EXPECT_EQ(safe_redirect(good), good);
  }
  for (const auto bad : {"",
                         "a",
                         "//evil.example",
                         "///evil.example",
                         "/\\evil.example",
                         "\\/evil.example",
                         "http://evil.example",
                         "https:evil.example",
                         "javascript:alert(1)",
                         "/%2fevil.example",
                         "/%2Fevil.example/x",
                         "/%5cevil.example",
                         "/a\r\nSet-Cookie: x=1",
                         "/%0d%0aSet-Cookie:x",
                         "/\tevil",
                         "/a b",
                         "/users/sign_in",
                         "/users/sign_in?x",
                         "/api/v4/user",
                         "/-/web/session",
                         "/-/assets/x.js",
                         "/a\x7f",
                         "/a\xc3\xa4"}) {
    EXPECT_EQ(safe_redirect(bad), "/") << bad;
  }
  EXPECT_EQ(safe_redirect("/" + std::string(3000, 'a')), "/");
}

// Whatever comes in, what goes out resolves to our own origin and cannot end a header line.
RC_GTEST_PROP(SafeRedirect, NeverLeavesTheOrigin, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("/", "\\", "//", "http:", "https://", "evil.example", "@", "%2f", "%5c", "%0d",
                                    "%0a", "\r", "\n", "\t", "a", "?", "#", ":", ".", "..", "%00", "%", " "));
  std::string text;
  for (const auto& piece : pieces) text += piece;
  for (const auto& candidate : {text, "/" + text}) {
    const auto out = safe_redirect(candidate);
    RC_ASSERT(out.starts_with("/") && !out.starts_with("//") && !out.starts_with("/\\"));
    RC_ASSERT(out.find_first_of("\r\n\t \\\"<>") == std::string::npos);
    const auto base = net::parse_url("https://own.example/users/sign_in");
    const auto target = net::resolve_reference(*base, out);
    RC_ASSERT(target.has_value());
    RC_ASSERT(net::same_origin(*target, *base));
    RC_ASSERT(sign_in_location(candidate).find_first_of("\r\n \\\"<>") == std::string::npos);
  }
}

} // namespace
} // namespace coordinator::web
