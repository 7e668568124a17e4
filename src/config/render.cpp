// A runner's tree as text, key by key in the table's order, with the quirks of upstream's encoder (see Write).
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "config/schema.hpp"

namespace config {

namespace {

using json::Value;

std::string float_literal(double number) {
  std::string text = fmt::format("{}", number);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string literal(const Value& value, Kind kind);

std::string list_literal(const Value& value) {
  std::vector<std::string> items;
  for (const Value& item : value.as_array()) items.push_back(literal(item, Kind::kString));
  return "[" + base::join(items, ", ") + "]";
}

std::string inline_table(const Value& value) {
  std::vector<std::string> items;
  for (const auto& [name, item] : value.as_object()) {
    if (!item.is_null()) items.push_back(toml::format_key(name) + " = " + literal(item, Kind::kString));
  }
  return "{" + base::join(items, ", ") + "}";
}

std::string literal(const Value& value, Kind kind) {
  if (kind == Kind::kTime) return value.string_or(""); // bare in TOML
  switch (value.type()) {
    case json::Type::kBool:
      return value.as_bool() ? "true" : "false";
    case json::Type::kInteger:
      return fmt::format("{}", value.as_integer());
    case json::Type::kNumber:
      return float_literal(value.as_number());
    case json::Type::kString:
      return toml::quote(value.as_string());
    case json::Type::kArray:
      return list_literal(value);
    case json::Type::kObject:
      return inline_table(value);
    case json::Type::kNull:
      break;
  }
  return "\"\"";
}

// What a plain key has when nobody set it.
std::optional<std::string> zero_literal(const Key& key) {
  switch (key.kind) {
    case Kind::kString:
      return key.write == Write::kOmitEmpty ? std::nullopt : std::optional<std::string>("\"\"");
    case Kind::kInteger:
      return key.write == Write::kOmitZero ? std::nullopt : std::optional<std::string>("0");
    case Kind::kFloat:
      return key.write == Write::kOmitZero ? std::nullopt : std::optional<std::string>("0.0");
    case Kind::kBool:
      return key.write == Write::kOmitEmpty ? std::nullopt : std::optional<std::string>("false");
    case Kind::kTime:
      return "0001-01-01T00:00:00Z";
    default:
      return std::nullopt;
  }
}

bool is_table_like(Kind kind) {
  return is_map(kind) || kind == Kind::kTable || kind == Kind::kAnyTable || kind == Kind::kTableList ||
         kind == Kind::kHostAliases;
}

class Renderer {
 public:
  std::string take() { return std::move(out_); }

  // `prefix` is the table's path in the schema ("docker."), `header` its path in the file ("runners.docker").
  void table(const Value& tree, const std::string& prefix, const std::string& header, const std::string& indent) {
    for (const auto keys : {runner_keys(), kubernetes_keys()}) {
      for (const Key& key : keys) {
        if (is_direct_child(key, prefix) && !is_table_like(key.kind)) scalar(key, tree, prefix, indent);
      }
    }
    for (const auto keys : {runner_keys(), kubernetes_keys()}) {
      for (const Key& key : keys) {
        if (is_direct_child(key, prefix) && is_table_like(key.kind)) sub_table(key, tree, prefix, header, indent);
      }
    }
  }

 private:
  static bool is_direct_child(const Key& key, const std::string& prefix) {
    return key.path.starts_with(prefix) && !key.path.substr(prefix.size()).contains('.');
  }

  void line(const std::string& indent, std::string_view key, std::string_view text) {
    out_ += fmt::format("{}{} = {}\n", indent, toml::format_key(key), text);
  }

  void scalar(const Key& key, const Value& tree, const std::string& prefix, const std::string& indent) {
    const std::string_view name = key.path.substr(prefix.size());
    const Value& value = tree[name];
    const bool optional = key.kind == Kind::kOptionalBool || key.kind == Kind::kOptionalInteger ||
                          key.kind == Kind::kOptionalString || key.kind == Kind::kOptionalDuration ||
                          key.kind == Kind::kDuration;
    if (!value.is_null() && (optional || !is_zero(value))) return line(indent, name, literal(value, key.kind));
    if (const auto zero = zero_literal(key)) line(indent, name, *zero);
  }

  void sub_table(const Key& key, const Value& tree, const std::string& prefix, const std::string& header,
                 const std::string& indent) {
    const std::string_view name = key.path.substr(prefix.size());
    const Value& value = tree[name];
    const std::string path = header + "." + toml::format_key(name);
    const bool wanted = value.is_null() ? key.write == Write::kAlways : key.kind == Kind::kTable || value.size() > 0;
    if (!wanted) return;
    if (value.is_array()) {
      for (const Value& element : value.as_array()) {
        out_ += fmt::format("\n{}[[{}]]\n", indent, path);
        if (key.kind == Kind::kTableList) {
          table(element, std::string(key.path) + "[].", path, indent + "  ");
        } else {
          free_table(element, path, indent + "  ");
        }
      }
      return;
    }
    out_ += fmt::format("{}[{}]\n", indent, path);
    if (key.kind == Kind::kTable) {
      table(value, std::string(key.path) + ".", path, indent + "  ");
    } else if (value.is_object()) {
      free_table(value, path, indent + "  ");
    }
  }

  // A map, or a table of which the schema knows nothing: keys sorted, as upstream's encoder does with maps.
  void free_table(const Value& value, const std::string& path, const std::string& indent) {
    if (!value.is_object()) return;
    json::Object members = value.as_object();
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [name, item] : members) {
      if (!item.is_object() && !item.is_null()) line(indent, name, literal(item, Kind::kString));
    }
    for (const auto& [name, item] : members) {
      if (!item.is_object()) continue;
      const std::string below = path + "." + toml::format_key(name);
      out_ += fmt::format("{}[{}]\n", indent, below);
      free_table(item, below, indent + "  ");
    }
  }

  std::string out_;
};

} // namespace

std::string render_runner(const Value& tree) {
  Renderer renderer;
  renderer.table(tree, "", "runners", "  ");
  return "[[runners]]\n" + renderer.take();
}

} // namespace config
