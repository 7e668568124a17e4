#include "net/http_router.hpp"

#include "base/strings.hpp"

namespace net {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (true) {
    auto slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

} // namespace

void Router::add(std::string_view method, std::string_view pattern, Route route) {
  Node* node = &root_;
  for (auto segment : segments_of(pattern)) {
    if (segment == "*") {
      node->rest.insert_or_assign(std::string(method), std::move(route));
      return;
    }
    auto& child = segment.starts_with(':') ? node->parameter : node->literals[std::string(segment)];
    if (child == nullptr) child = std::make_unique<Node>();
    node = child.get();
  }
  node->here.insert_or_assign(std::string(method), std::move(route));
}

const Route* Router::pick(const Methods& methods, Search& search) {
  if (methods.empty()) return nullptr;
  auto found = methods.find(search.method);
  if (found == methods.end() && search.method == "HEAD") found = methods.find("GET");
  if (found == methods.end()) found = methods.find("*");
  if (found != methods.end()) return &found->second;
  search.other_methods = true;
  return nullptr;
}

const Route* Router::descend(const Node& node, std::size_t depth, Search& search) {
  if (depth == search.segments.size()) {
    if (const Route* route = pick(node.here, search)) return route;
  } else {
    auto segment = search.segments[depth];
    std::string decoded = base::percent_decode(segment);
    auto literal = node.literals.find(segment);
    if (literal == node.literals.end()) literal = node.literals.find(decoded);
    if (literal != node.literals.end())
      if (const Route* route = descend(*literal->second, depth + 1, search)) return route;
    if (node.parameter != nullptr && !segment.empty()) {
      search.params.push_back(decoded);
      if (const Route* route = descend(*node.parameter, depth + 1, search)) return route;
      search.params.pop_back();
    }
  }
  const Route* route = pick(node.rest, search);
  if (route == nullptr) return nullptr;
  std::string rest;
  for (std::size_t i = depth; i < search.segments.size(); ++i) {
    if (i > depth) rest += '/';
    rest += base::percent_decode(search.segments[i]);
  }
  search.params.push_back(std::move(rest));
  return route;
}

RouteMatch Router::find(std::string_view method, std::string_view path) const {
  Search search{.method = method, .segments = segments_of(path)};
  const Route* route = descend(root_, 0, search);
  return {.route = route,
          .other_methods = route == nullptr && search.other_methods,
          .path_params = route != nullptr ? std::move(search.params) : std::vector<std::string>()};
}

} // namespace net
