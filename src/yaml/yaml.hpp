// A YAML document as a tree of values with positions, read the way GitLab's loader (Ruby's Psych, safe mode) reads it.
//
// Nodes are plain values: copying copies the subtree. Nothing here does I/O; parsing fails with a ParseError that says
// where, and never throws. Not thread-safe, like any value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace yaml {

// Where a node was written. Lines and columns count from 1; `file` is whatever number the caller gave to parse().
struct Mark {
  int file = 0;
  int line = 0;
  int column = 0;
  friend bool operator==(const Mark&, const Mark&) = default;
};

enum class Kind { kNull, kBool, kInteger, kFloat, kString, kSequence, kMapping, kReference };
std::string_view to_string(Kind kind);

struct Entry;

class Node {
 public:
  Node() = default;
  static Node string(std::string text, Mark mark = {});
  static Node integer(std::int64_t value, Mark mark = {});
  static Node floating(double value, Mark mark = {});
  static Node boolean(bool value, Mark mark = {});
  static Node sequence(std::vector<Node> items, Mark mark = {});
  static Node mapping(Mark mark = {});
  static Node reference(std::vector<Node> path, Mark mark = {}); // !reference [a, b]

  Kind kind() const { return kind_; }
  const Mark& mark() const { return mark_; }
  void set_mark(Mark mark) { mark_ = mark; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_integer() const { return kind_ == Kind::kInteger; }
  bool is_float() const { return kind_ == Kind::kFloat; }
  bool is_number() const { return is_integer() || is_float(); }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_sequence() const { return kind_ == Kind::kSequence; }
  bool is_mapping() const { return kind_ == Kind::kMapping; }
  bool is_reference() const { return kind_ == Kind::kReference; }
  bool is_scalar() const { return kind_ <= Kind::kString; }

  bool as_bool() const { return integer_ != 0; }
  // Saturated when the number does not fit.
  std::int64_t as_integer() const { return integer_; }
  double as_float() const { return float_; }

  // A scalar as Ruby's to_s prints its value: "1.1" for 1.10, "493" for 0755, "true" for yes, "" for null.
  const std::string& text() const { return text_; }
  // The scalar as it stands in the file, when resolution changed its text ("0755"); else the same as text().
  const std::string& source_text() const { return source_.empty() ? text_ : source_; }
  bool changed_by_resolution() const { return !source_.empty() && source_ != text_; }

  // Items of a sequence, or the path of a !reference.
  const std::vector<Node>& items() const { return items_; }
  std::vector<Node>& items() { return items_; }
  // Entries of a mapping, in the order of their keys' first appearance.
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry>& entries() { return entries_; }
  std::size_t size() const; // of items or entries
  // The value of a string key; nullptr if absent or not a mapping.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  // Replaces the value (the key keeps its place) or appends.
  void set(Node key, Node value);
  void set(std::string_view key, Node value);
  void erase(std::string_view key);

  // Same kind and value; positions do not count.
  friend bool operator==(const Node& a, const Node& b);

 private:
  friend struct Scalars;
  Kind kind_ = Kind::kNull;
  Mark mark_;
  std::int64_t integer_ = 0;
  double float_ = 0;
  std::string text_;
  std::string source_;
  std::vector<Node> items_;
  std::vector<Entry> entries_;
};

struct Entry {
  Node key;
  Node value;
};

struct Limits {
  int max_depth = 100;
  // Text bytes of scalars plus 16 for each node, counted anew each time an alias repeats them.
  std::size_t max_bytes = 2 * 1024 * 1024;
  int max_documents = 2;
};

struct ParseOptions {
  int file = 0; // goes into every Mark
  Limits limits;
};

struct ParseError {
  base::ErrorKind kind = base::ErrorKind::kInvalidInput; // or kLimit
  std::string message;                                   // GitLab's wording, position included where it has one
  Mark mark;
};

struct Warning {
  std::string message;
  Mark mark;
};

struct Stream {
  std::vector<Node> documents;
  std::vector<Warning> warnings; // duplicate keys
};

// All documents of the text. An empty text has none.
std::expected<Stream, ParseError> parse(std::string_view text, const ParseOptions& options = {});

// What a plain scalar means (the table of Psych's scalar scanner). Dates and times come back as strings with
// `rejected_class` set to "Date" or "Time": GitLab refuses them.
Node resolve_plain_scalar(std::string_view text, Mark mark = {}, std::string_view* rejected_class = nullptr);

// Block style, for showing a merged configuration and for tests; parses back to an equal tree.
std::string dump(const Node& node);

} // namespace yaml
