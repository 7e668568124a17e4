// S3Location: s3://bucket/prefix?… taken apart, and where the credentials for it come from.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "storage/aws_signature.hpp"

namespace storage {

struct S3Location {
  std::string bucket;
  std::string prefix; // "" or ending in '/'
  std::string region = "us-east-1";
  std::string scheme = "https";
  std::string host; // of the service, with a port that is not the scheme's; empty: AWS's of the region
  bool path_style = false;
  std::string encryption; // x-amz-server-side-encryption: AES256, aws:kms, aws:kms:dsse
  std::string encryption_key_id;
  std::string credentials_file; // empty: the environment, else AWS's usual file
  std::string profile;
  bool direct_download = true; // URLs may be handed out
  std::string ca_file;

  // What the Host header says: the bucket's own host in virtual-host style.
  std::string host_in(std::string_view region_used) const;

  // Parameters: endpoint, region, path_style, sse, sse_kms_key_id, credentials_file, profile, direct_download, ca_file.
  // kInvalidInput, which never repeats the text: somebody may have put a secret there.
  static base::Result<S3Location> parse(std::string_view text);
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN as they were when this was made; else a credentials
// file in AWS's format, read again when it changes. Thread-safe.
class AwsCredentialSource {
 public:
  AwsCredentialSource(std::string file, std::string profile);
  base::Result<AwsCredentials> get();

 private:
  std::optional<AwsCredentials> from_environment_;
  std::string file_;
  std::string profile_;
  std::mutex mutex_;
  std::optional<AwsCredentials> cached_;
  std::int64_t modified_ = 0; // of the file, nanoseconds
  std::uint64_t inode_ = 0;
};

// A profile of a credentials file's text; kNotFound when it has none or it is incomplete.
base::Result<AwsCredentials> parse_credentials_file(std::string_view text, std::string_view profile);

} // namespace storage
