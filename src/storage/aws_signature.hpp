// AWS Signature Version 4: a request's Authorization header, or a URL that carries its signature. Pure functions.
//
// For S3 and what speaks like it (paths are encoded once, not twice as for other AWS services with a path), and for
// services whose path is "/".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.hpp"

namespace storage {

struct AwsCredentials {
  std::string access_key;
  base::Secret secret_key;
  base::Secret session_token; // of temporary credentials; else empty
};

struct AwsScope {
  std::string region;
  std::string service = "s3";
  std::int64_t time = 0; // Unix seconds
};

struct AwsRequest {
  std::string method = "GET";
  std::string host;       // as the Host header will say: with a port that is not the scheme's
  std::string path = "/"; // encoded, as it is sent
  std::vector<std::pair<std::string, std::string>> query; // not encoded
  std::vector<std::pair<std::string, std::string>> headers;

  // The encoded query, without '?'; to be sent exactly so.
  std::string query_string() const;
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// Adds X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256 (S3) and Authorization. All headers that are there
// already are signed; `payload_sha256` in hex.
void aws_sign(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
              std::string_view payload_sha256);
// Adds the signature to the query instead; headers that are there must be sent by whoever uses the URL.
void aws_presign(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
                 std::chrono::seconds valid);

// RFC 3986 as AWS wants it: everything but letters, digits, -._~ in upper-case hex; '/' stays.
std::string aws_encode_path(std::string_view path);

// What is signed, for tests.
std::string aws_canonical_request(const AwsRequest& request, std::string_view payload_sha256);

} // namespace storage
