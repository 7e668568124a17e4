// links: net sys
// Any bytes on a connection of the server, with the client's end closed behind them: an answer or none, and no more.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "net/http_server.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"

namespace {

struct Serving {
  Serving() : directory(*sys::TempDir::create()), path(directory.path("s")) {
    const auto echo = [](const net::Request& request, const net::Responder& responder) {
      responder.send({.headers = {{"X-Address", request.remote_address}}, .body = request.body + request.path});
    };
    const auto admit = [](const net::Request& request) {
      net::Admission out;
      out.max_body = 100;
      if (request.query_value("no") == "1") out.refusal = net::Response{.status = 403};
      return out;
    };
    server.route("POST", "/spool/:a", {.max_body = 1000, .spool = true, .admit = admit}, echo);
    server.route("*", "/*", {.max_body = 1000}, echo);
    if (!server.listen("unix:" + path)) std::abort();
    server.start();
  }
  sys::TempDir directory;
  std::string path;
  net::HttpServer server{{.threads = 1, .slow_threads = 1, .trusted_proxies = *net::TrustedProxies::parse("unix")}};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static Serving* serving = new Serving; // never ended: its threads outlive main
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, serving->path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  if (size > 0 && ::send(fd.get(), data, size, MSG_NOSIGNAL) < 0) return 0;
  ::shutdown(fd.get(), SHUT_WR);
  auto answer = sys::read_to_end(fd.get(), 10 << 20);
  if (answer && !answer->empty() && !answer->starts_with("HTTP/1.1 ")) std::abort();
  return 0;
}
