// links: net
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/proxy.hpp"
#include "net/url.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)net::parse_query(text);
  auto url = net::parse_url(text);
  if (!url) return 0;
  auto again = net::parse_url(net::format_url(*url));
  if (!again || net::format_url(*again) != net::format_url(*url)) std::abort();
  (void)net::resolve_reference(*url, text);
  (void)net::proxy_for({.http_proxy = "p", .https_proxy = "p", .no_proxy = "10.0.0.0/8,.x"}, *url);
  return 0;
}
