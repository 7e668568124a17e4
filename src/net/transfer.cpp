#include "net/transfer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/strings.hpp"
#include "net/proxy.hpp"
#include "sys/files.hpp"

namespace net {
namespace {

constexpr int kMaxRedirects = 10;

// Upstream's client forwards these to whatever host a redirect names; ours does not.
bool is_credential(std::string_view name) {
  std::string lower = base::to_lower(name);
  return lower == "authorization" || lower == "cookie" || lower == "www-authenticate" || lower.ends_with("-token") ||
         lower.starts_with("x-amz-") || lower.starts_with("x-goog-") || lower.starts_with("x-vault-");
}

// Debian's directory of certificates by hash: looked up one by one, where a bundle is parsed whole for every new
// connection pool (5 ms and 1 MB).
const std::string& hashed_certificates() {
  static const std::string directory = [] {
    for (const char* candidate : {"/etc/ssl/certs", "/etc/pki/tls/certs"}) {
      auto names = sys::list_directory(candidate);
      if (!names) continue;
      for (const auto& name : *names)
        if (name.size() == 10 && name[8] == '.' && name.find_first_not_of("0123456789abcdef") == 8 &&
            std::isdigit(static_cast<unsigned char>(name[9])))
          return std::string(candidate);
    }
    return std::string();
  }();
  return directory;
}

bool holds_certificate(const std::string& path) {
  auto text = sys::read_file(path, 16u << 20);
  return text && text->find("-----BEGIN") != std::string::npos;
}

} // namespace

Transfer::Transfer(const CurlApi& api, SocketRegistry& sockets, HttpRequest request, TlsOptions tls,
                   ConnectionPolicy policy)
    : api_(api),
      sockets_(sockets),
      request_(std::move(request)),
      tls_(std::move(tls)),
      policy_(policy),
      easy_(api.easy_init()) {}

Transfer::~Transfer() {
  if (easy_ != nullptr) api_.easy_cleanup(easy_);
  if (header_list_ != nullptr) api_.slist_free_all(header_list_);
}

base::Status Transfer::prepare() {
  if (easy_ == nullptr) return base::fail(base::ErrorKind::kSystem, "libcurl: out of memory");
  auto url = parse_url(request_.url);
  if (!url || (url->scheme != "http" && url->scheme != "https"))
    return base::fail(base::ErrorKind::kInvalidInput, "only http or https scheme supported");
  for (const auto& [name, value] : request_.headers)
    if (name.find_first_of("\r\n:") != std::string::npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return base::fail(base::ErrorKind::kInvalidInput, "header field \"" + name + "\" holds a line end");
  url_ = std::move(*url);
  started_ = std::chrono::steady_clock::now();
  return prepare_leg();
}

base::Status Transfer::prepare_leg() {
  api_.easy_reset(easy_);
  response_ = {};
  callback_error_.reset();
  error_text_[0] = '\0';
  touch();

  Url without_fragment = url_;
  without_fragment.fragment.clear();
  std::string text = format_url(without_fragment);
  set(CURLOPT_URL, text.c_str());
  set(CURLOPT_ERRORBUFFER, error_text_);
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NOPROGRESS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, &SocketRegistry::open);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&sockets_));
  set(CURLOPT_CLOSESOCKETFUNCTION, &SocketRegistry::close);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&sockets_));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 30L);
  set(CURLOPT_TCP_KEEPINTVL, 30L);
  set(CURLOPT_MAXAGE_CONN, 90L);
  if (policy_.max_age.count() > 0) set(CURLOPT_MAXLIFETIME_CONN, static_cast<long>(policy_.max_age.count()));
  if (policy_.fresh) set(CURLOPT_FRESH_CONNECT, 1L);
  if (!request_.unix_socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  std::string proxy = request_.unix_socket.empty() ? proxy_for(ProxySettings::from_environment(), url_) : std::string();
  set(CURLOPT_PROXY, proxy.c_str());
  if (request_.decompress) set(CURLOPT_ACCEPT_ENCODING, "gzip");

  auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(last_activity_ - started_);
  auto left = std::max(std::chrono::milliseconds(1), request_.total_timeout - elapsed);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<long>(1, request_.connect_timeout.count())));

  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_write);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  apply_method();
  apply_headers();
  if (url_.scheme == "https") apply_tls();
  return {};
}

void Transfer::apply_method() {
  const std::string& method = request_.method;
  source_.reset();
  bool has_source = body_allowed_ && request_.body_factory != nullptr;
  if (has_source) {
    source_ = request_.body_factory();
    if (source_ == nullptr) {
      callback_error_ = base::Error(base::ErrorKind::kIo, "the request's body cannot be read");
      has_source = false;
    }
  }
  if (has_source) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_CUSTOMREQUEST, method.c_str());
    set(CURLOPT_READFUNCTION, &Transfer::on_read);
    set(CURLOPT_READDATA, static_cast<void*>(this));
    set(CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
    set(CURLOPT_SEEKDATA, static_cast<void*>(this));
    auto length = source_->length();
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(length ? static_cast<curl_off_t>(*length) : -1));
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    return;
  }
  bool sends_body =
      body_allowed_ && (!request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH");
  if (sends_body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.data());
    if (method != "POST") set(CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    set(CURLOPT_HTTPGET, 1L);
    if (method != "GET") set(CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

void Transfer::apply_headers() {
  if (header_list_ != nullptr) api_.slist_free_all(std::exchange(header_list_, nullptr));
  bool has_type = false;
  bool has_expect = false;
  bool has_agent = false;
  for (const auto& [name, value] : request_.headers) {
    if (cross_host_ && is_credential(name)) continue;
    bool is_type = base::equals_ignore_case(name, "Content-Type");
    if (!body_allowed_ && (is_type || base::equals_ignore_case(name, "Content-Range"))) continue;
    has_type |= is_type;
    has_expect |= base::equals_ignore_case(name, "Expect");
    has_agent |= base::equals_ignore_case(name, "User-Agent");
    // "Name;" is libcurl's way to send a field without a value.
    header_list_ = api_.slist_append(header_list_, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  // What libcurl would add of its own accord.
  header_list_ = api_.slist_append(header_list_, has_expect ? "X-Placeholder:" : "Expect:");
  if (!has_type) header_list_ = api_.slist_append(header_list_, "Content-Type:");
  if (!has_agent) set(CURLOPT_USERAGENT, "forerunner");
  set(CURLOPT_HTTPHEADER, header_list_);
}

void Transfer::apply_tls() {
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (tls_.insecure_skip_verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const std::string& hashed = hashed_certificates();
  const char* from_environment = std::getenv("SSL_CERT_FILE");
  bool own_bundle = from_environment != nullptr && *from_environment != '\0';
  if (!tls_.ca_file.empty() && holds_certificate(tls_.ca_file)) {
    if (own_bundle || hashed.empty()) {
      std::string system = own_bundle ? from_environment : "/etc/ssl/certs/ca-certificates.crt";
      std::string bundle = sys::read_file(tls_.ca_file).value_or("") + "\n" + sys::read_file(system).value_or("");
      curl_blob blob{.data = bundle.data(), .len = bundle.size(), .flags = CURL_BLOB_COPY};
      set(CURLOPT_CAINFO_BLOB, &blob);
    } else {
      set(CURLOPT_CAINFO, tls_.ca_file.c_str());
      set(CURLOPT_CAPATH, hashed.c_str());
    }
    set(CURLOPT_CA_CACHE_TIMEOUT, 0L); // the file may change
  } else if (own_bundle) {
    set(CURLOPT_CAINFO, from_environment);
  } else if (!hashed.empty()) {
    set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));
    set(CURLOPT_CAPATH, hashed.c_str());
  }
  if (!tls_.cert_file.empty() && !tls_.key_file.empty() && sys::exists(tls_.cert_file) && sys::exists(tls_.key_file)) {
    set(CURLOPT_SSLCERT, tls_.cert_file.c_str());
    set(CURLOPT_SSLKEY, tls_.key_file.c_str());
  }
  if (request_.want_certificates) set(CURLOPT_CERTINFO, 1L);
}

std::optional<std::string> Transfer::redirect_target() const {
  if (!request_.follow_redirects) return std::nullopt;
  switch (response_.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      break;
    default:
      return std::nullopt;
  }
  auto location = response_.headers.get("Location");
  if (location.empty()) return std::nullopt;
  return std::string(location);
}

std::optional<base::Result<HttpResponse>> Transfer::leg_done(CURLcode code) {
  if (callback_error_) return base::fail(*callback_error_);
  auto location = code == CURLE_OK || response_.status != 0 ? redirect_target() : std::nullopt;
  if (location && (code == CURLE_OK || code == CURLE_SEND_ERROR)) {
    if (++redirects_ > kMaxRedirects)
      return base::fail(base::ErrorKind::kUnavailable,
                        request_.method + " " + sanitized(url_) + ": stopped after 10 redirects");
    auto target = resolve_reference(url_, *location);
    if (!target) return base::fail_context(request_.method + " " + sanitized(url_) + ": bad redirect", target.error());
    if (target->scheme != "http" && target->scheme != "https")
      return base::fail(base::ErrorKind::kUnavailable,
                        request_.method + " " + sanitized(url_) + ": redirect to scheme " + target->scheme);
    enter_redirect(std::move(*target));
    if (auto ready = prepare_leg(); !ready) return base::fail(ready.error());
    return std::nullopt;
  }
  if (code != CURLE_OK) return base::fail(error_for(code));
  response_.effective_url = format_url(url_);
  if (request_.want_certificates) response_.certificates = certificates();
  return std::move(response_);
}

void Transfer::enter_redirect(Url target) {
  bool keeps_method = response_.status == 307 || response_.status == 308;
  if (!keeps_method && request_.method != "GET" && request_.method != "HEAD") {
    request_.method = "GET";
    body_allowed_ = false;
  }
  if (target.host != url_.host || target.effective_port() != url_.effective_port()) {
    cross_host_ = true;
    request_.unix_socket.clear();
  }
  if (url_.scheme == "https" && target.scheme == "http") cross_host_ = true;
  if (cross_host_ && target.userinfo == url_.userinfo) target.userinfo.clear();
  url_ = std::move(target);
}

base::Error Transfer::error_for(CURLcode code) const {
  std::string text = fmt::format("{} {}: {}", request_.method, sanitized(url_),
                                 error_text_[0] != '\0' ? error_text_ : api_.easy_strerror(code));
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {base::ErrorKind::kTimeout, text};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {base::ErrorKind::kInvalidInput, text};
    default:
      return {base::ErrorKind::kUnavailable, text};
  }
}

std::vector<std::string> Transfer::certificates() const {
  std::vector<std::string> chain;
  curl_certinfo* info = nullptr;
  if (api_.easy_getinfo(easy_, CURLINFO_CERTINFO, &info) != CURLE_OK || info == nullptr) return chain;
  for (int i = 0; i < info->num_of_certs; ++i)
    for (const curl_slist* item = info->certinfo[i]; item != nullptr; item = item->next)
      if (std::string_view line = item->data; line.starts_with("Cert:")) chain.emplace_back(line.substr(5));
  return chain;
}

Transfer::TimePoint Transfer::deadline() const {
  return std::min(last_activity_ + request_.response_timeout, started_ + request_.total_timeout);
}

base::Error Transfer::timeout_error() const {
  return {base::ErrorKind::kTimeout, request_.method + " " + sanitized(url_) + ": timeout awaiting response"};
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.touch();
  transfer.header_line({data, size * count});
  return size * count;
}

void Transfer::header_line(std::string_view line) {
  line = base::trim(line);
  if (line.starts_with("HTTP/")) {
    response_.headers = {};
    auto blank = line.find(' ');
    auto rest = blank == std::string_view::npos ? std::string_view() : base::trim(line.substr(blank));
    response_.status = static_cast<int>(base::parse_int(rest.substr(0, 3)).value_or(0));
    response_.reason = rest.size() > 3 ? base::trim(rest.substr(3)) : std::string_view();
  } else if (line.empty()) {
    header_complete();
  } else if (auto colon = line.find(':'); colon != std::string_view::npos) {
    response_.headers.add(base::trim(line.substr(0, colon)), base::trim(line.substr(colon + 1)));
  }
}

void Transfer::header_complete() {
  if (response_.status < 200) return;
  auto length = response_.headers.get("Content-Length");
  if (length != "0" && response_.status != 204) {
    long local_port = 0;
    api_.easy_getinfo(easy_, CURLINFO_LOCAL_PORT, &local_port);
    sockets_.acknowledge(static_cast<int>(local_port));
  }
  if (!request_.on_headers || redirect_target()) return;
  response_.effective_url = format_url(url_);
  request_.on_headers(response_);
}

std::size_t Transfer::on_write(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.touch();
  std::string_view bytes(data, size * count);
  if (transfer.redirect_target()) return bytes.size();
  if (transfer.request_.on_body && transfer.is_success()) {
    if (transfer.request_.on_body(bytes)) return bytes.size();
    transfer.callback_error_ = base::Error(base::ErrorKind::kCanceled, "the receiver stopped the download");
    return 0;
  }
  auto& body = transfer.response_.body;
  if (body.size() + bytes.size() > transfer.request_.max_body) {
    // The text of an error page is of no use whole; a success has to be.
    if (!transfer.is_success()) return bytes.size();
    transfer.callback_error_ = base::Error(
        base::ErrorKind::kLimit, fmt::format("{} {}: the answer is longer than {} bytes", transfer.request_.method,
                                             sanitized(transfer.url_), transfer.request_.max_body));
    return 0;
  }
  body += bytes;
  return bytes.size();
}

std::size_t Transfer::on_read(char* buffer, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  auto got = transfer.source_->read(buffer, size * count);
  transfer.touch();
  if (got) return *got;
  transfer.callback_error_ = got.error();
  return CURL_READFUNC_ABORT;
}

// libcurl rewinds when a kept-alive connection turns out to be closed: the body then begins anew.
int Transfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  transfer.source_ = transfer.request_.body_factory();
  return transfer.source_ != nullptr ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

} // namespace net
