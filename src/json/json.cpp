#include "json/json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/escape.hpp"
#include "base/strings.hpp"
#include "base/utf8.hpp"

namespace json {
namespace {
const Value kNull;

// Builds our values from nlohmann's SAX events, with a depth limit.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(int max_depth) : max_depth_(max_depth) {}

  bool null() override { return put(Value()); }
  bool boolean(bool value) override { return put(Value(value)); }
  bool number_integer(number_integer_t value) override { return put(Value(static_cast<std::int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) return put(Value(static_cast<double>(value)));
    return put(Value(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return put(Value(value)); }
  bool string(string_t& value) override { return put(Value(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value(Object{})); }
  bool start_array(std::size_t) override { return open(Value(Array{})); }
  bool key(string_t& value) override {
    keys_.back() = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    error_position = position;
    error_text = error.what();
    return false;
  }

  Value root;
  std::size_t error_position = 0;
  std::string error_text;
  bool too_deep = false;

 private:
  bool open(Value container) {
    if (static_cast<int>(stack_.size()) >= max_depth_) {
      too_deep = true;
      return false;
    }
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    return put(std::move(done));
  }
  bool put(Value value) {
    if (stack_.empty()) {
      root = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().as_array().push_back(std::move(value));
    } else {
      stack_.back().as_object().emplace_back(keys_.back(), std::move(value));
    }
    return true;
  }

  int max_depth_;
  std::vector<Value> stack_;
  std::vector<std::string> keys_;
};

void dump_string(std::string& out, std::string_view raw) {
  std::string repaired;
  if (!base::is_valid_utf8(raw)) {
    repaired = base::repair_utf8(raw);
    raw = repaired;
  }
  out += '"';
  base::append_json_escaped(out, raw);
  out += '"';
}

void dump_to(std::string& out, const Value& value, int indent, int level) {
  auto new_line = [&](int at) {
    if (indent > 0) {
      out += '\n';
      out.append(static_cast<std::size_t>(indent * at), ' ');
    }
  };
  switch (value.type()) {
    case Type::kNull:
      out += "null";
      break;
    case Type::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case Type::kInteger:
      out += std::to_string(value.as_integer());
      break;
    case Type::kNumber:
      out += std::isfinite(value.as_number()) ? fmt::format("{}", value.as_number()) : "null";
      break;
    case Type::kString:
      dump_string(out, value.as_string());
      break;
    case Type::kArray: {
      out += '[';
      bool first = true;
      for (const Value& item : value.as_array()) {
        if (!first) out += ',';
        first = false;
        new_line(level + 1);
        dump_to(out, item, indent, level + 1);
      }
      if (!first) new_line(level);
      out += ']';
      break;
    }
    case Type::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : value.as_object()) {
        if (!first) out += ',';
        first = false;
        new_line(level + 1);
        dump_string(out, key);
        out += indent > 0 ? ": " : ":";
        dump_to(out, item, indent, level + 1);
      }
      if (!first) new_line(level);
      out += '}';
      break;
    }
  }
}

base::Error parse_failure(std::string_view text, std::size_t position) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < position && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return {base::ErrorKind::kInvalidInput, fmt::format("invalid JSON at line {}, column {}", line, column)};
}
} // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "boolean";
    case Type::kInteger:
      return "integer";
    case Type::kNumber:
      return "number";
    case Type::kString:
      return "string";
    case Type::kArray:
      return "array";
    case Type::kObject:
      return "object";
  }
  return "value";
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& members = as_object();
  for (auto it = members.rbegin(); it != members.rend(); ++it)
    if (it->first == key) return &it->second;
  for (auto it = members.rbegin(); it != members.rend(); ++it)
    if (base::equals_ignore_case(it->first, key)) return &it->second;
  return nullptr;
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found != nullptr ? *found : kNull;
}

void Value::set(std::string_view key, Value value) {
  if (is_null()) data_ = Object{};
  for (auto& [name, existing] : as_object()) {
    if (name == key) {
      existing = std::move(value);
      return;
    }
  }
  as_object().emplace_back(std::string(key), std::move(value));
}

void Value::push_back(Value value) {
  if (is_null()) data_ = Array{};
  as_array().push_back(std::move(value));
}

std::size_t Value::size() const {
  if (is_array()) return as_array().size();
  if (is_object()) return as_object().size();
  return 0;
}

std::string Value::dump(int indent) const {
  std::string out;
  dump_to(out, *this, indent, 0);
  return out;
}

base::Result<Value> parse(std::string_view text, const ParseOptions& options) {
  Builder builder(options.max_depth);
  bool ok = false;
  try {
    ok = nlohmann::json::sax_parse(text.begin(), text.end(), &builder, nlohmann::json::input_format_t::json,
                                   !options.ignore_trailing);
  } catch (const std::exception&) {
    ok = false;
  }
  if (builder.too_deep)
    return base::fail(base::ErrorKind::kLimit, fmt::format("JSON nested deeper than {} levels", options.max_depth));
  if (!ok) return base::fail(parse_failure(text, builder.error_position));
  return std::move(builder.root);
}

} // namespace json
