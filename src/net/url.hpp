// Url: the parts of an absolute URL, and a form that is safe to print. Plain values, pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace net {

struct Url {
  std::string scheme;   // lower case
  std::string userinfo; // as written, percent-encoded
  std::string host;     // lower case; an IPv6 address without its brackets
  int port = 0;         // 0: the scheme's default
  std::string path;     // as written; "" or begins with '/'
  std::string query;    // without '?'
  std::string fragment; // without '#'

  // The port in use: 443 for https and wss, 80 for http and ws, 22 for ssh, 0 for an unknown scheme.
  int effective_port() const;
  // "host" or "host:port", an IPv6 address in brackets.
  std::string authority() const;
};

// Any scheme with "://"; kInvalidInput else (no scheme, no host, a bad port, control characters).
base::Result<Url> parse_url(std::string_view text);
std::string format_url(const Url& url);
// For logs and error texts: without user info, query and fragment. What does not parse becomes "<invalid url>".
std::string sanitized(std::string_view url);
std::string sanitized(const Url& url);

// "a=b&c=d" decoded ('+' is a blank).
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);
std::string format_query(const std::vector<std::pair<std::string, std::string>>& parameters);

// "scheme://host:port" of both is the same.
bool same_origin(const Url& a, const Url& b);
// A Location header against the URL it answered: absolute, "//host/…", "/path", "?query" or relative.
base::Result<Url> resolve_reference(const Url& base, std::string_view reference);

} // namespace net
