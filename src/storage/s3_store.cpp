#include "storage/s3_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <thread>

#include "base/duration.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "net/url.hpp"
#include "storage/s3_writer.hpp"
#include "storage/xml.hpp"

namespace storage {
namespace {

constexpr std::size_t kKeptClients = 16;

bool passes(int status, std::string_view code) {
  return status >= 500 ? status != 501
                       : status == 429 || status == 408 || code == "RequestTimeout" || code == "SlowDown";
}

base::ErrorKind kind_of(int status, std::string_view code) {
  if (passes(status, code)) return base::ErrorKind::kUnavailable;
  if (code == "NoSuchBucket") return base::ErrorKind::kInvalidInput;
  switch (status) {
    case 404:
      return base::ErrorKind::kNotFound;
    case 401:
      return base::ErrorKind::kUnauthorized;
    case 403:
      return base::ErrorKind::kForbidden;
    default:
      return base::ErrorKind::kInvalidInput;
  }
}

// "Thu, 01 Jan 2026 00:00:00 GMT"
std::optional<std::int64_t> parse_http_date(std::string_view text) {
  std::tm tm{};
  std::string copy(text);
  if (::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S", &tm) == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&tm));
}

std::int64_t wall_clock() { return static_cast<std::int64_t>(::time(nullptr)); }

std::chrono::milliseconds jittered(std::chrono::milliseconds wait) {
  static thread_local std::minstd_rand random(std::random_device{}());
  return wait / 2 + std::chrono::milliseconds(random() % static_cast<unsigned>(wait.count() / 2 + 1));
}

} // namespace

base::Result<std::unique_ptr<ObjectStore>> S3Store::open(std::string_view location) {
  return std::make_unique<S3Store>(FR_TRY(S3Location::parse(location)), S3Tuning{});
}

S3Store::S3Store(S3Location location, S3Tuning tuning)
    : location_(std::move(location)),
      tuning_(tuning),
      credentials_(location_.credentials_file, location_.profile),
      region_(location_.region) {}

std::string S3Store::name() const { return fmt::format("s3://{}/{}", location_.bucket, location_.prefix); }

std::unique_ptr<net::HttpClient> S3Store::borrow() {
  std::lock_guard lock(mutex_);
  if (clients_.empty()) return std::make_unique<net::HttpClient>(net::TlsOptions{.ca_file = location_.ca_file});
  auto client = std::move(clients_.back());
  clients_.pop_back();
  return client;
}

void S3Store::give_back(std::unique_ptr<net::HttpClient> client) {
  std::lock_guard lock(mutex_);
  if (clients_.size() < kKeptClients) clients_.push_back(std::move(client));
}

AwsScope S3Store::scope() const {
  std::lock_guard lock(mutex_);
  return {.region = region_, .time = wall_clock() + clock_offset_};
}

AwsRequest S3Store::request_for(const Call& call) const {
  AwsRequest request{
      .method = call.method, .host = location_.host_in(scope().region), .query = call.query, .headers = call.headers};
  std::string path = location_.path_style ? "/" + location_.bucket : "";
  if (!call.key.empty() || path.empty()) path += "/";
  request.path = aws_encode_path(path + (call.key.empty() ? "" : location_.prefix + call.key));
  return request;
}

std::string S3Store::url_of(const AwsRequest& request) const {
  std::string query = request.query_string();
  return fmt::format("{}://{}{}{}{}", location_.scheme, request.host, request.path, query.empty() ? "" : "?", query);
}

bool S3Store::learn(const net::HttpResponse& response) {
  auto region = response.headers.get("X-Amz-Bucket-Region");
  std::string told(region.empty() ? xml_text(response.body, "Region") : region);
  if (!told.empty() && response.status >= 300) {
    std::lock_guard lock(mutex_);
    if (told != region_) {
      region_ = told;
      return true;
    }
  }
  if (response.status == 403 && xml_text(response.body, "Code") == "RequestTimeTooSkewed") {
    if (auto theirs = parse_http_date(response.headers.get("Date"))) {
      clock_offset_ = *theirs - wall_clock();
      return true;
    }
  }
  return false;
}

base::Result<net::HttpResponse> S3Store::try_once(const Call& call) {
  AwsRequest signed_request = request_for(call);
  aws_sign(signed_request, FR_TRY(credentials_.get()), scope(), base::sha256_hex(call.body));
  net::HttpRequest request{.method = call.method, .url = url_of(signed_request), .headers = signed_request.headers};
  request.body = call.body;
  request.connect_timeout = std::chrono::seconds(10);
  request.response_timeout = std::chrono::seconds(60);
  request.total_timeout = std::chrono::minutes(15);
  request.follow_redirects = false; // a redirect needs another signature
  request.max_body = call.max_answer;
  auto client = borrow();
  auto response = client->send(request);
  if (response) give_back(std::move(client));
  return response;
}

base::Result<net::HttpResponse> S3Store::send(const Call& call) {
  auto wait = tuning_.first_wait;
  for (int attempt = 1;; ++attempt) {
    auto response = try_once(call);
    bool again = false;
    base::Error error(base::ErrorKind::kUnavailable, "");
    if (response) {
      if (response->status / 100 == 2 || response->status == call.accept) return response;
      std::string code = xml_text(response->body, "Code"), message = xml_text(response->body, "Message");
      bool learnt = learn(*response);
      again = learnt || passes(response->status, code);
      error = base::Error(kind_of(response->status, code),
                          fmt::format("{} {}{}: {} {}{}{}", call.method, name(), call.key, response->status,
                                      code.empty() ? response->reason : code, message.empty() ? "" : ": ", message));
      if (learnt) wait = std::chrono::milliseconds(0);
    } else {
      error = response.error();
      again = error.kind() == base::ErrorKind::kUnavailable || error.kind() == base::ErrorKind::kTimeout;
    }
    if (!again || attempt >= tuning_.tries) return base::fail(std::move(error));
    base::log::debug("the object store did not answer well, trying again",
                     {{"error", error.message()}, {"attempt", std::to_string(attempt)}});
    std::this_thread::sleep_for(jittered(wait));
    wait = std::max(wait * 2, tuning_.first_wait);
  }
}

std::vector<std::pair<std::string, std::string>> S3Store::encryption_headers() const {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!location_.encryption.empty()) headers.emplace_back("X-Amz-Server-Side-Encryption", location_.encryption);
  if (!location_.encryption_key_id.empty())
    headers.emplace_back("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", location_.encryption_key_id);
  return headers;
}

base::Result<std::unique_ptr<ObjectWriter>> S3Store::create(const std::string& key) {
  FR_CHECK(check_key(key));
  return std::make_unique<S3Writer>(*this, key);
}

base::Result<ObjectInfo> S3Store::info(const std::string& key) {
  FR_CHECK(check_key(key));
  auto response = FR_TRY(send({.method = "HEAD", .key = key}));
  return ObjectInfo{
      .key = key,
      .size = static_cast<std::uint64_t>(base::parse_int(response.headers.get("Content-Length")).value_or(0)),
      .modified = parse_http_date(response.headers.get("Last-Modified")).value_or(0)};
}

base::Result<std::string> S3Store::read(const std::string& key, std::uint64_t offset, std::size_t size) {
  FR_CHECK(check_key(key));
  if (size == 0) return std::string();
  auto response = FR_TRY(send({.method = "GET",
                               .key = key,
                               .headers = {{"Range", fmt::format("bytes={}-{}", offset, offset + size - 1)}},
                               .max_answer = size + (1u << 20),
                               .accept = 416}));
  if (response.status == 416) return std::string(); // behind the end
  // An empty object has no ranges, and some services answer whole ones.
  std::string bytes = std::move(response.body);
  if (response.status == 200) bytes.erase(0, std::min<std::uint64_t>(offset, bytes.size()));
  if (bytes.size() > size) bytes.resize(size);
  return bytes;
}

base::Status S3Store::remove(const std::string& key) {
  FR_CHECK(check_key(key));
  auto gone = send({.method = "DELETE", .key = key});
  if (!gone && gone.error().kind() != base::ErrorKind::kNotFound) return base::fail(std::move(gone.error()));
  return {};
}

base::Status S3Store::list(const std::string& prefix, const std::function<base::Status(const ObjectInfo&)>& visit) {
  std::string token;
  do {
    Call call{.method = "GET", .key = "", .query = {{"list-type", "2"}, {"prefix", location_.prefix + prefix}}};
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    auto response = FR_TRY(send(call));
    for (std::string_view item : xml_all(response.body, "Contents")) {
      ObjectInfo info{.key = xml_text(item, "Key"),
                      .size = static_cast<std::uint64_t>(base::parse_int(xml_text(item, "Size")).value_or(0)),
                      .modified = base::parse_rfc3339(xml_text(item, "LastModified")).value_or(wall_clock())};
      if (!info.key.starts_with(location_.prefix)) continue;
      info.key.erase(0, location_.prefix.size());
      if (check_key(info.key)) FR_CHECK(visit(info)); // others are not ours
    }
    token = xml_text(response.body, "IsTruncated") == "true" ? xml_text(response.body, "NextContinuationToken") : "";
  } while (!token.empty());
  return {};
}

base::Status S3Store::drop_abandoned(const std::string& prefix, std::chrono::seconds untouched) {
  // 501: services that do not list uploads end them by themselves, or never.
  auto response =
      FR_TRY(send({.method = "GET", .query = {{"uploads", ""}, {"prefix", location_.prefix + prefix}}, .accept = 501}));
  for (std::string_view item : xml_all(response.body, "Upload")) {
    std::string key = xml_text(item, "Key");
    auto begun = base::parse_rfc3339(xml_text(item, "Initiated"));
    if (!begun || *begun > wall_clock() - untouched.count() || !key.starts_with(location_.prefix + prefix)) continue;
    key.erase(0, location_.prefix.size());
    FR_CHECK(send({.method = "DELETE", .key = key, .query = {{"uploadId", xml_text(item, "UploadId")}}}));
  }
  return {};
}

base::Result<std::optional<std::string>> S3Store::url(const std::string& key, const UrlOptions& options) {
  FR_CHECK(check_key(key));
  if (!location_.direct_download) return std::nullopt;
  Call call{.method = "GET", .key = key};
  if (!options.content_type.empty()) call.query.emplace_back("response-content-type", options.content_type);
  if (!options.content_disposition.empty())
    call.query.emplace_back("response-content-disposition", options.content_disposition);
  AwsRequest request = request_for(call);
  aws_presign(request, FR_TRY(credentials_.get()), scope(), options.valid);
  return url_of(request);
}

base::Status S3Store::check() {
  FR_CHECK(send({.method = "GET", .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", location_.prefix}}}));
  return {};
}

} // namespace storage
