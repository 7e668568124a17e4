// HttpServer: HTTP/1.1 server with routes (Boost.Beast inside): one I/O thread, handlers on a pool.
//
// route() and set_fallback() before run(). A handler runs on a pool thread, may block, and answers through its
// Responder, at once or later (long polling). Bodies of answers that are files or streams are read on pool threads.
// What a handler throws becomes a 500.
#pragma once

#include <sys/types.h>

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
#include "net/address.hpp"
#include "net/headers.hpp"

namespace net {

struct Request {
  std::string method;
  std::string target;                                     // as sent
  std::string path;                                       // the target's path, as sent (not decoded)
  std::string query_string;                               // without '?'
  std::vector<std::pair<std::string, std::string>> query; // decoded
  Headers headers;
  std::string remote_address; // IP address; the client's, where a trusted proxy tells it
  bool https = false;         // a trusted proxy says so
  std::string body;
  // A spooling route: the body is in this file, which is removed when the last Responder of the request is gone (move
  // it away to keep it).
  std::string body_file;
  std::uint64_t body_size = 0;
  std::vector<std::string> path_params; // decoded, in the pattern's order; "*" gives the rest of the path

  std::string_view header(std::string_view name) const { return headers.get(name); }
  // The first query parameter of that name; "" when there is none.
  std::string_view query_value(std::string_view name) const;
};

struct FileBody {
  std::string path;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length; // nullopt: to the end of the file
};

// A body that is produced while it is sent. Used by one pool thread at a time, released there.
class StreamBody {
 public:
  virtual ~StreamBody() = default;
  // When it is known before: the answer then has a Content-Length, and a stream of another length cuts the connection.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }
  // Like read(2): bytes, 0 at the end, -1 on an error (which cuts the connection). May block.
  virtual ssize_t read(char* buffer, std::size_t size) = 0;
  // The client went away while read() may be blocking: make it return. From another thread.
  virtual void cancel() {}
};

struct Response {
  int status = 200;
  Headers headers; // Content-Length and Transfer-Encoding are set by the server
  std::string body;
  std::optional<FileBody> file;       // instead of `body`
  std::shared_ptr<StreamBody> stream; // instead of both, sent chunked unless its length is known
};

class Responder {
 public:
  struct State;
  Responder() = default;
  explicit Responder(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void send(Response response) const; // the first one wins
  bool sent() const;
  // The client closed its connection (or the server stops): nobody reads an answer. What is not sent needs no send().
  bool disconnected() const;
  // Called once, on the I/O thread, when the client goes away before an answer; at once if it has. Must be short.
  void on_disconnect(std::function<void()> callback) const;

 private:
  std::shared_ptr<State> state_;
};

using Handler = std::function<void(Request, Responder)>;

// What a request's head decides before its body is taken in.
struct Admission {
  std::optional<Response> refusal;     // answered at once; the body is not read
  std::optional<std::size_t> max_body; // less than the route's
};

struct RouteOptions {
  std::size_t max_body = 1u << 20; // 413 above
  bool spool = false;              // the body goes to a temporary file
  // Asked on a pool thread, with an empty body, before anything of the body is kept. Must not answer itself.
  std::function<Admission(const Request&)> admit = {};
  // Handlers and streams that may take long (git, other people's stores, hashing) have threads of their own, so that
  // they hold up nobody but each other. Asked on the I/O thread; must be quick.
  std::function<bool(const Request&)> slow = {};
};

struct ServerOptions {
  std::size_t threads = 0;       // of the handler pool; 0: twice the number of processors, at least 4
  std::size_t slow_threads = 16; // of the pool for slow routes
  std::string spool_dir;         // empty: the system's directory for temporary files
  std::chrono::milliseconds header_timeout{30'000};
  std::chrono::milliseconds idle_timeout{90'000};  // of a kept-alive connection
  std::chrono::milliseconds body_timeout{120'000}; // longest silence while a body is received or an answer is sent
  std::size_t min_body_rate = 512;         // bytes a second on the whole, beyond the first body_timeout: no drips
  std::size_t max_connections = 10'000;    // fewer where the process may not open so many files
  std::size_t max_buffered = 256u << 20;   // bytes of unspooled bodies in memory, of all requests together
  std::uint64_t min_free_disk = 64u << 20; // spooled bodies leave so much
  TrustedProxies trusted_proxies;
  std::string server_name; // the Server field; empty: none
};

class HttpServer {
 public:
  explicit HttpServer(ServerOptions options = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer(); // stop()

  // Pattern "/api/v4/projects/:id/jobs/:job": `:x` matches one segment as sent (a percent-encoded '/' stays inside)
  // and gives it decoded; a last "*" matches the rest, also nothing. Literal segments win over `:x`, `:x` over "*".
  // Method "*": any. GET routes answer HEAD too.
  void route(std::string_view method, std::string_view pattern, RouteOptions options, Handler handler);
  // Requests without a route; `status` is 404, or 405 when the path has other methods. The default answers
  // {"error":"404 Not Found"} and {"error":"405 Not Allowed"}.
  void set_fallback(std::function<Response(const Request&, int status)> fallback);
  // The answer to what never reaches a handler: 400, 408, 413, 417, 431, 500, 503. The default is GitLab's
  // {"message":"413 Request Entity Too Large"}.
  void set_error_page(std::function<Response(int status)> page);

  // Raises the process's limit of open files to what max_connections needs; kLimit when nearly none are allowed.
  // "127.0.0.1:0", "[::1]:80", ":8080", "unix:/path". The port in use (0 for a unix socket). May be called again for
  // a further address.
  base::Result<int> listen(std::string_view address);
  void run();   // serves on the calling thread until stop(); again after it is an error of the caller
  void start(); // run() on a thread of its own
  void stop();  // from any thread; open connections are closed, running handlers finish
  // Runs work among the slow handlers; false when there is no room. May outlive the server, and says false then.
  std::function<bool(std::function<void()>)> slow_runner();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace net
