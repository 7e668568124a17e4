#include "net/url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"

namespace net {
namespace {

bool is_scheme(std::string_view text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text.front()))) return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; });
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

base::Status parse_authority(std::string_view authority, Url& url) {
  if (auto at = authority.rfind('@'); at != std::string_view::npos) {
    url.userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    auto close = authority.find(']');
    if (close == std::string_view::npos) return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: missing ']'");
    url.host = base::to_lower(authority.substr(1, close - 1));
    // An IPv6 address, perhaps with a zone; what has no colon would not be written back in brackets.
    constexpr std::string_view kAllowed = "0123456789abcdefghijklmnopqrstuvwxyz:.%-_";
    if (url.host.find(':') == std::string::npos || url.host.find_first_not_of(kAllowed) != std::string::npos)
      return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: invalid host");
    port = authority.substr(close + 1);
    if (!port.empty() && !port.starts_with(':'))
      return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: text after ']'");
  } else {
    auto colon = authority.rfind(':');
    if (colon != std::string_view::npos) {
      port = authority.substr(colon);
      authority = authority.substr(0, colon);
    }
    if (authority.find_first_of("[]:\\<>\"`{}|^") != std::string_view::npos)
      return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: invalid host");
    url.host = base::to_lower(authority);
  }
  if (port.size() > 1) {
    auto number = base::parse_int(port.substr(1));
    if (!number || *number < 1 || *number > 65535)
      return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: invalid port");
    url.port = static_cast<int>(*number);
  }
  return {};
}

// RFC 3986 §5.2.4 for the path of a reference.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string> out;
  auto segments = base::split(path, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    bool last = i + 1 == segments.size();
    if (segments[i] == ".") {
      if (last) out.emplace_back();
    } else if (segments[i] == "..") {
      if (out.size() > 1) out.pop_back();
      if (last) out.emplace_back();
    } else {
      out.push_back(segments[i]);
    }
  }
  return base::join(out, "/");
}

} // namespace

int Url::effective_port() const {
  if (port != 0) return port;
  if (scheme == "https" || scheme == "wss") return 443;
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "ssh") return 22;
  return 0;
}

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != 0) text += ":" + fmt::to_string(port);
  return text;
}

base::Result<Url> parse_url(std::string_view text) {
  if (has_control_characters(text))
    return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: blanks or control characters");
  auto colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon)))
    return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: missing scheme");
  Url url;
  url.scheme = base::to_lower(text.substr(0, colon));
  text.remove_prefix(colon + 3);
  if (auto hash = text.find('#'); hash != std::string_view::npos) {
    url.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (auto question = text.find('?'); question != std::string_view::npos) {
    url.query = text.substr(question + 1);
    text = text.substr(0, question);
  }
  auto slash = text.find('/');
  if (slash != std::string_view::npos) url.path = text.substr(slash);
  FR_CHECK(parse_authority(text.substr(0, slash), url));
  if (url.host.empty() && url.scheme != "file")
    return base::fail(base::ErrorKind::kInvalidInput, "invalid URL: missing host");
  return url;
}

std::string format_url(const Url& url) {
  std::string text = url.scheme + "://";
  if (!url.userinfo.empty()) text += url.userinfo + "@";
  text += url.authority() + url.path;
  if (!url.query.empty()) text += "?" + url.query;
  if (!url.fragment.empty()) text += "#" + url.fragment;
  return text;
}

std::string sanitized(const Url& url) { return url.scheme + "://" + url.authority() + url.path; }

std::string sanitized(std::string_view text) {
  auto url = parse_url(text);
  return url ? sanitized(*url) : "<invalid url>";
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    auto end = query.find('&');
    auto item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (item.empty()) continue;
    auto equals = item.find('=');
    parameters.emplace_back(
        base::percent_decode(item.substr(0, equals), true),
        equals == std::string_view::npos ? std::string() : base::percent_decode(item.substr(equals + 1), true));
  }
  return parameters;
}

std::string format_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [key, value] : parameters) {
    if (!text.empty()) text += '&';
    text += base::query_encode(key) + "=" + base::query_encode(value);
  }
  return text;
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.effective_port() == b.effective_port();
}

base::Result<Url> resolve_reference(const Url& base_url, std::string_view reference) {
  // Go and browsers send blanks in Location now and then; they mean %20.
  std::string text = base::replace_all(base::trim(reference), " ", "%20");
  auto colon = text.find("://");
  if (colon != std::string::npos && is_scheme(std::string_view(text).substr(0, colon))) return parse_url(text);
  if (text.starts_with("//")) return parse_url(base_url.scheme + ":" + text);
  Url url = base_url;
  url.fragment.clear();
  std::string_view rest = text;
  if (auto hash = rest.find('#'); hash != std::string_view::npos) {
    url.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  auto question = rest.find('?');
  auto path = rest.substr(0, question);
  if (question != std::string_view::npos) url.query = rest.substr(question + 1);
  if (path.empty()) return url;
  if (question == std::string_view::npos) url.query.clear();
  if (path.starts_with('/')) {
    url.path = remove_dot_segments(path);
  } else {
    auto directory = base_url.path.substr(0, base_url.path.rfind('/') + 1);
    if (directory.empty()) directory = "/";
    url.path = remove_dot_segments(directory + std::string(path));
  }
  if (has_control_characters(url.path)) return base::fail(base::ErrorKind::kInvalidInput, "invalid URL in Location");
  return url;
}

} // namespace net
