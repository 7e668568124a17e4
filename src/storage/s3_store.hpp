// S3Store: objects in a bucket of an S3 service (AWS's, or one that speaks like it).
//
// Every request is signed, its body's SHA-256 included, so that the service refuses what was damaged on the way. What
// may pass (no connection, 5xx, 429, a clock or a region that is wrong) is tried again, 5 times in all. Large objects
// are sent in parts. Thread-safe: each call borrows one of the kept HTTP clients.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "net/http_client.hpp"
#include "storage/object_store.hpp"
#include "storage/s3_location.hpp"

namespace storage {

// For tests: sizes and waits.
struct S3Tuning {
  std::size_t part_size = 8u << 20; // S3's least is 5 MiB, but for the last part
  std::chrono::milliseconds first_wait{200};
  int tries = 5;
};

class S3Store final : public ObjectStore {
 public:
  static base::Result<std::unique_ptr<ObjectStore>> open(std::string_view location);
  S3Store(S3Location location, S3Tuning tuning);

  base::Result<std::unique_ptr<ObjectWriter>> create(const std::string& key) override;
  base::Result<ObjectInfo> info(const std::string& key) override;
  base::Result<std::string> read(const std::string& key, std::uint64_t offset, std::size_t size) override;
  base::Status remove(const std::string& key) override;
  base::Status list(const std::string& prefix, const std::function<base::Status(const ObjectInfo&)>& visit) override;
  base::Status drop_abandoned(const std::string& prefix, std::chrono::seconds untouched) override;
  std::optional<std::string> path(const std::string&) const override { return std::nullopt; }
  base::Result<std::optional<std::string>> url(const std::string& key, const UrlOptions& options) override;
  base::Status check() override;
  std::string name() const override;

 private:
  friend class S3Writer;
  struct Call {
    std::string method;
    std::string key; // "": the bucket
    std::vector<std::pair<std::string, std::string>> query = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string_view body = {};
    std::size_t max_answer = 16u << 20;
    int accept = 0; // a status that is no error, besides 2xx
  };
  // The answer when it is a 2xx; the error it means else.
  base::Result<net::HttpResponse> send(const Call& call);
  base::Result<net::HttpResponse> try_once(const Call& call);
  AwsRequest request_for(const Call& call) const;
  AwsScope scope() const;
  // Learns from an answer what it says about our clock or region; true when that makes another try worth while.
  bool learn(const net::HttpResponse& response);
  std::string url_of(const AwsRequest& request) const;
  std::vector<std::pair<std::string, std::string>> encryption_headers() const;

  std::unique_ptr<net::HttpClient> borrow();
  void give_back(std::unique_ptr<net::HttpClient> client);

  const S3Location location_;
  const S3Tuning tuning_;
  AwsCredentialSource credentials_;
  std::atomic<std::int64_t> clock_offset_ = 0; // seconds to add to ours
  mutable std::mutex mutex_;
  std::string region_;
  std::vector<std::unique_ptr<net::HttpClient>> clients_;
};

} // namespace storage
