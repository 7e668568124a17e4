// HttpClient: blocking HTTP/1.1 client over libcurl, with kept-alive connections.
//
// One thread uses a client at a time. Any answer with a status is a success; kUnavailable: no answer (resolving,
// connecting, TLS, a broken connection), kTimeout, kCanceled, kLimit (body over max_body), kInvalidInput (the URL, or
// another scheme than http and https). Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY and their
// lower-case forms), loopback addresses never use one. libcurl is opened when the first request is sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/headers.hpp"
#include "sys/cancel.hpp"

namespace net {

// Files in PEM; empty: none. They are read again when they changed.
struct TlsOptions {
  std::string ca_file;   // trusted besides the system's; a file that is not there is ignored, as upstream
  std::string cert_file; // client certificate, with its key
  std::string key_file;
  // Not the certificate's name is checked against the host, nor its issuer. For tests and explicit wishes only.
  bool insecure_skip_verify = false;

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

// A request body that is produced while it is sent.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Fills `buffer` with at most `size` bytes; 0: the end. An error ends the request with it. May block.
  virtual base::Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  // Known length: sent as Content-Length; nullopt: chunked.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }
};

// A part of a file (size 0 and offset 0: all of it, as it is now).
std::unique_ptr<BodySource> make_file_source(const std::string& path, std::uint64_t offset = 0,
                                             std::optional<std::uint64_t> size = std::nullopt);

struct HttpResponse {
  int status = 0;
  std::string reason;
  Headers headers;
  std::string body;
  std::string effective_url; // after redirects
  // With HttpRequest::want_certificates over https: the server's chain as PEM, leaf first.
  std::vector<std::string> certificates;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Instead of `body`; called anew for each redirect that sends the body again.
  std::function<std::unique_ptr<BodySource>()> body_factory;
  std::chrono::milliseconds connect_timeout{30'000};
  // Longest wait for the answer's header once the request is sent, and longest silence on the connection.
  std::chrono::milliseconds response_timeout{600'000};
  std::chrono::milliseconds total_timeout{3'600'000};
  bool follow_redirects = true; // at most 10; 307 and 308 keep method and body, 301 to 303 become GET
  std::size_t max_body = 64u << 20;
  // The answer's body in pieces instead of HttpResponse::body, for 2xx answers only; false stops (kCanceled).
  std::function<bool(std::string_view)> on_body;
  // The answer's header before its body (of the last answer when redirected).
  std::function<void(const HttpResponse&)> on_headers;
  std::string unix_socket; // connect there instead of to the URL's host
  bool want_certificates = false;
  bool decompress = false; // ask for gzip and decode it; never together with a Range header
};

class HttpClient {
 public:
  explicit HttpClient(TlsOptions tls = {});
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Fields named Authorization, Cookie, *-Token and X-Amz-* are not sent to another host that a redirect leads to.
  base::Result<HttpResponse> send(const HttpRequest& request, const sys::CancelToken* cancel = nullptr);
  void close_idle(); // drops the kept-alive connections

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 32 hex digits, new for each call: upstream's X-Request-Id.
std::string make_request_id();

} // namespace net
