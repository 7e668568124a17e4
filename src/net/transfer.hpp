// Transfer: one request as a libcurl easy handle, with its redirects, limits and error texts; what the blocking and
// the asynchronous client have in common.
//
// Internal to net. Used by the thread that drives the multi handle. After each completed leg call leg_done(): it either
// gives the result or has prepared the handle for the next leg of a redirect.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "net/curl_library.hpp"
#include "net/http_client.hpp"
#include "net/socket_registry.hpp"
#include "net/url.hpp"

namespace net {

struct ConnectionPolicy {
  bool fresh = false;              // certificates changed: no kept-alive connection
  std::chrono::seconds max_age{0}; // of a kept-alive connection; 0: any
};

class Transfer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Transfer(const CurlApi& api, SocketRegistry& sockets, HttpRequest request, TlsOptions tls, ConnectionPolicy policy);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer();

  // Checks the request and prepares the first leg.
  base::Status prepare();
  CURL* handle() const { return easy_; }
  // nullopt: the handle is ready for another leg. Only after the handle was taken from its multi handle.
  std::optional<base::Result<HttpResponse>> leg_done(CURLcode code);

  const TlsOptions& tls() const { return tls_; }
  // When the transfer has to be given up if nothing moves; and its error then.
  TimePoint deadline() const;
  base::Error timeout_error() const;

 private:
  base::Status prepare_leg();
  void apply_method();
  void apply_headers();
  void apply_tls();
  std::optional<std::string> redirect_target() const;
  void enter_redirect(Url target);
  base::Error error_for(CURLcode code) const;
  std::vector<std::string> certificates() const;
  bool is_success() const { return response_.status / 100 == 2; }
  void touch() { last_activity_ = std::chrono::steady_clock::now(); }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  void header_line(std::string_view line);
  void header_complete();

  template <class T>
  void set(CURLoption option, T value) {
    api_.easy_setopt(easy_, option, value);
  }

  const CurlApi& api_;
  SocketRegistry& sockets_;
  HttpRequest request_;
  TlsOptions tls_;
  ConnectionPolicy policy_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  char error_text_[CURL_ERROR_SIZE] = {};

  Url url_;
  std::unique_ptr<BodySource> source_;
  bool body_allowed_ = true;
  bool cross_host_ = false;
  int redirects_ = 0;
  HttpResponse response_;
  std::optional<base::Error> callback_error_;
  TimePoint started_;
  TimePoint last_activity_;
};

} // namespace net
