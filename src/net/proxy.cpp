#include "net/proxy.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "base/strings.hpp"

namespace net {
namespace {

std::string environment(const char* upper, const char* lower) {
  for (const char* name : {upper, lower})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

// An address as 16 bytes, IPv4 mapped into IPv6.
std::optional<std::array<unsigned char, 16>> parse_address(const std::string& text, bool* is_v4 = nullptr) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, text.c_str(), bytes.data() + 12) != 1) return std::nullopt;
  if (is_v4 != nullptr) *is_v4 = true;
  return bytes;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  bool v4 = false;
  auto address = parse_address(host, &v4);
  if (!address) return false;
  if (v4) return (*address)[12] == 127;
  std::array<unsigned char, 16> one{};
  one[15] = 1;
  return *address == one;
}

bool in_network(const std::string& host, const std::string& network) {
  auto slash = network.find('/');
  bool v4 = false;
  auto address = parse_address(host);
  auto base_address = parse_address(network.substr(0, slash), &v4);
  auto length = base::parse_int(network.substr(slash + 1));
  if (!address || !base_address || !length || *length < 0 || *length > (v4 ? 32 : 128)) return false;
  int bits = static_cast<int>(*length) + (v4 ? 96 : 0);
  for (int i = 0; i < bits; ++i) {
    unsigned mask = 0x80u >> (i % 8);
    if (((*address)[i / 8] & mask) != ((*base_address)[i / 8] & mask)) return false;
  }
  return true;
}

bool excluded(const std::string& no_proxy, const Url& url) {
  for (const auto& raw : base::split(no_proxy, ',')) {
    std::string item = base::to_lower(base::trim(raw));
    if (item.empty()) continue;
    if (item == "*") return true;
    if (item.find('/') != std::string::npos) {
      if (in_network(url.host, item)) return true;
      continue;
    }
    // host:port, [v6]:port; a bare IPv6 address has several colons.
    std::string host = item;
    if (item.starts_with('[')) {
      auto close = item.find(']');
      host = item.substr(1, close == std::string::npos ? close : close - 1);
      item = close == std::string::npos ? "" : item.substr(close + 1);
    } else if (auto colon = item.find(':');
               colon != std::string::npos && item.find(':', colon + 1) == std::string::npos) {
      host = item.substr(0, colon);
      item = item.substr(colon);
    } else {
      item.clear();
    }
    if (item.starts_with(':') && base::parse_int(item.substr(1)) != url.effective_port()) continue;
    if (host.starts_with("*.")) host.erase(0, 1);
    if (parse_address(host)) {
      if (parse_address(url.host) == parse_address(host)) return true;
      continue;
    }
    if (host.starts_with('.') ? url.host.ends_with(host) : url.host == host || url.host.ends_with("." + host))
      return true;
  }
  return false;
}

} // namespace

ProxySettings ProxySettings::from_environment() {
  ProxySettings settings{.http_proxy = environment("HTTP_PROXY", "http_proxy"),
                         .https_proxy = environment("HTTPS_PROXY", "https_proxy"),
                         .no_proxy = environment("NO_PROXY", "no_proxy")};
  // In a CGI program HTTP_PROXY comes from the client's "Proxy" header.
  if (std::getenv("REQUEST_METHOD") != nullptr) settings.http_proxy.clear();
  return settings;
}

std::string proxy_for(const ProxySettings& settings, const Url& url) {
  const std::string& proxy = url.scheme == "https" ? settings.https_proxy : settings.http_proxy;
  if (proxy.empty() || is_loopback(url.host) || excluded(settings.no_proxy, url)) return {};
  return proxy.find("://") == std::string::npos ? "http://" + proxy : proxy;
}

} // namespace net
