// The commands that a job's script calls to move artifacts and caches: one function each, one options struct each.
//
// They run in the job's project directory, log in the runner format to stderr, read nothing from the environment that
// is not named here, and return the exit status (0, or 1 after a FATAL or WARNING line). src/cli maps flags and
// environment variables onto the structs. One thread calls; compression uses a few of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/secret.hpp"

namespace transfer {

// --id CI_JOB_ID, --token CI_JOB_TOKEN, --url CI_SERVER_URL, --tls-ca-file CI_SERVER_TLS_CA_FILE,
// --tls-cert-file CI_SERVER_TLS_CERT_FILE, --tls-key-file CI_SERVER_TLS_KEY_FILE
struct JobCredentials {
  std::int64_t id = 0;
  base::Secret token;
  std::string url;
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
};

// --path (repeated), --exclude (repeated), --untracked, --verbose
struct SelectionOptions {
  std::vector<std::string> paths;
  std::vector<std::string> exclude;
  bool untracked = false;
  bool verbose = false;
};

// --retry, --retry-time
struct RetryOptions {
  int retries = 2;
  std::chrono::nanoseconds wait = std::chrono::seconds(1);
};

struct UploaderOptions {
  JobCredentials credentials;
  SelectionOptions selection;
  std::string name = "artifacts";                           // --name
  std::string expire_in;                                    // --expire-in
  std::string format;                                       // --artifact-format
  std::string type;                                         // --artifact-type
  std::string compression_level;                            // --compression-level ARTIFACT_COMPRESSION_LEVEL
  bool debug_trace = false;                                 // --ci-debug-trace CI_DEBUG_TRACE
  std::chrono::nanoseconds timeout = std::chrono::hours(1); // --timeout
  std::chrono::nanoseconds response_timeout = std::chrono::minutes(10); // --response-header-timeout
  std::chrono::nanoseconds meter_frequency{0}; // --transfer-meter-frequency TRANSFER_METER_FREQUENCY
  std::string staging_dir;                     // --archiver-staging-dir ARCHIVER_STAGING_DIR
  bool generate_metadata = false;              // --generate-artifacts-metadata: not supported yet
};

struct DownloaderOptions {
  JobCredentials credentials;
  RetryOptions retry;
  bool direct_download = false;                // --direct-download FF_USE_DIRECT_DOWNLOAD
  std::string staging_dir;                     // --archiver-staging-dir ARCHIVER_STAGING_DIR
  std::chrono::nanoseconds meter_frequency{0}; // --transfer-meter-frequency TRANSFER_METER_FREQUENCY
};

// URLs of remote caches are refused with a clear error for now: only the local archive is supported.
struct CacheArchiverOptions {
  SelectionOptions selection;
  RetryOptions retry;
  std::string file;                            // --file
  std::string alternate_file;                  // --alternate-file
  std::string url;                             // --url
  std::string check_url;                       // --check-url
  std::string gocloud_url;                     // --gocloud-url
  int timeout_minutes = 0;                     // --timeout
  std::vector<std::string> headers;            // --header (repeated)
  std::string metadata;                        // --metadata CACHE_METADATA
  std::string compression_level;               // --compression-level CACHE_COMPRESSION_LEVEL
  std::string compression_format;              // --compression-format CACHE_COMPRESSION_FORMAT
  std::int64_t max_uploaded_archive_size = 0;  // --max-uploaded-archive-size CACHE_MAX_UPLOADED_ARCHIVE_SIZE
  std::string env_file;                        // --env-file
  std::int64_t transfer_buffer_size = 0;       // --transfer-buffer-size CACHE_TRANSFER_BUFFER_SIZE
  std::int64_t chunk_size = 0;                 // --chunk-size CACHE_CHUNK_SIZE
  std::int64_t concurrency = 0;                // --concurrency CACHE_CONCURRENCY
  std::chrono::nanoseconds meter_frequency{0}; // --transfer-meter-frequency TRANSFER_METER_FREQUENCY
};

struct CacheExtractorOptions {
  RetryOptions retry;
  std::string file;                            // --file
  std::string url;                             // --url
  std::string head_url;                        // --head-url
  std::string gocloud_url;                     // --gocloud-url
  std::string alternate_url;                   // --alternate-url
  std::string alternate_head_url;              // --alternate-head-url
  std::string alternate_gocloud_url;           // --alternate-gocloud-url
  int timeout_minutes = 0;                     // --timeout
  std::string env_file;                        // --env-file
  std::int64_t transfer_buffer_size = 0;       // --transfer-buffer-size CACHE_TRANSFER_BUFFER_SIZE
  std::int64_t chunk_size = 0;                 // --chunk-size CACHE_CHUNK_SIZE
  std::int64_t concurrency = 0;                // --concurrency CACHE_CONCURRENCY
  std::chrono::nanoseconds meter_frequency{0}; // --transfer-meter-frequency TRANSFER_METER_FREQUENCY
};

int artifacts_uploader(const UploaderOptions& options);
int artifacts_downloader(const DownloaderOptions& options);
int cache_archiver(const CacheArchiverOptions& options);
int cache_extractor(const CacheExtractorOptions& options);
int cache_init(const std::vector<std::string>& paths);

} // namespace transfer
