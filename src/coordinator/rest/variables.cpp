// CI variables of projects, groups and the instance.
#include <fmt/format.h>

#include <algorithm>

#include "ci/variable.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/variables.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

enum class Scope { kProject, kGroup, kInstance };

constexpr std::size_t kLongestKey = 255;
constexpr std::size_t kLongestValue = 10'000;

struct Owner {
  model::VariableOwner owner;
  model::AuditSubject subject;
};

// The instance's routes are for administrators.
Outcome<Owner> owner_of_path(Transaction& tx, const Call& call, Scope scope) {
  switch (scope) {
    case Scope::kProject: {
      const auto found = API_TRY(model::project_for(tx, call, Ability::kAdminVariables));
      return Owner{{.project_id = found.project.id, .namespace_id = {}}, model::subject_of(found.project)};
    }
    case Scope::kGroup: {
      const auto found = API_TRY(model::group_for(tx, call, Ability::kAdminVariables));
      return Owner{{.project_id = {}, .namespace_id = found.group.id}, model::subject_of(found.group)};
    }
    case Scope::kInstance:
      break;
  }
  return Owner{{}, {.kind = "instance"}};
}

// Never the value.
json::Value audited_json(const model::StoredVariable& stored) {
  const auto& variable = stored.variable;
  return json::Value::object({{"key", variable.key},
                              {"environment_scope", variable.environment_scope},
                              {"protected", variable.is_protected},
                              {"masked", variable.masked}});
}

json::Value variable_json(const model::StoredVariable& stored) {
  const auto& variable = stored.variable;
  return json::Value::object({{"variable_type", variable.file ? "file" : "env_var"},
                              {"key", variable.key},
                              {"value", stored.hidden ? json::Value() : json::Value(variable.value)},
                              {"hidden", stored.hidden},
                              {"protected", variable.is_protected},
                              {"masked", variable.masked},
                              {"raw", variable.raw},
                              {"environment_scope", variable.environment_scope},
                              {"description", stored.description ? json::Value(*stored.description) : json::Value()}});
}

std::optional<std::string> scope_filter(Params& params) {
  const auto& filter = params.raw("filter");
  if (filter.is_object() && filter.find("environment_scope")) return filter["environment_scope"].string_or("");
  return std::nullopt;
}

// The variable of that key, and of the filter's scope when several share the key.
Outcome<model::StoredVariable> variable_of_path(Transaction& tx, const Call& call, const model::VariableOwner& owner,
                                                const std::optional<std::string>& filter) {
  std::vector<model::StoredVariable> found;
  for (auto& stored : API_TRY(model::variables_of(tx, call.app.vault, owner))) {
    if (stored.variable.key != call.path("key")) continue;
    if (filter && stored.variable.environment_scope != *filter) continue;
    found.push_back(std::move(stored));
  }
  if (found.empty()) return std::unexpected(not_found("Variable"));
  if (found.size() > 1) {
    return std::unexpected(message_reply(
        409, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"));
  }
  return std::move(found.front());
}

ApiHandler list_variables(Scope scope) {
  return [scope](Call& call) -> Outcome<Reply> {
    const auto page = API_TRY(read_page(call.params));
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(owner_of_path(tx, call, scope));
      const auto all = API_TRY(model::variables_of(tx, call.app.vault, place.owner));
      auto out = json::Value::array();
      const auto end = std::min<std::int64_t>(page.offset() + page.per_page, static_cast<std::int64_t>(all.size()));
      for (auto i = page.offset(); i < end; ++i) out.push_back(variable_json(all[static_cast<std::size_t>(i)]));
      return call.page_reply(std::move(out), page, static_cast<std::int64_t>(all.size()));
    });
  };
}

ApiHandler show_variable(Scope scope) {
  return [scope](Call& call) -> Outcome<Reply> {
    const auto filter = scope_filter(call.params);
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(owner_of_path(tx, call, scope));
      return json_reply(200, variable_json(API_TRY(variable_of_path(tx, call, place.owner, filter))));
    });
  };
}

// Reads what is given over what is there.
void read_into(Params& params, model::StoredVariable& stored) {
  auto& variable = stored.variable;
  if (const auto value = params.text("value")) variable.value = *value;
  if (const auto type = params.one_of("variable_type", {"env_var", "file"})) variable.file = *type == "file";
  if (const auto flag = params.boolean("protected")) variable.is_protected = *flag;
  if (const auto flag = params.boolean("masked")) variable.masked = *flag;
  if (const auto flag = params.boolean("masked_and_hidden"); flag == true) variable.masked = stored.hidden = true;
  if (const auto flag = params.boolean("raw")) variable.raw = *flag;
  if (const auto text = params.text("environment_scope")) variable.environment_scope = *text;
  if (params.has("description")) stored.description = params.text("description");
}

Outcome<std::monostate> check(const model::StoredVariable& stored) {
  Violations violations;
  const auto& variable = stored.variable;
  const bool word = !variable.key.empty() && std::ranges::all_of(variable.key, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (variable.key.empty()) violations.add("key", "can't be blank");
  if (!word) violations.add("key", "can contain only letters, digits and '_'.");
  if (variable.key.size() > kLongestKey) violations.add("key", "is too long (maximum is 255 characters)");
  if (variable.value.size() > kLongestValue) {
    violations.add("value", fmt::format("is too long (maximum is {} characters)", kLongestValue));
  }
  if (variable.masked && !ci::can_be_masked(variable.value, variable.raw)) violations.add("value", "is invalid");
  if (variable.environment_scope.empty()) violations.add("environment_scope", "can't be blank");
  if (!violations.empty()) return std::unexpected(violations.as_object());
  return {};
}

Binds columns_of(const App& app, const model::StoredVariable& stored) {
  const auto& variable = stored.variable;
  return {app.vault.seal(variable.value),
          variable.file ? "file" : "env_var",
          variable.is_protected,
          variable.masked,
          stored.hidden,
          variable.raw,
          variable.environment_scope,
          stored.description};
}

Outcome<std::monostate> stored_or_taken(base::Result<std::int64_t> done, std::string_view key) {
  if (!done && done.error().kind() == base::ErrorKind::kConflict) {
    Violations violations;
    violations.add("key", fmt::format("({}) has already been taken", key));
    return std::unexpected(violations.as_object());
  }
  API_CHECK(std::move(done));
  return {};
}

ApiHandler create_variable(Scope scope) {
  return [scope](Call& call) -> Outcome<Reply> {
    model::StoredVariable stored;
    stored.variable.key = call.params.text("key", Presence::kRequired).value_or("");
    call.params.text("value", Presence::kRequired);
    read_into(call.params, stored);
    API_CHECK(call.params.finish());
    API_CHECK(check(stored));
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(owner_of_path(tx, call, scope));
      auto binds = columns_of(call.app, stored);
      for (const Bind& bind : Binds{place.owner.project_id, place.owner.namespace_id, stored.variable.key}) {
        binds.push_back(bind);
      }
      auto done = tx.execute(
          "INSERT INTO variables (value_sealed, variable_type, protected, masked, hidden, raw, "
          "environment_scope, description, project_id, namespace_id, key) VALUES (?, ?, ?, ?, ?, ?, "
          "?, ?, ?, ?, ?)",
          binds);
      API_CHECK(stored_or_taken(std::move(done), stored.variable.key));
      API_CHECK(model::audit(tx, call, "variable_created", place.subject, audited_json(stored)));
      return json_reply(201, variable_json(stored));
    });
  };
}

ApiHandler update_variable(Scope scope) {
  return [scope](Call& call) -> Outcome<Reply> {
    const auto filter = scope_filter(call.params);
    model::StoredVariable probe; // complaints before anything else
    read_into(call.params, probe);
    API_CHECK(call.params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(owner_of_path(tx, call, scope));
      auto stored = API_TRY(variable_of_path(tx, call, place.owner, filter));
      const bool was_hidden = stored.hidden;
      read_into(call.params, stored);
      stored.hidden = was_hidden; // decided when it was made
      if (was_hidden && !stored.variable.masked) {
        Violations violations;
        violations.add("masked", "must stay on for a hidden variable");
        return std::unexpected(violations.as_object());
      }
      API_CHECK(check(stored));
      auto binds = columns_of(call.app, stored);
      binds.emplace_back(stored.id);
      auto done = tx.execute(
          "UPDATE variables SET value_sealed = ?, variable_type = ?, protected = ?, masked = ?, "
          "hidden = ?, raw = ?, environment_scope = ?, description = ? WHERE id = ?",
          binds);
      API_CHECK(stored_or_taken(std::move(done), stored.variable.key));
      API_CHECK(model::audit(tx, call, "variable_updated", place.subject, audited_json(stored)));
      return json_reply(200, variable_json(stored));
    });
  };
}

ApiHandler delete_variable(Scope scope) {
  return [scope](Call& call) -> Outcome<Reply> {
    const auto filter = scope_filter(call.params);
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto place = API_TRY(owner_of_path(tx, call, scope));
      const auto stored = API_TRY(variable_of_path(tx, call, place.owner, filter));
      API_CHECK(tx.execute("DELETE FROM variables WHERE id = ?", {stored.id}));
      API_CHECK(model::audit(tx, call, "variable_deleted", place.subject, audited_json(stored)));
      return empty_reply(204);
    });
  };
}

void register_scope(Api& api, const std::string& root, Scope scope, Auth auth) {
  constexpr std::string_view kChange =
      "value:text variable_type:(env_var|file) protected:bool masked:bool masked_and_hidden:bool raw:bool "
      "environment_scope:text description:text? filter:object";
  constexpr std::string_view kCreate =
      "key!:text value!:text variable_type:(env_var|file) protected:bool masked:bool masked_and_hidden:bool raw:bool "
      "environment_scope:text description:text?";
  api.get(root, list_variables(scope),
          {.auth = auth, .summary = "Variables", .params = "@page", .answers = "200:[Variable]"});
  api.post(root, create_variable(scope),
           {.auth = auth, .summary = "Create a variable", .params = kCreate, .answers = "201:Variable"});
  api.get(root + "/:key", show_variable(scope),
          {.auth = auth, .summary = "One variable", .params = "filter:object", .answers = "200:Variable 409"});
  api.put(root + "/:key", update_variable(scope),
          {.auth = auth, .summary = "Change a variable", .params = kChange, .answers = "200:Variable 409"});
  api.remove(root + "/:key", delete_variable(scope),
             {.auth = auth, .summary = "Delete a variable", .params = "filter:object", .answers = "204 409"});
}

} // namespace

void register_variables(Api& api) {
  register_scope(api, "/projects/:id/variables", Scope::kProject, Auth::kUser);
  register_scope(api, "/groups/:id/variables", Scope::kGroup, Auth::kUser);
  register_scope(api, "/admin/ci/variables", Scope::kInstance, Auth::kAdmin);
}

} // namespace coordinator::rest
