// Patterns of artifact and cache paths, as upstream's doublestar library reads them.
//
// * and ? within a component, ** as a whole component for any number of them (elsewhere like *), [classes], {a,b} with
// nesting and slashes, \ before a literal. Dot files are like others. Pure but for expand_glob, which reads
// directories.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace transfer {

class Glob {
 public:
  // kInvalidInput "syntax error in pattern"; kLimit when the braces make too many patterns.
  static base::Result<Glob> parse(std::string_view pattern);
  bool matches(std::string_view path) const;

  // Paths below the current directory that match, sorted, each once. Links to directories are entered only where the
  // pattern names them before its first special character. What cannot be read is left out.
  std::vector<std::string> expand() const;

 private:
  using Components = std::vector<std::string>;
  std::vector<Components> alternatives_; // without braces
};

bool has_meta(std::string_view text); // any of * ? [ {
// The longest leading directory without special characters (unescaped, "." if none, "/" possible) and the rest.
std::pair<std::string, std::string> split_pattern(std::string_view pattern);

} // namespace transfer
