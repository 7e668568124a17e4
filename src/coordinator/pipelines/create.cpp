// Service::create(): a commit becomes a pipeline.

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "ci/compile.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/model/variables.hpp"
#include "coordinator/pipelines/service.hpp"

namespace coordinator::pipelines {
namespace {

json::Value commit_facts(const ci::Context& context) {
  return json::Value::object({{"message", context.commit.message},
                              {"author", context.commit.author},
                              {"timestamp", context.commit.timestamp},
                              {"tag_message", context.pipeline.tag_message}});
}

std::string joined(const std::vector<ci::Diagnostic>& errors) {
  std::vector<std::string> lines;
  for (const auto& error : errors) lines.push_back(error.text());
  return base::join(lines, "\n");
}

ci::ProjectFacts project_facts(const model::Project& project) {
  return {.id = project.id,
          .full_path = project.full_path,
          .title = project.name,
          .description = project.description,
          .visibility = std::string(model::to_string(project.visibility)),
          .namespace_id = project.namespace_id,
          .default_branch = project.default_branch,
          .config_path = project.ci_config_path.empty() ? ".gitlab-ci.yml" : project.ci_config_path,
          .topics = project.topics,
          .separate_protected_caches = project.separated_caches,
          .cache_index = static_cast<int>(project.cache_index)};
}

base::Status fill_user(Transaction& tx, std::int64_t user_id, ci::Context& context) {
  auto user = FR_TRY(model::find_user(tx, user_id));
  if (user) context.user = {.id = user->id, .login = user->username, .name = user->name, .email = user->email};
  return {};
}

} // namespace

base::Result<ci::Context> Service::fresh_context(Transaction& tx, const NewPipeline& request) {
  ci::Context context;
  context.server = {.url = app_.url, .version = std::string(kEmulatedVersion)};
  context.project = project_facts(request.project);
  context.pipeline.source = request.source;
  context.pipeline.ref = request.ref;
  context.pipeline.ref_type = request.tag ? ci::RefType::kTag : ci::RefType::kBranch;
  context.pipeline.ref_protected = FR_TRY(model::is_protected(tx, request.project.id, request.ref, request.tag));
  context.pipeline.created_at = base::format_utc_seconds(app_.now() / 1000);
  FR_CHECK(fill_user(tx, request.user_id, context));
  context.variables = FR_TRY(model::variable_layers(tx, app_.vault, request.project));
  context.variables.pipeline = request.variables;
  context.commit.sha = request.sha;
  context.commit.before_sha = request.before_sha.empty() ? std::string(git::kZeroSha) : request.before_sha;
  return context;
}

base::Result<ci::Context> Service::context(Transaction& tx, const model::Project& project, const Row& row) {
  NewPipeline request{.project = project,
                      .user_id = row.integer("user_id"),
                      .ref = row.text("ref"),
                      .tag = row.text("ref_type") == "tag",
                      .sha = row.text("sha"),
                      .before_sha = row.text("before_sha"),
                      .source = row.text("source")};
  ci::Context context = FR_TRY(fresh_context(tx, request));
  context.pipeline.id = row.integer("id");
  context.pipeline.iid = row.integer("iid");
  context.pipeline.ref_protected = row.boolean("protected");
  context.pipeline.created_at = base::format_utc_seconds(row.integer("created_at") / 1000);
  context.pipeline.name = row.text("name");
  auto facts = FR_TRY(json::parse(row.text("commit_facts")));
  context.commit.message = facts["message"].string_or("");
  context.commit.author = facts["author"].string_or("");
  context.commit.timestamp = facts["timestamp"].string_or("");
  context.pipeline.tag_message = facts["tag_message"].string_or("");
  if (auto sealed = row.optional_text("variables_sealed")) {
    auto plain = FR_TRY(app_.vault.unseal(*sealed));
    context.variables.pipeline = ci::variables_from_json(FR_TRY(json::parse(plain)));
  }
  return context;
}

Outcome<std::optional<Created>> Service::create(const NewPipeline& request, std::string* why) {
  auto explain = [&](std::string text) -> std::optional<Created> {
    if (why != nullptr) *why = std::move(text);
    return std::nullopt;
  };
  auto context =
      API_TRY(app_.store.read([&](Transaction& tx) -> Outcome<ci::Context> { return fresh_context(tx, request); }));

  git::Repository repository(app_, request.project.id);
  auto commit = API_TRY(repository.commit(request.sha));
  context.commit.message = commit.message;
  context.commit.author = commit.author;
  context.commit.timestamp = commit.timestamp;
  if (request.tag) context.pipeline.tag_message = repository.tag_message(request.ref);
  context.changed_paths = API_TRY(repository.changed(context.commit.before_sha, request.sha));

  auto text = repository.read(request.sha, context.project.config_path, git::kLargestConfig);
  if (!text && text.error().kind() == base::ErrorKind::kNotFound) return explain(std::string(kNoConfig));
  const bool too_large = !text && text.error().kind() == base::ErrorKind::kLimit;
  if (!text && !too_large) return std::unexpected(Reply(std::move(text.error())));

  git::CommitFiles files(repository, request.sha);
  ci::Compiled compiled;
  std::string status = "created";
  if (request.skip || (request.source == "push" && ci::skip_requested(commit.message))) {
    status = "skipped";
  } else if (too_large) {
    status = "failed";
  } else {
    compiled = ci::compile({.text = *text, .path = context.project.config_path, .files = &files}, context);
    if (compiled.outcome == ci::Outcome::kFiltered || compiled.outcome == ci::Outcome::kEmpty)
      return explain(compiled.message);
    if (compiled.outcome == ci::Outcome::kInvalid) status = "failed";
  }
  std::string errors = too_large ? text.error().message() : joined(compiled.errors);
  context.pipeline.name = compiled.pipeline.name;

  auto id = API_TRY(app_.store.write([&](Transaction& tx) -> base::Result<std::int64_t> {
    std::int64_t pipeline_id = FR_TRY(insert(tx, request, context, status));
    json::Value warnings = json::Value::array();
    for (const auto& warning : compiled.warnings) warnings.push_back(warning.text());
    json::Value definition = json::Value::object({{"variables", ci::variables_json(compiled.pipeline.variables)}});
    json::Value stages = json::Value::array();
    for (const auto& stage : compiled.pipeline.stages) stages.push_back(stage);
    definition.set("stages", std::move(stages));
    FR_CHECK(
        tx.execute("UPDATE pipelines SET warnings = ?, definition = ?, yaml_errors = ?, failure_reason = ? "
                   "WHERE id = ?",
                   {warnings.dump(), definition.dump(), errors.empty() ? Bind(nullptr) : Bind(errors),
                    status == "failed" ? Bind("config_error") : Bind(nullptr), pipeline_id}));
    if (status != "created") return pipeline_id;
    FR_CHECK(repository.pin(pipeline_id, request.sha));
    FR_CHECK(insert_jobs(tx, pipeline_id, request, context.pipeline.ref_protected, compiled.pipeline));
    FR_CHECK(cancel_redundant(tx, pipeline_id, request));
    FR_CHECK(advance(tx, pipeline_id));
    return pipeline_id;
  }));
  return std::optional(Created{.id = id, .status = status, .yaml_errors = errors});
}

base::Result<std::int64_t> Service::insert(Transaction& tx, const NewPipeline& request, const ci::Context& context,
                                           const std::string& status) {
  std::int64_t now = app_.now();
  FR_CHECK(
      tx.execute("UPDATE projects SET last_pipeline_iid = last_pipeline_iid + 1, last_activity_at = ? "
                 "WHERE id = ?",
                 {now, request.project.id}));
  std::int64_t iid = FR_TRY(tx.count("SELECT last_pipeline_iid FROM projects WHERE id = ?", {request.project.id}));
  Bind variables(nullptr);
  if (!request.variables.empty()) variables = Bind(app_.vault.seal(ci::variables_json(request.variables).dump()));
  bool ended = status != "created";
  return tx.insert(
      "INSERT INTO pipelines (iid, project_id, user_id, ref, ref_type, sha, before_sha, source, status, name, "
      "protected, commit_facts, variables_sealed, created_at, updated_at, finished_at) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {iid, request.project.id, request.user_id, request.ref, request.tag ? "tag" : "branch", request.sha,
       context.commit.before_sha, request.source, status,
       context.pipeline.name.empty() ? Bind(nullptr) : Bind(context.pipeline.name), context.pipeline.ref_protected,
       commit_facts(context).dump(), variables, now, now, ended ? Bind(now) : Bind(nullptr)});
}

base::Status Service::insert_jobs(Transaction& tx, std::int64_t pipeline_id, const NewPipeline& request,
                                  bool is_protected, const ci::Pipeline& pipeline) {
  std::int64_t now = app_.now();
  for (const ci::Job& job : pipeline.jobs) {
    json::Value tags = json::Value::array();
    for (const auto& tag : job.tags) tags.push_back(tag);
    std::int64_t id = FR_TRY(tx.insert(
        "INSERT INTO jobs (pipeline_id, project_id, user_id, name, stage, stage_idx, status, allow_failure, "
        "when_to_run, definition, ref, tag, protected, tag_list, interruptible, environment, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 'created', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {pipeline_id, request.project.id, request.user_id, job.name, job.stage, job.stage_index, job.allow_failure,
         ci::to_string(job.when), ci::to_json(job).dump(), request.ref, request.tag, is_protected, tags.dump(),
         job.interruptible, job.environment ? Bind(job.environment->name) : Bind(nullptr), now, now}));
    if (!job.needs) continue;
    for (const ci::Need& need : *job.needs)
      FR_CHECK(
          tx.execute("INSERT INTO job_needs (job_id, name, artifacts, optional) VALUES (?, ?, ?, ?) "
                     "ON CONFLICT DO NOTHING",
                     {id, need.job, need.artifacts, need.optional}));
  }
  return {};
}

// GitLab's "auto-cancel redundant pipelines", conservative: an older pipeline of the same ref goes unless one of its
// jobs that must not be interrupted has started.
base::Status Service::cancel_redundant(Transaction& tx, std::int64_t pipeline_id, const NewPipeline& request) {
  if (!request.project.auto_cancel || request.tag) return {};
  auto older = FR_TRY(tx.query(
      "SELECT id FROM pipelines p WHERE project_id = ? AND ref = ? AND ref_type = 'branch' AND id < ? AND sha <> ? "
      "AND status IN ('created', 'pending', 'running', 'manual', 'scheduled', 'preparing', 'waiting_for_resource') "
      "AND NOT EXISTS (SELECT 1 FROM jobs WHERE pipeline_id = p.id AND interruptible = 0 AND started_at IS NOT NULL)",
      {request.project.id, request.ref, pipeline_id, request.sha}));
  for (const Row& row : older) FR_CHECK(cancel_pipeline(tx, row.integer("id"), request.user_id));
  return {};
}

} // namespace coordinator::pipelines
