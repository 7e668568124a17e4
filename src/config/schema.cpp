#include "config/schema.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/duration.hpp"
#include "base/strings.hpp"

namespace config {

namespace {

using base::ErrorKind;
using json::Value;

const Key* find_in(std::span<const Key> keys, std::string_view path, bool ignore_case) {
  for (const Key& key : keys) {
    if (key.path.size() != path.size()) continue;
    if (key.path == path || (ignore_case && base::equals_ignore_case(key.path, path))) return &key;
  }
  return nullptr;
}

// Walks one table of the file along the schema.
class Normalizer {
 public:
  using Find = const Key* (*)(std::string_view);
  Normalizer(Find find, std::string_view source, std::vector<Finding>& unknown)
      : find_(find), source_(source), unknown_(unknown) {}

  base::Result<Value> table(const toml::Value& in, const std::string& prefix, const std::string& shown) {
    Value out = Value::object();
    for (const toml::Member& member : in.table) {
      const Key* key = find_(prefix + member.key);
      const std::string path = shown.empty() ? member.key : shown + "." + member.key;
      if (key == nullptr) {
        unknown_.push_back({member.position.line, path});
        continue;
      }
      const std::string name(key->path.substr(prefix.size()));
      // "type" and "Type" in one table: the documented spelling wins.
      if (name != member.key && out.find(name) != nullptr) continue;
      out.set(name, FR_TRY(value(*key, member.value, path)));
    }
    return out;
  }

 private:
  std::unexpected<base::Error> wrong(const toml::Value& found, std::string_view path, std::string_view expected) {
    return base::fail(ErrorKind::kInvalidInput,
                      fmt::format("{}:{}:{}: {}: expected {}, got {}", source_, found.position.line,
                                  found.position.column, path, expected, toml::describe(found.type)));
  }

  base::Result<Value> value(const Key& key, const toml::Value& in, const std::string& path) {
    switch (key.kind) {
      case Kind::kString:
      case Kind::kOptionalString:
        return string(in, path);
      case Kind::kInteger:
      case Kind::kOptionalInteger:
        return integer(in, path);
      case Kind::kFloat:
        return number(in, path);
      case Kind::kBool:
      case Kind::kOptionalBool:
        return boolean(in, path);
      case Kind::kDuration:
      case Kind::kOptionalDuration:
        return duration(in, path);
      case Kind::kTime:
        if (in.type != toml::Type::kTime) return wrong(in, path, "a date and time");
        return Value(in.string);
      case Kind::kStringOrList:
        if (in.type == toml::Type::kString) return Value(json::Array{Value(in.string)});
        return list(in, path, &Normalizer::string);
      case Kind::kStringList:
        return list(in, path, &Normalizer::string);
      case Kind::kIntegerList:
        return list(in, path, &Normalizer::integer);
      case Kind::kFloatList:
        return list(in, path, &Normalizer::number);
      case Kind::kStringMap:
        return map(in, path, &Normalizer::string);
      case Kind::kIntegerMap:
        return map(in, path, &Normalizer::integer);
      case Kind::kBoolMap:
        return map(in, path, &Normalizer::boolean);
      case Kind::kStringListMap:
        return map(in, path, &Normalizer::strings);
      case Kind::kHostAliases:
      case Kind::kAnyTable:
        return any(in);
      case Kind::kTable:
        if (!in.is_table()) return wrong(in, path, "a table");
        return table(in, std::string(key.path) + ".", path);
      case Kind::kTableList:
        return tables(key, in, path);
    }
    return Value();
  }

  base::Result<Value> string(const toml::Value& in, const std::string& path) {
    if (in.type != toml::Type::kString) return wrong(in, path, "a string");
    return Value(in.string);
  }
  base::Result<Value> integer(const toml::Value& in, const std::string& path) {
    if (in.type != toml::Type::kInteger) return wrong(in, path, "an integer");
    return Value(in.integer);
  }
  base::Result<Value> number(const toml::Value& in, const std::string& path) {
    if (in.type == toml::Type::kInteger) return Value(static_cast<double>(in.integer));
    if (in.type != toml::Type::kFloat) return wrong(in, path, "a number");
    return Value(in.number);
  }
  base::Result<Value> boolean(const toml::Value& in, const std::string& path) {
    if (in.type != toml::Type::kBool) return wrong(in, path, "a boolean");
    return Value(in.boolean);
  }
  base::Result<Value> duration(const toml::Value& in, const std::string& path) {
    if (in.type == toml::Type::kInteger) return Value(base::format_go_duration(std::chrono::nanoseconds(in.integer)));
    if (in.type != toml::Type::kString) return wrong(in, path, "a duration");
    const auto parsed = base::parse_go_duration(in.string);
    if (!parsed) {
      return base::fail(ErrorKind::kInvalidInput,
                        fmt::format("{}:{}:{}: {}: \"{}\" is no duration; write it like \"1h30m\" or \"90s\"", source_,
                                    in.position.line, in.position.column, path, in.string));
    }
    return Value(base::format_go_duration(*parsed));
  }
  base::Result<Value> strings(const toml::Value& in, const std::string& path) {
    return list(in, path, &Normalizer::string);
  }

  using Scalar = base::Result<Value> (Normalizer::*)(const toml::Value&, const std::string&);
  base::Result<Value> list(const toml::Value& in, const std::string& path, Scalar item) {
    if (in.type != toml::Type::kArray) return wrong(in, path, "an array");
    Value out = Value::array();
    for (const toml::Value& element : in.array) out.push_back(FR_TRY((this->*item)(element, path)));
    return out;
  }
  base::Result<Value> map(const toml::Value& in, const std::string& path, Scalar item) {
    if (!in.is_table()) return wrong(in, path, "a table");
    Value out = Value::object();
    for (const toml::Member& member : in.table) {
      out.set(member.key, FR_TRY((this->*item)(member.value, path + "." + member.key)));
    }
    return out;
  }
  base::Result<Value> tables(const Key& key, const toml::Value& in, const std::string& path) {
    if (!in.is_table_array()) return wrong(in, path, "an array of tables");
    Value out = Value::array();
    for (const toml::Value& element : in.array) {
      out.push_back(FR_TRY(table(element, std::string(key.path) + "[].", path)));
    }
    return out;
  }
  static Value any(const toml::Value& in) {
    switch (in.type) {
      case toml::Type::kString:
      case toml::Type::kTime:
        return in.string;
      case toml::Type::kInteger:
        return in.integer;
      case toml::Type::kFloat:
        return in.number;
      case toml::Type::kBool:
        return in.boolean;
      case toml::Type::kArray: {
        Value out = Value::array();
        for (const toml::Value& element : in.array) out.push_back(any(element));
        return out;
      }
      case toml::Type::kTable: {
        Value out = Value::object();
        for (const toml::Member& member : in.table) out.set(member.key, any(member.value));
        return out;
      }
    }
    return {};
  }

  Find find_;
  std::string_view source_;
  std::vector<Finding>& unknown_;
};

// Go's strconv.ParseInt with base 0.
std::optional<std::int64_t> parse_go_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char marker = digits[1] | 0x20;
    base = marker == 'x' ? 16 : marker == 'b' ? 2 : 8;
    digits.remove_prefix(marker == 'x' || marker == 'b' || marker == 'o' ? 2 : 1);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.starts_with('-')) return std::nullopt;
  return negative ? -value : value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<base::Error> expected(std::string_view what) {
  return base::fail(ErrorKind::kInvalidInput, fmt::format("expected {}", what));
}

base::Result<Value> parse_map_item(const Key& key, std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return expected("KEY:VALUE");
  const std::string_view raw = text.substr(colon + 1);
  Value item(raw);
  if (key.kind == Kind::kBoolMap) {
    const auto flag = base::parse_go_bool(raw);
    if (!flag) return expected("KEY:true or KEY:false");
    item = Value(*flag);
  } else if (key.kind == Kind::kIntegerMap) {
    const auto number = parse_go_integer(raw);
    if (!number) return expected("KEY:NUMBER");
    item = Value(*number);
  } else if (key.kind == Kind::kStringListMap) {
    item = Value(json::Array{Value(raw)});
  }
  return Value::object({{std::string(text.substr(0, colon)), std::move(item)}});
}

} // namespace

bool is_map(Kind kind) {
  return kind == Kind::kStringMap || kind == Kind::kStringListMap || kind == Kind::kIntegerMap ||
         kind == Kind::kBoolMap;
}

const Key* find_runner_key(std::string_view path) {
  for (const bool ignore_case : {false, true}) {
    for (const auto keys : {runner_keys(), kubernetes_keys()}) {
      if (const Key* key = find_in(keys, path, ignore_case)) return key;
    }
  }
  return nullptr;
}

const Key* find_global_key(std::string_view path) {
  const Key* exact = find_in(global_keys(), path, false);
  return exact != nullptr ? exact : find_in(global_keys(), path, true);
}

base::Result<Value> normalize_runner(const toml::Value& in, std::string_view source, std::vector<Finding>& unknown) {
  return Normalizer(&find_runner_key, source, unknown).table(in, "", "runners");
}

base::Result<Value> normalize_globals(const toml::Value& in, std::string_view source, std::vector<Finding>& unknown) {
  toml::Value globals = in;
  std::erase_if(globals.table, [](const toml::Member& m) { return base::equals_ignore_case(m.key, "runners"); });
  return Normalizer(&find_global_key, source, unknown).table(globals, "", "");
}

base::Result<Value> parse_flag(const Key& key, std::string_view text) {
  switch (key.kind) {
    case Kind::kString:
    case Kind::kOptionalString:
      return Value(text);
    case Kind::kInteger:
    case Kind::kOptionalInteger: {
      const auto number = parse_go_integer(text);
      if (!number) return expected("an integer");
      return Value(*number);
    }
    case Kind::kFloat: {
      const auto number = parse_number(text);
      if (!number) return expected("a number");
      return Value(*number);
    }
    case Kind::kBool:
    case Kind::kOptionalBool: {
      const auto flag = base::parse_go_bool(text);
      if (!flag) return expected("true or false");
      return Value(*flag);
    }
    case Kind::kDuration:
    case Kind::kOptionalDuration: {
      const auto duration = base::parse_go_duration(text);
      if (!duration) return expected("a duration like 1h30m");
      return Value(base::format_go_duration(*duration));
    }
    case Kind::kStringList:
      return Value(json::Array{Value(text)});
    case Kind::kStringOrList: {
      Value out = Value::array();
      for (const std::string& item : base::split(text, ',')) out.push_back(item);
      return out;
    }
    case Kind::kIntegerList: {
      const auto number = parse_go_integer(text);
      if (!number) return expected("an integer");
      return Value(json::Array{Value(*number)});
    }
    case Kind::kStringMap:
    case Kind::kStringListMap:
    case Kind::kIntegerMap:
    case Kind::kBoolMap:
      return parse_map_item(key, text);
    case Kind::kHostAliases: {
      auto parsed = json::parse(text);
      if (!parsed || !parsed->is_array()) return expected("a JSON array");
      return std::move(*parsed);
    }
    case Kind::kTime:
    case Kind::kFloatList:
    case Kind::kAnyTable:
    case Kind::kTable:
    case Kind::kTableList:
      break;
  }
  return expected("nothing (it cannot be given as a flag)");
}

const Value& at_path(const Value& tree, std::string_view path) {
  const Value* at = &tree;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    at = &(*at)[path.substr(0, dot)];
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *at;
}

void set_path(Value& tree, std::string_view path, Value value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return tree.set(path, std::move(value));
  const std::string_view name = path.substr(0, dot);
  if (!tree[name].is_object()) tree.set(name, Value::object());
  set_path(const_cast<Value&>(*tree.find(name)), path.substr(dot + 1), std::move(value));
}

bool is_zero(const Value& value) {
  switch (value.type()) {
    case json::Type::kNull:
      return true;
    case json::Type::kBool:
      return !value.as_bool();
    case json::Type::kInteger:
      return value.as_integer() == 0;
    case json::Type::kNumber:
      return value.as_number() == 0;
    case json::Type::kString:
      return value.as_string().empty();
    case json::Type::kArray:
    case json::Type::kObject:
      return value.size() == 0;
  }
  return true;
}

} // namespace config
