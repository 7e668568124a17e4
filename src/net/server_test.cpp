// The server against clients that mean no good: floods, bodies that never end, requests that may not be made.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <latch>

#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace net {
namespace {

using namespace std::chrono_literals;

class ServerUnderAttack : public testing::Test {
 protected:
  HttpServer& serve(ServerOptions options) {
    server_ = std::make_unique<HttpServer>(std::move(options));
    return *server_;
  }
  void run() {
    auto bound = server_->listen("127.0.0.1:0");
    ASSERT_TRUE(bound) << bound.error().message();
    port_ = *bound;
    server_->start();
  }
  // From 127.0.0.<host>.
  sys::Fd connect(std::uint32_t host = 1) const {
    sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7f000000 + host);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // False when the server has closed the connection.
  static bool send(const sys::Fd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
      auto sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  static std::string rest(const sys::Fd& fd) { return sys::read_to_end(fd.get(), 10 << 20).value_or(""); }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

 private:
  std::unique_ptr<HttpServer> server_;
  int port_ = 0;
};

void answer_ok(const Request&, const Responder& responder) { responder.send({.body = "ok"}); }

TEST_F(ServerUnderAttack, AFloodMakesRoomForOthersOutOfItself) {
  serve({.max_connections = 20}).route("GET", "/", {}, answer_ok);
  run();
  std::vector<sys::Fd> flood;
  for (int i = 0; i < 19; ++i) {
    flood.push_back(connect(2));
    send(flood.back(), "GET / HTTP/1.1\r\nHo");
  }
  sys::Fd patient = connect(3);
  send(patient, "GET / HT");
  for (int i = 0; i < 5; ++i) {
    sys::Fd other = connect(4);
    send(other, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(rest(other).ends_with("ok")) << i;
  }
  // Who is alone at his address was not closed for that.
  send(patient, "TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(rest(patient).ends_with("ok"));
}

TEST_F(ServerUnderAttack, SlowHandlersHoldUpNobodyElse) {
  std::latch go(1);
  auto& server = serve({.threads = 1, .slow_threads = 2});
  const auto slow = [](const Request& request) { return request.path.starts_with("/git"); };
  server.route("GET", "/*", {.slow = slow}, [&](const Request& request, const Responder& responder) {
    if (slow(request)) go.wait();
    responder.send({.body = "ok"});
  });
  run();
  std::vector<std::future<int>> waiting;
  for (int i = 0; i < 5; ++i)
    waiting.push_back(std::async(std::launch::async, [&] {
      auto answer = HttpClient().send({.url = url("/git")});
      return answer ? answer->status : 0;
    }));
  for (int i = 0; i < 5; ++i) {
    auto answer = HttpClient().send({.url = url("/quick"), .total_timeout = 30s});
    ASSERT_TRUE(answer) << answer.error().message();
  }
  go.count_down();
  for (auto& one : waiting) EXPECT_EQ(one.get(), 200);
}

class Admissions : public ServerUnderAttack {
 protected:
  void SetUp() override {
    auto directory = sys::TempDir::create();
    ASSERT_TRUE(directory);
    spool = std::make_unique<sys::TempDir>(std::move(*directory));
    auto& server = serve({.spool_dir = spool->path()});
    const auto admit = [](const Request& request) {
      Admission out;
      EXPECT_TRUE(request.body.empty() && request.body_file.empty());
      if (request.header("Token") != "right") out.refusal = Response{.status = 403, .body = "no"};
      out.max_body = 1000;
      return out;
    };
    server.route("POST", "/spool", {.max_body = 1 << 20, .spool = true, .admit = admit},
                 [](auto request, auto responder) { responder.send({.body = std::to_string(request.body_size)}); });
    run();
  }
  std::string post(const std::string& head, const std::string& body) {
    auto fd = connect();
    send(fd, "POST /spool HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + "\r\n\r\n" + body);
    return rest(fd);
  }
  std::unique_ptr<sys::TempDir> spool;
};

TEST_F(Admissions, ARefusedBodyIsNeverKept) {
  auto fd = connect();
  send(fd, "POST /spool HTTP/1.1\r\nHost: x\r\nToken: wrong\r\nContent-Length: 1000000\r\n\r\nsome");
  char first[13] = {};
  ASSERT_EQ(::recv(fd.get(), first, 12, MSG_WAITALL), 12);
  EXPECT_STREQ(first, "HTTP/1.1 403"); // without a byte more of the body
  EXPECT_TRUE(sys::list_directory(spool->path())->empty());
  // And nobody is told to go on.
  EXPECT_TRUE(post("Token: wrong\r\nExpect: 100-continue\r\nContent-Length: 10", "").starts_with("HTTP/1.1 403"));
}

TEST_F(Admissions, TheSmallerLimitCounts) {
  EXPECT_TRUE(post("Token: right\r\nContent-Length: 1000", std::string(1000, 'a')).ends_with("1000"));
  EXPECT_TRUE(post("Token: right\r\nContent-Length: 1001", "").starts_with("HTTP/1.1 413"));
  // What was not announced is cut while it comes.
  const auto chunk = "200\r\n" + std::string(0x200, 'a') + "\r\n";
  EXPECT_TRUE(post("Token: right\r\nTransfer-Encoding: chunked", chunk + "0\r\n\r\n").ends_with("512"));
  EXPECT_TRUE(post("Token: right\r\nTransfer-Encoding: chunked", chunk + chunk).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(sys::list_directory(spool->path())->empty());
}

TEST_F(Admissions, WithoutABodyToo) { EXPECT_TRUE(post("Token: right\r\nContent-Length: 0", "").ends_with("0")); }

TEST_F(ServerUnderAttack, AFullDiskIsNotFilledFurther) {
  auto& server = serve({.min_free_disk = std::uint64_t{1} << 60});
  server.route("POST", "/spool", {.spool = true}, answer_ok);
  run();
  auto answer = HttpClient().send({.method = "POST", .url = url("/spool"), .body = "x"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
}

TEST_F(ServerUnderAttack, UnfinishedBodiesTogetherHaveALimit) {
  auto& server = serve({.max_buffered = 1 << 20});
  server.route("POST", "/", {.max_body = 2 << 20}, answer_ok);
  run();
  std::vector<sys::Fd> lazy;
  for (int i = 0; i < 30; ++i) {
    lazy.push_back(connect(2));
    send(lazy.back(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n" + std::string(100'000, 'a'));
  }
  // The oldest were given up; who sends all of his body in time is heard.
  auto answer = HttpClient().send({.method = "POST", .url = url("/"), .body = std::string(500'000, 'b')});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(HttpClient().send({.method = "POST", .url = url("/"), .body = std::string(1'500'000, 'b')})->status, 503);
  EXPECT_EQ(HttpClient().send({.method = "POST", .url = url("/"), .body = std::string(1'000'000, 'b')})->status, 200);
}

TEST_F(ServerUnderAttack, ALineThatNeverEndsIsCutOff) {
  serve({}).route("POST", "/", {}, answer_ok);
  run();
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto* beginning : {"5;x=", "5\r\nhello\r\n0\r\nTrailer: "}) {
    auto fd = connect();
    send(fd, head + beginning);
    // No answer would come, were it all taken in.
    EXPECT_TRUE(send(fd, std::string(2 << 20, 'a')));
    char first[13] = {};
    ASSERT_EQ(::recv(fd.get(), first, 12, MSG_WAITALL), 12);
    EXPECT_STREQ(first, "HTTP/1.1 400") << beginning;
  }
}

TEST_F(ServerUnderAttack, WhoAsksBehindProxies) {
  auto& server = serve({.trusted_proxies = *TrustedProxies::parse("127.0.0.2")});
  server.route("GET", "/", {}, [](const Request& request, const Responder& responder) {
    responder.send({.body = request.remote_address + (request.https ? " https" : " http")});
  });
  run();
  const auto ask = [&](std::uint32_t host) {
    auto fd = connect(host);
    send(fd,
         "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 10.1.1.1, 203.0.113.9\r\n"
         "X-Forwarded-Proto: https\r\n\r\n");
    auto answer = rest(fd);
    return answer.substr(answer.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(ask(1), "127.0.0.1 http");
  EXPECT_EQ(ask(2), "203.0.113.9 https");
}

} // namespace
} // namespace net
