#include "net/address.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace net {
namespace {

TrustedProxies proxies(std::string_view list) {
  auto parsed = TrustedProxies::parse(list);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed.value_or(TrustedProxies());
}

TEST(Address, Forms) {
  const std::pair<std::string_view, std::string_view> known[] = {{"192.0.2.1", "192.0.2.1"},
                                                                 {"192.0.2.1:8080", "192.0.2.1"},
                                                                 {"::ffff:192.0.2.1", "192.0.2.1"},
                                                                 {"2001:DB8::0:1", "2001:db8::1"},
                                                                 {"[2001:db8::1]:443", "2001:db8::1"}};
  for (const auto& [text, same] : known) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), same);
  }
  for (const auto wrong : {"", "x", "1.2.3", "1.2.3.4.5", "[::1", "::g", "1.2.3.4, 5.6.7.8", "unknown", "_hidden"}) {
    EXPECT_FALSE(parse_address(wrong)) << wrong;
  }
}

TEST(Address, BlocksOfHosts) {
  EXPECT_EQ(address_block("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(address_block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(address_block("2001:db8:1:2::9"), address_block("2001:db8:1:2:ffff::"));
  EXPECT_NE(address_block("2001:db8:1:2::9"), address_block("2001:db8:1:3::9"));
  EXPECT_EQ(address_block(""), "");
}

TEST(TrustedProxies, NobodyIsBelievedUnlessNamed) {
  const Headers claims{{"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-Proto", "https"}};
  for (const auto& list : {TrustedProxies(), proxies("10.0.0.0/8")}) {
    const auto client = list.client_of("192.0.2.1", claims);
    EXPECT_EQ(client.address, "192.0.2.1");
    EXPECT_FALSE(client.https);
    EXPECT_EQ(list.client_of("", claims).address, "");
  }
}

TEST(TrustedProxies, TheNearestThatIsNoProxy) {
  const auto list = proxies("10.0.0.0/8, 2001:db8:a::/48, 127.0.0.1,unix");
  const auto client = [&](std::string_view peer, std::string forwarded) {
    return list.client_of(peer, {{"X-Forwarded-For", std::move(forwarded)}}).address;
  };
  EXPECT_EQ(client("10.1.2.3", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client("::ffff:10.1.2.3", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client("", "203.0.113.9"), "203.0.113.9");
  // What the client itself sent stands further left.
  EXPECT_EQ(client("10.1.2.3", "1.1.1.1, 203.0.113.9, 10.9.9.9, 2001:db8:a::5"), "203.0.113.9");
  EXPECT_EQ(client("10.1.2.3", "127.0.0.1, evil, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client("10.1.2.3", "203.0.113.9:4711"), "203.0.113.9");
  EXPECT_EQ(client("10.1.2.3", "nonsense"), "10.1.2.3");
  EXPECT_EQ(client("10.1.2.3", "203.0.113.9, unknown, 10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(client("10.1.2.3", "10.0.0.8, 10.0.0.7"), "10.0.0.8"); // a client inside
  EXPECT_EQ(client("10.1.2.3", ""), "10.1.2.3");
  // Several fields are one list.
  EXPECT_EQ(list.client_of("10.1.2.3", {{"x-forwarded-for", "203.0.113.9"}, {"X-Forwarded-For", "10.0.0.1"}}).address,
            "203.0.113.9");
}

TEST(TrustedProxies, TheSchemeThatTheNearestProxySaw) {
  const auto list = proxies("10.0.0.0/8");
  const auto https = [&](std::string scheme) {
    return list.client_of("10.1.2.3", {{"X-Forwarded-Proto", std::move(scheme)}}).https;
  };
  EXPECT_TRUE(https("https"));
  EXPECT_TRUE(https("HTTPS"));
  EXPECT_FALSE(https("http"));
  EXPECT_FALSE(https("https, http"));
  EXPECT_FALSE(https(""));
}

TEST(TrustedProxies, WrongListsAreRefused) {
  for (const auto wrong : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "localhost", "10.0.0.0/8;1.1.1.1"}) {
    EXPECT_FALSE(TrustedProxies::parse(wrong)) << wrong;
  }
  EXPECT_TRUE(proxies("0.0.0.0/0").trusts("203.0.113.9"));
  EXPECT_FALSE(proxies("0.0.0.0/0").trusts("2001:db8::1"));
  EXPECT_FALSE(proxies("192.0.2.128/25").trusts("192.0.2.127"));
  EXPECT_TRUE(proxies("192.0.2.128/25").trusts("192.0.2.129"));
}

TEST(TrustedProxies, AClientInventsNothing) {
  const auto list = proxies("10.0.0.0/8");
  EXPECT_TRUE(rc::check([&](const std::string& claimed) {
    const auto client = list.client_of("10.1.2.3", {{"X-Forwarded-For", claimed + ", 203.0.113.9, 10.0.0.1"}});
    RC_ASSERT(client.address == "203.0.113.9");
  }));
}

} // namespace
} // namespace net
