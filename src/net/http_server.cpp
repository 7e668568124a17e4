#include "net/http_server.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "net/http_connection.hpp"

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

Response default_fallback(const Request&, int status) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = status == 405 ? R"({"error":"405 Not Allowed"})" : R"({"error":"404 Not Found"})"};
}

Response default_error_page(int status) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = fmt::format(R"({{"message":"{} {}"}})", status, reason_phrase(status))};
}

std::string address_of(const tcp::socket& socket) {
  error_code error;
  auto endpoint = socket.remote_endpoint(error);
  if (error) return {};
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}
std::string address_of(const stream_protocol::socket&) { return {}; }

void prepare_socket(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
}
void prepare_socket(stream_protocol::socket&) {}

// Accepts for ever; waits a little when the process is out of descriptors.
template <class Acceptor>
class Listener : public std::enable_shared_from_this<Listener<Acceptor>> {
 public:
  Listener(std::shared_ptr<ServerCore> core, Acceptor acceptor)
      : core_(std::move(core)), acceptor_(std::move(acceptor)), timer_(*core_->loop) {}
  void accept() {
    acceptor_.async_accept([self = this->shared_from_this()](error_code error, auto socket) {
      if (self->core_->stopping) return;
      if (error) return self->pause(error);
      self->take(std::move(socket));
      self->accept();
    });
  }

 private:
  template <class Socket>
  void take(Socket socket) {
    if (core_->connections.size() >= core_->options.max_connections && !core_->make_room()) return;
    prepare_socket(socket);
    auto address = address_of(socket);
    auto connection = std::make_shared<Connection>(core_, Connection::Socket(std::move(socket)), std::move(address));
    core_->connections.insert(connection);
    connection->start();
  }
  void pause(error_code error) {
    base::log::warning("accepting a connection failed: " + error.message());
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([self = this->shared_from_this()](error_code ended) {
      if (!ended) self->accept();
    });
  }

  std::shared_ptr<ServerCore> core_;
  Acceptor acceptor_;
  asio::steady_timer timer_;
};

constexpr rlim_t kOtherFiles = 200; // databases, logs, spooled bodies, pipes to git
constexpr rlim_t kFewestConnections = 50;

// How many connections there is room for, at most `wanted`.
base::Result<std::size_t> room_for(std::size_t wanted) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < wanted + kOtherFiles) {
    files.rlim_cur = std::min<rlim_t>(wanted + kOtherFiles, files.rlim_max);
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
  }
  if (files.rlim_cur >= wanted + kOtherFiles) return wanted;
  if (files.rlim_cur < kOtherFiles + kFewestConnections)
    return base::fail(base::ErrorKind::kLimit,
                      fmt::format("this process may open {} files only, a server needs {} at the least: raise the hard "
                                  "limit (ulimit -Hn, LimitNOFILE=)",
                                  files.rlim_cur, kOtherFiles + kFewestConnections));
  std::size_t room = files.rlim_cur - kOtherFiles;
  base::log::warning(
      fmt::format("this process may open {} files: at most {} connections instead of {} (ulimit -Hn, "
                  "LimitNOFILE=)",
                  files.rlim_cur, room, wanted));
  return room;
}

struct TcpAddress {
  std::string host;
  std::string port;
};

base::Result<TcpAddress> split_address(std::string_view address) {
  auto colon = address.rfind(':');
  if (colon == std::string_view::npos)
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("listen address \"{}\" has no port (expected host:port)", address));
  std::string host(address.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return TcpAddress{.host = host, .port = std::string(address.substr(colon + 1))};
}

} // namespace

struct HttpServer::Impl {
  std::shared_ptr<ServerCore> core;
  std::optional<asio::steady_timer> sweeper;
  std::jthread thread;
  std::string unix_path;

  explicit Impl(ServerOptions options) : core(std::make_shared<ServerCore>(std::move(options))), sweeper(*core->loop) {}

  void sweep_later();
  base::Result<int> listen_tcp(std::string_view address);
  base::Result<int> listen_unix(const std::string& path);
};

void HttpServer::Impl::sweep_later() {
  const auto& options = core->options;
  auto shortest = std::min({options.header_timeout, options.idle_timeout, options.body_timeout});
  sweeper->expires_after(std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1000)));
  sweeper->async_wait([this](error_code ended) {
    if (ended) return;
    auto now = Connection::Clock::now();
    std::vector<std::shared_ptr<Connection>> all(core->connections.begin(), core->connections.end());
    for (const auto& connection : all) connection->sweep(now);
    sweep_later();
  });
}

base::Result<int> HttpServer::Impl::listen_tcp(std::string_view address) {
  auto [host, port] = FR_TRY(split_address(address));
  error_code error;
  tcp::resolver resolver(*core->loop);
  auto found = resolver.resolve(host, port, tcp::resolver::passive | tcp::resolver::address_configured, error);
  if (error || found.empty())
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("cannot listen on {}: {}", address, error ? error.message() : "no such address"));
  // Of an empty host's two addresses the IPv6 one serves both families.
  tcp::endpoint endpoint = found.begin()->endpoint();
  if (host.empty())
    for (const auto& entry : found)
      if (entry.endpoint().address().is_v6()) endpoint = entry.endpoint();
  tcp::acceptor acceptor(*core->loop);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6() && host.empty()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error)
    return base::fail(error == asio::error::address_in_use ? base::ErrorKind::kConflict : base::ErrorKind::kSystem,
                      fmt::format("cannot listen on {}: {}", address, error.message()));
  int bound = acceptor.local_endpoint(error).port();
  std::make_shared<Listener<tcp::acceptor>>(core, std::move(acceptor))->accept();
  return bound;
}

base::Result<int> HttpServer::Impl::listen_unix(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
  error_code error;
  if (path.size() > 100) return base::fail(base::ErrorKind::kInvalidInput, "socket path is too long: " + path);
  stream_protocol::acceptor acceptor(*core->loop);
  acceptor.open(stream_protocol(), error);
  if (!error) acceptor.bind(stream_protocol::endpoint(path), error);
  if (!error) acceptor.listen(1024, error);
  if (error) return base::fail(base::ErrorKind::kSystem, fmt::format("cannot listen on {}: {}", path, error.message()));
  unix_path = path;
  std::make_shared<Listener<stream_protocol::acceptor>>(core, std::move(acceptor))->accept();
  return 0;
}

HttpServer::HttpServer(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  std::size_t threads = impl_->core->options.threads;
  if (threads == 0) threads = std::max<std::size_t>(4, 2 * std::thread::hardware_concurrency());
  impl_->core->pool = std::make_unique<sys::ThreadPool>(threads, 10'000);
  impl_->core->slow_pool = std::make_unique<sys::ThreadPool>(impl_->core->options.slow_threads, 10'000);
  impl_->core->fallback = default_fallback;
  impl_->core->error_page = default_error_page;
}

HttpServer::~HttpServer() {
  stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  // Never run: the pools and the sockets still have to go.
  impl_->core->stop_pools();
  impl_->core->connections.clear();
  impl_->sweeper.reset();
  impl_->core->destroy_loop();
  if (!impl_->unix_path.empty()) unlink(impl_->unix_path.c_str());
}

void HttpServer::route(std::string_view method, std::string_view pattern, RouteOptions options, Handler handler) {
  impl_->core->router.add(method, pattern, {.options = options, .handler = std::move(handler)});
}

void HttpServer::set_fallback(std::function<Response(const Request&, int)> fallback) {
  impl_->core->fallback = std::move(fallback);
}

void HttpServer::set_error_page(std::function<Response(int)> page) { impl_->core->error_page = std::move(page); }

base::Result<int> HttpServer::listen(std::string_view address) {
  auto& most = impl_->core->options.max_connections;
  most = FR_TRY(room_for(most));
  if (address.starts_with("unix:")) return impl_->listen_unix(std::string(address.substr(5)));
  return impl_->listen_tcp(address);
}

void HttpServer::run() {
  auto core = impl_->core;
  auto work = asio::make_work_guard(*core->loop);
  impl_->sweep_later();
  core->loop->run();
  // Running handlers finish; what they answer reaches nobody any more.
  core->stop_pools();
  core->connections.clear();
}

void HttpServer::start() {
  impl_->thread = std::jthread([this] { run(); });
}

std::function<bool(std::function<void()>)> HttpServer::slow_runner() {
  return [weak = std::weak_ptr(impl_->core)](std::function<void()> work) {
    auto core = weak.lock();
    return core != nullptr && core->slow_pool->try_submit(std::move(work));
  };
}

void HttpServer::stop() {
  auto core = impl_->core;
  if (core->stopping.exchange(true)) return;
  core->post([core] {
    std::vector<std::shared_ptr<Connection>> all(core->connections.begin(), core->connections.end());
    for (const auto& connection : all) connection->close();
    core->loop->stop();
  });
}

std::string_view Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

} // namespace net
