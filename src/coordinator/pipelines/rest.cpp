// REST: /projects/:id/pipelines…, /projects/:id/pipeline, /projects/:id/ci/lint.

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "ci/compile.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/objects/artifacts.hpp"
#include "coordinator/pipelines/find.hpp"
#include "coordinator/pipelines/json.hpp"
#include "coordinator/runner_api/work.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

using pipelines::find_pipeline;
using pipelines::job_json;
using pipelines::jobs_in_scope;
using pipelines::pipeline_basic_json;
using pipelines::pipeline_json;
using pipelines::pipelines_matching;
using pipelines::readable_project;

Outcome<Reply> list_pipelines(Call& call) {
  auto page = API_TRY(read_page(call.params));
  auto order = call.params.one_of("order_by", {"id", "status", "ref", "updated_at", "user_id"}).value_or("id");
  auto sort = call.params.one_of("sort", {"asc", "desc"}).value_or("desc");
  auto condition = pipelines_matching(call.params);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(readable_project(tx, call));
    condition.add("project_id = ?", {found.project.id});
    auto total = API_TRY(tx.count("SELECT count(*) FROM pipelines WHERE " + condition.sql, condition.binds));
    Binds all = condition.binds;
    all.emplace_back(page.per_page);
    all.emplace_back(page.offset());
    json::Value list = json::Value::array();
    for (const Row& row :
         API_TRY(tx.query(fmt::format("SELECT * FROM pipelines WHERE {} ORDER BY {} {}, id DESC LIMIT ? OFFSET ?",
                                      condition.sql, order, sort),
                          all)))
      list.push_back(pipeline_basic_json(call.app, found.project, row));
    return call.page_reply(std::move(list), page, total);
  });
}

Outcome<ci::Variables> read_variables(Call& call, std::string_view name) {
  ci::Variables variables;
  const json::Value& list = call.params.raw(name);
  if (list.is_null()) return variables;
  if (!list.is_array()) return std::unexpected(invalid_parameters({std::string(name) + " is invalid"}));
  for (const auto& item : list.as_array()) {
    std::string key = item["key"].string_or("");
    if (key.empty()) return std::unexpected(invalid_parameters({fmt::format("{}[key] is missing", name)}));
    variables.push_back({.key = key,
                         .value = item["value"].string_or(""),
                         .is_public = false,
                         .file = item["variable_type"].string_or("env_var") == "file"});
  }
  return variables;
}

Outcome<Reply> create_pipeline(const std::shared_ptr<Work>& work, Call& call) {
  auto ref = call.params.text("ref", Presence::kRequired).value_or("");
  auto variables = API_TRY(read_variables(call, "variables"));
  API_CHECK(call.params.finish());
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (ref.starts_with(prefix)) ref = ref.substr(prefix.size());
  auto found = API_TRY(
      call.app.store.read([&](Transaction& tx) { return model::project_for(tx, call, Ability::kCreatePipeline); }));
  if (!found.project.builds_enabled) return std::unexpected(forbidden());
  git::Repository repository(call.app, found.project.id);
  auto invalid = [](std::string message) {
    return std::unexpected(
        message_reply(400, json::Value::object({{"base", json::Value(json::Array{std::move(message)})}})));
  };
  bool tag = !repository.branch_exists(ref) && repository.tag_exists(ref);
  auto sha = repository.resolve(ref);
  if (!sha) return invalid("Reference not found");
  API_CHECK(call.app.store.read([&](Transaction& tx) -> Outcome<std::monostate> {
    int level = API_TRY(model::push_level(tx, found.project.id, ref, tag));
    bool is_protected = API_TRY(model::is_protected(tx, found.project.id, ref, tag));
    if (!can_push(found.access, is_protected, level))
      return std::unexpected(forbidden("You do not have sufficient permission to run a pipeline on '" + ref + "'."));
    return std::monostate();
  }));
  std::string why;
  auto made = API_TRY(work->service.create({.project = found.project,
                                            .user_id = call.identity.user_id,
                                            .ref = ref,
                                            .tag = tag,
                                            .sha = *sha,
                                            .before_sha = {},
                                            .source = "api",
                                            .variables = std::move(variables)},
                                           &why));
  if (!made) return invalid(why);
  if (!made->yaml_errors.empty()) return invalid(made->yaml_errors);
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto row = API_TRY(tx.query_one("SELECT * FROM pipelines WHERE id = ?", {made->id}));
    return json_reply(201, API_TRY(pipeline_json(tx, call.app, found.project, *row)));
  });
}

Outcome<Reply> latest_pipeline(Call& call) {
  auto ref = call.params.text("ref");
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(readable_project(tx, call));
    auto row = API_TRY(tx.query_one("SELECT * FROM pipelines WHERE project_id = ? AND ref = ? ORDER BY id DESC LIMIT 1",
                                    {found.project.id, ref.value_or(found.project.default_branch)}));
    if (!row) return std::unexpected(not_found("Pipeline"));
    return json_reply(200, API_TRY(pipeline_json(tx, call.app, found.project, *row)));
  });
}

Outcome<Reply> pipeline_jobs(Call& call) {
  auto page = API_TRY(read_page(call.params));
  auto scope = jobs_in_scope(call.params);
  bool retried = call.params.boolean("include_retried").value_or(false);
  API_CHECK(call.params.finish());
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_pipeline(tx, call));
    std::string where = " WHERE pipeline_id = ?";
    Binds binds = {found.row.integer("id")};
    if (!retried) where += " AND retried = 0";
    where += " AND " + scope.sql;
    binds.insert(binds.end(), scope.binds.begin(), scope.binds.end());
    auto total = API_TRY(tx.count("SELECT count(*) FROM jobs" + where, binds));
    binds.emplace_back(page.per_page);
    binds.emplace_back(page.offset());
    json::Value list = json::Value::array();
    for (const Row& row : API_TRY(tx.query("SELECT * FROM jobs" + where + " ORDER BY id DESC LIMIT ? OFFSET ?", binds)))
      list.push_back(API_TRY(job_json(tx, call.app, found.project, row)));
    return call.page_reply(std::move(list), page, total);
  });
}

// Runs `change` on a pipeline that the caller may update, and answers with the pipeline.
template <class Change>
Outcome<Reply> change_pipeline(Call& call, int status, Change change) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_pipeline(tx, call));
    if (!allowed(Ability::kUpdateBuilds, found.access)) return std::unexpected(forbidden());
    API_CHECK(change(tx, found.row));
    auto row = API_TRY(tx.query_one("SELECT * FROM pipelines WHERE id = ?", {found.row.integer("id")}));
    return json_reply(status, API_TRY(pipeline_json(tx, call.app, found.project, *row)));
  });
}

Outcome<Reply> delete_pipeline(const std::shared_ptr<Work>& work, Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_pipeline(tx, call));
    if (!allowed(Ability::kDestroyPipeline, found.access)) return std::unexpected(forbidden());
    API_CHECK(check_unmodified(call, found.row.integer("updated_at")));
    std::int64_t id = found.row.integer("id");
    API_CHECK(work->service.cancel_pipeline(tx, id, call.identity.user_id));
    auto jobs = API_TRY(tx.query("SELECT id FROM jobs WHERE pipeline_id = ?", {id}));
    for (const Row& job : jobs) {
      API_CHECK(work->traces.erase(tx, job.integer("id")));
      API_CHECK(call.app.artifacts.erase_job(tx, job.integer("id")));
    }
    API_CHECK(tx.execute("DELETE FROM pipelines WHERE id = ?", {id}));
    return empty_reply(204);
  });
}

Outcome<Reply> pipeline_variables(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    auto found = API_TRY(find_pipeline(tx, call));
    if (!allowed(Ability::kReadPipelineVariables, found.access)) return std::unexpected(forbidden());
    json::Value list = json::Value::array();
    if (auto sealed = found.row.optional_text("variables_sealed")) {
      auto plain = API_TRY(call.app.vault.unseal(*sealed));
      for (const auto& variable : ci::variables_from_json(API_TRY(json::parse(plain))))
        list.push_back(json::Value::object({{"variable_type", variable.file ? "file" : "env_var"},
                                            {"key", variable.key},
                                            {"value", variable.value},
                                            {"raw", variable.raw}}));
    }
    return json_reply(200, list);
  });
}

// Compiles a text as if it stood in that commit.
Reply lint_text(Call& call, const model::Project& project, const std::string& text,
                const std::optional<std::string>& sha) {
  git::Repository repository(call.app, project.id);
  git::CommitFiles files(repository, sha.value_or(std::string(git::kZeroSha)));
  ci::Context context;
  context.server.url = call.app.url;
  context.project.id = project.id;
  context.project.full_path = project.full_path;
  context.project.default_branch = project.default_branch;
  context.pipeline.ref = project.default_branch;
  context.commit.sha = sha.value_or(std::string(git::kZeroSha));
  ci::Source source{.text = text, .files = sha ? &files : nullptr};
  auto compiled = ci::compile(source, context);
  auto texts = [](const std::vector<ci::Diagnostic>& list) {
    json::Value values = json::Value::array();
    for (const auto& item : list) values.push_back(item.text());
    return values;
  };
  return json_reply(200, json::Value::object({{"valid", compiled.errors.empty()},
                                              {"errors", texts(compiled.errors)},
                                              {"warnings", texts(compiled.warnings)},
                                              {"merged_yaml", ci::merged_yaml(source, context).yaml},
                                              {"includes", json::Value::array()}}));
}

std::optional<std::string> commit_of(const App& app, const model::Project& project, const std::string& ref) {
  auto sha = git::Repository(app, project.id).resolve(ref);
  return sha ? std::optional(*sha) : std::nullopt;
}

// POST /projects/:id/ci/lint: validates a text as if it stood in the default branch.
Outcome<Reply> lint(Call& call) {
  auto text = call.params.text("content", Presence::kRequired).value_or("");
  API_CHECK(call.params.finish());
  auto found =
      API_TRY(call.app.store.read([&](Transaction& tx) { return model::project_for(tx, call, Ability::kLint); }));
  return lint_text(call, found.project, text, commit_of(call.app, found.project, found.project.default_branch));
}

// GET /projects/:id/ci/lint: validates what a ref has.
Outcome<Reply> lint_ref(Call& call) {
  auto given = call.params.text("content_ref");
  auto older = call.params.text("sha");
  API_CHECK(call.params.finish());
  auto found =
      API_TRY(call.app.store.read([&](Transaction& tx) { return model::project_for(tx, call, Ability::kReadCode); }));
  const auto& project = found.project;
  auto sha = commit_of(call.app, project, given.value_or(older.value_or(project.default_branch)));
  if (!sha) return std::unexpected(not_found("Commit"));
  auto text =
      git::Repository(call.app, project.id)
          .read(*sha, project.ci_config_path.empty() ? ".gitlab-ci.yml" : project.ci_config_path, git::kLargestConfig);
  if (!text) {
    const bool too_large = text.error().kind() == base::ErrorKind::kLimit;
    const auto error = too_large ? text.error().message() : "Please provide content of .gitlab-ci.yml";
    return json_reply(200, json::Value::object({{"valid", false},
                                                {"errors", json::Array{error}},
                                                {"warnings", json::Value::array()},
                                                {"merged_yaml", nullptr},
                                                {"includes", json::Value::array()}}));
  }
  return lint_text(call, project, *text, sha);
}

} // namespace

void register_pipelines(Api& api, const std::shared_ptr<Work>& work) {
  constexpr std::string_view kFilter =
      "@page order_by:(id|status|ref|updated_at|user_id) sort:(asc|desc) "
      "scope:(running|pending|finished|branches|tags) status:text ref:text sha:text source:text name:text "
      "username:text yaml_errors:bool created_after:text created_before:text updated_after:text updated_before:text";
  api.get("/projects/:id/pipelines", list_pipelines,
          {.auth = Auth::kOptional, .summary = "Pipelines", .params = kFilter, .answers = "200:[BasicPipeline]"});
  api.post("/projects/:id/pipeline", [work](Call& call) { return create_pipeline(work, call); },
           {.summary = "Create a pipeline", .params = "ref!:text variables:[any]", .answers = "201:Pipeline"});
  api.get(
      "/projects/:id/pipelines/latest", latest_pipeline,
      {.auth = Auth::kOptional, .summary = "A ref's latest pipeline", .params = "ref:text", .answers = "200:Pipeline"});
  api.get("/projects/:id/pipelines/:pipeline_id",
          [](Call& call) {
            return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
              auto found = API_TRY(find_pipeline(tx, call));
              return json_reply(200, API_TRY(pipeline_json(tx, call.app, found.project, found.row)));
            });
          },
          {.auth = Auth::kOptional, .summary = "One pipeline", .answers = "200:Pipeline"});
  api.get("/projects/:id/pipelines/:pipeline_id/jobs", pipeline_jobs,
          {.auth = Auth::kOptional,
           .summary = "A pipeline's jobs",
           .params = "@page scope:list include_retried:bool",
           .answers = "200:[Job]"});
  api.get("/projects/:id/pipelines/:pipeline_id/variables", pipeline_variables,
          {.summary = "Variables that a pipeline was made with", .answers = "200:[any]"});
  // Downstream pipelines: there are none without `trigger`, which the language refuses.
  api.get("/projects/:id/pipelines/:pipeline_id/bridges",
          [](Call& call) {
            return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
              API_CHECK(find_pipeline(tx, call));
              return json_reply(200, json::Value::array());
            });
          },
          {.auth = Auth::kOptional, .summary = "Downstream pipelines: none", .answers = "200:[any]"});
  api.post("/projects/:id/pipelines/:pipeline_id/cancel",
           [work](Call& call) {
             return change_pipeline(call, 200, [&](Transaction& tx, const Row& row) {
               return work->service.cancel_pipeline(tx, row.integer("id"), call.identity.user_id);
             });
           },
           {.summary = "Cancel a pipeline's jobs", .answers = "200:Pipeline"});
  api.post("/projects/:id/pipelines/:pipeline_id/retry",
           [work](Call& call) {
             return change_pipeline(call, 201, [&](Transaction& tx, const Row& row) {
               return work->service.retry_pipeline(tx, row.integer("id"), call.identity.user_id);
             });
           },
           {.summary = "Run a pipeline's failed and canceled jobs again", .answers = "201:Pipeline"});
  api.remove("/projects/:id/pipelines/:pipeline_id", [work](Call& call) { return delete_pipeline(work, call); },
             {.summary = "Delete a pipeline", .answers = "204 412"});
  api.get(
      "/projects/:id/ci/lint", lint_ref,
      {.summary = "Check the configuration of a ref", .params = "content_ref:text sha:text", .answers = "200:Lint"});
  api.post("/projects/:id/ci/lint", lint,
           {.summary = "Check a configuration", .params = "content!:text", .answers = "200:Lint"});
}

} // namespace coordinator
