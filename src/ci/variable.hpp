// Variables: one value with its attributes, lists of them in precedence order, and the server's two ways to expand.
//
// Plain values; pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"

namespace ci {

struct Variable {
  std::string key;
  std::string value;
  bool is_public = false; // on the wire `public`; YAML and most predefined variables are
  bool masked = false;
  bool raw = false;  // not expanded, neither here nor by the runner
  bool file = false; // the runner writes the value to a file
  // Only for instance, group and project variables, which job_variables() filters by them:
  bool is_protected = false;
  std::string environment_scope = "*";

  friend bool operator==(const Variable&, const Variable&) = default;
};

// Later entries override earlier ones of the same key; duplicates stay in the list, as on the wire.
using Variables = std::vector<Variable>;

// The last value of the key.
const Variable* find(const Variables& variables, std::string_view key);

// Engine 1 (the whole collection, before sending): $VAR ${VAR} %VAR%, in dependency order. Undefined references, and
// references to file and raw variables, stay as they are for the runner; `$$` and `%%` stay. Raw values are untouched.
// Error: `circular variable reference detected: ["A", "B"]`.
base::Result<Variables> expand_collection(Variables variables);

// Engine 2 (one text): unknown names become empty, or stay with `keep_unknown`. Values are not expanded again.
std::string expand_text(std::string_view text, const Variables& variables, bool keep_unknown = false);

// [{"key","value","public","masked","file","raw"}]
json::Value variables_json(const Variables& variables);
// The reverse of variables_json.
Variables variables_from_json(const json::Value& list);

// Whether GitLab would let this value be masked.
bool can_be_masked(std::string_view value, bool raw);

} // namespace ci
