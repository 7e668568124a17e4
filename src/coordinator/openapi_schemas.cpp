// What the API's objects consist of, for the OpenAPI document; in the notation of openapi.hpp.
#include <string>
#include <utility>

#include "coordinator/model/settings.hpp"
#include "coordinator/openapi.hpp"

namespace coordinator {
namespace {

constexpr std::pair<std::string_view, std::string_view> kSchemas[] = {
    {"BasicUser",
     "id:int username:text public_email:text? name:text state:(active|blocked|deactivated) locked:bool "
     "avatar_url:text? "
     "web_url:text"},
    {"User",
     "id:int username:text public_email:text? name:text state:(active|blocked|deactivated) locked:bool "
     "avatar_url:text? "
     "web_url:text created_at:time bio:text bot:bool email?:text commit_email?:text is_admin?:bool "
     "can_create_group?:bool can_create_project?:bool external?:bool private_profile?:bool two_factor_enabled?:bool "
     "projects_limit?:int identities?:[any] confirmed_at?:time? last_activity_on?:date? namespace_id?:int?"},
    {"AccessToken",
     "id:int name:text revoked:bool created_at:time description:text? scopes:[text] user_id:int last_used_at:time? "
     "active:bool expires_at:date?"},
    {"NewAccessToken",
     "id:int name:text revoked:bool created_at:time description:text? scopes:[text] user_id:int last_used_at:time? "
     "active:bool expires_at:date? token:text access_level?:int"},
    {"ResourceToken",
     "id:int name:text revoked:bool created_at:time description:text? scopes:[text] user_id:int last_used_at:time? "
     "active:bool expires_at:date? access_level:int"},
    {"Namespace",
     "id:int name:text path:text kind:(user|group) full_path:text parent_id:int? avatar_url:text? web_url:text"},
    {"Member",
     "id:int username:text public_email:text? name:text state:(active|blocked|deactivated) locked:bool "
     "avatar_url:text? "
     "web_url:text access_level:int created_at:time expires_at:date? created_by:BasicUser? membership_state:text"},
    // One member; or, for several users at once, how it went.
    {"NewMember",
     "id?:int username?:text public_email?:text? name?:text state?:(active|blocked|deactivated) locked?:bool "
     "avatar_url?:text? web_url?:text access_level?:int created_at?:time expires_at?:date? created_by?:BasicUser? "
     "membership_state?:text status?:(success|error) message?:object"},
    {"Group",
     "id:int web_url:text name:text path:text description:text visibility:(private|internal|public) "
     "share_with_group_lock:bool require_two_factor_authentication:bool project_creation_level:text "
     "auto_devops_enabled:bool? subgroup_creation_level:text emails_disabled:bool mentions_disabled:bool? "
     "lfs_enabled:bool archived:bool default_branch:text? default_branch_protection:int avatar_url:text? "
     "request_access_enabled:bool full_name:text full_path:text created_at:time parent_id:int? organization_id:int "
     "shared_runners_setting:(enabled|disabled_and_overridable|disabled_and_unoverridable) runners_token?:text? "
     "allow_runner_registration_token?:bool runner_registration_enabled?:bool stale_runner_cleanup_enabled?:bool "
     "runner_token_expiration_interval?:int? subgroup_runner_token_expiration_interval?:int? "
     "project_runner_token_expiration_interval?:int? shared_with_groups?:[any] "
     "prevent_sharing_groups_outside_hierarchy?:bool projects?:[BasicProject] shared_projects?:[any]"},
    {"BasicProject",
     "id:int description:text? name:text name_with_namespace:text path:text path_with_namespace:text created_at:time "
     "default_branch:text tag_list:[text] topics:[text] ssh_url_to_repo:text http_url_to_repo:text web_url:text "
     "readme_url:text? avatar_url:text? forks_count:int star_count:int last_activity_at:time "
     "visibility:(private|internal|public) namespace:Namespace"},
    {"Project",
     "id:int description:text? name:text name_with_namespace:text path:text path_with_namespace:text created_at:time "
     "default_branch:text tag_list:[text] topics:[text] ssh_url_to_repo:text http_url_to_repo:text web_url:text "
     "readme_url:text? avatar_url:text? forks_count:int star_count:int last_activity_at:time "
     "visibility:(private|internal|public) namespace:Namespace archived?:bool empty_repo?:bool creator_id?:int? "
     "issues_enabled?:bool merge_requests_enabled?:bool wiki_enabled?:bool snippets_enabled?:bool "
     "container_registry_enabled?:bool jobs_enabled?:bool builds_access_level?:(enabled|disabled) "
     "repository_access_level?:text issues_access_level?:text merge_requests_access_level?:text import_status?:text "
     "open_issues_count?:int shared_runners_enabled?:bool group_runners_enabled?:bool lfs_enabled?:bool "
     "public_jobs?:bool shared_with_groups?:[any] ci_default_git_depth?:int? ci_separated_caches?:bool "
     "ci_config_path?:text build_timeout?:int build_git_strategy?:(fetch|clone) "
     "auto_cancel_pending_pipelines?:(enabled|disabled) keep_latest_artifact?:bool updated_at?:time _links?:object "
     "owner?:BasicUser? runners_token?:text? runner_token_expiration_interval?:int? permissions?:object"},
    {"Variable",
     "variable_type:(env_var|file) key:text value:text? hidden:bool protected:bool masked:bool raw:bool "
     "environment_scope:text description:text?"},
    {"AccessLevel",
     "id:int access_level:int access_level_description:text deploy_key_id:int? user_id:int? group_id:int?"},
    {"ProtectedBranch",
     "id:int name:text push_access_levels:[AccessLevel] merge_access_levels:[AccessLevel] allow_force_push:bool "
     "unprotect_access_levels:[AccessLevel] code_owner_approval_required:bool inherited:bool"},
    {"ProtectedTag", "name:text create_access_levels:[AccessLevel]"},
    {"Runner",
     "id:int description:text? ip_address:text? active:bool paused:bool is_shared:bool "
     "runner_type:(instance_type|group_type|project_type) name:text? online:bool? created_by:BasicUser? "
     "created_at:time status:(online|offline|stale|never_contacted|paused) job_execution_status:(active|idle) "
     "upgrade_status:(invalid|not_available|available|recommended)?"},
    {"RunnerDetails",
     "id:int description:text? ip_address:text? active:bool paused:bool is_shared:bool "
     "runner_type:(instance_type|group_type|project_type) name:text? online:bool? created_by:BasicUser? "
     "created_at:time status:(online|offline|stale|never_contacted|paused) job_execution_status:(active|idle) "
     "upgrade_status:(invalid|not_available|available|recommended)? "
     "tag_list:[text] run_untagged:bool locked:bool maximum_timeout:int? "
     "access_level:(not_protected|ref_protected) version:text? revision:text? platform:text? architecture:text? "
     "contacted_at:time? token_expires_at:time? maintenance_note:text? projects?:[BasicProject] groups:[RunnerGroup]"},
    {"StaleRunner",
     "id:int description:text? ip_address:text? active:bool paused:bool is_shared:bool "
     "runner_type:(instance_type|group_type|project_type) name:text? online:bool? created_by:BasicUser? "
     "created_at:time status:(online|offline|stale|never_contacted|paused) job_execution_status:(active|idle) "
     "upgrade_status:(invalid|not_available|available|recommended)? "
     "contacted_at:time?"},
    {"RunnerGroup", "id:int web_url:text name:text"},
    {"RunnerManager",
     "id:int system_id:text version:text? revision:text? platform:text? architecture:text? executor:text? "
     "labels:object created_at:time contacted_at:time? ip_address:text? "
     "status:(online|offline|stale|never_contacted) job_execution_status:(active|idle) "
     "upgrade_status:(invalid|not_available|available|recommended)? possible_clone:bool"},
    {"NewRunner", "id:int token:text token_expires_at:time?"},
    {"IssuedToken", "token:text token_expires_at?:time?"},
    {"BasicPipeline",
     "id:int iid:int project_id:int sha:text ref:text status:text source:text created_at:time updated_at:time "
     "web_url:text name:text?"},
    {"Pipeline",
     "id:int iid:int project_id:int sha:text ref:text status:text source:text created_at:time updated_at:time "
     "web_url:text name:text? before_sha:text tag:bool yaml_errors:text? user:BasicUser? started_at:time? "
     "finished_at:time? committed_at:time? duration:number? queued_duration:number? coverage:number? "
     "failure_reason:text? detailed_status:object"},
    {"Job",
     "id:int status:text stage:text name:text ref:text tag:bool coverage:number? allow_failure:bool created_at:time "
     "started_at:time? finished_at:time? erased_at:time? duration:number? queued_duration:number? user:BasicUser? "
     "commit:object pipeline:BasicPipeline web_url:text project:object artifacts:[object] runner:object? "
     "runner_manager:object? artifacts_expire_at:time? archived:bool tag_list:[text] artifacts_file?:object "
     "artifacts_metadata?:object "
     "failure_reason?:text exit_code?:int"},
    {"RunnerJob",
     "id:int status:text stage:text name:text ref:text tag:bool coverage:number? allow_failure:bool created_at:time "
     "started_at:time? finished_at:time? erased_at:time? duration:number? queued_duration:number? user:BasicUser? "
     "commit:object pipeline:BasicPipeline web_url:text project:BasicProject artifacts:[object] runner:object? "
     "runner_manager:object? artifacts_expire_at:time? archived:bool tag_list:[text] artifacts_file?:object "
     "artifacts_metadata?:object "
     "failure_reason?:text exit_code?:int"},
    {"Lint", "valid:bool errors:[text] warnings:[text] merged_yaml:text? includes:[any]"},
    {"Version", "version:text revision:text"},
    {"Metadata", "version:text revision:text kas:object enterprise:bool forerunner:object"},
    {"Feature", "name:text state:(on|off|conditional) gates:[any] definition:object?"},
    {"AuditEvent",
     "id:int author_id:int author_type:text author_name:text entity_id:int? entity_type:text event_name:text "
     "target:text details:object ip_address:text created_at:time"},
    {"Message", "message:any"},
};

json::Value error_schema() {
  auto any = json::Value::array();
  any.push_back(json::Value::object({{"type", "object"}, {"required", json::Array{"message"}}}));
  any.push_back(json::Value::object({{"type", "object"}, {"required", json::Array{"error"}}}));
  return json::Value::object({{"anyOf", std::move(any)},
                              {"description",
                               "message: the status in words, or attribute: [complaints]; error: what "
                               "is wrong with the parameters or the credentials"}});
}

} // namespace

json::Value openapi_schemas() {
  auto out = json::Value::object();
  for (const auto& [name, fields] : kSchemas) out.set(name, object_schema(fields));
  out.set("ApplicationSettings",
          object_schema("id:int runners_registration_token:text? " + model::settings_fields("")));
  out.set("Error", error_schema());
  return out;
}

} // namespace coordinator
