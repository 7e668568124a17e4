#include <fmt/format.h>

#include "yaml/yaml.hpp"

namespace yaml {
namespace {
// Plain where that reads back as the same string, double-quoted otherwise.
bool plain_is_safe(std::string_view text) {
  if (text.empty() || !resolve_plain_scalar(text).is_string() || resolve_plain_scalar(text).changed_by_resolution())
    return false;
  std::string_view rejected;
  resolve_plain_scalar(text, {}, &rejected);
  if (!rejected.empty() || text == "<<" || text == "---" || text == "...") return false;
  for (char c : text) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' ||
              c == '.' || c == '-' || c == '$' || c == ' ' || c == '+' || c == '=' || c == '(' || c == ')';
    if (!ok) return false;
  }
  return text.front() != ' ' && text.back() != ' ' && text.front() != '-' && text.front() != '=';
}

std::string scalar_text(std::string_view text) {
  if (plain_is_safe(text)) return std::string(text);
  std::string out = "\"";
  for (char raw : text) {
    auto c = static_cast<unsigned char>(raw);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += raw;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += raw;
    }
  }
  return out + '"';
}

std::string scalar(const Node& node) {
  switch (node.kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kString:
      return scalar_text(node.text());
    case Kind::kFloat:
      if (node.text() == "NaN") return ".nan";
      if (node.text() == "Infinity") return ".inf";
      if (node.text() == "-Infinity") return "-.inf";
      return node.text();
    default:
      return node.text();
  }
}

std::string flow(const Node& node) {
  std::string out;
  if (node.is_mapping()) {
    for (const Entry& entry : node.entries())
      out += (out.empty() ? "" : ", ") + flow(entry.key) + ": " + flow(entry.value);
    return "{" + out + "}";
  }
  if (node.is_scalar()) return scalar(node);
  for (const Node& item : node.items()) out += (out.empty() ? "" : ", ") + flow(item);
  return (node.is_reference() ? "!reference [" : "[") + out + "]";
}

void block(const Node& node, int indent, std::string& out) {
  std::string pad(static_cast<std::size_t>(indent), ' ');
  auto value = [&](const Node& child) {
    if (child.is_scalar() || child.is_reference() || child.size() == 0) {
      out += " " + flow(child) + "\n";
    } else {
      out += "\n";
      block(child, indent + 2, out);
    }
  };
  if (node.is_mapping()) {
    for (const Entry& entry : node.entries()) {
      out += pad + (entry.key.is_scalar() ? "" : "? ") + flow(entry.key) +
             (entry.key.is_scalar() ? ":" : "\n" + pad + ":");
      value(entry.value);
    }
  } else {
    for (const Node& item : node.items()) {
      out += pad + "-";
      value(item);
    }
  }
}
} // namespace

std::string dump(const Node& node) {
  if (node.is_scalar() || node.is_reference() || node.size() == 0) return flow(node) + "\n";
  std::string out;
  block(node, 0, out);
  return out;
}

} // namespace yaml
