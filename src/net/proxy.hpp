// Which proxy a request goes through, by Go's rules for HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Pure but for
// ProxySettings::from_environment().
#pragma once

#include <string>

#include "net/url.hpp"

namespace net {

struct ProxySettings {
  std::string http_proxy;
  std::string https_proxy;
  std::string no_proxy;

  static ProxySettings from_environment();
};

// The proxy's URL; "" for a direct connection. Loopback names and addresses never go through one.
std::string proxy_for(const ProxySettings& settings, const Url& url);

} // namespace net
