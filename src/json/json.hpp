// json::Value: a JSON document as a plain value, cheap to include.
//
// Objects keep insertion order. Look-ups are exact first, then ignore ASCII case, as Go's decoder does. Numbers keep
// whether they were written as integers. Not thread-safe, like any value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;

enum class Type { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };
std::string_view to_string(Type type);

class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Value(T value) : data_(static_cast<std::int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(Array value) : data_(std::move(value)) {}
  Value(Object value) : data_(std::move(value)) {}
  static Value array() { return Value(Array{}); }
  // {{"id", 1}, {"name", "x"}}
  static Value object(std::initializer_list<Member> members = {}) { return Value(Object(members)); }

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_integer() const { return type() == Type::kInteger; }
  bool is_number() const { return type() == Type::kNumber || is_integer(); }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // The caller has checked the type; a wrong one throws std::bad_variant_access (a bug of ours).
  bool as_bool() const { return std::get<bool>(data_); }
  std::int64_t as_integer() const { return std::get<std::int64_t>(data_); }
  double as_number() const { return is_integer() ? static_cast<double>(as_integer()) : std::get<double>(data_); }
  const std::string& as_string() const { return std::get<std::string>(data_); }
  const Array& as_array() const { return std::get<Array>(data_); }
  Array& as_array() { return std::get<Array>(data_); }
  const Object& as_object() const { return std::get<Object>(data_); }
  Object& as_object() { return std::get<Object>(data_); }

  // Tolerant reads: the fallback when the type is another.
  bool bool_or(bool fallback) const { return is_bool() ? as_bool() : fallback; }
  std::int64_t integer_or(std::int64_t fallback) const { return is_integer() ? as_integer() : fallback; }
  std::string string_or(std::string_view fallback) const { return is_string() ? as_string() : std::string(fallback); }

  // Member of an object, nullptr if absent or not an object. The last one wins when a key is repeated.
  const Value* find(std::string_view key) const;
  // Member, or a null value.
  const Value& operator[](std::string_view key) const;
  // Sets or appends; makes this an object if it is null.
  void set(std::string_view key, Value value);
  // Appends; makes this an array if it is null.
  void push_back(Value value);
  std::size_t size() const; // of an array or object, 0 else

  // Compact; invalid UTF-8 becomes U+FFFD. `indent` > 0: pretty.
  std::string dump(int indent = 0) const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

struct ParseOptions {
  int max_depth = 200;
  // Go's decoder reads the first value only; what follows is ignored when this is set.
  bool ignore_trailing = false;
};

// kInvalidInput with line and column; kLimit when nested too deeply. Integers beyond 64 bits become numbers.
base::Result<Value> parse(std::string_view text, const ParseOptions& options = {});

} // namespace json
