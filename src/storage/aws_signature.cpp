#include "storage/aws_signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "base/hash.hpp"
#include "base/strings.hpp"

namespace storage {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string stamp(std::int64_t time, const char* format) {
  std::time_t seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

std::string date_time(const AwsScope& scope) { return stamp(scope.time, "%Y%m%dT%H%M%SZ"); }

std::string scope_text(const AwsScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", stamp(scope.time, "%Y%m%d"), scope.region, scope.service);
}

// Lower-case name → values joined, white space in runs made one blank.
std::map<std::string, std::string> canonical_headers(const AwsRequest& request) {
  std::map<std::string, std::string> result = {{"host", request.host}};
  for (const auto& [name, value] : request.headers) {
    std::string clean = base::join(base::split_fields(value), " ");
    auto [at, fresh] = result.try_emplace(base::to_lower(name), clean);
    if (!fresh) at->second += "," + clean;
  }
  return result;
}

std::string signed_headers(const AwsRequest& request) {
  std::string names;
  for (const auto& [name, value] : canonical_headers(request)) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string signature(const AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
                      std::string_view payload_sha256) {
  std::string text = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date_time(scope), scope_text(scope),
                                 base::sha256_hex(aws_canonical_request(request, payload_sha256)));
  std::string key = base::hmac_sha256("AWS4" + credentials.secret_key.reveal(), stamp(scope.time, "%Y%m%d"));
  for (std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service), std::string_view("aws4_request")})
    key = base::hmac_sha256(key, part);
  return base::hex_encode(base::hmac_sha256(key, text));
}

} // namespace

std::string AwsRequest::query_string() const {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(base::percent_encode(name), base::percent_encode(value));
  std::ranges::sort(encoded);
  std::string text;
  for (const auto& [name, value] : encoded) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

std::string aws_encode_path(std::string_view path) { return base::replace_all(base::percent_encode(path), "%2F", "/"); }

std::string aws_canonical_request(const AwsRequest& request, std::string_view payload_sha256) {
  std::string headers;
  for (const auto& [name, value] : canonical_headers(request)) headers += name + ":" + value + "\n";
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, request.query_string(), headers,
                     signed_headers(request), payload_sha256);
}

void aws_sign(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
              std::string_view payload_sha256) {
  request.headers.emplace_back("X-Amz-Date", date_time(scope));
  if (scope.service == "s3") request.headers.emplace_back("X-Amz-Content-Sha256", payload_sha256);
  if (!credentials.session_token.empty())
    request.headers.emplace_back("X-Amz-Security-Token", credentials.session_token.reveal());
  std::string authorization =
      fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key,
                  scope_text(scope), signed_headers(request), signature(request, credentials, scope, payload_sha256));
  request.headers.emplace_back("Authorization", std::move(authorization));
}

void aws_presign(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
                 std::chrono::seconds valid) {
  auto& query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", credentials.access_key + "/" + scope_text(scope));
  query.emplace_back("X-Amz-Date", date_time(scope));
  query.emplace_back("X-Amz-Expires", std::to_string(valid.count()));
  query.emplace_back("X-Amz-SignedHeaders", signed_headers(request));
  if (!credentials.session_token.empty())
    query.emplace_back("X-Amz-Security-Token", credentials.session_token.reveal());
  std::string sum = signature(request, credentials, scope, kUnsignedPayload);
  query.emplace_back("X-Amz-Signature", sum);
}

} // namespace storage
