// Protected branches and tags of a project.
#include <fmt/format.h>

#include <algorithm>

#include "coordinator/model/audit.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

constexpr int kAdminOnly = 60;

std::string_view describe(int level) {
  switch (level) {
    case kNoAccess:
      return "No one";
    case kDeveloper:
      return "Developers + Maintainers";
    case kMaintainer:
      return "Maintainers";
    default:
      return "Instance admins";
  }
}

json::Value levels_json(std::int64_t id, int level) {
  auto out = json::Value::array();
  out.push_back(json::Value::object({{"id", id},
                                     {"access_level", level},
                                     {"access_level_description", describe(level)},
                                     {"deploy_key_id", nullptr},
                                     {"user_id", nullptr},
                                     {"group_id", nullptr}}));
  return out;
}

json::Value ref_json(const model::ProtectedRef& ref, bool tag) {
  if (tag) {
    return json::Value::object(
        {{"name", ref.name}, {"create_access_levels", levels_json(ref.id, ref.create_access_level)}});
  }
  return json::Value::object({{"id", ref.id},
                              {"name", ref.name},
                              {"push_access_levels", levels_json(ref.id, ref.push_access_level)},
                              {"merge_access_levels", levels_json(ref.id, ref.merge_access_level)},
                              {"allow_force_push", ref.allow_force_push},
                              {"unprotect_access_levels", json::Value::array()},
                              {"code_owner_approval_required", false},
                              {"inherited", false}});
}

Ability reading(bool tag) { return tag ? Ability::kReadProtectedTags : Ability::kReadProtectedBranches; }

std::string_view kind(bool tag) { return tag ? "tag" : "branch"; }

Outcome<model::ProtectedRef> ref_of_path(Transaction& tx, const Call& call, std::int64_t project_id, bool tag) {
  for (auto& ref : API_TRY(model::protected_refs(tx, project_id, kind(tag)))) {
    if (ref.name == call.path("name")) return std::move(ref);
  }
  return std::unexpected(message_reply(404, "404 Not found"));
}

ApiHandler list_refs(bool tag) {
  return [tag](Call& call) -> Outcome<Reply> {
    const auto page = API_TRY(read_page(call.params));
    const auto search = call.params.text("search").value_or("");
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::project_for(tx, call, reading(tag)));
      auto out = json::Value::array();
      std::int64_t total = 0;
      for (const auto& ref : API_TRY(model::protected_refs(tx, found.project.id, kind(tag)))) {
        if (ref.name.find(search) == std::string::npos) continue;
        if (total >= page.offset() && total < page.offset() + page.per_page) out.push_back(ref_json(ref, tag));
        ++total;
      }
      return call.page_reply(std::move(out), page, total);
    });
  };
}

ApiHandler show_ref(bool tag) {
  return [tag](Call& call) -> Outcome<Reply> {
    return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::project_for(tx, call, reading(tag)));
      return json_reply(200, ref_json(API_TRY(ref_of_path(tx, call, found.project.id, tag)), tag));
    });
  };
}

int read_level(Params& params, std::string_view name, int fallback) {
  const auto level = params.integer(name);
  if (!level) return fallback;
  if (*level != kNoAccess && *level != kDeveloper && *level != kMaintainer && *level != kAdminOnly) {
    params.complain(fmt::format("{} does not have a valid value", name));
  }
  return static_cast<int>(*level);
}

ApiHandler protect(bool tag) {
  return [tag](Call& call) -> Outcome<Reply> {
    auto& params = call.params;
    const auto name = params.text("name", Presence::kRequired).value_or("");
    const int push = read_level(params, "push_access_level", kMaintainer);
    const int merge = read_level(params, "merge_access_level", kMaintainer);
    const int create = read_level(params, "create_access_level", kMaintainer);
    const bool force = params.boolean("allow_force_push").value_or(false);
    if (params.has("name") && name.empty()) params.complain("name is empty");
    API_CHECK(params.finish());
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::project_for(tx, call, Ability::kAdminProtectedRefs));
      auto id = tx.insert(
          "INSERT INTO protected_refs (project_id, kind, name, push_access_level, merge_access_level, "
          "create_access_level, allow_force_push) VALUES (?, ?, ?, ?, ?, ?, ?)",
          {found.project.id, kind(tag), name, push, merge, create, force});
      if (!id && id.error().kind() == base::ErrorKind::kConflict) {
        return std::unexpected(message_reply(409, fmt::format("Protected {} '{}' already exists", kind(tag), name)));
      }
      API_CHECK(id);
      const model::ProtectedRef ref{.id = *id,
                                    .name = name,
                                    .push_access_level = push,
                                    .merge_access_level = merge,
                                    .create_access_level = create,
                                    .allow_force_push = force};
      API_CHECK(model::audit(tx, call, tag ? "protected_tag_created" : "protected_branch_created",
                             model::subject_of(found.project), json::Value::object({{"rule", ref_json(ref, tag)}})));
      return json_reply(201, ref_json(ref, tag));
    });
  };
}

Outcome<Reply> update_branch(Call& call) {
  const auto force = call.params.boolean("allow_force_push");
  API_CHECK(call.params.finish());
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    const auto found = API_TRY(model::project_for(tx, call, Ability::kAdminProtectedRefs));
    auto ref = API_TRY(ref_of_path(tx, call, found.project.id, false));
    if (force) ref.allow_force_push = *force;
    API_CHECK(
        tx.execute("UPDATE protected_refs SET allow_force_push = ? WHERE id = ?", {ref.allow_force_push, ref.id}));
    API_CHECK(model::audit(tx, call, "protected_branch_updated", model::subject_of(found.project),
                           json::Value::object({{"rule", ref_json(ref, false)}})));
    return json_reply(200, ref_json(ref, false));
  });
}

ApiHandler unprotect(bool tag) {
  return [tag](Call& call) -> Outcome<Reply> {
    return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
      const auto found = API_TRY(model::project_for(tx, call, Ability::kAdminProtectedRefs));
      const auto ref = API_TRY(ref_of_path(tx, call, found.project.id, tag));
      API_CHECK(tx.execute("DELETE FROM protected_refs WHERE id = ?", {ref.id}));
      API_CHECK(model::audit(tx, call, tag ? "protected_tag_deleted" : "protected_branch_deleted",
                             model::subject_of(found.project), json::Value::object({{"name", ref.name}})));
      return empty_reply(204);
    });
  };
}

} // namespace

void register_protected_refs(Api& api) {
  for (const bool tag : {false, true}) {
    const std::string root = tag ? "/projects/:id/protected_tags" : "/projects/:id/protected_branches";
    api.get(root, list_refs(tag),
            {.summary = "Rules of protection",
             .params = "@page search:text",
             .answers = tag ? "200:[ProtectedTag]" : "200:[ProtectedBranch]"});
    api.post(root, protect(tag),
             {.summary = "Protect a name or pattern",
              .params = "name!:text push_access_level:int merge_access_level:int create_access_level:int "
                        "allow_force_push:bool",
              .answers = tag ? "201:ProtectedTag 409" : "201:ProtectedBranch 409"});
    api.get(root + "/:name", show_ref(tag),
            {.summary = "One rule", .answers = tag ? "200:ProtectedTag" : "200:ProtectedBranch"});
    api.remove(root + "/:name", unprotect(tag), {.summary = "End a protection", .answers = "204"});
  }
  api.patch("/projects/:id/protected_branches/:name", update_branch,
            {.summary = "Change a rule", .params = "allow_force_push:bool", .answers = "200:ProtectedBranch"});
}

} // namespace coordinator::rest
