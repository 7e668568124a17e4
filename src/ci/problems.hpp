// Errors and warnings as they are found, with the files they come from. Internal to ci; one for each compile().
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ci/pipeline.hpp"
#include "yaml/yaml.hpp"

namespace ci {

class Problems {
 public:
  // The number that yaml marks of this file carry.
  int add_file(std::string name) {
    files_.push_back(std::move(name));
    return static_cast<int>(files_.size()) - 1;
  }
  std::string file(const yaml::Mark& mark) const {
    return mark.line > 0 && mark.file < static_cast<int>(files_.size()) ? files_[static_cast<std::size_t>(mark.file)]
                                                                        : "";
  }

  void error(const yaml::Mark& mark, std::string message) { add(errors_, mark, std::move(message)); }
  void warning(const yaml::Mark& mark, std::string message) { add(warnings_, mark, std::move(message)); }

  bool failed() const { return !errors_.empty(); }
  std::vector<Diagnostic> take_errors() { return std::move(errors_); }
  std::vector<Diagnostic> take_warnings() { return std::move(warnings_); }

 private:
  // A default copied into a hundred jobs is still one mistake.
  void add(std::vector<Diagnostic>& list, const yaml::Mark& mark, std::string message) {
    Diagnostic diagnostic{std::move(message), file(mark), mark.line, mark.column};
    if (list.size() < kMost && std::find(list.begin(), list.end(), diagnostic) == list.end())
      list.push_back(std::move(diagnostic));
  }

  static constexpr std::size_t kMost = 200;
  std::vector<std::string> files_;
  std::vector<Diagnostic> errors_;
  std::vector<Diagnostic> warnings_;
};

} // namespace ci
