// config.toml as values: what the agent knows about itself and its runners.
//
// load() reads, checks and converts; the result is a plain value that any thread may copy. Editing is
// config/editor.hpp. Errors are kInvalidInput with file, line and column; what is merely odd (unknown keys, unlikely
// values) is in Config::warnings and stops nothing, as upstream. A missing file is success with the defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "json/json.hpp"

namespace config {

struct S3Cache {
  std::string server_address;
  std::string access_key;
  base::Secret secret_key;
  base::Secret session_token;
  std::string bucket_name;
  std::string bucket_location;
  bool insecure = false;
  std::string authentication_type;
  std::string server_side_encryption;
  std::string server_side_encryption_key_id;
  std::optional<bool> dual_stack;
  std::optional<bool> path_style;
  bool accelerate = false;
  std::string role_arn;
  std::string upload_role_arn;
};

struct GcsCache {
  std::string access_id;
  base::Secret private_key;
  std::string credentials_file;
  std::string bucket_name;
  std::string universe_domain;
};

struct AzureCache {
  std::string account_name;
  base::Secret account_key;
  std::string container_name;
  std::string storage_domain;
};

struct CacheConfig {
  std::string type; // "", "s3", "gcs", "azure"
  std::string path;
  bool shared = false;
  std::int64_t max_uploaded_archive_size = 0; // bytes, 0: no limit
  S3Cache s3;
  GcsCache gcs;
  AzureCache azure;
};

// One [[runners]]. Numbers are as written; the functions below them apply upstream's rules for 0 and absent.
struct Runner {
  std::string name;
  std::int64_t limit = 0;        // 0: unlimited
  std::int64_t output_limit = 0; // KiB
  std::int64_t request_concurrency = 0;
  bool strict_check_interval = false;
  std::int64_t unhealthy_requests_limit = 0;
  std::chrono::nanoseconds unhealthy_interval{0};
  std::int64_t job_status_final_update_retry_limit = 0;
  std::string url; // environment references expanded
  std::int64_t id = 0;
  base::Secret token;                           // environment references expanded
  std::int64_t token_obtained_at = 0;           // Unix seconds; 0: unknown
  std::optional<std::int64_t> token_expires_at; // Unix seconds; nullopt: never
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  std::map<std::string, std::string> labels; // the global ones overlaid by the runner's
  std::string executor;
  std::string builds_dir;
  std::string cache_dir;
  std::string clone_url;
  std::vector<std::string> environment; // "K=V"
  std::string pre_get_sources_script;
  std::string post_get_sources_script;
  std::string pre_build_script;
  std::string post_build_script;
  std::chrono::nanoseconds prepare_timeout{0};     // 0: the job's timeout
  std::chrono::nanoseconds get_sources_timeout{0}; // 0: the job's timeout
  bool debug_trace_disabled = false;
  std::optional<bool> safe_directory_checkout;
  std::optional<bool> clean_git_config;
  std::string shell;
  std::map<std::string, bool> feature_flags;
  std::optional<bool> custom_build_dir_enabled;
  std::chrono::nanoseconds artifact_upload_timeout{0};          // 0: 1 h
  std::chrono::nanoseconds artifact_response_header_timeout{0}; // 0: 10 min
  CacheConfig cache;
  // The executor's own table (docker, ssh, custom, …) and all others, with the keys in their documented spelling:
  // {"docker": {"image": …}, …}. Durations stay as written.
  json::Value tables;

  // Line of its [[runners]] in the file, 0 when it came from elsewhere.
  int line = 0;

  std::int64_t output_limit_bytes() const;                       // 4 MiB by default
  std::int64_t effective_request_concurrency() const;            // at least 1
  std::int64_t effective_unhealthy_requests_limit() const;       // 3 by default
  std::chrono::nanoseconds effective_unhealthy_interval() const; // 1 h by default
  std::int64_t effective_final_update_retry_limit() const;       // 10 by default
  // The flag's entry in feature_flags; nullopt: not configured (a job variable or the default decides).
  std::optional<bool> feature_flag(std::string_view name) const;
};

struct SessionServer {
  std::string listen_address;
  std::string advertise_address;
  std::int64_t session_timeout = 1800;
};

struct Config {
  std::int64_t concurrent = 1;
  std::int64_t check_interval = 0; // seconds
  std::optional<std::string> log_level;
  std::optional<std::string> log_format;
  std::chrono::nanoseconds connection_max_age{std::chrono::minutes(15)};
  std::string listen_address;
  std::int64_t shutdown_timeout = 0; // seconds
  std::map<std::string, std::string> labels;
  SessionServer session_server;
  std::vector<Runner> runners;

  bool loaded = false;                   // the file existed
  std::vector<std::string> warnings;     // also one for each unknown key
  std::vector<std::string> unknown_keys; // dotted paths

  std::chrono::seconds effective_check_interval() const;   // 3 s by default
  std::chrono::seconds effective_shutdown_timeout() const; // 30 s by default
};

// `/etc/gitlab-runner/config.toml` as root, else `~/.gitlab-runner/config.toml`.
std::string default_directory();
std::string default_path();

base::Result<Config> load(const std::string& path);
// The same from text; `path` is for messages.
base::Result<Config> parse(std::string_view text, const std::string& path);

// A runner as JSON and back, for the job directory's snapshot: complete, but the token is only its short form.
json::Value to_json(const Runner& runner);
base::Result<Runner> runner_from_json(const json::Value& value);

// ca, cert and key file that hold for a runner: as configured, else what exists in `<directory>/certs/<host>.crt`,
// `.auth.crt`, `.auth.key`; `directory` is that of config.toml, then the default one. Empty strings: none.
struct TlsFiles {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};
TlsFiles tls_files(const Runner& runner, const std::string& config_directory);

} // namespace config
