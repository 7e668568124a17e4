// SocketRegistry: the sockets a client has open, so that the start of an answer can be acknowledged at once.
//
// Many small servers write header and body in two pieces with Nagle's algorithm on: the second piece waits for our
// acknowledgement of the first, which the kernel delays by 40 ms. Internal to net; belongs to one client and its
// thread, and outlives its multi handle.
#pragma once

#include <map>
#include <set>

#include "net/curl_library.hpp"

namespace net {

class SocketRegistry {
 public:
  // For CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION, with the registry as their data.
  static curl_socket_t open(void* registry, curlsocktype purpose, curl_sockaddr* address);
  static int close(void* registry, curl_socket_t socket);

  // The connection is named by its local port, which is what libcurl tells of it.
  void acknowledge(int local_port);

 private:
  std::set<int> sockets_;
  std::map<int, int> by_port_;
};

} // namespace net
