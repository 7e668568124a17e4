#include "net/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/strings.hpp"

namespace net {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

bool is_v4(const IpAddress& address) { return std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin()); }

bool same_bits(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + static_cast<std::ptrdiff_t>(whole), b.bytes.begin())) return false;
  const int rest = bits % 8;
  return rest == 0 || (a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest) == 0;
}

std::optional<IpAddress> parse_bare(std::string_view text) {
  const std::string copy(text); // inet_pton wants its end
  IpAddress out;
  in_addr v4{};
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    std::ranges::copy(kMapped, out.bytes.begin());
    std::memcpy(out.bytes.data() + kMapped.size(), &v4, sizeof v4);
    return out;
  }
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

// The fields of that name as one list, as RFC 9110 says of repeated ones.
std::vector<std::string> listed(const Headers& headers, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [field, value] : headers) {
    if (!base::equals_ignore_case(field, name)) continue;
    for (const auto& item : base::split(value, ',')) out.emplace_back(base::trim(item));
  }
  return out;
}

} // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return parse_bare(text.substr(1, end - 1));
  }
  // One colon: a port behind an IPv4 address.
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    text = text.substr(0, colon);
  }
  return parse_bare(text);
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4(address)) {
    inet_ntop(AF_INET, address.bytes.data() + kMapped.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  }
  return text;
}

std::string address_block(std::string_view address) {
  auto parsed = parse_address(address);
  if (!parsed) return std::string(address);
  if (is_v4(*parsed)) return to_string(*parsed);
  std::fill(parsed->bytes.begin() + 8, parsed->bytes.end(), std::uint8_t{0});
  return to_string(*parsed) + "/64";
}

base::Result<TrustedProxies> TrustedProxies::parse(std::string_view list) {
  TrustedProxies out;
  for (const auto& raw : base::split(list, ',')) {
    const std::string item(base::trim(raw));
    if (item.empty()) continue;
    if (item == "unix") {
      out.unix_sockets_ = true;
      continue;
    }
    const auto slash = item.find('/');
    const auto address = parse_bare(std::string_view(item).substr(0, slash));
    const auto wrong = [&] {
      return base::fail(base::ErrorKind::kInvalidInput,
                        "trusted proxies: \"" + item + "\" is no address, no network (10.0.0.0/8) and not \"unix\"");
    };
    if (!address) return wrong();
    const int most = is_v4(*address) ? 32 : 128;
    auto bits = slash == std::string::npos ? std::optional<std::int64_t>(most)
                                           : base::parse_int(std::string_view(item).substr(slash + 1));
    if (!bits || *bits < 0 || *bits > most) return wrong();
    out.networks_.push_back(
        {.address = *address, .bits = static_cast<int>(*bits) + (is_v4(*address) ? kMappedBits : 0)});
  }
  return out;
}

bool TrustedProxies::contains(const IpAddress& address) const {
  return std::ranges::any_of(networks_,
                             [&](const Network& network) { return same_bits(address, network.address, network.bits); });
}

bool TrustedProxies::trusts(std::string_view peer) const {
  if (peer.empty()) return unix_sockets_;
  const auto address = parse_address(peer);
  return address && contains(*address);
}

TrustedProxies::Client TrustedProxies::client_of(std::string_view peer, const Headers& headers) const {
  Client out{.address = std::string(peer)};
  if (!trusts(peer)) return out;
  // From the right: each proxy appends whom it was asked by. The first that is no proxy of ours is the client; what
  // stands further left was written by it.
  const auto hops = listed(headers, "X-Forwarded-For");
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = parse_address(*hop);
    if (!address) break;
    out.address = to_string(*address);
    if (!contains(*address)) break;
  }
  const auto schemes = listed(headers, "X-Forwarded-Proto");
  out.https = !schemes.empty() && base::equals_ignore_case(schemes.back(), "https");
  return out;
}

} // namespace net
