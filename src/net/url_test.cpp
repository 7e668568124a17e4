#include "net/url.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "net/headers.hpp"
#include "net/proxy.hpp"

namespace net {
namespace {

TEST(Url, PartsAndBack) {
  auto url = parse_url("HTTPS://user:p%40ss@Example.COM:8443/a/b?x=1#top");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->userinfo, "user:p%40ss");
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/a/b");
  EXPECT_EQ(url->query, "x=1");
  EXPECT_EQ(url->fragment, "top");
  EXPECT_EQ(format_url(*url), "https://user:p%40ss@example.com:8443/a/b?x=1#top");
  EXPECT_EQ(sanitized("https://user:secret@h/p?token=1"), "https://h/p");
}

TEST(Url, Ipv6AndDefaults) {
  auto url = parse_url("http://[::1]:80/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->authority(), "[::1]:80");
  EXPECT_EQ(parse_url("https://h")->effective_port(), 443);
}

TEST(Url, BracketsHoldAnAddress) {
  EXPECT_TRUE(parse_url("http://[fe80::1%25eth0]:80/"));
  for (const char* url : {"http://[host]/", "http://[::[1]/", "http://[\xff::1]/", "http://[]/"})
    EXPECT_FALSE(parse_url(url)) << url;
}

TEST(Url, Refused) {
  for (const char* text : {"", "host/path", "http://", "http://h:99999/", "http://h:x/", "http://a b/", "http://[::1/",
                           "://h", "http://h\r\nX: y/"})
    EXPECT_FALSE(parse_url(text)) << text;
}

TEST(Url, FormattingParsesToTheSame) {
  rc::check("parse(format(url)) == url", [] {
    auto text = *rc::gen::string<std::string>();
    auto url = parse_url("http://h/" + text);
    if (!url) return;
    auto again = parse_url(format_url(*url));
    RC_ASSERT(again.has_value());
    RC_ASSERT(format_url(*again) == format_url(*url));
  });
  rc::check("any text is survived", [](const std::string& text) { (void)parse_url(text); });
}

TEST(Url, Query) {
  auto query = parse_query("a=1&b=x+y%26z&&flag&c=");
  ASSERT_EQ(query.size(), 4u);
  EXPECT_EQ(query[1].second, "x y&z");
  EXPECT_EQ(query[2].first, "flag");
  EXPECT_EQ(format_query({{"expire_in", "1 week"}, {"b", "&"}}), "expire_in=1+week&b=%26");
}

TEST(Url, References) {
  auto base = *parse_url("https://h:1/a/b/c?q=1");
  auto resolve = [&](const char* reference) { return format_url(*resolve_reference(base, reference)); };
  EXPECT_EQ(resolve("http://other/x"), "http://other/x");
  EXPECT_EQ(resolve("//other/x"), "https://other/x");
  EXPECT_EQ(resolve("/x?y=2"), "https://h:1/x?y=2");
  EXPECT_EQ(resolve("d"), "https://h:1/a/b/d");
  EXPECT_EQ(resolve("../d"), "https://h:1/a/d");
  EXPECT_EQ(resolve("?z"), "https://h:1/a/b/c?z");
  EXPECT_EQ(resolve("/with blank"), "https://h:1/with%20blank");
}

TEST(Headers, NamesHaveNoCase) {
  Headers headers{{"Content-Type", "a"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(headers.get("content-type"), "a");
  headers.set("X-a", "3");
  EXPECT_EQ(headers.get("x-A"), "3");
  EXPECT_EQ(headers.size(), 2u);
  EXPECT_FALSE(headers.contains("missing"));
}

TEST(Proxy, GoRules) {
  ProxySettings settings{.http_proxy = "proxy:3128",
                         .https_proxy = "socks5://s:1080",
                         .no_proxy = "example.com,.sub.net,10.0.0.0/8,1.2.3.4:8080,*.wild.org,::5"};
  auto proxy = [&](const char* text) { return proxy_for(settings, *parse_url(text)); };
  EXPECT_EQ(proxy("http://gitlab.test/"), "http://proxy:3128");
  EXPECT_EQ(proxy("https://gitlab.test/"), "socks5://s:1080");
  for (const char* direct :
       {"http://localhost/", "http://127.9.9.9/", "http://[::1]/", "http://example.com/", "http://a.example.com/",
        "http://x.sub.net/", "http://10.200.1.1/", "http://1.2.3.4:8080/", "http://a.wild.org/", "http://[::5]/"})
    EXPECT_EQ(proxy(direct), "") << direct;
  for (const char* proxied : {"http://sub.net/", "http://11.0.0.1/", "http://1.2.3.4:80/", "http://notexample.com/"})
    EXPECT_EQ(proxy(proxied), "http://proxy:3128") << proxied;
  settings.no_proxy = "*";
  EXPECT_EQ(proxy("http://gitlab.test/"), "");
}

} // namespace
} // namespace net
