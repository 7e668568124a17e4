#include "net/socket_registry.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace net {
namespace {

int local_port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

} // namespace

curl_socket_t SocketRegistry::open(void* registry, curlsocktype, curl_sockaddr* address) {
  int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket < 0) return CURL_SOCKET_BAD;
  static_cast<SocketRegistry*>(registry)->sockets_.insert(socket);
  return socket;
}

int SocketRegistry::close(void* registry, curl_socket_t socket) {
  auto& self = *static_cast<SocketRegistry*>(registry);
  self.sockets_.erase(socket);
  std::erase_if(self.by_port_, [&](const auto& entry) { return entry.second == socket; });
  return ::close(socket);
}

void SocketRegistry::acknowledge(int local_port) {
  if (local_port == 0) return;
  auto found = by_port_.find(local_port);
  if (found == by_port_.end()) {
    by_port_.clear();
    for (int socket : sockets_) by_port_[local_port_of(socket)] = socket;
    found = by_port_.find(local_port);
    if (found == by_port_.end()) return;
  }
  int on = 1;
  setsockopt(found->second, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

} // namespace net
