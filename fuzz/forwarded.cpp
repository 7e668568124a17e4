// links: net
// What proxies and clients say about addresses: never an address that the nearest untrusted hop did not have.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/address.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static const auto proxies = *net::TrustedProxies::parse("10.0.0.0/8,2001:db8::/32");
  const net::Headers claims{{"X-Forwarded-For", text + ",203.0.113.9"}, {"X-Forwarded-Proto", text}};
  if (proxies.client_of("10.0.0.1", claims).address != "203.0.113.9") std::abort();
  if (proxies.client_of("192.0.2.1", claims).address != "192.0.2.1") std::abort();
  if (auto address = net::parse_address(text)) {
    if (net::parse_address(net::to_string(*address)) != address) std::abort();
    (void)net::address_block(text);
  }
  (void)net::TrustedProxies::parse(text);
  return 0;
}
