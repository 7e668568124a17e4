// Who a request really comes from when proxies stand in between. Pure.
//
// Only proxies that were named are believed, and only what they can know: the address next to the nearest one that is
// not a proxy of ours. What a client claims beyond that is its own invention.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/headers.hpp"

namespace net {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{}; // an IPv4 address as ::ffff:a.b.c.d
  bool operator==(const IpAddress&) const = default;
};
// "192.0.2.1", "2001:db8::1", either with a port ("192.0.2.1:80", "[2001:db8::1]:80"); nullopt for anything else.
std::optional<IpAddress> parse_address(std::string_view text);
std::string to_string(const IpAddress& address);

// What counts as one when attempts are counted: an IPv4 address, the /64 of an IPv6 address (which one host has whole).
std::string address_block(std::string_view address);

class TrustedProxies {
 public:
  TrustedProxies() = default;
  // "10.0.0.0/8, 2001:db8::/32, 127.0.0.1, unix": networks, addresses, and `unix` for whoever connects to a Unix
  // socket. kInvalidInput names what cannot be read.
  static base::Result<TrustedProxies> parse(std::string_view list);

  bool trusts(std::string_view peer) const; // "" is a Unix socket's

  struct Client {
    std::string address;
    bool https = false; // a trusted proxy says that it was reached by https
  };
  Client client_of(std::string_view peer, const Headers& headers) const;

 private:
  struct Network {
    IpAddress address;
    int bits = 128;
  };
  bool contains(const IpAddress& address) const;

  std::vector<Network> networks_;
  bool unix_sockets_ = false;
};

} // namespace net
