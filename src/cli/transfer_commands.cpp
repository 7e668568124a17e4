// The commands that a job's script calls for artifacts and caches: flags onto the structs of transfer/commands.hpp.
#include "cli/command.hpp"
#include "transfer/commands.hpp"

namespace cli {

namespace {

void add_credentials(Options& options, transfer::JobCredentials* c) {
  options.integer("id", "CI_JOB_ID", "Job ID", &c->id);
  options.secret("token", "CI_JOB_TOKEN", "Job token", &c->token);
  options.text("url", "CI_SERVER_URL", "GitLab URL", &c->url);
  options.text("tls-ca-file", "CI_SERVER_TLS_CA_FILE", "CA certificates in PEM", &c->tls_ca_file);
  options.text("tls-cert-file", "CI_SERVER_TLS_CERT_FILE", "Client certificate in PEM", &c->tls_cert_file);
  options.text("tls-key-file", "CI_SERVER_TLS_KEY_FILE", "Client key in PEM", &c->tls_key_file);
}

void add_selection(Options& options, transfer::SelectionOptions* s) {
  options.list("path", "", "Add paths to the archive", &s->paths);
  options.list("exclude", "", "Exclude paths from the archive", &s->exclude);
  options.flag("untracked", "", "Add files that git does not track", &s->untracked);
  options.flag("verbose", "", "Detailed information", &s->verbose);
}

void add_retry(Options& options, transfer::RetryOptions* r) {
  options.integer("retry", "", "How many times to retry", &r->retries);
  options.duration("retry-time", "", "How long to wait between retries", &r->wait);
}

void add_meter(Options& options, std::chrono::nanoseconds* out) {
  options.duration("transfer-meter-frequency", "TRANSFER_METER_FREQUENCY", "How often to print progress, 0 for never",
                   out);
}

template <class T>
void add_cache_transfer(Options& options, T* o) {
  options.text("file", "", "The archive's file", &o->file);
  options.text("url", "", "URL of the remote cache", &o->url);
  options.text("gocloud-url", "", "Go Cloud URL of the remote cache", &o->gocloud_url);
  options.integer("timeout", "", "Timeout of the transfer in minutes", &o->timeout_minutes);
  options.text("env-file", "", "File with variables of the Go Cloud URL", &o->env_file);
  options.integer("transfer-buffer-size", "CACHE_TRANSFER_BUFFER_SIZE", "Size of the transfer buffer",
                  &o->transfer_buffer_size);
  options.integer("chunk-size", "CACHE_CHUNK_SIZE", "Size of a chunk of a parallel transfer", &o->chunk_size);
  options.integer("concurrency", "CACHE_CONCURRENCY", "Number of parallel transfers", &o->concurrency);
  add_retry(options, &o->retry);
  add_meter(options, &o->meter_frequency);
}

} // namespace

int run_artifacts_uploader(const GlobalOptions& global, const Arguments& arguments) {
  transfer::UploaderOptions o;
  Options options;
  add_credentials(options, &o.credentials);
  add_selection(options, &o.selection);
  add_meter(options, &o.meter_frequency);
  options.text("name", "", "Name of the archive", &o.name);
  options.text("expire-in", "", "When to expire the artifacts", &o.expire_in);
  options.text("artifact-format", "", "Format of the artifacts", &o.format);
  options.text("artifact-type", "", "Type of the artifacts", &o.type);
  options.text("compression-level", "ARTIFACT_COMPRESSION_LEVEL", "fastest, fast, default, slow, slowest",
               &o.compression_level);
  options.flag("ci-debug-trace", "CI_DEBUG_TRACE", "Log the server's answers", &o.debug_trace);
  options.duration("timeout", "", "Timeout of the whole upload", &o.timeout);
  options.duration("response-header-timeout", "", "Longest wait for the server's answer", &o.response_timeout);
  options.text("archiver-staging-dir", "ARCHIVER_STAGING_DIR", "Directory for temporary files", &o.staging_dir);
  options.flag("generate-artifacts-metadata", "", "Make a provenance document", &o.generate_metadata);
  // The values of that document; accepted, so that its refusal says what is the matter.
  std::string unused;
  std::vector<std::string> unused_list;
  for (const std::string_view name : {"runner-id", "repo-url", "repo-digest", "job-name", "executor-name",
                                      "runner-name", "started-at", "ended-at", "schema-version"}) {
    options.text(name, "", "Of the provenance document", &unused);
  }
  options.list("metadata-parameter", "", "Of the provenance document", &unused_list);
  if (const Parsed p = parse_options(global, "artifacts-uploader", options, arguments); p.leave) return p.status;
  return transfer::artifacts_uploader(o);
}

int run_artifacts_downloader(const GlobalOptions& global, const Arguments& arguments) {
  transfer::DownloaderOptions o;
  Options options;
  add_credentials(options, &o.credentials);
  add_retry(options, &o.retry);
  add_meter(options, &o.meter_frequency);
  options.flag("direct-download", "FF_USE_DIRECT_DOWNLOAD", "Let the server redirect to the object store",
               &o.direct_download);
  options.text("archiver-staging-dir", "ARCHIVER_STAGING_DIR", "Directory for temporary files", &o.staging_dir);
  if (const Parsed p = parse_options(global, "artifacts-downloader", options, arguments); p.leave) return p.status;
  return transfer::artifacts_downloader(o);
}

int run_cache_archiver(const GlobalOptions& global, const Arguments& arguments) {
  transfer::CacheArchiverOptions o;
  Options options;
  add_selection(options, &o.selection);
  add_cache_transfer(options, &o);
  options.text("alternate-file", "", "The archive's file under its other key", &o.alternate_file);
  options.text("check-url", "", "URL that tells whether the archive is there already", &o.check_url);
  options.list("header", "", "Header of the upload, 'Name: value'", &o.headers);
  options.text("metadata", "CACHE_METADATA", "Metadata of the archive, a JSON object", &o.metadata);
  options.text("compression-level", "CACHE_COMPRESSION_LEVEL", "fastest, fast, default, slow, slowest",
               &o.compression_level);
  options.text("compression-format", "CACHE_COMPRESSION_FORMAT", "zip, tarzstd or zipzstd", &o.compression_format);
  options.integer("max-uploaded-archive-size", "CACHE_MAX_UPLOADED_ARCHIVE_SIZE", "Largest archive to upload, in bytes",
                  &o.max_uploaded_archive_size);
  if (const Parsed p = parse_options(global, "cache-archiver", options, arguments); p.leave) return p.status;
  return transfer::cache_archiver(o);
}

int run_cache_extractor(const GlobalOptions& global, const Arguments& arguments) {
  transfer::CacheExtractorOptions o;
  Options options;
  add_cache_transfer(options, &o);
  options.text("head-url", "", "URL that answers whether the archive exists", &o.head_url);
  options.text("alternate-url", "", "URL under the other key", &o.alternate_url);
  options.text("alternate-head-url", "", "URL that answers whether that one exists", &o.alternate_head_url);
  options.text("alternate-gocloud-url", "", "Go Cloud URL under the other key", &o.alternate_gocloud_url);
  if (const Parsed p = parse_options(global, "cache-extractor", options, arguments); p.leave) return p.status;
  return transfer::cache_extractor(o);
}

int run_cache_init(const GlobalOptions& global, const Arguments& arguments) {
  Options options;
  const Parsed parsed = parse_options(global, "cache-init", options, arguments);
  return parsed.leave ? parsed.status : transfer::cache_init(parsed.positional);
}

} // namespace cli
