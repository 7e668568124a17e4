// What a pipeline is compiled against: where it comes from, the project's facts, the variables that are set outside the
// file, and the project's files. The caller fills these from its store; the same Context serves again when a job is
// handed out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "ci/variable.hpp"

namespace ci {

// The project's tree at the commit of the pipeline. Implemented by the coordinator over its repositories and by a local
// run over the work tree. Paths are relative to the root, without a leading slash. Called on the caller's thread.
class ProjectFiles {
 public:
  virtual ~ProjectFiles() = default;
  // kNotFound when there is no such file.
  virtual base::Result<std::string> read(std::string_view path) = 0;
  // Every file (no directories).
  virtual base::Result<std::vector<std::string>> list() = 0;
  // git's blob id of a file, for cache keys made of files; nullopt when there is no such file.
  virtual base::Result<std::optional<std::string>> blob_id(std::string_view path) = 0;
  // Id of the last commit that touched a path (cache:key:files_commits).
  virtual base::Result<std::optional<std::string>> last_commit(std::string_view path) = 0;
  // Paths changed between the merge base with `ref` and the commit (rules:changes:compare_to); kNotFound: no such ref.
  virtual base::Result<std::vector<std::string>> changed_since(std::string_view ref) = 0;
};

enum class RefType { kBranch, kTag, kMergeRequest };

struct ServerFacts {
  std::string url;             // external URL without trailing slash
  std::string name = "GitLab"; // CI_SERVER_NAME
  std::string version;         // "18.1.0": the emulated version
  std::string revision;
};

struct ProjectFacts {
  std::int64_t id = 0;
  std::string full_path; // group/sub/name
  std::string title;     // display name; the path's last part when empty
  std::string description;
  std::string visibility = "private";
  std::int64_t namespace_id = 0;
  std::string default_branch = "main";
  std::string config_path = ".gitlab-ci.yml";
  std::vector<std::string> topics;
  bool separate_protected_caches = true;
  int cache_index = 0; // grows with "clear runner caches"
};

struct CommitFacts {
  std::string sha;
  std::string before_sha; // 40 zeros (or empty) when there is none
  std::string message;
  std::string author;    // Name <email>
  std::string timestamp; // ISO 8601
};

struct UserFacts {
  std::int64_t id = 0;
  std::string login;
  std::string name;
  std::string email;
};

struct PipelineFacts {
  std::int64_t id = 0;         // 0 while compiling
  std::int64_t iid = 0;        // likewise
  std::string source = "push"; // CI_PIPELINE_SOURCE: push web api schedule trigger merge_request_event …
  std::string ref;             // short name: main, v1.0; for merge requests the source branch
  RefType ref_type = RefType::kBranch;
  bool ref_protected = false;
  std::string tag_message;
  std::string created_at; // ISO 8601
  std::string name;       // result of workflow:name, when compiled
};

// Variables set outside the file, lowest precedence first.
struct VariableLayers {
  Variables extra_predefined; // what the caller knows beyond the facts (merge request variables, FF_*, …)
  Variables instance;
  std::vector<Variables> groups; // outermost first
  Variables project;
  Variables pipeline; // from API, web form, trigger, schedule
};

struct Context {
  ServerFacts server;
  ProjectFacts project;
  CommitFacts commit;
  PipelineFacts pipeline;
  UserFacts user;
  VariableLayers variables;
  // Paths touched since before_sha; nullopt when there is no base to compare with: rules:changes is true then.
  std::optional<std::vector<std::string>> changed_paths;
};

// CI_* variables that do not depend on a job: `P` for include and workflow, and with the pipeline's own
// (CI_PIPELINE_IID).
Variables predefined_variables(const Context& context);

// GitLab's slug of a ref: lower case, others than a-z 0-9 become '-', 63 characters, no '-' at the ends.
std::string ref_slug(std::string_view text);
// Slug of an environment's name (at most 24 characters, hash suffix when changed).
std::string environment_slug(std::string_view name);

} // namespace ci
