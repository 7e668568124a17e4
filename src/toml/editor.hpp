// TextEditor: changes to a TOML text that leave every other byte as it is: comments, order, blank lines, quoting.
//
// Works on the text's own lines, no re-formatting. After each change the text parses, and means the old document plus
// the change; otherwise the call fails (kInternal) and the text is as before. Not thread-safe, a plain value.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace toml {

// A step to a table: a key, and which element when the key holds an array of tables.
struct PathStep {
  std::string key;
  std::optional<std::size_t> index;

  friend bool operator==(const PathStep&, const PathStep&) = default;
};
using TablePath = std::vector<PathStep>; // {}: the top

class TextEditor {
 public:
  // kInvalidInput when the text is no TOML; `source` names it in messages.
  static base::Result<TextEditor> open(std::string text, std::string source);

  const std::string& text() const { return text_; }

  // Puts a block of lines at the end, after a blank line.
  base::Status append(std::string_view block);
  // Removes element `index` of the array of tables `key`, all of its sub-tables and the comments that stand directly
  // above or below them. kNotFound when there is none; kInvalidInput when it is written as an inline array.
  base::Status remove_element(std::string_view key, std::size_t index);
  // Sets a key of a table that has a header of its own (or of the top); `literal` is TOML. A new key goes after the
  // table's last one. kNotFound when the text has no such header.
  base::Status set(const TablePath& table, std::string_view key, std::string_view literal);
  // Success when the key is absent.
  base::Status remove(const TablePath& table, std::string_view key);

 private:
  TextEditor(std::string text, std::string source) : text_(std::move(text)), source_(std::move(source)) {}

  std::string text_;
  std::string source_;
};

} // namespace toml
