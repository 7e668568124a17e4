#include "coordinator/schema.hpp"

#include <array>

namespace coordinator {
namespace {

// Version 1. Times are Unix milliseconds, dates YYYY-MM-DD, booleans 0/1, lists and maps JSON. Tokens are kept as
// SHA-256 hex digests; *_sealed columns are encrypted with the data directory's key.
constexpr std::string_view kIdentity = R"(
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE features (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  username TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  password_hash TEXT,
  state TEXT NOT NULL DEFAULT 'active',
  kind TEXT NOT NULL DEFAULT 'human',
  admin INTEGER NOT NULL DEFAULT 0,
  failed_logins INTEGER NOT NULL DEFAULT 0,
  locked_until BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_activity_at BIGINT);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest TEXT NOT NULL UNIQUE,
  csrf_digest TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ip TEXT);

CREATE TABLE access_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  description TEXT,
  digest TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at TEXT,
  last_used_at BIGINT,
  revoked INTEGER NOT NULL DEFAULT 0,
  rotated_from BIGINT,
  family BIGINT);
CREATE INDEX access_tokens_user ON access_tokens (user_id);
CREATE INDEX access_tokens_family ON access_tokens (family);

CREATE TABLE namespaces (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  parent_id BIGINT REFERENCES namespaces (id),
  owner_id BIGINT REFERENCES users (id),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  full_name TEXT NOT NULL,
  traversal TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  visibility TEXT NOT NULL DEFAULT 'private',
  shared_runners_setting TEXT NOT NULL DEFAULT 'enabled',
  runner_registration_enabled INTEGER NOT NULL DEFAULT 1,
  allow_runner_registration_token INTEGER NOT NULL DEFAULT 1,
  runner_token_expiration_interval BIGINT,
  subgroup_runner_token_expiration_interval BIGINT,
  project_runner_token_expiration_interval BIGINT,
  created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX namespaces_full_path ON namespaces (lower(full_path));
CREATE INDEX namespaces_parent ON namespaces (parent_id);

CREATE TABLE projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id BIGINT NOT NULL REFERENCES namespaces (id),
  creator_id BIGINT,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  description TEXT,
  visibility TEXT NOT NULL DEFAULT 'private',
  default_branch TEXT NOT NULL DEFAULT 'main',
  topics TEXT NOT NULL DEFAULT '[]',
  archived INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  empty_repository INTEGER NOT NULL DEFAULT 1,
  builds_enabled INTEGER NOT NULL DEFAULT 1,
  shared_runners_enabled INTEGER NOT NULL DEFAULT 1,
  group_runners_enabled INTEGER NOT NULL DEFAULT 1,
  ci_config_path TEXT,
  build_timeout BIGINT NOT NULL DEFAULT 3600,
  git_strategy TEXT NOT NULL DEFAULT 'fetch',
  git_depth BIGINT DEFAULT 20,
  auto_cancel INTEGER NOT NULL DEFAULT 1,
  separated_caches INTEGER NOT NULL DEFAULT 1,
  keep_latest_artifact INTEGER NOT NULL DEFAULT 1,
  public_jobs INTEGER NOT NULL DEFAULT 1,
  cache_index BIGINT NOT NULL DEFAULT 0,
  last_pipeline_iid BIGINT NOT NULL DEFAULT 0,
  runner_token_expiration_interval BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_activity_at BIGINT NOT NULL);
CREATE UNIQUE INDEX projects_full_path ON projects (lower(full_path));
CREATE INDEX projects_namespace ON projects (namespace_id);

CREATE TABLE members (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id BIGINT REFERENCES namespaces (id) ON DELETE CASCADE,
  project_id BIGINT REFERENCES projects (id) ON DELETE CASCADE,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  access_level INTEGER NOT NULL,
  expires_at TEXT,
  created_at BIGINT NOT NULL,
  created_by BIGINT);
CREATE UNIQUE INDEX members_namespace ON members (namespace_id, user_id) WHERE namespace_id IS NOT NULL;
CREATE UNIQUE INDEX members_project ON members (project_id, user_id) WHERE project_id IS NOT NULL;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE variables (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id BIGINT REFERENCES namespaces (id) ON DELETE CASCADE,
  project_id BIGINT REFERENCES projects (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value_sealed TEXT NOT NULL,
  variable_type TEXT NOT NULL DEFAULT 'env_var',
  protected INTEGER NOT NULL DEFAULT 0,
  masked INTEGER NOT NULL DEFAULT 0,
  hidden INTEGER NOT NULL DEFAULT 0,
  raw INTEGER NOT NULL DEFAULT 0,
  environment_scope TEXT NOT NULL DEFAULT '*',
  description TEXT);
CREATE UNIQUE INDEX variables_owner
  ON variables (coalesce(project_id, 0), coalesce(namespace_id, 0), key, environment_scope);

CREATE TABLE protected_refs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  push_access_level INTEGER NOT NULL DEFAULT 40,
  merge_access_level INTEGER NOT NULL DEFAULT 40,
  create_access_level INTEGER NOT NULL DEFAULT 40,
  allow_force_push INTEGER NOT NULL DEFAULT 0,
  UNIQUE (project_id, kind, name));

CREATE TABLE audit_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id BIGINT,
  ip TEXT,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  details TEXT NOT NULL DEFAULT '{}');
)";

constexpr std::string_view kRunners = R"(
CREATE TABLE runners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  token_digest TEXT NOT NULL UNIQUE,
  token_short TEXT NOT NULL,
  previous_digest TEXT,
  previous_valid_until BIGINT,
  successor_sealed TEXT,
  token_expires_at BIGINT,
  registration_type TEXT NOT NULL,
  creation_state TEXT NOT NULL DEFAULT 'started',
  creator_id BIGINT,
  namespace_id BIGINT,
  owner_project_id BIGINT,
  name TEXT,
  description TEXT,
  maintenance_note TEXT,
  active INTEGER NOT NULL DEFAULT 1,
  locked INTEGER NOT NULL DEFAULT 0,
  run_untagged INTEGER NOT NULL DEFAULT 1,
  access_level TEXT NOT NULL DEFAULT 'not_protected',
  maximum_timeout BIGINT,
  tag_list TEXT NOT NULL DEFAULT '[]',
  created_at BIGINT NOT NULL,
  contacted_at BIGINT);
CREATE INDEX runners_previous ON runners (previous_digest);
CREATE INDEX runners_namespace ON runners (namespace_id);

CREATE TABLE runner_projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  runner_id BIGINT NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  UNIQUE (runner_id, project_id));
CREATE INDEX runner_projects_project ON runner_projects (project_id);

CREATE TABLE runner_managers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  runner_id BIGINT NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  system_id TEXT NOT NULL,
  version TEXT,
  revision TEXT,
  platform TEXT,
  architecture TEXT,
  executor TEXT,
  ip_address TEXT,
  config TEXT NOT NULL DEFAULT '{}',
  features TEXT NOT NULL DEFAULT '{}',
  labels TEXT NOT NULL DEFAULT '{}',
  creation_state TEXT NOT NULL DEFAULT 'started',
  last_digest TEXT,
  created_at BIGINT NOT NULL,
  contacted_at BIGINT,
  UNIQUE (runner_id, system_id));

CREATE TABLE registration_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  scope_id BIGINT NOT NULL,
  token_sealed TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  UNIQUE (scope, scope_id));

CREATE TABLE ephemeral_tokens (
  runner_id BIGINT PRIMARY KEY REFERENCES runners (id) ON DELETE CASCADE,
  token_sealed TEXT NOT NULL,
  expires_at BIGINT NOT NULL);
)";

constexpr std::string_view kPipelines = R"(
CREATE TABLE pipelines (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  iid BIGINT NOT NULL,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  user_id BIGINT,
  ref TEXT NOT NULL,
  ref_type TEXT NOT NULL DEFAULT 'branch',
  sha TEXT NOT NULL,
  before_sha TEXT NOT NULL DEFAULT '0000000000000000000000000000000000000000',
  source TEXT NOT NULL DEFAULT 'push',
  status TEXT NOT NULL DEFAULT 'created',
  name TEXT,
  protected INTEGER NOT NULL DEFAULT 0,
  failure_reason TEXT,
  yaml_errors TEXT,
  warnings TEXT NOT NULL DEFAULT '[]',
  definition TEXT NOT NULL DEFAULT '{}',
  commit_facts TEXT NOT NULL DEFAULT '{}',
  variables_sealed TEXT,
  coverage REAL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  canceled_by BIGINT,
  UNIQUE (project_id, iid));
CREATE INDEX pipelines_ref ON pipelines (project_id, ref, id);
CREATE INDEX pipelines_status ON pipelines (project_id, status);

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  user_id BIGINT,
  name TEXT NOT NULL,
  stage TEXT NOT NULL,
  stage_idx INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'created',
  status_reason TEXT,
  allow_failure INTEGER NOT NULL DEFAULT 0,
  when_to_run TEXT NOT NULL DEFAULT 'on_success',
  definition TEXT NOT NULL,
  ref TEXT NOT NULL,
  tag INTEGER NOT NULL DEFAULT 0,
  protected INTEGER NOT NULL DEFAULT 0,
  tag_list TEXT NOT NULL DEFAULT '[]',
  interruptible INTEGER NOT NULL DEFAULT 0,
  environment TEXT,
  resource_group TEXT,
  retried INTEGER NOT NULL DEFAULT 0,
  retry_of BIGINT,
  token_digest TEXT UNIQUE,
  token_sealed TEXT,
  runner_id BIGINT,
  manager_id BIGINT,
  runner_features TEXT,
  timeout BIGINT,
  timeout_source TEXT,
  failure_reason TEXT,
  exit_code BIGINT,
  coverage REAL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  scheduled_at BIGINT,
  queued_at BIGINT,
  handed_out_at BIGINT,
  acknowledged_at BIGINT,
  started_at BIGINT,
  finished_at BIGINT,
  contacted_at BIGINT,
  canceled_at BIGINT,
  erased_at BIGINT,
  variables_sealed TEXT,
  dotenv TEXT,
  trace_size BIGINT NOT NULL DEFAULT 0,
  trace_checksum TEXT,
  trace_archived INTEGER NOT NULL DEFAULT 0,
  debug_trace INTEGER NOT NULL DEFAULT 0,
  artifacts_expire_at BIGINT);
CREATE INDEX jobs_pipeline ON jobs (pipeline_id, stage_idx, id);
CREATE INDEX jobs_project ON jobs (project_id, id);
CREATE INDEX jobs_runner ON jobs (runner_id, id);
CREATE INDEX jobs_pending ON jobs (id) WHERE status = 'pending';
CREATE INDEX jobs_alive ON jobs (runner_id, project_id) WHERE status IN ('running', 'canceling');
CREATE INDEX jobs_scheduled ON jobs (scheduled_at) WHERE status = 'scheduled';

CREATE TABLE job_needs (
  job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  artifacts INTEGER NOT NULL DEFAULT 1,
  optional INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (job_id, name));

CREATE TABLE artifacts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  project_id BIGINT NOT NULL,
  file_type TEXT NOT NULL,
  file_format TEXT NOT NULL,
  filename TEXT NOT NULL,
  location TEXT NOT NULL,
  size BIGINT NOT NULL,
  sha256 TEXT,
  access TEXT NOT NULL DEFAULT 'public',
  created_at BIGINT NOT NULL,
  expire_at BIGINT,
  UNIQUE (job_id, file_type));
CREATE INDEX artifacts_expiry ON artifacts (expire_at) WHERE expire_at IS NOT NULL;
)";

// Logs that do not end where they were written: live ones in pieces (base64), archived ones by the place of their
// object.
constexpr std::string_view kJobLogs = R"(
CREATE TABLE job_logs (
  job_id BIGINT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  size BIGINT NOT NULL,
  location TEXT,
  archived_at BIGINT);
CREATE INDEX job_logs_live ON job_logs (job_id) WHERE location IS NULL;
CREATE TABLE job_log_chunks (
  job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  start BIGINT NOT NULL,
  size BIGINT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (job_id, start));
ALTER TABLE artifacts ADD COLUMN entries BIGINT;
ALTER TABLE artifacts ADD COLUMN unpacked BIGINT;
)";

// A rotated token's predecessors, one row each; signs of two hosts under one system ID; opt-in clean-up of runners.
constexpr std::string_view kRunnerFleet = R"(
CREATE TABLE replaced_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  runner_id BIGINT NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  digest TEXT NOT NULL UNIQUE,
  replaced_at BIGINT NOT NULL,
  valid_until BIGINT NOT NULL);
CREATE INDEX replaced_tokens_runner ON replaced_tokens (runner_id);
INSERT INTO replaced_tokens (runner_id, digest, replaced_at, valid_until)
  SELECT id, previous_digest, previous_valid_until - 86400000, previous_valid_until FROM runners
  WHERE previous_digest IS NOT NULL AND previous_valid_until IS NOT NULL;
DROP INDEX runners_previous;
ALTER TABLE runners DROP COLUMN previous_digest;
ALTER TABLE runners DROP COLUMN previous_valid_until;
ALTER TABLE runner_managers ADD COLUMN sightings TEXT;
ALTER TABLE runner_managers ADD COLUMN clone_seen_at BIGINT;
ALTER TABLE namespaces ADD COLUMN stale_runner_cleanup_enabled INTEGER NOT NULL DEFAULT 0;
)";

// Archived groups, when a runner was edited last, and what the audit trail is searched by.
constexpr std::string_view kManagement = R"(
ALTER TABLE namespaces ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runners ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_events ADD COLUMN actor_name TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN entity_kind TEXT NOT NULL DEFAULT 'instance';
ALTER TABLE audit_events ADD COLUMN entity_id BIGINT;
UPDATE audit_events SET entity_kind = 'runner', entity_id = CAST(substr(target, 8) AS BIGINT)
  WHERE target LIKE 'runner %';
CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_entity ON audit_events (entity_kind, entity_id);
CREATE INDEX runners_type ON runners (type, id);
)";

// What handing out jobs looks at: groups of pending jobs, what instance runners have, hand-overs that are waited for.
constexpr std::string_view kQueue = R"(
ALTER TABLE jobs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN on_instance INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET on_instance = 1 WHERE runner_id IN (SELECT id FROM runners WHERE type = 'instance_type');
CREATE INDEX jobs_queue ON jobs (project_id, protected, tag_list, id) WHERE status = 'pending' AND runner_id IS NULL;
CREATE INDEX jobs_on_instance ON jobs (project_id) WHERE on_instance = 1 AND status IN ('pending', 'running', 'canceling');
CREATE INDEX jobs_states ON jobs (pipeline_id, status) WHERE retried = 0;
CREATE INDEX jobs_handed_out ON jobs (contacted_at) WHERE status = 'pending' AND runner_id IS NOT NULL;
)";

// Browser sessions live on while they are used; how often a password was guessed.
constexpr std::string_view kSignIn = R"(
ALTER TABLE sessions ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN life BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE sign_in_attempts (
  attempt_key TEXT PRIMARY KEY,
  attempts BIGINT NOT NULL,
  locked_until BIGINT NOT NULL,
  updated_at BIGINT NOT NULL);
)";

// What nobody ever read: attempts are counted in sign_in_attempts, the token against forged requests follows from the
// session's secret.
constexpr std::string_view kUnused = R"(
ALTER TABLE users DROP COLUMN failed_logins;
ALTER TABLE users DROP COLUMN locked_until;
ALTER TABLE sessions DROP COLUMN csrf_digest;
)";

constexpr std::array<std::string_view, 9> kMigrations = {kIdentity,   kRunners, kPipelines, kJobLogs, kRunnerFleet,
                                                         kManagement, kQueue,   kSignIn,    kUnused};

} // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

} // namespace coordinator
