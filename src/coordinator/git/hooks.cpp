#include "coordinator/git/hooks.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/git/repository.hpp"

namespace coordinator::git {
namespace {

constexpr std::size_t kMostPipelines = 10; // of one push

struct RefName {
  std::string name; // main
  bool tag = false;
};

std::optional<RefName> branch_or_tag(const std::string& ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  constexpr std::string_view kTags = "refs/tags/";
  if (ref.starts_with(kHeads)) return RefName{.name = ref.substr(kHeads.size()), .tag = false};
  if (ref.starts_with(kTags)) return RefName{.name = ref.substr(kTags.size()), .tag = true};
  return std::nullopt;
}

Outcome<std::string> refusal(Transaction& tx, const Push& push, const RefUpdate& update) {
  auto name = branch_or_tag(update.ref);
  if (!name) return std::string("only branches and tags can be pushed, not " + update.ref);
  bool is_protected = API_TRY(model::is_protected(tx, push.project.id, name->name, name->tag));
  int level = API_TRY(model::push_level(tx, push.project.id, name->name, name->tag));
  // The first push to an empty project makes its default branch, by whoever may push at all.
  if (push.project.empty_repository) is_protected = false;
  if (!can_push(push.access, is_protected, level))
    return fmt::format("You are not allowed to push code to protected {} on this project.",
                       name->tag ? "tags" : "branches");
  if (is_protected && update.after == kZeroSha)
    return fmt::format("You can't delete protected {} from the command line.", name->tag ? "tags" : "branches");
  if (is_protected && update.forced) {
    for (const auto& rule : API_TRY(model::protected_refs(tx, push.project.id, "branch")))
      if (ref_matches(rule.name, name->name) && !rule.allow_force_push)
        return std::string("You are not allowed to force push code to a protected branch on this project.");
  }
  return std::string();
}

// The project is no longer empty; its default branch is one that exists.
base::Status note_push(Transaction& tx, const Push& push, const std::string& default_branch) {
  std::int64_t now = push.work->service.app().now();
  FR_CHECK(tx.execute("UPDATE projects SET empty_repository = 0, default_branch = ?, last_activity_at = ? WHERE id = ?",
                      {default_branch, now, push.project.id}));
  return {};
}

void create_pipeline(const Push& push, const RefUpdate& update, const RefName& name, const ci::Variables& variables,
                     bool skip, HookAnswer& answer) {
  App& app = push.work->service.app();
  std::string why;
  auto made = push.work->service.create({.project = push.project,
                                         .user_id = push.identity.user_id,
                                         .ref = name.name,
                                         .tag = name.tag,
                                         .sha = update.after,
                                         .before_sha = update.before,
                                         .source = "push",
                                         .variables = variables,
                                         .skip = skip},
                                        &why);
  if (!made) {
    base::log::error("cannot create a pipeline",
                     {{"project", push.project.full_path}, {"ref", name.name}, {"error", made.error().body}});
    answer.lines.insert(answer.lines.end(), {"", "The pipeline for " + name.name + " could not be created.", ""});
    return;
  }
  if (!*made) {
    if (why != pipelines::kNoConfig) answer.lines.insert(answer.lines.end(), {"", name.name + ": " + why, ""});
    return;
  }
  answer.lines.emplace_back();
  if ((*made)->status == "skipped") {
    answer.lines.push_back("The pipeline for " + name.name + " is skipped, as the push or its last commit asks for:");
  } else if (!(*made)->yaml_errors.empty()) {
    answer.lines.push_back("The CI configuration of " + name.name + " has errors:");
    for (const auto& line : base::split((*made)->yaml_errors, '\n')) answer.lines.push_back("  " + line);
  } else {
    answer.lines.push_back("To view the pipeline for " + name.name + ", visit:");
  }
  answer.lines.push_back(fmt::format("  {}/-/pipelines/{}", model::project_url(app, push.project), (*made)->id));
  answer.lines.emplace_back();
}

} // namespace

HookAnswer pre_receive(const Push& push, const std::vector<RefUpdate>& updates) {
  HookAnswer answer;
  auto read = push.work->service.app().store.read([&](Transaction& tx) -> Outcome<std::monostate> {
    for (const RefUpdate& update : updates) {
      std::string reason = API_TRY(refusal(tx, push, update));
      if (reason.empty()) continue;
      answer.allowed = false;
      answer.lines.push_back("GitLab: " + reason);
    }
    return std::monostate();
  });
  if (!read) return {.allowed = false, .lines = {"The push could not be checked; try again later."}};
  return answer;
}

HookAnswer post_receive(const Push& push, const std::vector<RefUpdate>& updates,
                        const std::vector<std::string>& options) {
  HookAnswer answer;
  App& app = push.work->service.app();
  Repository repository(app, push.project.id);
  Push present = push;
  std::string& default_branch = present.project.default_branch;
  if (!repository.branch_exists(default_branch)) {
    for (const RefUpdate& update : updates) {
      auto name = branch_or_tag(update.ref);
      if (!name || name->tag || update.after == kZeroSha) continue;
      default_branch = name->name;
      break;
    }
  }
  (void)repository.set_head(default_branch);
  auto noted = app.store.write([&](Transaction& tx) { return note_push(tx, present, default_branch); });
  if (!noted) base::log::error("cannot note a push", {{"error", noted.error().message()}});

  bool skip = false;
  ci::Variables variables;
  for (const std::string& option : options) {
    skip = skip || option == "ci.skip";
    constexpr std::string_view kVariable = "ci.variable=";
    if (!option.starts_with(kVariable)) continue;
    std::string assignment(option.substr(kVariable.size()));
    std::size_t equals = assignment.find('=');
    if (equals != std::string::npos && equals > 0)
      variables.push_back({.key = assignment.substr(0, equals), .value = assignment.substr(equals + 1)});
  }
  std::size_t made = 0;
  for (const RefUpdate& update : updates) {
    auto name = branch_or_tag(update.ref);
    if (!name || update.after == kZeroSha || !present.project.builds_enabled) continue;
    if (++made > kMostPipelines) {
      answer.lines.push_back("More refs were pushed than pipelines are created for at once.");
      break;
    }
    RefUpdate resolved = update;
    // An annotated tag has an object of its own; the pipeline is for the commit.
    if (auto commit = repository.resolve(name->tag ? "refs/tags/" + name->name : "refs/heads/" + name->name))
      resolved.after = *commit;
    create_pipeline(present, resolved, *name, variables, skip, answer);
  }
  return answer;
}

} // namespace coordinator::git
