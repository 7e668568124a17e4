#include "ci/tree.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "base/strings.hpp"

namespace ci {
namespace {
using yaml::Node;

// extends: parents first, later parents over earlier ones, the job over all.
class Extends {
 public:
  Extends(Node& root, Problems& problems) : root_(root), problems_(problems) {
    for (std::size_t i = 0; i < root.entries().size(); ++i)
      if (root.entries()[i].key.is_string()) index_[root.entries()[i].key.text()] = i;
    done_.resize(root.entries().size());
  }

  void run() {
    for (std::size_t i = 0; i < root_.entries().size() && !problems_.failed(); ++i) resolve(i);
  }

 private:
  static constexpr std::size_t kMaxNesting = 10;

  Node& node(std::size_t index) { return root_.entries()[index].value; }
  const std::string& name(std::size_t index) { return root_.entries()[index].key.text(); }

  void fail(std::size_t index, const std::string& what) {
    const Node* at = node(index).find("extends");
    problems_.error(at != nullptr ? at->mark() : node(index).mark(), fmt::format("{}: {}", name(index), what));
  }

  void resolve(std::size_t index) {
    const Node* extends = node(index).find("extends");
    if (done_[index] || extends == nullptr || problems_.failed()) return;
    if (std::find(path_.begin(), path_.end(), index) != path_.end())
      return fail(index, "circular dependency detected in `extends`");
    if (path_.size() > kMaxNesting) return fail(index, "nesting too deep in `extends`");
    auto parents = parents_of(index, *extends);
    if (problems_.failed()) return;
    path_.push_back(index);
    for (std::size_t parent : parents) resolve(parent);
    path_.pop_back();
    if (problems_.failed()) return;
    Node merged = Node::mapping(node(index).mark());
    for (std::size_t parent : parents) {
      Node copy = node(parent);
      copy.erase("extends");
      deep_merge(merged, std::move(copy));
    }
    Node own = std::move(node(index));
    own.erase("extends");
    deep_merge(merged, std::move(own));
    total_ += weight(merged);
    node(index) = std::move(merged);
    if (total_ > kMaxWeight) return fail(index, "the configuration becomes too big by `extends`");
    done_[index] = true;
  }

  std::vector<std::size_t> parents_of(std::size_t index, const Node& extends) {
    std::vector<std::string> names;
    if (extends.is_string()) names.push_back(extends.text());
    for (const Node& item : extends.items()) {
      if (!item.is_string()) break;
      names.push_back(item.text());
    }
    if (names.empty() || (extends.is_sequence() && names.size() != extends.size()) || extends.is_reference()) {
      fail(index, "extends should be an array of strings or a string");
      return {};
    }
    std::vector<std::size_t> parents;
    std::vector<std::string> unknown;
    std::vector<std::string> invalid;
    for (const std::string& parent : names) {
      auto found = index_.find(parent);
      if (found == index_.end()) {
        unknown.push_back(parent);
      } else if (!node(found->second).is_mapping()) {
        invalid.push_back(parent);
      } else {
        parents.push_back(found->second);
      }
    }
    if (!unknown.empty()) {
      fail(index, fmt::format("unknown keys in `extends` ({})", base::join(unknown, ", ")));
    } else if (!invalid.empty()) {
      fail(index, fmt::format("invalid base hashes in `extends` ({})", base::join(invalid, ", ")));
    }
    return parents;
  }

  Node& root_;
  Problems& problems_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<bool> done_;
  std::vector<std::size_t> path_;
  std::size_t total_ = 0;
};

// !reference: each is replaced by a copy of what it names, whose own references are resolved too.
class References {
 public:
  References(Node& root, Problems& problems) : source_(root), root_(root), problems_(problems) {}
  void run() { walk(root_, 0); }

 private:
  static constexpr int kMaxDepth = 150;

  void fail(const Node& reference, std::string_view what) {
    problems_.error(reference.mark(), fmt::format("{} {}", shown(reference), what));
  }
  static std::string shown(const Node& reference) {
    std::vector<std::string> parts;
    for (const Node& part : reference.items()) parts.push_back("\"" + part.text() + "\"");
    return "!reference [" + base::join(parts, ", ") + "]";
  }

  void walk(Node& node, int depth) {
    if (problems_.failed()) return;
    if (depth > kMaxDepth) return problems_.error(node.mark(), "The parsed YAML is too big");
    if (node.is_reference()) return replace(node, depth);
    for (Node& item : node.items()) walk(item, depth + 1);
    for (yaml::Entry& entry : node.entries()) walk(entry.value, depth + 1);
  }

  void replace(Node& node, int depth) {
    for (const Node& part : node.items())
      if (!part.is_scalar()) return fail(node, "is not valid");
    if (node.items().empty()) return fail(node, "is not valid");
    std::string name = shown(node);
    if (std::find(chain_.begin(), chain_.end(), name) != chain_.end()) return fail(node, "is part of a circular chain");
    const Node* target = &source_;
    for (const Node& part : node.items()) target = target == nullptr ? nullptr : target->find(part.text());
    if (target == nullptr || target->is_null()) return fail(node, "could not be found");
    total_ += weight(*target);
    if (total_ > kMaxWeight) return fail(node, "makes the configuration too big");
    chain_.push_back(name);
    Node copy = *target;
    walk(copy, depth + 1);
    chain_.pop_back();
    node = std::move(copy);
  }

  Node source_; // as it was: what is already resolved must not be looked at
  Node& root_;
  Problems& problems_;
  std::vector<std::string> chain_;
  std::size_t total_ = 0;
};
} // namespace

void deep_merge(Node& base, Node top) {
  if (!base.is_mapping() || !top.is_mapping()) {
    base = std::move(top);
    return;
  }
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < base.entries().size(); ++i)
    if (base.entries()[i].key.is_string()) index[base.entries()[i].key.text()] = i;
  for (yaml::Entry& entry : top.entries()) {
    auto found = entry.key.is_string() ? index.find(entry.key.text()) : index.end();
    if (!entry.key.is_string()) {
      base.set(std::move(entry.key), std::move(entry.value));
    } else if (found == index.end()) {
      index[entry.key.text()] = base.entries().size();
      base.entries().push_back(std::move(entry));
    } else {
      yaml::Entry& below = base.entries()[found->second];
      below.key.set_mark(entry.key.mark());
      deep_merge(below.value, std::move(entry.value));
    }
  }
  base.set_mark(top.mark());
}

std::size_t weight(const Node& node) {
  std::size_t total = sizeof(Node) + node.text().size();
  for (const Node& item : node.items()) total += weight(item);
  for (const yaml::Entry& entry : node.entries()) total += weight(entry.key) + weight(entry.value);
  return total;
}

void resolve_extends(Node& root, Problems& problems) { Extends(root, problems).run(); }
void resolve_references(Node& root, Problems& problems) { References(root, problems).run(); }

} // namespace ci
