// AsyncHttpClient: many requests at a time on one thread of its own (libcurl's multi interface).
//
// send() and cancel() are thread-safe. Callbacks run on the client's thread, in order of completion, and must be short;
// each request's callback is called exactly once. Body sources, on_body and on_headers run there as well. The thread
// starts with the first request. The same errors as HttpClient.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace net {

class AsyncHttpClient {
 public:
  using Callback = std::function<void(base::Result<HttpResponse>)>;
  using Id = std::uint64_t;

  AsyncHttpClient();
  AsyncHttpClient(const AsyncHttpClient&) = delete;
  AsyncHttpClient& operator=(const AsyncHttpClient&) = delete;
  ~AsyncHttpClient(); // cancels everything; the callbacks have run when it returns

  // When libcurl cannot be opened the callback is called before send() returns.
  Id send(HttpRequest request, TlsOptions tls, Callback callback);
  Id send(HttpRequest request, Callback callback) { return send(std::move(request), {}, std::move(callback)); }
  // Ends the request with kCanceled, unless its answer is already there (then the callback gets that).
  void cancel(Id id);
  void close_idle();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace net
