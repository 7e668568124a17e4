#include "storage/s3_location.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/strings.hpp"
#include "net/url.hpp"
#include "storage/object_store.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/process.hpp"

namespace storage {
namespace {

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(base::ErrorKind::kInvalidInput, "object store: " + std::move(why));
}

bool valid_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::isalnum(static_cast<unsigned char>(name.front())) &&
         std::ranges::all_of(name, [](unsigned char c) {
           return std::islower(c) || std::isdigit(c) || c == '-' || c == '.' || c == '_' || std::isupper(c);
         });
}

base::Status set_endpoint(S3Location& location, const std::string& value) {
  auto url = net::parse_url(value.find("://") == std::string::npos ? "https://" + value : value);
  if (!url) return bad("endpoint is not a URL");
  if (url->scheme != "http" && url->scheme != "https") return bad("endpoint must begin with http:// or https://");
  if (!url->userinfo.empty()) return bad("credentials do not belong into the endpoint");
  if ((!url->path.empty() && url->path != "/") || !url->query.empty())
    return bad("endpoint is a scheme, a host and a port, nothing else");
  if (url->port == net::Url{.scheme = url->scheme}.effective_port()) url->port = 0;
  location.scheme = url->scheme;
  location.host = url->authority();
  return {};
}

base::Status set_encryption(S3Location& location, const std::string& value) {
  std::string lower = base::to_lower(value);
  if (lower == "s3" || lower == "aes256") {
    location.encryption = "AES256";
  } else if (lower == "kms" || lower == "aws:kms") {
    location.encryption = "aws:kms";
  } else if (lower == "dsse-kms" || lower == "aws:kms:dsse") {
    location.encryption = "aws:kms:dsse";
  } else {
    return bad("sse is S3, KMS or DSSE-KMS");
  }
  return {};
}

base::Result<bool> flag(std::string_view name, const std::string& value) {
  auto on = base::parse_go_bool(value);
  if (!on) return bad(fmt::format("{} is true or false", name));
  return *on;
}

std::string environment(const char* name) { return sys::get_env(name).value_or(""); }

} // namespace

std::string S3Location::host_in(std::string_view region_used) const {
  std::string service = host;
  if (service.empty())
    service = fmt::format("s3.{}.amazonaws.com{}", region_used, region_used.starts_with("cn-") ? ".cn" : "");
  return path_style ? service : bucket + "." + service;
}

base::Result<S3Location> S3Location::parse(std::string_view text) {
  S3Location location;
  if (!text.starts_with("s3://")) return bad("does not begin with s3://");
  text.remove_prefix(5);
  auto question = text.find('?');
  std::string_view place = text.substr(0, question);
  if (place.find('@') != std::string_view::npos)
    return bad("credentials do not belong into the location; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  auto slash = place.find('/');
  location.bucket = place.substr(0, slash);
  if (!valid_bucket(location.bucket)) return bad("the bucket's name is not valid");
  if (slash != std::string_view::npos) location.prefix = base::percent_decode(place.substr(slash + 1));
  while (location.prefix.ends_with('/')) location.prefix.pop_back();
  if (!location.prefix.empty()) {
    FR_CHECK(check_key(location.prefix));
    location.prefix += '/';
  }
  std::optional<bool> path_style;
  for (const auto& [name, value] :
       net::parse_query(question == std::string_view::npos ? "" : text.substr(question + 1))) {
    if (name == "endpoint") {
      FR_CHECK(set_endpoint(location, value));
    } else if (name == "region") {
      location.region = value;
    } else if (name == "path_style") {
      path_style = FR_TRY(flag(name, value));
    } else if (name == "sse") {
      FR_CHECK(set_encryption(location, value));
    } else if (name == "sse_kms_key_id") {
      location.encryption_key_id = value;
    } else if (name == "credentials_file") {
      location.credentials_file = value;
    } else if (name == "profile") {
      location.profile = value;
    } else if (name == "direct_download") {
      location.direct_download = FR_TRY(flag(name, value));
    } else if (name == "ca_file") {
      location.ca_file = value;
    } else {
      return bad(
          "an unknown parameter; known are endpoint, region, path_style, sse, sse_kms_key_id, credentials_file, "
          "profile, direct_download and ca_file (keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)");
    }
  }
  bool aws = location.host.empty();
  // Others need no DNS entry per bucket, and a certificate for *.host does not cover names with dots.
  location.path_style = path_style.value_or(!aws || location.bucket.find('.') != std::string::npos);
  return location;
}

AwsCredentialSource::AwsCredentialSource(std::string file, std::string profile)
    : file_(std::move(file)), profile_(std::move(profile)) {
  if (file_.empty() && profile_.empty()) {
    AwsCredentials credentials{.access_key = environment("AWS_ACCESS_KEY_ID"),
                               .secret_key = base::Secret(environment("AWS_SECRET_ACCESS_KEY")),
                               .session_token = base::Secret(environment("AWS_SESSION_TOKEN"))};
    if (!credentials.access_key.empty() && !credentials.secret_key.empty()) from_environment_ = std::move(credentials);
  }
  if (profile_.empty()) profile_ = environment("AWS_PROFILE");
  if (profile_.empty()) profile_ = "default";
  if (file_.empty()) file_ = environment("AWS_SHARED_CREDENTIALS_FILE");
  if (file_.empty()) file_ = sys::join_path(sys::home_directory(), ".aws/credentials");
}

base::Result<AwsCredentials> AwsCredentialSource::get() {
  if (from_environment_) return *from_environment_;
  std::lock_guard lock(mutex_);
  struct stat st{};
  if (::stat(file_.c_str(), &st) != 0)
    return base::fail(base::ErrorKind::kUnauthorized,
                      fmt::format("no credentials for the object store: set AWS_ACCESS_KEY_ID and "
                                  "AWS_SECRET_ACCESS_KEY, or write {}",
                                  file_));
  std::int64_t modified = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
  if (cached_ && modified == modified_ && st.st_ino == inode_) return *cached_;
  auto credentials = parse_credentials_file(FR_TRY(sys::read_file(file_, 1 << 20)), profile_);
  if (!credentials) return base::fail_context(file_, credentials.error());
  modified_ = modified;
  inode_ = st.st_ino;
  cached_ = std::move(*credentials);
  return *cached_;
}

base::Result<AwsCredentials> parse_credentials_file(std::string_view text, std::string_view profile) {
  AwsCredentials credentials;
  bool inside = false;
  for (const std::string& raw : base::split(text, '\n')) {
    std::string_view line = base::trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && base::trim(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    auto equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    std::string name = base::to_lower(base::trim(line.substr(0, equals)));
    std::string value(base::trim(line.substr(equals + 1)));
    if (name == "aws_access_key_id") credentials.access_key = value;
    if (name == "aws_secret_access_key") credentials.secret_key = base::Secret(value);
    if (name == "aws_session_token") credentials.session_token = base::Secret(value);
  }
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return base::fail(base::ErrorKind::kUnauthorized,
                      fmt::format("profile {} has no aws_access_key_id and aws_secret_access_key", profile));
  return credentials;
}

} // namespace storage
