#include <algorithm>
#include <string>

#include "base/strings.hpp"
#include "gitlab/wire.hpp"

namespace gitlab {

namespace {

constexpr std::size_t kShortTokenLength = 9;
constexpr std::string_view kCreatedRunnerPrefix = "glrt-";
constexpr std::size_t kPartitionPrefixLength = 3;    // t1_ t2_ t3_
constexpr std::size_t kRegistrationPrefixLength = 9; // GR and the hex date of the last rotation

bool has_partition_prefix(std::string_view token) {
  return token.size() >= kPartitionPrefixLength && token[0] == 't' && token[1] >= '1' && token[1] <= '3' &&
         token[2] == '_';
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool has_registration_prefix(std::string_view token) {
  return token.size() >= kRegistrationPrefixLength && token.starts_with("GR") &&
         std::all_of(token.begin() + 2, token.begin() + kRegistrationPrefixLength, is_hex);
}

} // namespace

std::string fix_url(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  // Links of GitLab CI before it moved into GitLab.
  if (url.ends_with("/ci")) url.remove_suffix(3);
  return std::string(url);
}

base::Result<std::string> api_root(std::string_view url) {
  const std::string fixed = fix_url(url);
  const std::size_t colon = fixed.find("://");
  const std::string scheme = base::to_lower(fixed.substr(0, colon == std::string::npos ? 0 : colon));
  if (scheme != "http" && scheme != "https") {
    return base::fail(base::ErrorKind::kInvalidInput, "only http or https scheme supported");
  }
  if (fixed.size() == colon + 3) return base::fail(base::ErrorKind::kInvalidInput, "the URL names no host");
  return fixed + "/api/v4/";
}

TokenKind token_kind(std::string_view token) {
  if (token.starts_with(kCreatedRunnerPrefix)) return TokenKind::kCreatedRunner;
  if (token.starts_with("glcbt-")) return TokenKind::kJob;
  if (token.starts_with("glpat-")) return TokenKind::kAccess;
  if (token.starts_with("GR1348941")) return TokenKind::kRegistration;
  return TokenKind::kLegacyRunner;
}

bool is_created_runner_token(std::string_view token) { return token.starts_with(kCreatedRunnerPrefix); }

std::string short_token(std::string_view token) {
  if (token.starts_with(kCreatedRunnerPrefix)) {
    token.remove_prefix(kCreatedRunnerPrefix.size());
    if (has_partition_prefix(token)) token.remove_prefix(kPartitionPrefixLength);
  } else if (has_partition_prefix(token)) {
    token.remove_prefix(kPartitionPrefixLength);
  } else if (token.starts_with("glrtr-")) {
    token.remove_prefix(6);
  }
  if (token.starts_with("glcbt-")) token.remove_prefix(6);
  if (has_registration_prefix(token)) token.remove_prefix(kRegistrationPrefixLength);
  return std::string(token.substr(0, kShortTokenLength));
}

std::string runner_key(std::string_view url, std::string_view token) { return std::string(url) + short_token(token); }

} // namespace gitlab
