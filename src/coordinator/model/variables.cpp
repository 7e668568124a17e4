#include "coordinator/model/variables.hpp"

namespace coordinator::model {

StoredVariable variable_from(const Row& row, std::string value) {
  return {.id = row.integer("id"),
          .variable = {.key = row.text("key"),
                       .value = std::move(value),
                       .is_public = false,
                       .masked = row.boolean("masked"),
                       .raw = row.boolean("raw"),
                       .file = row.text("variable_type") == "file",
                       .is_protected = row.boolean("protected"),
                       .environment_scope = row.text("environment_scope")},
          .hidden = row.boolean("hidden"),
          .description = row.optional_text("description")};
}

base::Result<std::vector<StoredVariable>> variables_of(Transaction& tx, const Vault& vault, VariableOwner owner) {
  std::vector<StoredVariable> out;
  const auto rows = FR_TRY(tx.query(
      "SELECT * FROM variables WHERE coalesce(project_id, 0) = ? AND coalesce(namespace_id, 0) = ? ORDER BY id",
      {owner.project_id.value_or(0), owner.namespace_id.value_or(0)}));
  for (const auto& row : rows) {
    out.push_back(variable_from(row, FR_TRY(vault.unseal(row.text("value_sealed")))));
  }
  return out;
}

base::Result<ci::VariableLayers> variable_layers(Transaction& tx, const Vault& vault, const Project& project) {
  const auto plain = [&](VariableOwner owner) -> base::Result<ci::Variables> {
    ci::Variables out;
    for (auto& stored : FR_TRY(variables_of(tx, vault, owner))) out.push_back(std::move(stored.variable));
    return out;
  };
  ci::VariableLayers layers;
  layers.instance = FR_TRY(plain({}));
  const auto space = FR_TRY(find_namespace(tx, project.namespace_id));
  if (space && space->is_group()) {
    for (const auto id : space->chain) layers.groups.push_back(FR_TRY(plain({.namespace_id = id})));
  }
  layers.project = FR_TRY(plain({.project_id = project.id}));
  return layers;
}

} // namespace coordinator::model
