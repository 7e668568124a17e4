#include "net/async_client.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "net/certificate_watch.hpp"
#include "net/transfer.hpp"

namespace net {

struct AsyncHttpClient::Impl {
  using Clock = std::chrono::steady_clock;

  struct Submission {
    Id id = 0;
    HttpRequest request;
    TlsOptions tls;
    Callback callback;
  };
  struct Active {
    std::unique_ptr<Transfer> transfer;
    Callback callback;
  };

  struct Orders {
    std::deque<Submission> submitted;
    std::vector<Id> canceled;
    std::optional<Clock::time_point> drop_before;
    bool stop = false;
  };

  // Shared with the callers.
  std::mutex mutex;
  std::deque<Submission> submitted;
  std::vector<Id> canceled;
  std::optional<Clock::time_point> drop_before; // connections older than this are not used again
  Id last_id = 0;
  bool stopping = false;
  CURLM* multi = nullptr; // set once, before the thread starts
  const CurlApi* api = nullptr;
  std::jthread thread;

  // The thread's own.
  std::map<Id, Active> active;
  CertificateWatch certificates;
  SocketRegistry sockets;

  ~Impl();
  base::Status open();
  void run();
  Orders take_orders();
  void begin(Submission submission, std::optional<Clock::time_point> max_age_from);
  void finish(Id id, base::Result<HttpResponse> result);
  void completed(CURL* easy, CURLcode code);
  void expire();
  int next_wait() const;
};

AsyncHttpClient::Impl::~Impl() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
    if (multi != nullptr) api->multi_wakeup(multi);
  }
  if (thread.joinable()) thread.join();
  if (multi != nullptr) api->multi_cleanup(multi);
}

base::Status AsyncHttpClient::Impl::open() { // with the mutex held
  if (multi != nullptr) return {};
  api = FR_TRY(curl_api());
  multi = api->multi_init();
  if (multi == nullptr) return base::fail(base::ErrorKind::kSystem, "libcurl: out of memory");
  api->multi_setopt(multi, CURLMOPT_MAXCONNECTS, 100L); // idle ones that are kept, as upstream
  thread = std::jthread([this] { run(); });
  return {};
}

AsyncHttpClient::Impl::Orders AsyncHttpClient::Impl::take_orders() {
  std::lock_guard lock(mutex);
  return {.submitted = std::exchange(submitted, {}),
          .canceled = std::exchange(canceled, {}),
          .drop_before = drop_before,
          .stop = stopping};
}

void AsyncHttpClient::Impl::run() {
  while (true) {
    Orders orders = take_orders();
    for (auto& submission : orders.submitted) begin(std::move(submission), orders.drop_before);
    int running = 0;
    api->multi_perform(multi, &running);
    int left = 0;
    while (CURLMsg* message = api->multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) completed(message->easy_handle, message->data.result);
    // After what has completed: an answer that is there wins over the wish to cancel.
    for (Id id : orders.canceled) finish(id, base::fail(base::ErrorKind::kCanceled, "the request was canceled"));
    if (orders.stop) {
      while (!active.empty())
        finish(active.begin()->first, base::fail(base::ErrorKind::kCanceled, "the HTTP client stops"));
      return;
    }
    expire();
    api->multi_poll(multi, nullptr, 0, next_wait(), nullptr);
  }
}

void AsyncHttpClient::Impl::begin(Submission submission, std::optional<Clock::time_point> max_age_from) {
  ConnectionPolicy policy{.fresh = certificates.changed(submission.tls)};
  if (max_age_from)
    policy.max_age = std::max(std::chrono::seconds(1),
                              std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - *max_age_from));
  auto transfer =
      std::make_unique<Transfer>(*api, sockets, std::move(submission.request), std::move(submission.tls), policy);
  if (auto ready = transfer->prepare(); !ready) {
    submission.callback(base::fail(ready.error()));
    return;
  }
  if (api->multi_add_handle(multi, transfer->handle()) != CURLM_OK) {
    submission.callback(base::fail(base::ErrorKind::kInternal, "libcurl refuses the request"));
    return;
  }
  active.emplace(submission.id, Active{std::move(transfer), std::move(submission.callback)});
}

void AsyncHttpClient::Impl::finish(Id id, base::Result<HttpResponse> result) {
  auto entry = active.find(id);
  if (entry == active.end()) return;
  Active done = std::move(entry->second);
  active.erase(entry);
  api->multi_remove_handle(multi, done.transfer->handle());
  done.transfer.reset(); // the body source is released before its owner hears of the end
  done.callback(std::move(result));
}

void AsyncHttpClient::Impl::completed(CURL* easy, CURLcode code) {
  auto entry =
      std::find_if(active.begin(), active.end(), [&](auto& item) { return item.second.transfer->handle() == easy; });
  if (entry == active.end()) return;
  Transfer& transfer = *entry->second.transfer;
  api->multi_remove_handle(multi, easy);
  auto result = transfer.leg_done(code);
  if (result) {
    finish(entry->first, std::move(*result));
  } else if (api->multi_add_handle(multi, easy) != CURLM_OK) {
    finish(entry->first, base::fail(base::ErrorKind::kInternal, "libcurl refuses the redirected request"));
  }
}

void AsyncHttpClient::Impl::expire() {
  auto now = Clock::now();
  std::vector<std::pair<Id, base::Error>> expired;
  for (const auto& [id, item] : active)
    if (now >= item.transfer->deadline()) expired.emplace_back(id, item.transfer->timeout_error());
  for (auto& [id, error] : expired) finish(id, base::fail(std::move(error)));
}

int AsyncHttpClient::Impl::next_wait() const {
  auto next = Clock::now() + std::chrono::seconds(60);
  for (const auto& [id, item] : active) next = std::min(next, item.transfer->deadline());
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  return static_cast<int>(std::max<long>(0, wait.count()));
}

AsyncHttpClient::AsyncHttpClient() : impl_(std::make_unique<Impl>()) {}
AsyncHttpClient::~AsyncHttpClient() = default;

AsyncHttpClient::Id AsyncHttpClient::send(HttpRequest request, TlsOptions tls, Callback callback) {
  std::unique_lock lock(impl_->mutex);
  if (auto opened = impl_->open(); !opened) {
    lock.unlock();
    callback(base::fail(opened.error()));
    return 0;
  }
  Id id = ++impl_->last_id;
  impl_->submitted.push_back({id, std::move(request), std::move(tls), std::move(callback)});
  impl_->api->multi_wakeup(impl_->multi);
  return id;
}

void AsyncHttpClient::cancel(Id id) {
  std::lock_guard lock(impl_->mutex);
  if (impl_->multi == nullptr) return;
  impl_->canceled.push_back(id);
  impl_->api->multi_wakeup(impl_->multi);
}

void AsyncHttpClient::close_idle() {
  std::lock_guard lock(impl_->mutex);
  impl_->drop_before = Impl::Clock::now();
}

} // namespace net
