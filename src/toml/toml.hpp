// toml: reading TOML 1.0 into values that know where they stand in the text.
//
// Pure, thread-safe. Errors are kInvalidInput, "<source>:<line>:<column>: <what>". The library behind it (toml++) stays
// in toml.cpp. Edits that keep the rest of the text are in toml/editor.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace toml {

struct Position {
  int line = 0;   // from 1; 0: unknown
  int column = 0; // from 1, in characters
};

enum class Type { kString, kInteger, kFloat, kBool, kTime, kArray, kTable };
// "a string", "an integer", … for messages.
std::string_view describe(Type type);

struct Member;

struct Value {
  Type type = Type::kTable;
  Position position;
  std::string string;        // kString; kTime: as RFC 3339 text
  std::int64_t integer = 0;  // kInteger; kTime: Unix seconds (a local time is taken as UTC)
  double number = 0;         // kFloat
  bool boolean = false;      // kBool
  std::vector<Value> array;  // kArray
  std::vector<Member> table; // kTable, in the order of the text

  bool is_table() const { return type == Type::kTable; }
  // An array of tables, empty arrays included.
  bool is_table_array() const;
  // Exact match first, then ignoring ASCII case (as upstream's decoder); nullptr if absent or not a table.
  const Value* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Position position; // of the key
  Value value;
};

// Equal content; positions do not count.
bool operator==(const Value& a, const Value& b);
bool operator==(const Member& a, const Member& b);

base::Result<Value> parse_document(std::string_view text, std::string_view source = "config");

// "text" with quotes and escapes, for writing.
std::string quote(std::string_view text);
// The key bare when it may be, else quoted.
std::string format_key(std::string_view key);

} // namespace toml
