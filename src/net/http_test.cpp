// Clients and server against each other on the loopback.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <latch>

#include "base/strings.hpp"
#include "net/async_client.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace net {
namespace {

using namespace std::chrono_literals;

class Http : public testing::Test {
 protected:
  void serve(ServerOptions options = {}) {
    if (server == nullptr) server = std::make_unique<HttpServer>(options);
  }
  void run() {
    auto bound = server->listen("127.0.0.1:0");
    ASSERT_TRUE(bound) << bound.error().message();
    port = *bound;
    server->start();
  }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port) + path; }
  // What a raw connection gets for these bytes, until the server closes it.
  std::string raw(const std::string& bytes) const {
    sys::Fd fd = connect();
    EXPECT_TRUE(sys::write_all(fd.get(), bytes));
    return sys::read_to_end(fd.get(), 10 << 20).value_or("");
  }
  sys::Fd connect() const {
    sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void echo(const std::string& method, const std::string& path, RouteOptions options = {}) {
    server->route(method, path, options, [](Request request, Responder responder) {
      Response response;
      response.headers.add("X-Method", request.method);
      response.headers.add("X-Size", std::to_string(request.body_size));
      response.headers.add("X-Token", request.header("Private-Token"));
      response.headers.add("X-Type", request.header("Content-Type"));
      response.body = request.body;
      responder.send(std::move(response));
    });
  }

  std::unique_ptr<HttpServer> server = std::make_unique<HttpServer>();
  int port = 0;
};

TEST_F(Http, RequestAndAnswer) {
  server->route("POST", "/api/v4/projects/:id/jobs/:job", {}, [](Request request, Responder responder) {
    Response response{.status = 201, .headers = {{"Content-Type", "application/json"}}};
    response.body = request.path_params[0] + "|" + request.path_params[1] + "|" +
                    std::string(request.query_value("q")) + "|" + request.body + "|" + request.remote_address;
    responder.send(std::move(response));
  });
  run();
  HttpClient client;
  auto response = client.send(
      {.method = "POST", .url = url("/api/v4/projects/a%2Fb/jobs/7?q=x+y"), .headers = {{"X", "y"}}, .body = "hello"});
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->reason, "Created");
  EXPECT_EQ(response->headers.get("content-type"), "application/json");
  EXPECT_EQ(response->body, "a/b|7|x y|hello|127.0.0.1");
}

TEST_F(Http, RoutesBySpecificity) {
  auto name = [&](const char* method, const char* pattern) {
    server->route(method, pattern, {}, [pattern](Request request, Responder responder) {
      responder.send(
          {.body = std::string(pattern) + (request.path_params.empty() ? "" : "|" + request.path_params.back())});
    });
  };
  name("GET", "/a/:x");
  name("GET", "/a/fixed");
  name("GET", "/a/*");
  name("POST", "/a/:x/b");
  name("*", "/any/*");
  run();
  HttpClient client;
  auto get = [&](const char* path, const char* method = "GET") {
    return client.send({.method = method, .url = url(path)}).value();
  };
  EXPECT_EQ(get("/a/fixed").body, "/a/fixed");
  EXPECT_EQ(get("/a/1").body, "/a/:x|1");
  EXPECT_EQ(get("/a/1/2%203").body, "/a/*|1/2 3");
  EXPECT_EQ(get("/any/p/q", "PROPFIND").body, "/any/*|p/q");
  EXPECT_EQ(get("/a/1/b").body, "/a/*|1/b");
  EXPECT_EQ(get("/a/1", "DELETE").status, 405);
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/nothing").body, R"({"error":"404 Not Found"})");
  auto head = get("/a/fixed", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("Content-Length"), "8");
  EXPECT_EQ(head.body, "");
}

TEST_F(Http, KeepsConnectionsAlive) {
  server->route("GET", "/", {}, [&](Request, Responder responder) { responder.send({.body = "x"}); });
  run();
  sys::Fd fd = connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(sys::write_all(fd.get(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    std::string answer;
    char buffer[4096];
    while (!answer.ends_with("\r\n\r\nx")) {
      auto got = sys::read_some(fd.get(), buffer, sizeof buffer);
      ASSERT_TRUE(got && *got > 0);
      answer.append(buffer, *got);
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  }
  // Two requests in one packet are answered in order; the second closes.
  auto both = raw("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(base::split(both, 'x').size(), 3u) << both;
}

class Pieces final : public BodySource {
 public:
  explicit Pieces(std::size_t total) : left_(total) {}
  base::Result<std::size_t> read(char* buffer, std::size_t size) override {
    size = std::min({size, left_, std::size_t(1000)});
    std::fill_n(buffer, size, 'p');
    left_ -= size;
    return size;
  }

 private:
  std::size_t left_;
};

TEST_F(Http, ChunkedUploadToASpoolFile) {
  std::string kept;
  server->route("POST", "/upload", {.max_body = 10 << 20, .spool = true}, [&](Request request, Responder responder) {
    kept = request.body_file;
    auto content = sys::read_file(request.body_file).value_or("");
    responder.send({.body = std::to_string(request.body_size) + "," + std::to_string(content.size()) + "," +
                            std::string(request.header("Transfer-Encoding"))});
  });
  run();
  HttpClient client;
  auto response = client.send(
      {.method = "POST", .url = url("/upload"), .body_factory = [] { return std::make_unique<Pieces>(3'000'000); }});
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "3000000,3000000,chunked");
  server->stop();
  server.reset();
  EXPECT_FALSE(sys::exists(kept));
}

TEST_F(Http, TooLargeIs413) {
  echo("POST", "/small", {.max_body = 1000});
  run();
  HttpClient client;
  auto announced = client.send({.method = "POST", .url = url("/small"), .body = std::string(5'000'000, 'x')});
  ASSERT_TRUE(announced) << announced.error().message();
  EXPECT_EQ(announced->status, 413);
  auto chunked = client.send(
      {.method = "POST", .url = url("/small"), .body_factory = [] { return std::make_unique<Pieces>(100'000); }});
  ASSERT_TRUE(chunked) << chunked.error().message();
  EXPECT_EQ(chunked->status, 413);
  EXPECT_EQ(client.send({.method = "POST", .url = url("/small"), .body = std::string(1000, 'x')})->status, 200);
}

TEST_F(Http, ExpectContinue) {
  echo("POST", "/", {.max_body = 1000});
  run();
  auto answer =
      raw("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")) << answer;
  auto refused = raw("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 413")) << refused;
  HttpClient client;
  auto sent = client.send({.method = "POST", .url = url("/"), .headers = {{"Expect", "100-continue"}}, .body = "12"});
  EXPECT_EQ(sent->body, "12");
}

TEST_F(Http, BadRequestsAndSlowOnes) {
  server = std::make_unique<HttpServer>(
      ServerOptions{.header_timeout = 100ms, .idle_timeout = 100ms, .body_timeout = 100ms});
  echo("POST", "/");
  run();
  EXPECT_TRUE(raw("NONSENSE\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(raw("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  EXPECT_EQ(raw("GET / HTT"), "");                                                 // slow header
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12"), ""); // slow body
  EXPECT_EQ(raw(""), "");                                                          // idle
}

// A client that always sends something, but never enough.
TEST_F(Http, DripsAreCutOff) {
  server = std::make_unique<HttpServer>(
      ServerOptions{.header_timeout = 200ms, .idle_timeout = 200ms, .body_timeout = 200ms, .min_body_rate = 100'000});
  echo("POST", "/");
  run();
  auto drip = [&](const std::string& begin) {
    sys::Fd fd = connect();
    EXPECT_TRUE(sys::write_all(fd.get(), begin));
    auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
      if (::send(fd.get(), "x", 1, MSG_NOSIGNAL) < 0) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  };
  EXPECT_TRUE(drip("POST / HTTP/1.1\r\nX: "));
  EXPECT_TRUE(drip("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"));
  EXPECT_EQ(HttpClient().send({.method = "POST", .url = url("/"), .body = "12"})->body, "12");
}

TEST_F(Http, NoMoreConnectionsThanAllowed) {
  server = std::make_unique<HttpServer>(ServerOptions{.max_connections = 3});
  echo("GET", "/");
  std::latch arrived(3);
  std::mutex mutex;
  std::vector<Responder> waiting;
  server->route("GET", "/hold", {}, [&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    waiting.push_back(responder);
    arrived.count_down();
  });
  run();
  std::vector<sys::Fd> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(connect());
    EXPECT_TRUE(sys::write_all(held.back().get(), "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  arrived.wait(); // they are in work, and are not closed for others
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "");
  held.pop_back();
  auto end = std::chrono::steady_clock::now() + 20s;
  std::string answer;
  while (answer.empty() && std::chrono::steady_clock::now() < end)
    answer = raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200"));
}

TEST(HttpLimits, OpenFiles) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto listen_with = [](rlim_t soft, rlim_t hard) {
    rlimit files{.rlim_cur = soft, .rlim_max = hard};
    setrlimit(RLIMIT_NOFILE, &files);
    HttpServer server(ServerOptions{.max_connections = 300});
    auto bound = server.listen("127.0.0.1:0");
    getrlimit(RLIMIT_NOFILE, &files);
    std::fprintf(stderr, "%s; %d\n", bound ? "listens" : bound.error().message().c_str(),
                 static_cast<int>(files.rlim_cur));
    std::exit(bound ? 0 : 1);
  };
  EXPECT_EXIT(listen_with(100, 600), testing::ExitedWithCode(0), "listens; 500");
  EXPECT_EXIT(listen_with(100, 400), testing::ExitedWithCode(0), "at most 200 connections instead of 300");
  EXPECT_EXIT(listen_with(100, 100), testing::ExitedWithCode(1), "this process may open 100 files only");
}

TEST_F(Http, FileBodiesAndRanges) {
  auto directory = sys::TempDir::create();
  std::string content;
  for (int i = 0; i < 200'000; ++i) content += std::to_string(i) + "\n";
  ASSERT_TRUE(sys::write_file(directory->path("f"), content));
  server->route("GET", "/all", {}, [&](Request, Responder responder) {
    responder.send({.file = FileBody{.path = directory->path("f")}});
  });
  server->route("GET", "/part", {}, [&](Request, Responder responder) {
    responder.send({.status = 206, .file = FileBody{.path = directory->path("f"), .offset = 10, .length = 20}});
  });
  server->route("GET", "/gone", {}, [&](Request, Responder responder) {
    responder.send({.file = FileBody{.path = directory->path("none")}});
  });
  run();
  HttpClient client;
  EXPECT_EQ(client.send({.url = url("/all")})->body, content);
  EXPECT_EQ(client.send({.url = url("/part")})->body, content.substr(10, 20));
  EXPECT_EQ(client.send({.url = url("/gone")})->status, 500);
  EXPECT_EQ(client.send({.method = "HEAD", .url = url("/all")})->headers.get("Content-Length"),
            std::to_string(content.size()));
  EXPECT_EQ(client.send({.url = url("/all"), .max_body = 1000}).error().kind(), base::ErrorKind::kLimit);
  std::size_t streamed = 0;
  auto response = client.send({.url = url("/all"), .max_body = 1000, .on_body = [&](std::string_view piece) {
                                 streamed += piece.size();
                                 return true;
                               }});
  EXPECT_EQ(streamed, content.size());
  EXPECT_EQ(response->body, "");
}

class Counter final : public StreamBody {
 public:
  ssize_t read(char* buffer, std::size_t size) override {
    if (++calls_ > 5) return 0;
    std::fill_n(buffer, std::min<std::size_t>(size, 1000), 's');
    return 1000;
  }

 private:
  int calls_ = 0;
};

TEST_F(Http, StreamedAnswer) {
  server->route("GET", "/", {},
                [](Request, Responder responder) { responder.send({.stream = std::make_shared<Counter>()}); });
  run();
  HttpClient client;
  auto response = client.send({.url = url("/")});
  EXPECT_EQ(response->body.size(), 5000u);
  EXPECT_EQ(response->headers.get("Transfer-Encoding"), "chunked");
  EXPECT_EQ(client.send({.url = url("/")})->body.size(), 5000u);
}

TEST_F(Http, RedirectsKeepMethodAndDropCredentials) {
  echo("PUT", "/target");
  echo("GET", "/target");
  for (int status : {302, 307, 308})
    server->route("PUT", "/from" + std::to_string(status), {}, [status](Request, Responder responder) {
      responder.send({.status = status, .headers = {{"Location", "/target"}}, .body = "moved"});
    });
  server->route("GET", "/loop", {}, [](Request, Responder responder) {
    responder.send({.status = 302, .headers = {{"Location", "/loop"}}});
  });
  HttpServer other;
  other.route("GET", "/target", {}, [](Request request, Responder responder) {
    responder.send(
        {.body = std::string(request.header("Private-Token")) + "|" + std::string(request.header("X-Keep"))});
  });
  int other_port = other.listen("127.0.0.1:0").value();
  other.start();
  server->route("GET", "/away", {}, [other_port](Request, Responder responder) {
    responder.send(
        {.status = 302, .headers = {{"Location", "http://127.0.0.1:" + std::to_string(other_port) + "/target"}}});
  });
  run();
  HttpClient client;
  auto put = [&](const char* path, bool streamed) {
    HttpRequest request{
        .method = "PUT", .url = url(path), .headers = {{"Private-Token", "secret"}, {"Content-Type", "text/plain"}}};
    if (streamed)
      request.body_factory = [] { return std::make_unique<Pieces>(2500); };
    else
      request.body = std::string(2500, 'p');
    return client.send(request).value();
  };
  for (bool streamed : {false, true}) {
    auto temporary = put("/from307", streamed);
    EXPECT_EQ(temporary.headers.get("X-Method"), "PUT");
    EXPECT_EQ(temporary.body.size(), 2500u);
    EXPECT_EQ(temporary.headers.get("X-Token"), "secret");
    EXPECT_EQ(temporary.effective_url, url("/target"));
    EXPECT_EQ(put("/from308", streamed).body.size(), 2500u);
    auto found = put("/from302", streamed);
    EXPECT_EQ(found.headers.get("X-Method"), "GET");
    EXPECT_EQ(found.headers.get("X-Type"), "");
  }
  auto away = client.send({.url = url("/away"), .headers = {{"Private-Token", "secret"}, {"X-Keep", "yes"}}});
  EXPECT_EQ(away->body, "|yes");
  EXPECT_FALSE(client.send({.url = url("/loop")}));
  EXPECT_EQ(client.send({.url = url("/away"), .follow_redirects = false})->status, 302);
}

TEST_F(Http, ErrorsHaveKinds) {
  run();
  HttpClient client;
  EXPECT_EQ(client.send({.url = "ftp://x/"}).error().message(), "only http or https scheme supported");
  EXPECT_EQ(client.send({.url = "gitlab"}).error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_EQ(client.send({.url = url("/"), .headers = {{"A", "b\r\nC: d"}}}).error().kind(),
            base::ErrorKind::kInvalidInput);
  int closed = port;
  server.reset();
  auto refused = client.send({.url = "http://127.0.0.1:" + std::to_string(closed) + "/?token=secret"});
  EXPECT_EQ(refused.error().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(refused.error().message().find("secret"), std::string::npos);
}

TEST_F(Http, LongHeldResponderAndDisconnect) {
  std::promise<Responder> held;
  std::promise<void> gone;
  server->route("GET", "/held", {}, [&](Request, Responder responder) {
    responder.on_disconnect([&] { gone.set_value(); });
    held.set_value(responder);
  });
  server->route("GET", "/dropped", {}, [](Request, Responder) {});
  server->route("GET", "/throws", {}, [](Request, Responder) { throw std::runtime_error("no"); });
  run();
  HttpClient client;
  EXPECT_EQ(client.send({.url = url("/dropped")})->status, 500);
  EXPECT_EQ(client.send({.url = url("/throws")})->status, 500);

  sys::CancelSource cancel;
  auto token = cancel.token();
  auto waiting = std::async(std::launch::async, [&] { return HttpClient().send({.url = url("/held")}, &token); });
  Responder responder = held.get_future().get();
  EXPECT_FALSE(responder.disconnected());
  cancel.raise(sys::CancelReason::kCanceled, "enough");
  auto result = waiting.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), base::ErrorKind::kCanceled);
  gone.get_future().get();
  EXPECT_TRUE(responder.disconnected());
  responder.send({.body = "late"});
}

TEST_F(Http, TwoHundredLongPolls) {
  std::mutex mutex;
  std::vector<Responder> held;
  std::latch all(200);
  server->route("POST", "/poll", {}, [&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    held.push_back(responder);
    all.count_down();
  });
  run();
  AsyncHttpClient client;
  std::latch answered(200);
  std::atomic<int> good = 0;
  for (int i = 0; i < 200; ++i)
    client.send({.method = "POST", .url = url("/poll"), .body = "{}"}, [&](base::Result<HttpResponse> result) {
      if (result && result->body == "job") ++good;
      answered.count_down();
    });
  all.wait();
  for (const auto& responder : held) responder.send({.body = "job"});
  answered.wait();
  EXPECT_EQ(good, 200);
}

TEST_F(Http, AsyncCancelTimeoutAndReuse) {
  std::promise<void> arrived;
  Responder kept;
  server->route("GET", "/hold", {}, [&](Request, Responder responder) {
    kept = responder;
    arrived.set_value();
  });
  server->route("GET", "/stuck", {}, [](Request, Responder responder) {
    static Responder for_ever;
    for_ever = responder;
  });
  echo("POST", "/echo");
  run();
  AsyncHttpClient client;
  auto ask = [&](HttpRequest request) {
    auto result = std::make_shared<std::promise<base::Result<HttpResponse>>>();
    auto id =
        client.send(std::move(request), [result](base::Result<HttpResponse> r) { result->set_value(std::move(r)); });
    return std::pair(id, result->get_future());
  };
  auto [id, held] = ask({.url = url("/hold")});
  arrived.get_future().get();
  client.cancel(id);
  EXPECT_EQ(held.get().error().kind(), base::ErrorKind::kCanceled);
  EXPECT_EQ(ask({.url = url("/stuck"), .response_timeout = 50ms}).second.get().error().kind(),
            base::ErrorKind::kTimeout);
  EXPECT_EQ(ask({.url = url("/stuck"), .total_timeout = 50ms}).second.get().error().kind(), base::ErrorKind::kTimeout);
  client.close_idle();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(ask({.method = "POST", .url = url("/echo"), .body = std::string(100'000, 'b')}).second.get()->body.size(),
              100'000u);
  EXPECT_FALSE(ask({.url = "nonsense"}).second.get());
}

TEST_F(Http, StopWithOpenConnections) {
  std::latch arrived(1);
  Responder kept;
  server->route("GET", "/hold", {}, [&](Request, Responder responder) {
    kept = responder;
    arrived.count_down();
  });
  run();
  auto waiting = std::async(std::launch::async, [&] { return HttpClient().send({.url = url("/hold")}); });
  arrived.wait();
  sys::Fd idle = connect();
  server->stop();
  EXPECT_FALSE(waiting.get());
  server.reset();
  kept.send({.body = "late"}); // after the server is gone
}

TEST_F(Http, UnixSocket) {
  auto directory = sys::TempDir::create();
  server->route("GET", "/version", {}, [](Request, Responder responder) { responder.send({.body = "v"}); });
  ASSERT_TRUE(server->listen("unix:" + directory->path("s")));
  server->start();
  HttpClient client;
  EXPECT_EQ(client.send({.url = "http://docker/version", .unix_socket = directory->path("s")})->body, "v");
}

TEST_F(Http, AnswersCannotInjectFields) {
  server->route("GET", "/", {},
                [](Request, Responder responder) { responder.send({.headers = {{"X-A", "1\r\nX-Evil: 2"}}}); });
  run();
  auto response = HttpClient().send({.url = url("/")});
  EXPECT_FALSE(response->headers.contains("X-Evil"));
}

} // namespace
} // namespace net
