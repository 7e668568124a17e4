#include "net/http_client.hpp"

#include "base/hash.hpp"
#include "net/certificate_watch.hpp"
#include "net/transfer.hpp"

namespace net {

struct HttpClient::Impl {
  TlsOptions tls;
  CertificateWatch certificates;
  SocketRegistry sockets;
  const CurlApi* api = nullptr;
  CURLM* multi = nullptr;

  ~Impl() { close(); }
  void close() {
    if (multi != nullptr) api->multi_cleanup(std::exchange(multi, nullptr));
  }
  base::Status open();
  base::Result<CURLcode> run_leg(Transfer& transfer, const sys::CancelToken* cancel);
};

base::Status HttpClient::Impl::open() {
  if (multi != nullptr) return {};
  api = FR_TRY(curl_api());
  multi = api->multi_init();
  if (multi == nullptr) return base::fail(base::ErrorKind::kSystem, "libcurl: out of memory");
  return {};
}

base::Result<CURLcode> HttpClient::Impl::run_leg(Transfer& transfer, const sys::CancelToken* cancel) {
  if (api->multi_add_handle(multi, transfer.handle()) != CURLM_OK)
    return base::fail(base::ErrorKind::kInternal, "libcurl refuses the request");
  struct Remover {
    Impl& impl;
    Transfer& transfer;
    ~Remover() { impl.api->multi_remove_handle(impl.multi, transfer.handle()); }
  } remover{*this, transfer};

  while (true) {
    int running = 0;
    api->multi_perform(multi, &running);
    int left = 0;
    while (CURLMsg* message = api->multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) return message->data.result;
    if (cancel != nullptr && cancel->raised()) return base::fail(cancel->error());
    auto now = std::chrono::steady_clock::now();
    if (now >= transfer.deadline()) return base::fail(transfer.timeout_error());
    auto wait = std::chrono::ceil<std::chrono::milliseconds>(transfer.deadline() - now);
    curl_waitfd extra{.fd = cancel != nullptr ? cancel->fd() : -1, .events = CURL_WAIT_POLLIN, .revents = 0};
    api->multi_poll(multi, &extra, extra.fd >= 0 ? 1 : 0, static_cast<int>(std::min<long>(wait.count(), 60'000)),
                    nullptr);
  }
}

HttpClient::HttpClient(TlsOptions tls) : impl_(std::make_unique<Impl>()) { impl_->tls = std::move(tls); }
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

base::Result<HttpResponse> HttpClient::send(const HttpRequest& request, const sys::CancelToken* cancel) {
  if (cancel != nullptr && cancel->raised()) return base::fail(cancel->error());
  FR_CHECK(impl_->open());
  Transfer transfer(*impl_->api, impl_->sockets, request, impl_->tls,
                    {.fresh = impl_->certificates.changed(impl_->tls)});
  FR_CHECK(transfer.prepare());
  while (true) {
    CURLcode code = FR_TRY(impl_->run_leg(transfer, cancel));
    if (auto result = transfer.leg_done(code)) return std::move(*result);
  }
}

void HttpClient::close_idle() { impl_->close(); }

std::string make_request_id() { return base::random_request_id(); }

} // namespace net
