// BuildInfo: everything that the text of a stage depends on, resolved. The job module makes it from the payload, the
// settings and what the executor says of itself. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace script {

enum class Shell { kBash, kSh };
// kInvalidInput: "shell <x> not found", or that this shell is not supported yet.
base::Result<Shell> shell_from_name(std::string_view name);

enum class GitStrategy { kClone, kFetch, kNone, kEmpty };
enum class SubmoduleStrategy { kNone, kNormal, kRecursive, kInvalid };

struct Variable {
  std::string key;
  std::string value;
  bool file = false; // the value goes to <tmp>/<key>, the variable holds that path
};

// A host that gets a password from git's credential helper, which reads it from the environment.
struct GitCredential {
  std::string url; // scheme://host[:port]
  std::string username;
  std::string password_variable; // name of the environment variable
};

struct GitSources {
  GitStrategy strategy = GitStrategy::kClone;
  bool checkout = true;
  std::string remote_url; // without credentials
  std::string ref;
  std::string sha; // at least 8 hex digits
  std::string object_format = "sha1";
  std::vector<std::string> refspecs;
  std::int64_t depth = 0;
  std::vector<std::string> clean_flags; // empty: no clean
  std::vector<std::string> fetch_flags;
  std::vector<std::string> clone_flags;
  bool lfs_skip_smudge = false;

  SubmoduleStrategy submodules = SubmoduleStrategy::kNone;
  std::int64_t submodule_depth = 0;
  std::vector<std::string> submodule_paths;
  std::vector<std::string> submodule_update_flags;

  std::vector<GitCredential> credentials;
  std::vector<std::pair<std::string, std::string>> instead_of; // {to, from}
  std::optional<std::string> correlation_id;                   // X-Gitaly-Correlation-ID
  bool bundle_uris = true;
  // {sslCAInfo, path of the file variable}
  std::vector<std::pair<std::string, std::string>> tls;
  std::string host_url;   // scheme://host[:port] of the remote, empty for local paths
  std::string user_agent; // "forerunner 0.1.0 linux/amd64"
  bool proactive_auth = false;
  bool native_clone = false;
  bool safe_directory = false;
  bool keep_config = false;        // clean_git_config = false: .git/config and hooks of earlier jobs stay
  bool clean_config_after = false; // clean_git_config = true: they go at the end of the job, too

  std::vector<std::string> pre_script; // hooks, in order
  std::vector<std::string> post_script;
};

struct Step {
  std::string name;
  std::vector<std::string> script;
};

// One cache entry, its keys computed. Restoring tries the candidates in order.
struct CacheCandidate {
  std::string key;            // as people read it
  std::string file;           // cache.zip, relative to the project directory
  std::string alternate_file; // under the other naming scheme
};
struct Cache {
  std::vector<std::string> notices_before;   // warnings of the sanitiser
  std::vector<std::string> fallback_notices; // the same of the other candidates, for restoring only
  std::string skip_reason;                   // not empty: nothing but "Skipping cache … due to <reason>"
  bool pull = true;
  bool push = true;
  bool on_success = true;
  bool on_failure = false;
  std::vector<CacheCandidate> candidates; // the first is the entry's own
  std::vector<std::string> paths;
  bool untracked = false;

  std::string policy_error; // not empty: the stage fails with it

  bool has_content() const { return untracked || !paths.empty(); }
};

struct Artifact {
  std::string name;
  std::vector<std::string> paths;
  std::vector<std::string> exclude;
  bool untracked = false;
  bool on_success = true;
  bool on_failure = false;
  std::string type;
  std::string format;
  std::string expire_in;

  bool has_content() const { return untracked || !paths.empty() || !exclude.empty(); }
};

struct Dependency {
  std::int64_t id = 0;
  std::string name;
  std::string token;
};

struct BuildInfo {
  Shell shell = Shell::kBash;
  // false: the files of the job are out of our sight (another host, a container).
  std::string hostname;    // to print; empty: the shell asks hostname(1)
  std::string via;         // "Running on <host> via <via>..."
  std::string builds_dir;  // absolute
  std::string project_dir; // absolute
  std::string cache_dir;
  std::string temp_dir;       // project_dir + ".tmp"
  std::string runner_command; // what runs the helper commands; empty: this executor has none
  std::string runner_url;
  std::int64_t job_id = 0;
  std::string job_token;

  std::vector<Variable> variables; // all, in order, expanded
  GitSources git;
  std::vector<Step> steps;
  std::vector<std::string> pre_build_script;
  std::vector<std::string> post_build_script;
  std::vector<Cache> caches;
  std::int64_t cache_timeout_minutes = 10;
  std::int64_t max_uploaded_cache_size = 0;
  std::vector<Artifact> artifacts;
  std::string artifact_upload_timeout = "1h0m0s";
  std::string artifact_response_header_timeout = "10m0s";
  std::vector<Dependency> dependencies; // only those with something to download

  // Feature flags and settings that change the text.
  bool debug_trace = false;
  bool exit_code_check = false;          // FF_ENABLE_BASH_EXIT_CODE_CHECK
  bool legacy_eval = false;              // FF_USE_LEGACY_BASH_EVAL
  bool posix_escapes = false;            // FF_POSIXLY_CORRECT_ESCAPES
  bool script_sections = false;          // FF_SCRIPT_SECTIONS and features.trace_sections
  bool job_cleanup = false;              // FF_ENABLE_JOB_CLEANUP
  bool clean_failed_extract = false;     // FF_CLEAN_UP_FAILED_CACHE_EXTRACT
  bool tokenless_git_everywhere = false; // FF_GIT_URLS_WITHOUT_TOKENS

  std::string temp_file(std::string_view name) const { return temp_dir + "/" + std::string(name); }
};

} // namespace script
