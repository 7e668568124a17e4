// CI variables of projects and groups: sealed in the store, handed out in the clear to whoever builds a pipeline.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ci/context.hpp"
#include "coordinator/app.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/store.hpp"

namespace coordinator::model {

struct StoredVariable {
  std::int64_t id = 0;
  ci::Variable variable; // with is_protected and environment_scope
  bool hidden = false;
  std::optional<std::string> description;
};

StoredVariable variable_from(const Row& row, std::string value);

// Exactly one of the two is given; both absent: the instance's.
struct VariableOwner {
  std::optional<std::int64_t> project_id;
  std::optional<std::int64_t> namespace_id;
};
base::Result<std::vector<StoredVariable>> variables_of(Transaction& tx, const Vault& vault, VariableOwner owner);

// The layers `instance`, `groups` (outermost first) and `project` of a pipeline's context.
base::Result<ci::VariableLayers> variable_layers(Transaction& tx, const Vault& vault, const Project& project);

} // namespace coordinator::model
