// The fields of a Runner and their keys, listed once for reading and writing. Private to this module.
#pragma once

#include "config/config.hpp"

namespace config {

// V has operator()(key, field) for every type of field used here, and table(key, body).
template <class V, class R>
void visit_cache(V& v, R& cache) {
  v("Type", cache.type);
  v("Path", cache.path);
  v("Shared", cache.shared);
  v("MaxUploadedArchiveSize", cache.max_uploaded_archive_size);
  v.table("s3", [&](V& s3) {
    s3("ServerAddress", cache.s3.server_address);
    s3("AccessKey", cache.s3.access_key);
    s3("SecretKey", cache.s3.secret_key);
    s3("SessionToken", cache.s3.session_token);
    s3("BucketName", cache.s3.bucket_name);
    s3("BucketLocation", cache.s3.bucket_location);
    s3("Insecure", cache.s3.insecure);
    s3("AuthenticationType", cache.s3.authentication_type);
    s3("ServerSideEncryption", cache.s3.server_side_encryption);
    s3("ServerSideEncryptionKeyID", cache.s3.server_side_encryption_key_id);
    s3("DualStack", cache.s3.dual_stack);
    s3("PathStyle", cache.s3.path_style);
    s3("Accelerate", cache.s3.accelerate);
    s3("RoleARN", cache.s3.role_arn);
    s3("UploadRoleARN", cache.s3.upload_role_arn);
  });
  v.table("gcs", [&](V& gcs) {
    gcs("AccessID", cache.gcs.access_id);
    gcs("PrivateKey", cache.gcs.private_key);
    gcs("CredentialsFile", cache.gcs.credentials_file);
    gcs("BucketName", cache.gcs.bucket_name);
    gcs("UniverseDomain", cache.gcs.universe_domain);
  });
  v.table("azure", [&](V& azure) {
    azure("AccountName", cache.azure.account_name);
    azure("AccountKey", cache.azure.account_key);
    azure("ContainerName", cache.azure.container_name);
    azure("StorageDomain", cache.azure.storage_domain);
  });
}

template <class V, class R>
void visit_runner(V& v, R& runner) {
  v("name", runner.name);
  v("limit", runner.limit);
  v("output_limit", runner.output_limit);
  v("request_concurrency", runner.request_concurrency);
  v("strict_check_interval", runner.strict_check_interval);
  v("unhealthy_requests_limit", runner.unhealthy_requests_limit);
  v("unhealthy_interval", runner.unhealthy_interval);
  v("job_status_final_update_retry_limit", runner.job_status_final_update_retry_limit);
  v("url", runner.url);
  v("id", runner.id);
  v("token", runner.token);
  v("tls-ca-file", runner.tls_ca_file);
  v("tls-cert-file", runner.tls_cert_file);
  v("tls-key-file", runner.tls_key_file);
  v("labels", runner.labels);
  v("executor", runner.executor);
  v("builds_dir", runner.builds_dir);
  v("cache_dir", runner.cache_dir);
  v("clone_url", runner.clone_url);
  v("environment", runner.environment);
  v("pre_get_sources_script", runner.pre_get_sources_script);
  v("post_get_sources_script", runner.post_get_sources_script);
  v("pre_build_script", runner.pre_build_script);
  v("post_build_script", runner.post_build_script);
  v("prepare_timeout", runner.prepare_timeout);
  v("get_sources_timeout", runner.get_sources_timeout);
  v("debug_trace_disabled", runner.debug_trace_disabled);
  v("safe_directory_checkout", runner.safe_directory_checkout);
  v("clean_git_config", runner.clean_git_config);
  v("shell", runner.shell);
  v("feature_flags", runner.feature_flags);
  v.table("custom_build_dir", [&](V& table) { table("enabled", runner.custom_build_dir_enabled); });
  v.table("artifact", [&](V& table) {
    table("upload_timeout", runner.artifact_upload_timeout);
    table("response_header_timeout", runner.artifact_response_header_timeout);
  });
  v.table("cache", [&](V& table) { visit_cache(table, runner.cache); });
}

} // namespace config
