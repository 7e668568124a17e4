// The expressions of rules:if, only:variables, include:rules and workflow:rules.
//
// Parsed once, evaluated against a look-up. GitLab's semantics, its surprises included: `&&` and `||` hand on operand
// values with Ruby's truth (only null is false), and the final value counts when it is not blank.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/expand.hpp"
#include "base/result.hpp"

namespace re2 {
class RE2;
}

namespace ci {

class Expression {
 public:
  // kInvalidInput "invalid expression syntax".
  static base::Result<Expression> parse(std::string_view text);
  bool evaluate(const base::Lookup& lookup) const;
  // Names of the variables it reads, for explanations.
  std::vector<std::string> variables() const;

 private:
  friend class ExpressionParser;
  enum class Op { kVariable, kString, kPattern, kNull, kEqual, kNotEqual, kMatch, kNotMatch, kAnd, kOr };
  struct Item {
    Op op;
    std::string text;
    std::shared_ptr<const re2::RE2> regex; // shared: expressions are copied with their rules
  };
  std::vector<Item> postfix_;
};

// "/pattern/flags" → RE2 with the flags in front; nullptr when the text has no such form or does not compile.
std::shared_ptr<const re2::RE2> compile_slashed_regex(std::string_view text);
// Without slashes; nullptr when it does not compile.
std::shared_ptr<const re2::RE2> compile_regex(std::string_view pattern);
// Anywhere in the text.
bool regex_matches(const re2::RE2& regex, std::string_view text);

} // namespace ci
