// compile(): `.gitlab-ci.yml` → Pipeline. The whole front end of the language; pure but for the ProjectFiles it is
// given.
//
// Never throws. All errors of the failing phase come back together, with positions; warnings never block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ci/context.hpp"
#include "ci/pipeline.hpp"

namespace ci {

struct Source {
  std::string text;                    // the entry file
  std::string path = ".gitlab-ci.yml"; // its name, for messages
  ProjectFiles* files = nullptr;       // nullptr: includes and exists find nothing
};

enum class Outcome {
  kCreated,  // run it
  kFiltered, // workflow:rules: "Pipeline filtered out by workflow rules."
  kEmpty,    // no job left: "Pipeline will not run for the selected trigger. …"
  kInvalid,  // errors
};

struct Compiled {
  Outcome outcome = Outcome::kInvalid;
  std::string message; // for kFiltered and kEmpty
  Pipeline pipeline;   // complete for kCreated; for kEmpty its decisions tell why
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;
};

Compiled compile(const Source& source, const Context& context);

// The file after include, extends and !reference, as YAML; errors as compile() gives them.
struct Merged {
  std::string yaml;
  std::vector<Diagnostic> errors;
};
Merged merged_yaml(const Source& source, const Context& context);

// Whether a push with this commit message asks for no pipeline: [ci skip], [skip ci], also with - or _.
bool skip_requested(std::string_view commit_message);

} // namespace ci
