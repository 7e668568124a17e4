// Transport: REST calls of the runner contract: headers, correlation id, retries with the server's own waits.
//
// One for the manager, on the loop's thread; callbacks come on the loop's thread, exactly once per call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/secret.hpp"
#include "gitlab/wire.hpp"
#include "manager/loop.hpp"
#include "net/async_client.hpp"

namespace manager {

struct Endpoint {
  std::string url; // of the server, as configured
  net::TlsOptions tls;
};

struct Call {
  std::string method;
  std::string path;         // below /api/v4/, with its query
  std::string token_header; // Runner-Token, Job-Token
  base::Secret token;
  std::string content_type;
  std::string content_range;
  std::string body;
  // Instead of `body`: a part of a file (a log's patch).
  std::string body_file;
  std::uint64_t body_offset = 0;
  std::uint64_t body_size = 0;
  bool accept_json = false;
  bool want_certificates = false;
};

struct Outcome {
  gitlab::Answer answer; // status 0: no answer
  std::string error;     // then, why
  std::string correlation_id;
  bool retried = false;      // some answer asked for another try
  bool client_error = false; // bad configuration (upstream's status -100): no network was touched
  std::vector<std::string> certificates;
};

class Transport {
 public:
  using Id = std::uint64_t;
  using Callback = std::function<void(Outcome)>;

  explicit Transport(Loop& loop) : loop_(loop) {}
  ~Transport();

  Id send(const Endpoint& endpoint, Call call, Callback callback);
  // The callback comes with an error, or with the answer when that is already there.
  void cancel(Id id);
  // Kept-alive connections are not used for longer than this; 0: no limit (`connection_max_age`).
  void set_connection_max_age(std::chrono::nanoseconds age) { max_age_ = age; }

 private:
  struct Pending {
    net::HttpRequest request;
    net::TlsOptions tls;
    Callback callback;
    Outcome outcome;
    int attempt = 0;
    std::optional<net::AsyncHttpClient::Id> http;
    std::optional<Loop::TimerId> timer;
    bool canceled = false;
  };
  void attempt(Id id);
  void finished(Id id, base::Result<net::HttpResponse> result);
  void complete(Id id);

  Loop& loop_;
  std::unordered_map<Id, Pending> pending_;
  Id next_ = 1;
  std::chrono::nanoseconds max_age_{0};
  Clock::time_point swept_ = Clock::now();
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true); // looked at on the loop's thread only
  net::AsyncHttpClient client_;                                // last: its thread ends first
};

} // namespace manager
