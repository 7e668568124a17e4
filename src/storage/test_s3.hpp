// FakeS3: a bucket "bkt" in memory behind HTTP, which can be told to fail; and credentials in the environment while it
// lives. For tests only; tests/objects has real services.
#pragma once

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/strings.hpp"
#include "net/http_server.hpp"
#include "storage/xml.hpp"

namespace storage {

class FakeS3 {
 public:
  struct Seen {
    std::string method, path, query, body;
    net::Headers headers;
  };
  FakeS3() {
    ::setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", "very secret", 1);
    ::unsetenv("AWS_SESSION_TOKEN");
    server.route("*", "/*", {.max_body = 64u << 20}, [this](net::Request request, net::Responder responder) {
      std::lock_guard lock(mutex);
      seen.push_back({request.method, request.path, request.query_string, request.body, request.headers});
      if (!faults.empty()) {
        auto fault = std::move(faults.front());
        faults.erase(faults.begin());
        if (fault.status != 0) return responder.send(std::move(fault));
      }
      responder.send(answer(request));
    });
    port = server.listen("127.0.0.1:0").value();
    server.start();
  }
  ~FakeS3() {
    server.stop();
    ::unsetenv("AWS_ACCESS_KEY_ID");
    ::unsetenv("AWS_SECRET_ACCESS_KEY");
  }
  std::string location(const std::string& more = "") const {
    return "s3://bkt/pre?endpoint=http://127.0.0.1:" + std::to_string(port) + more;
  }
  // Keys without the prefix.
  std::vector<std::string> keys() {
    std::lock_guard lock(mutex);
    std::vector<std::string> list;
    for (const auto& [key, bytes] : objects) list.push_back(key.substr(4));
    return list;
  }

  std::mutex mutex;
  std::vector<Seen> seen;
  std::vector<net::Response> faults; // answered first; status 0: none this time
  std::map<std::string, std::string> objects;
  std::map<int, std::string> parts;
  std::string modified = "2026-01-02T03:04:05.000Z";
  net::HttpServer server;
  int port = 0;

 private:
  net::Response answer(const net::Request& request) {
    if (request.path == "/bkt") return list(std::string(request.query_value("prefix")));
    std::string key = base::percent_decode(request.path.substr(5)); // "/bkt/"
    if (request.method == "POST" && request.query_string == "uploads=")
      return {.body = "<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId></InitiateMultipartUploadResult>"};
    if (request.method == "PUT" && !request.query_value("partNumber").empty()) {
      parts[std::atoi(std::string(request.query_value("partNumber")).c_str())] = request.body;
      return {.headers = {{"ETag", "\"e" + std::to_string(request.body.size()) + "\""}}};
    }
    if (request.method == "POST") {
      std::string whole;
      for (const auto& [number, bytes] : parts) whole += bytes;
      objects[key] = whole;
      parts.clear();
      return {.body = "<CompleteMultipartUploadResult/>"};
    }
    if (request.method == "PUT") return objects[key] = request.body, net::Response{};
    if (request.method == "DELETE") return parts.clear(), objects.erase(key), net::Response{.status = 204};
    if (!objects.contains(key))
      return {.status = 404, .body = "<Error><Code>NoSuchKey</Code><Message>gone &amp; away</Message></Error>"};
    return range(objects[key], request.header("Range"));
  }
  static net::Response range(const std::string& object, std::string_view range) {
    if (!range.starts_with("bytes=")) return {.body = object};
    auto dash = range.find('-');
    auto first = static_cast<std::size_t>(base::parse_int(range.substr(6, dash - 6)).value_or(0));
    auto last = static_cast<std::size_t>(base::parse_int(range.substr(dash + 1)).value_or(0));
    if (first >= object.size()) return {.status = 416, .body = "<Error><Code>InvalidRange</Code></Error>"};
    return {.status = 206, .body = object.substr(first, last - first + 1)};
  }
  net::Response list(const std::string& prefix) {
    std::string body = "<ListBucketResult><IsTruncated>false</IsTruncated>";
    for (const auto& [key, bytes] : objects)
      if (key.starts_with(prefix))
        body += "<Contents><Key>" + xml_encode(key) + "</Key><Size>" + std::to_string(bytes.size()) +
                "</Size><LastModified>" + modified + "</LastModified></Contents>";
    return {.body = body + "</ListBucketResult>"};
  }
};

} // namespace storage
