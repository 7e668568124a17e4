#include <fmt/format.h>

#include <cmath>

#include "yaml/yaml.hpp"

namespace yaml {
namespace {
// Ruby's Float#to_s: shortest digits that read back, at least one decimal, exponent from 1e16 and below 1e-4.
std::string ruby_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  std::string scientific(32, '\0');
  auto end =
      std::to_chars(scientific.data(), scientific.data() + scientific.size(), value, std::chars_format::scientific);
  scientific.resize(static_cast<std::size_t>(end.ptr - scientific.data()));
  std::size_t e = scientific.find('e');
  int exponent = std::atoi(scientific.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) {
    std::string mantissa = scientific.substr(0, e);
    if (mantissa.find('.') == std::string::npos) mantissa += ".0";
    return fmt::format("{}e{}{:02}", mantissa, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  std::string fixed(64, '\0');
  end = std::to_chars(fixed.data(), fixed.data() + fixed.size(), value, std::chars_format::fixed);
  fixed.resize(static_cast<std::size_t>(end.ptr - fixed.data()));
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}
} // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "boolean";
    case Kind::kInteger:
      return "integer";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "string";
    case Kind::kSequence:
      return "array";
    case Kind::kMapping:
      return "hash";
    case Kind::kReference:
      return "!reference";
  }
  return "unknown";
}

Node Node::string(std::string text, Mark mark) {
  Node node;
  node.kind_ = Kind::kString;
  node.text_ = std::move(text);
  node.mark_ = mark;
  return node;
}

Node Node::integer(std::int64_t value, Mark mark) {
  Node node;
  node.kind_ = Kind::kInteger;
  node.integer_ = value;
  node.float_ = static_cast<double>(value);
  node.text_ = std::to_string(value);
  node.mark_ = mark;
  return node;
}

Node Node::floating(double value, Mark mark) {
  Node node;
  node.kind_ = Kind::kFloat;
  node.float_ = value;
  node.text_ = ruby_float(value);
  node.mark_ = mark;
  return node;
}

Node Node::boolean(bool value, Mark mark) {
  Node node;
  node.kind_ = Kind::kBool;
  node.integer_ = value ? 1 : 0;
  node.text_ = value ? "true" : "false";
  node.mark_ = mark;
  return node;
}

Node Node::sequence(std::vector<Node> items, Mark mark) {
  Node node;
  node.kind_ = Kind::kSequence;
  node.items_ = std::move(items);
  node.mark_ = mark;
  return node;
}

Node Node::mapping(Mark mark) {
  Node node;
  node.kind_ = Kind::kMapping;
  node.mark_ = mark;
  return node;
}

Node Node::reference(std::vector<Node> path, Mark mark) {
  Node node = sequence(std::move(path), mark);
  node.kind_ = Kind::kReference;
  return node;
}

std::size_t Node::size() const { return is_mapping() ? entries_.size() : items_.size(); }

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries_)
    if (entry.key.is_string() && entry.key.text_ == key) return &entry.value;
  return nullptr;
}

Node* Node::find(std::string_view key) { return const_cast<Node*>(std::as_const(*this).find(key)); }

void Node::set(Node key, Node value) {
  for (Entry& entry : entries_) {
    if (entry.key == key) {
      entry.value = std::move(value);
      return;
    }
  }
  entries_.push_back({std::move(key), std::move(value)});
}

void Node::set(std::string_view key, Node value) { set(string(std::string(key), value.mark()), std::move(value)); }

void Node::erase(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key.is_string() && entry.key.text_ == key; });
}

bool operator==(const Node& a, const Node& b) {
  if (a.kind_ != b.kind_ || a.text_ != b.text_ || a.items_ != b.items_) return false;
  if (a.entries_.size() != b.entries_.size()) return false;
  for (std::size_t i = 0; i < a.entries_.size(); ++i)
    if (!(a.entries_[i].key == b.entries_[i].key) || !(a.entries_[i].value == b.entries_[i].value)) return false;
  return true;
}

} // namespace yaml
