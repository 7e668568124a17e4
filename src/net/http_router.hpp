// Router: finds the route of a request by method and path.
//
// Internal to net, used on the server's I/O thread; filled before the server runs. Literal segments win over `:x`,
// `:x` over "*"; when a more special path lacks the method, a more general one with it is taken.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.hpp"

namespace net {

struct Route {
  RouteOptions options;
  Handler handler;
};

struct RouteMatch {
  const Route* route = nullptr; // nullptr: none
  bool other_methods = false;   // without a route: the path has others (405)
  std::vector<std::string> path_params;
};

class Router {
 public:
  void add(std::string_view method, std::string_view pattern, Route route);
  RouteMatch find(std::string_view method, std::string_view path) const;

 private:
  using Methods = std::map<std::string, Route, std::less<>>;
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    Methods here;
    Methods rest; // pattern ends with "*"
  };
  struct Search {
    std::string_view method;
    std::vector<std::string_view> segments;
    std::vector<std::string> params;
    bool other_methods = false;
  };
  static const Route* pick(const Methods& methods, Search& search);
  static const Route* descend(const Node& node, std::size_t depth, Search& search);

  Node root_;
};

} // namespace net
